"""Entries of one's own: registered in a config file, or in a module beside it."""

import hashlib
import json
import textwrap

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from helpers import run_main, setting

from gan1d import register, results
from gan1d.config import experiment, fields
from gan1d.engines import lanes
from gan1d.gan import losses, networks, optimizers, penalties, randomness, spec, targets, train
from gan1d.gan.targets import deviations, line
from gan1d.sweep import loop
from gan1d.sweep.cohorts import Sweep
from gan1d.sweep.layout import Choices, choose


@pytest.fixture(autouse=True)
def as_it_was():
    """Registries as they were before a test."""
    registries = (losses.LOSSES, networks.ACTIVATIONS, optimizers.OPTIMIZERS)
    registries += (penalties.PENALTIES, targets.LINE, targets.PLANE, register._OWN)
    before = [dict(registry) for registry in registries]
    yield
    for registry, entries in zip(registries, before, strict=True):
        registry.clear()
        registry.update(entries)
    for added in spec.SECTIONS.values():
        added.clear()
    spec.ADDITIONS.append("none of them")


def boosting(loss, real, fake):
    """The exponential loss of boosting, of D and of G."""
    real, fake = loss.sharpness * real, loss.sharpness * fake
    return jnp.exp(-real) + jnp.exp(fake), jnp.exp(-fake)


def logistic():
    """The logistic distribution."""
    softplus, sigmoid = jax.nn.softplus, jax.nn.sigmoid
    return line.Family(
        log_prob=lambda target, t: -t - 2 * softplus(-t),
        cdf=lambda target, t: sigmoid(t),
        quantile=lambda target, u: jnp.log(u) - jnp.log1p(-u),
        deviation=deviations.symmetric(
            lambda a, c: jnp.where(
                jnp.isinf(a), softplus(c), softplus(c) - softplus(a) - (c - a) * sigmoid(a)
            )
        ),
        mean=lambda target: jnp.zeros(()),
        std=lambda target: jnp.full((), np.pi / 3**0.5),
        sample=lambda target, u: jnp.log(u) - jnp.log1p(-u),
    )


def registered():
    """One entry of each kind, and the fields of a setting that uses them."""
    sharpness = register.number(1.0, "factor on D's outputs", low=0, open_low=True)
    register.loss("boosting", rest=0.0, sharpness=sharpness)(boosting)
    register.penalty("output")(
        lambda penalty, d, seen: penalty.weight * (d(seen.fake).value ** 2).mean()
    )
    register.activation("snake")(lambda x: x + jnp.sin(x) ** 2)
    register.optimizer("damped", damping=register.number(0.5, "factor", low=0))(
        lambda optimizer: optax.scale(optimizer.damping)
    )
    register.target("logistic")(logistic)
    return {
        "loss.kind": "boosting",
        "penalty.kind": "output",
        "penalty.weight": 0.1,
        "generator.activation": "snake",
        "discriminator.optimizer.kind": "damped",
        "target.kind": "logistic",
        "discriminator.activation": "tanh",
    }


def test_what_is_registered_trains_in_both_engines():
    one = setting(**registered(), **{"loss.sharpness": 0.5})
    seeds = np.arange(3, dtype=np.uint32)
    many = jax.tree.map(lambda x: np.full(3, x, np.float32), one)

    def started(own, seed):
        return train.start(own, randomness.run_key(seed))[0]

    def updated(own, seed, run):
        def one_more(run, number):
            batch = train.draw(own, randomness.run_key(seed), number)
            return train.advance(own, run, batch, number), None

        return jax.lax.scan(one_more, run, np.arange(3, dtype=np.int32))[0]

    start = jax.jit(jax.vmap(started))(many, seeds)
    theirs = jax.jit(jax.vmap(updated))(many, seeds, start)
    ours, _ = lanes.compile_training(one)((many, seeds), start, 0, 3)
    for a, b in zip(jax.tree.leaves(ours), jax.tree.leaves(theirs), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5)
    assert (np.asarray(theirs.diverged_at) == -1).all()


def test_a_registered_entry_has_fields_help_and_labels():
    registered()
    known = fields.specs()
    assert known["loss.sharpness"][1] == 1.0
    assert "boosting" in known["loss.kind"][0].range()
    made = experiment.resolve({"loss.kind": "boosting", "sweep": ("loss.sharpness=0.5,2",)})
    assert made.labels == ("sharpness 0.5", "sharpness 2")
    assert [one.loss.sharpness for one in made.settings] == [0.5, 2.0]
    assert len(Sweep(made).cohorts) == 1  # a traced number: one program
    with pytest.raises(fields.ConfigError, match=r"loss.sharpness=-1: it must be above 0"):
        experiment.resolve({"loss.kind": "boosting", "loss.sharpness": -1.0})
    with pytest.raises(fields.ConfigError, match=r"loss.sharpness: no effect unless loss.kind"):
        experiment.resolve({"sweep": ("loss.sharpness=0.5,2",)})


def test_a_registered_loss_is_its_formula():
    registered()
    section = setting(**{"loss.kind": "boosting", "loss.sharpness": 2.0}).loss
    entry = losses.LOSSES["boosting"]
    np.testing.assert_allclose(entry.d(section, 1.0, 0.5), np.exp(-2) + np.exp(1), rtol=1e-6)
    np.testing.assert_allclose(entry.g(section, 1.0, 0.5), np.exp(-1), rtol=1e-6)
    assert entry.rest(section) == 0.0 and entry.read is None


@pytest.mark.parametrize(
    "name, options, problem",
    [
        ("hinge", {}, "gan1d has a 'hinge' already"),
        ("No Word", {}, "small letters"),
        ("mine", {"clip": register.number(1.0, "a field")}, "there is a field 'clip' already"),
    ],
)
def test_what_would_hide_something_is_refused(name, options, problem):
    with pytest.raises(ValueError, match=problem):
        register.loss(name, **options)(boosting)


def test_two_entries_do_not_share_a_field():
    """The second would take the first one's field, and its condition, away."""
    registered()
    with pytest.raises(ValueError, match="there is a field 'sharpness' already"):
        register.loss("other", sharpness=register.number(3.0, "another"))(boosting)
    assert "other" not in losses.LOSSES and fields.specs()["loss.sharpness"][1] == 1.0


def test_registering_again_replaces():
    registered()
    before = losses.LOSSES["boosting"]
    registered()
    assert losses.LOSSES["boosting"] is not before
    assert fields.specs()["loss.sharpness"][1] == 1.0


CONFIG = """
    from gan1d import default_config, register
    import formulas_of_mine

    @register.loss("boosting", rest=0.0, sharpness=register.number(1.0, "factor", low=0))
    def boosting(loss, real, fake):
        return formulas_of_mine.exponential(loss.sharpness, real, fake)

    def get_config():
        config = default_config()
        config.loss.kind = "boosting"
        config.steps, config.seeds, config.judging.log_every = 4, "0:4", 2
        config.generator.hidden = config.discriminator.hidden = (2,)
        config.judging.points = 251
        return config
"""
FORMULAS = """
    import jax.numpy as jnp

    def exponential(sharpness, real, fake):
        d = jnp.exp(-sharpness * real) + jnp.exp(sharpness * fake)
        return d, jnp.exp(-sharpness * fake)
"""


@pytest.fixture
def mine(tmp_path, monkeypatch):
    """A folder with a config file and its module, which is not the current one."""
    folder = tmp_path / "mine"
    folder.mkdir()
    (folder / "own.py").write_text(textwrap.dedent(CONFIG))
    (folder / "formulas_of_mine.py").write_text(textwrap.dedent(FORMULAS))
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    monkeypatch.delitem(__import__("sys").modules, "formulas_of_mine", raising=False)
    return folder


def test_a_config_file_registers_from_any_folder_and_in_shards(mine, tmp_path, capsys):
    given = [f"--config={mine}/own.py", "--config.loss.sharpness=0.5", "--devices=1", "--nofigures"]
    whole, cut = f"--workdir={tmp_path}/whole", f"--workdir={tmp_path}/cut"
    assert run_main(*given, "--block_size=2", whole) == 0
    for shard in ("0/2", "1/2"):
        assert run_main(*given, "--block_size=2", cut, f"--shard={shard}") == 0
    assert run_main(*given, "--block_size=2", cut, "--partial") == 0
    one, other = (results.load(tmp_path / name) for name in ("whole", "cut"))
    np.testing.assert_array_equal(one.w1, other.w1)
    record = json.loads((tmp_path / "whole" / "config.json").read_text())
    assert record["config"]["loss"]["sharpness"] == 0.5
    digests = {p.name: hashlib.sha256(p.read_bytes()).hexdigest() for p in mine.glob("*.py")}
    assert record["registered"] == digests


def test_another_source_is_another_sweep(mine, tmp_path, capsys, monkeypatch):
    given = [f"--config={mine}/own.py", "--devices=1", "--nofigures", "--block_size=2"]
    given += [f"--workdir={tmp_path}/cut"]
    assert run_main(*given, "--shard=0/2") == 0
    monkeypatch.delitem(__import__("sys").modules, "formulas_of_mine")
    file = mine / "formulas_of_mine.py"
    file.write_text(file.read_text().replace("exp(-sharpness * fake)", "exp(-fake)"))
    assert run_main(*given, "--shard=1/2") == 2
    assert "registered" in capsys.readouterr().err


def test_a_misspelt_field_of_a_registered_entry_is_refused(mine, capsys):
    assert run_main(f"--config={mine}/own.py", "--config.loss.sharpnes=0.5") == 2
    assert "loss.sharpness" in capsys.readouterr().err


def test_loops_take_registered_entries_without_a_file():
    fields_ = registered() | {"steps": 2, "seeds": "0:2", "judging.log_every": 1}
    made = experiment.resolve(fields_)
    runs = loop.run(choose(Sweep(made), Choices(devices=1, engine="lanes"))).runs
    assert np.isfinite(runs.w1).all()
