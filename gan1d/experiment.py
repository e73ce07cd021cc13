"""What config files of earlier versions import; it is `gan1d.config.experiment` now."""

from gan1d.config.experiment import ConfigError, default_config, resolve, variant

__all__ = ["ConfigError", "default_config", "resolve", "variant"]
