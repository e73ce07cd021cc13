"""DigitalOcean and Paperspace (2018-20): a GAN on a curve in the plane, unscaled.

    python -m gan1d.main --config=configs/quadratic.py:post
    python -m gan1d.main --config=configs/quadratic.py:code
    python -m gan1d.main --config=configs/quadratic.py:two_curves
    python -m gan1d.main --config=configs/quadratic.py:targets
    python -m gan1d.main --config=configs/quadratic.py:activations
    python -m gan1d.main --config=configs/quadratic.py:layers

Variants: `post`, one step of D and of G an update, each on a fresh batch; `code`, ten and ten on
the same batch; and the exercises that the post leaves to its reader: `two_curves`, `targets` (other
curves, and modes), `activations`, `layers`. Batches of 256.

CPU time in minutes: 12 each for `post` and `code` (200 seeds), 1 for `two_curves`, 6 for `targets`,
4 each for `layers` and `activations` (100 seeds of 10,000 updates). Of `targets` expect success on
the moons in nine runs of ten, on the spiral and the sine in about half, blurred generators on the
grid, and modes lost on the ring.
"""

from gan1d import variant as choose

POST = {
    "target.kind": "quadratic",
    "target.loc": 0.0,
    "target.scale": 1.0,
    "target.noise": 0.0,
    "latent.kind": "uniform",
    "latent.dim": 2,
    "latent.low": -1.0,
    "latent.high": 1.0,
    "generator.hidden": (16, 16),
    "generator.activation": "leaky_relu",
    "generator.kernel_init": "glorot_uniform",
    "discriminator.hidden": (16, 16, 2),
    "discriminator.activation": "leaky_relu",
    "discriminator.last_activation": "linear",
    "discriminator.kernel_init": "glorot_uniform",
    "loss.log_floor": 0.0,
    "training.batch_size": 256,
    "steps": 100_001,
    "seeds": "0:200",
    "judging.log_every": 1000,
    "judging.features": True,
} | {
    f"{network}.optimizer.{field}": value
    for network in ("generator", "discriminator")
    for field, value in {
        "kind": "rmsprop",
        "rate": 0.001,
        "epsilon": 1e-10,
        "rms_initial": 1.0,
    }.items()
}
CODE = POST | {
    "training.d_steps": 10,
    "training.g_steps": 10,
    "training.fresh_batches": False,
    "steps": 10_001,
    "judging.log_every": 100,
}
SHORT = POST | {"steps": 10_000, "seeds": "0:100", "judging.log_every": 500}
VARIANTS = {
    "post": POST,
    "code": CODE,
    "two_curves": SHORT | {"target.kind": "two_curves"},
    "targets": {name: value for name, value in SHORT.items() if name != "target.kind"}
    | {"target.noise": 0.02, "sweep": ("target.kind=sine,moons,spiral,ring,grid",)},
    "activations": {name: value for name, value in SHORT.items() if ".activation" not in name}
    | {
        "sweep": (
            "generator.activation=leaky_relu,relu,tanh,elu,gelu "
            "discriminator.activation=leaky_relu,relu,tanh,elu,gelu",
        )
    },
    "layers": {name: value for name, value in SHORT.items() if ".hidden" not in name}
    | {
        "sweep": (
            "generator.hidden=(16,),(16,16),(16,16,16),(16,16,16,16) "
            "discriminator.hidden=(16,2),(16,16,2),(16,16,16,2),(16,16,16,16,2)",
        )
    },
}


def get_config(variant="post"):
    return choose(VARIANTS, variant)
