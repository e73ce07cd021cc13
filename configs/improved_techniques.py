"""The tricks of Salimans et al. (2016) and instance noise, one at a time, on AYLIEN's GAN.

    python -m gan1d.main --config=configs/improved_techniques.py

Beyond the tutorials: feature matching as the paper has it, minibatch discrimination, virtual batch
normalization, historical averaging, one-sided label smoothing and instance noise, each alone
against none. 200 seeds of 5000 updates of AYLIEN's code of June 2017 took 20 CPU seconds. Expect
little: success in 2% to 5% with feature matching of means, in at most 2% otherwise.
"""

from gan1d import default_config

# In step: one column a setting, the first of them plain.
TRICKS = (
    "tricks.feature_matching=off,mean,off,off,off,off,off "
    "tricks.minibatch=off,off,replace,off,off,off,off "
    "tricks.virtual_batch_norm=off,off,off,on,off,off,off "
    "tricks.historical_averaging=off,off,off,off,on,off,off "
    "loss.label_smoothing=0,0,0,0,0,0.1,0 "
    "tricks.instance_noise=0,0,0,0,0,0,0.1"
)


def get_config():
    config = default_config()
    config.steps = 5000
    config.seeds = "0:200"
    config.tricks.historical_weight = 0.01
    config.sweep = (TRICKS,)
    return config
