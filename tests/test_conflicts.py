"""Settings whose fields are each allowed but make no sense together."""

import pytest

from gan1d.config import conflicts, fields
from gan1d.gan import spec
from gan1d.gan.setting import Setting


def built(**changes):
    """A setting, whether it makes sense or not."""
    defaults = {name: default for name, _, default in spec.specs(Setting)}
    return spec.build(Setting, defaults | changes)


MIXTURE = {"target.kind": "mixture"}
MINIBATCH = {"tricks.minibatch": "append"}
UNSORTED = {"latent.kind": "normal", "training.sort": False}
PACKED = UNSORTED | {"tricks.packing": 2}
WHOLE = {
    "training.data_rows": 8,
    "training.full_batch": True,
    "training.finite_latents": True,
}
COMPETITIVE = {
    "training.dynamics": "competitive",
    "training.order": "simultaneous",
    "training.fresh_batches": False,
    "loss.kind": "saturating",
    "generator.optimizer.kind": "sgd",
    "discriminator.optimizer.kind": "sgd",
}


@pytest.mark.parametrize(
    "changes, field",
    [
        (MIXTURE | {"target.weights": (1.0,)}, "target.weights"),
        (
            MIXTURE | {"target.weights": (), "target.means": (), "target.stds": ()},
            "target.weights",
        ),
        ({"target.kind": "uniform_mixture", "target.half_widths": (1.0,)}, "target.weights"),
        (MIXTURE | {"target.weights": (1.0, 9e-7)}, "target.weights"),
        (MIXTURE | {"target.weights": (1e-4, 1000.0)}, "target.weights"),
        ({"target.kind": "pareto", "target.shape": 2.0}, "target.shape"),
        ({"latent.dim": 2}, "latent.dim"),
        ({"latent.low": 8.0}, "latent.low"),
        ({"latent.kind": "uniform", "latent.low": 9.0}, "latent.low"),
        (MINIBATCH | {"discriminator.hidden": ()}, "tricks.minibatch"),
        ({"tricks.minibatch": "replace", "discriminator.hidden": (8,)}, "tricks.minibatch"),
        ({"training.batch_size": 1}, "training.batch_size"),
        (
            MINIBATCH | {"training.batch_size": 1, "latent.kind": "uniform"},
            "training.batch_size",
        ),
        ({"target.loc": 1e6}, "target.loc"),
        ({"training.data_rows": 9, "training.finite_latents": True}, "latent.kind"),
        ({"training.data_rows": 9, "training.full_batch": True}, "training.batch_size"),
        (UNSORTED | WHOLE | {"diversity.kind": "distances"}, "diversity.kind"),
        ({"training.strata": 3}, "training.strata"),
        ({"training.strata": 4, "training.data_rows": 10}, "training.strata"),
        ({"training.strata": 4, "target.kind": "data", "target.columns": "a"}, "training.strata"),
        (
            {"discriminator.hidden": (), "discriminator.last_activation": "tanh"},
            "discriminator.last_activation",
        ),
        (
            {"generator.hidden": (), "generator.last_activation": "tanh"},
            "generator.last_activation",
        ),
        (
            {"tricks.minibatch": "replace", "discriminator.last_activation": "linear"},
            "discriminator.last_activation",
        ),
        (
            {"latent.kind": "normal", "latent.dim": 2, "tricks.input_noise": 0.1},
            "tricks.input_noise",
        ),
        (
            {"tricks.feature_matching": "mean", "discriminator.hidden": ()},
            "tricks.feature_matching",
        ),
        ({"pretraining.steps": 1, "pretraining.low": 5.0}, "pretraining.low"),
        (
            {"target.kind": "quadratic", "tricks.input_noise": 0.1},
            "tricks.input_noise",
        ),
        ({"target.kind": "moons", "pretraining.steps": 1}, "pretraining.steps"),
        ({"target.kind": "ring", "target.noise": 0.0}, "target.noise"),
        ({"target.kind": "grid", "target.noise": 0.0}, "target.noise"),
        (MINIBATCH | {"tricks.minibatch_rows": 9}, "tricks.minibatch_rows"),
        ({"tricks.minibatch": "replace", "tricks.minibatch_rows": 100}, "tricks.minibatch_rows"),
        ({"training.order": "simultaneous", "training.d_steps": 2}, "training.d_steps"),
        ({"training.order": "simultaneous", "training.g_steps": 3}, "training.g_steps"),
        (
            {
                "training.order": "simultaneous",
                "tricks.feature_matching_trains": "g_and_features",
            },
            "tricks.feature_matching_trains",
        ),
        ({"loss.kind": "relativistic"}, "training.sort"),
        ({"generator.kind": "point", "tricks.virtual_batch_norm": "on"}, "generator.kind"),
        (PACKED | {"training.batch_size": 9}, "tricks.packing"),
        (PACKED | {"training.sort": True}, "training.sort"),
        (PACKED | {"latent.kind": "stratified"}, "latent.kind"),
        (PACKED | {"pretraining.steps": 1}, "pretraining.steps"),
        ({"tricks.minibatch_std": 3}, "tricks.minibatch_std"),
        ({"tricks.minibatch_std": 1}, "tricks.minibatch_std"),
        (PACKED | {"tricks.minibatch_std": 8}, "tricks.minibatch_std"),
        ({"diversity.kind": "mode_seeking"}, "latent.kind"),
        ({"tricks.top_k": 0.5, "tricks.feature_matching": "mean"}, "tricks.top_k"),
        ({"tricks.top_k": 0.5, "loss.kind": "mmd"}, "tricks.top_k"),
        ({"loss.kind": "ranks"}, "training.sort"),
        (UNSORTED | {"loss.kind": "ranks", "target.kind": "ring"}, "loss.kind"),
        (UNSORTED | {"loss.kind": "ranks", "loss.ranks": 9}, "loss.ranks"),
        ({"discriminator.norm": "batch", "penalty.kind": "r1"}, "discriminator.norm"),
        ({"discriminator.norm": "batch", "pretraining.steps": 1}, "pretraining.steps"),
        ({"discriminator.spectral_norm": "on", "pretraining.steps": 1}, "pretraining.steps"),
        ({"generator.norm": "batch", "tricks.virtual_batch_norm": "on"}, "generator.norm"),
        (
            {"generator.norm": "batch", "training.batch_size": 1, "latent.kind": "uniform"},
            "generator.norm",
        ),
        ({"discriminator.norm": "layer", "discriminator.hidden": ()}, "discriminator.norm"),
        ({"discriminator.dropout": 0.1, "discriminator.hidden": ()}, "discriminator.dropout"),
        ({"discriminator.maxout": 2, "discriminator.hidden": ()}, "discriminator.maxout"),
        ({"averages.uniform": "on", "averages.ema": 0.9}, "averages.ema"),
        ({"generator.hidden": (), "generator.norm": "layer"}, "generator.norm"),
        (
            {"generator.hidden": (), "tricks.virtual_batch_norm": "on"},
            "tricks.virtual_batch_norm",
        ),
        (
            PACKED | {"loss.kind": "relativistic_average_hinge", "training.batch_size": 2},
            "training.batch_size",
        ),
        # Where data have two dimensions but latents one, these are sorted.
        ({"target.kind": "ring", "latent.kind": "normal", "tricks.packing": 2}, "training.sort"),
        (
            {"tricks.noise_fade_steps": 9.0, "tricks.noise_fade_shape": "exponential"},
            "tricks.noise_fade",
        ),
        ({"training.dynamics": "past_extragradient"}, "training.order"),
        (
            {"training.unrolled": 1, "tricks.feature_matching_trains": "g_and_features"},
            "tricks.feature_matching_trains",
        ),
        (COMPETITIVE | {"loss.kind": "non_saturating"}, "loss.kind"),
        (COMPETITIVE | {"training.order": "alternating"}, "training.order"),
        (COMPETITIVE | {"training.fresh_batches": True}, "training.fresh_batches"),
        (COMPETITIVE | {"penalty.kind": "r1"}, "penalty.kind"),
        (COMPETITIVE | {"generator.optimizer.kind": "adam"}, "generator.optimizer.kind"),
        (COMPETITIVE | {"generator.optimizer.rate": 0.1}, "generator.optimizer.rate"),
        (COMPETITIVE | {"generator.optimizer.decay": 0.5}, "generator.optimizer.decay"),
        (COMPETITIVE | {"discriminator.optimizer.warmup": 9.0}, "discriminator.optimizer.warmup"),
        (COMPETITIVE | {"tricks.historical_averaging": "on"}, "tricks.historical_averaging"),
    ],
)
def test_what_makes_no_sense_together_is_reported_at_its_field(changes, field):
    ((name, value, remedy),) = conflicts.find(built(**changes))
    assert name == field
    assert value == changes.get(field, fields.specs()[field][1])
    assert remedy


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"target.weights": (1.0,)},  # unused by a Gaussian
        {"latent.kind": "uniform", "latent.dim": 2},
        {"latent.kind": "normal", "latent.low": 9.0},
        MINIBATCH | {"discriminator.hidden": (8,)},
        {"tricks.minibatch": "replace", "discriminator.hidden": (8, 8)},
        {"discriminator.hidden": (), "generator.hidden": ()},
        {"training.batch_size": 1, "latent.kind": "uniform"},
        {"pretraining.low": 9.0},  # unused without pretraining
        {"target.kind": "quadratic", "target.noise": 0.0},  # a curve, whose points need no width
        {"target.kind": "ring", "tricks.instance_noise": 0.1},
        {"target.kind": "grid", "latent.kind": "normal", "latent.dim": 2},
        MINIBATCH | {"tricks.minibatch_rows": 8},  # a batch has 8 rows
        {"tricks.minibatch_rows": 9},  # unused without minibatch discrimination
        {"training.fresh_batches": False, "training.d_steps": 10},
        {"training.order": "generator_first", "training.d_steps": 5},
        {"loss.kind": "relativistic", "training.sort": False},
        {"loss.kind": "relativistic", "target.kind": "moons", "latent.kind": "normal"},
        COMPETITIVE,
        PACKED | {"tricks.minibatch_std": 4},
        UNSORTED | {"loss.kind": "ranks"},
        {"training.dynamics": "extragradient"},
        {"discriminator.norm": "batch", "penalty.kind": "lecam"},
        {"diversity.kind": "distances", "latent.kind": "uniform"},
    ],
)
def test_what_can_be_run_is_not_reported(changes):
    assert not list(conflicts.find(built(**changes)))
