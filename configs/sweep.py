"""The main job: do the tricks work, alone and together?

    python -m gan1d.main --config=configs/sweep.py

The question of highdimensional.space (2018), asked of 128 seeds instead of one: minibatch
discrimination x noise x feature matching on AYLIEN's GAN of June 2017, 1536 GANs of 5000 updates.
On 2 cores 28 s, 26 s once compiled; expect success in 28% to 53% with feature matching and at most
7% without.
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
