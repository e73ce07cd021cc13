"""The main job: do the tricks work, alone and together?

    python -m gan1d.main --config=configs/sweep.py

The question of highdimensional.space (2018), asked of 128 seeds instead of one: minibatch
discrimination x noise x feature matching on AYLIEN's GAN of June 2017, 1536 GANs of 5000 updates.
Less than a minute on 2 cores; expect success in a third to six tenths of the runs with feature
matching and in at most 3% without.
"""

from gan1d import default_config


def get_config():
    config = default_config()
    config.steps = 5000
    config.seeds = "0:128"
    config.sweep = (
        "tricks.minibatch=off,replace",
        # In step: none, the post's sorted noise on data and latents, instance noise proper.
        "tricks.input_noise=0,0.001,0 tricks.instance_noise=0,0,0.1",
        "tricks.feature_matching=off,paired",
    )
    return config
