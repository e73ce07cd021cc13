"""highdimensional.space (2018): minibatch discrimination x noise x feature matching, side by side.

    python -m gan1d.main --config=configs/high_dimensional.py:panels
    python -m gan1d.main --config=configs/high_dimensional.py:sigma

Variants: `panels`, the post's six and the two that it left out (feature matching without noise), on
AYLIEN's code of June 2017; `sigma`, does noise do anything: the post's sorted noise on data and
latents, and instance noise proper, from nothing to the target's own width. 200 seeds of 5000
updates. `panels` took 27 CPU seconds, `sigma` 50; expect success in half of the runs with feature
matching, in two of five with minibatch discrimination as well, and in at most 3% without.
"""

from gan1d import variant as choose

SETTING = {
    "generator.optimizer.kind": "adam_tf1",
    "discriminator.optimizer.kind": "adam_tf1",
    "steps": 5000,
    "seeds": "0:200",
    "judging.log_every": 250,
    "judging.view": (-8.0, 8.0),
}
MINIBATCH = "tricks.minibatch=off,replace"
MATCHING = "tricks.feature_matching=off,paired"
VARIANTS = {
    "panels": SETTING | {"sweep": (MINIBATCH, "tricks.input_noise=0,0.001", MATCHING)},
    "sigma": SETTING
    | {
        "sweep": (
            MINIBATCH,
            "tricks.input_noise=0,0.001,0.1,0,0,0 tricks.instance_noise=0,0,0,0.001,0.1,0.5",
            MATCHING,
        )
    },
}


def get_config(variant="panels"):
    return choose(VARIANTS, variant)
