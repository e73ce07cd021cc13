"""Many GANs: layout, independence of runs from each other, compilation, interruption."""

import jax
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gan1d.config import experiment
from gan1d.gan import metrics, train
from gan1d.results import verdicts
from gan1d.simd import llvm
from gan1d.sweep import collect, layout, loop
from gan1d.sweep.cohorts import Sweep
from gan1d.sweep.layout import Blocks, Choices
from gan1d.sweep.store import InMemory
from gan1d.system.progress import Silent

pytestmark = pytest.mark.usefixtures("compiled_once")

SMALL = {"steps": 50, "judging.log_every": 25, "judging.points": 251}
RATES = "discriminator.optimizer.rate=1e-3,3e-3,1e-2"


@pytest.fixture
def optimized():
    """XLA's engine as users have it: how it rounds is looked at here."""
    before = jax.config.values["jax_disable_most_optimizations"]
    jax.config.update("jax_disable_most_optimizations", False)
    yield
    jax.config.update("jax_disable_most_optimizations", before)


def declared(**fields):
    return experiment.resolve(SMALL | fields)


def laid_out(declared, **options):
    return layout.choose(Sweep(declared), Choices(**{"devices": 2, "block_size": 8} | options))


def trained(declared, **options):
    return loop.run(laid_out(declared, **options)).runs


@pytest.fixture(scope="module")
def reference():
    return trained(declared(seeds="0:5", sweep=(RATES,)))


def assert_same(one, other, **tolerance):
    for name in (
        "w1",
        "ks",
        "generated_mean",
        "generated_std",
        "d_flatness",
        "loss_d",
        "loss_g",
        "quantiles",
    ):
        a, b = one[name].values, other[name].values
        if tolerance:
            np.testing.assert_allclose(a, b, err_msg=name, **tolerance)
        else:
            np.testing.assert_array_equal(a, b, err_msg=name)


def numbers_of(setting):
    leaves, _ = jax.tree_util.tree_flatten_with_path(setting)
    return {jax.tree_util.keystr(path): np.float32(value) for path, value in leaves}


def test_settings_of_one_structure_form_one_cohort():
    made = declared(
        sweep=(
            "tricks.minibatch=off,replace",
            "tricks.instance_noise=0,0.1,0.2 tricks.input_noise=0.1,0,0",
            "target.loc=1,2",
        )
    )
    sweep = Sweep(made)
    assert [len(cohort.setting_indices) for cohort in sweep.cohorts] == [6, 6]
    for cohort in sweep.cohorts:
        own = [sweep.settings[index] for index in cohort.setting_indices]
        assert len(set(map(jax.tree.structure, own))) == 1
        for row, setting in zip(cohort.leaves, own, strict=True):
            expected = numbers_of(setting)
            leaves = numbers_of(jax.tree.unflatten(cohort.structure, list(row)))
            assert leaves == {name: expected.pop(name) for name in leaves}
            assert not any(expected.values())  # what vanishes at 0, and is 0 in the whole cohort


def test_noise_that_no_setting_of_a_cohort_has_is_not_drawn_and_changes_nothing():
    axis = "tricks.instance_noise=0,0.1 tricks.input_noise=0,0.1"
    noisy, silent = declared(seeds="0:4", sweep=(axis,)), declared(seeds="0:4")
    (with_noise,), (without,) = Sweep(noisy).cohorts, Sweep(silent).cohorts
    assert with_noise.example().tricks.input_noise == 0
    assert without.example().tricks.input_noise is None
    assert without.example().tricks.instance_noise is None
    batch = jax.eval_shape(train.draw, without.example(), jax.random.key(0), 0)
    assert batch.instance_noise is None
    runs = trained(noisy).isel(setting=[0])
    assert_same(trained(silent), runs)


@given(st.integers(1, 7), st.integers(1, 9), st.integers(1, 30))
def test_blocks_hold_every_run_once(rates, seeds, size):
    values = ",".join(str(0.001 * (i + 1)) for i in range(rates))
    made = declared(seeds=f"3:{3 + seeds}", sweep=(f"generator.optimizer.rate={values}",))
    (cohort,) = Blocks(Sweep(made), size).by_cohort
    runs, lengths = [], []
    for number in cohort.numbers:
        block = cohort.block(number)
        lengths.append(block.run_count)
        leaves = np.stack(jax.tree.leaves(block.settings), axis=1)
        np.testing.assert_array_equal(leaves, cohort.cohort.leaves[block.setting_index])
        np.testing.assert_array_equal(block.seeds, block.seed_index + 3)
        runs += zip(block.setting_index, block.seed_index, strict=True)
    assert set(lengths[:-1]) <= {size} and 0 < lengths[-1] <= size
    assert sorted(runs) == [(s, k) for s in range(rates) for k in range(seeds)]


def test_a_run_is_bitwise_the_same_alone_and_among_others(reference):
    alone = trained(
        declared(seeds="3:4", sweep=("discriminator.optimizer.rate=3e-3",)),
    )
    assert_same(alone, reference.sel(seed=[3]).isel(setting=[1]))


def test_a_run_is_bitwise_the_same_in_a_sweep_in_another_order(reference):
    backwards = trained(
        declared(seeds="4,2,0,1,3", sweep=("discriminator.optimizer.rate=1e-2,3e-3,1e-3",))
    )
    assert_same(backwards.sel(setting=reference.setting, seed=reference.seed), reference)


def test_a_run_is_bitwise_the_same_beside_another_cohort(reference):
    both = trained(declared(seeds="0:5", sweep=(RATES, "generator.hidden=(4,),(5,)")))
    half = both.isel(setting=(both["generator_hidden"] == "(4,)").values)
    assert_same(half, reference)


LAYOUTS = [{"block_size": 32}, {"block_size": 4, "devices": 1}]


@pytest.mark.parametrize("options", LAYOUTS)
def test_lanes_give_the_same_bits_in_other_layouts(options):
    # With pretraining: as long a computation as training, and of batches.
    # And of more runs than one thread's vectors hold.
    made = declared(seeds="0:20", sweep=(RATES,), **{"pretraining.steps": 5})
    one, other = (trained(made, **{"engine": "lanes"} | fields) for fields in ({}, options))
    assert_same(other, one)


def test_xla_gives_the_same_bits_in_one_layout_and_rounds_in_another(reference, optimized):
    made = declared(seeds="0:5", sweep=(RATES,))
    whole = trained(made, engine="xla")
    alone = declared(seeds="3:4", sweep=("discriminator.optimizer.rate=3e-3",))
    assert_same(trained(alone, engine="xla"), whole.sel(seed=[3]).isel(setting=[1]))
    other = trained(made, engine="xla", block_size=4, devices=1)
    for rounded in (reference, other):
        assert_same(rounded, whole, rtol=1e-5, atol=1e-5)


def test_the_engine_runs_the_functions_of_one_gan():
    """With what makes loops of its own: pretraining and several steps an update."""
    made = declared(
        seeds="7:9",
        steps=4,
        **{
            "pretraining.steps": 3,
            "training.d_steps": 2,
            "training.g_steps": 2,
            "discriminator.activation": "tanh",
        },
    )
    runs = trained(made, block_size=4)
    (setting,) = made.settings
    start, draw, advance = map(jax.jit, (train.start, train.draw, train.advance))

    @jax.jit
    def evaluate(setting, variables):
        reference = metrics.reference(setting, made.schedule.judging)
        return metrics.evaluate(setting, variables, reference)

    for column, seed in enumerate(made.seeds):
        key = jax.random.key(seed)
        run, pretraining = start(setting, key)
        for step in range(4):
            run = advance(setting, run, draw(setting, key, step), step)
        scores = evaluate(setting, train.judged(run.state))
        np.testing.assert_allclose(
            runs["quantiles"].values[0, column], scores.pop("quantiles"), rtol=1e-4
        )
        assert scores.pop("finite")
        for name, value in scores.items():
            ours = runs[name].values[0, column, -1]
            np.testing.assert_allclose(ours, value, rtol=1e-4, err_msg=name)
        ours = runs.pretraining_loss.values[0, column]
        np.testing.assert_allclose(ours, pretraining.losses, rtol=1e-5)
        ours = runs.loss_d.values[0, column, 1:]  # a log point an update
        np.testing.assert_allclose(ours.sum(), run.loss_sums.d, rtol=1e-5)


def test_log_points_do_not_change_the_runs(reference):
    fewer = trained(declared(seeds="0:5", sweep=(RATES,), **{"judging.log_every": 50}))
    np.testing.assert_allclose(fewer.w1[:, :, -1], reference.w1[:, :, -1], rtol=1e-5)
    # Of 41 updates the first 25 and the others; from there on both look after each.
    assert reference.step.values.tolist() == [0, 25, *range(41, 51)]
    assert fewer.step.values.tolist() == [0, *range(41, 51)]
    _, first, others, *_ = reference.loss_d.transpose("step", ...).values
    np.testing.assert_allclose(fewer.loss_d[:, :, 1], (25 * first + 16 * others) / 41, rtol=1e-4)


def test_a_run_that_diverges_spoils_no_neighbour(reference):
    made = declared(
        seeds="0:5",
        sweep=(
            "discriminator.optimizer.rate=1e-3,3e-3,1e-2,1e25",
            "generator.optimizer.rate=1e-3,1e25",
        ),
    )
    runs = trained(made, block_size=40)
    wild = (runs.generator_optimizer_rate > 1) & (runs.discriminator_optimizer_rate > 1)
    lost = runs.diverged_at.notnull()
    assert lost.isel(setting=wild.values).all()
    np.testing.assert_array_equal(lost, runs.verdict == verdicts.DIVERGED)
    assert (runs.finished == 1).all()
    # Numbers stop where a run does: at the first log point from its divergence on.
    stopped = lost & (runs.diverged_at <= runs.step)
    np.testing.assert_array_equal(runs.w1 == np.inf, stopped)
    np.testing.assert_array_equal(np.isnan(runs.ks), stopped)
    tame = (runs.generator_optimizer_rate < 1) & (runs.discriminator_optimizer_rate < 1)
    assert_same(runs.isel(setting=tame.values), reference)
    assert not lost.isel(setting=tame.values).any()


@pytest.mark.parametrize("engine", ["lanes", "xla"])
def test_padding_enters_no_result(engine):
    runs = trained(declared(seeds="0:3"), engine=engine)
    assert runs.sizes["seed"] == 3
    assert (runs.finished == 1).all()
    last = runs.w1.values[0, :, -1]
    assert len(set(last.tolist())) == 3


@pytest.mark.parametrize("engine", ["lanes", "xla"])
def test_a_numeric_sweep_compiles_as_often_as_a_single_setting(engine, monkeypatch):
    monkeypatch.undo()  # each sweep compiles
    compilations = []
    compile_lanes = llvm.compile
    monkeypatch.setattr(
        llvm, "compile", lambda *given: compilations.append("lanes") or compile_lanes(*given)
    )
    jax.monitoring.register_event_duration_secs_listener(
        lambda event, *_, **__: compilations.append(event) if "backend_compile" in event else None
    )

    def count(axes):
        compilations.clear()
        jax.clear_caches()
        made = declared(seeds="0:2", sweep=axes, **{"discriminator.hidden": (3,)})
        trained(made, engine=engine)
        return len(compilations)

    # What sweeps of one process share.
    made = declared(seeds="0:2")
    collect.describe_targets(made, Sweep(made).settings, on_lanes=engine == "lanes")
    one = count(())
    many = count(
        (
            "discriminator.optimizer.rate=1e-3,3e-3",
            "tricks.instance_noise=0,0.1",
            "target.loc=0,4",
            "loss.log_floor=0,1e-5",
        )
    )
    assert one == many > 0
    assert ("lanes" in compilations) == (engine == "lanes")


class StopAfter(Silent):
    """Presses Ctrl-C once some runs are done."""

    def __init__(self, runs):
        self.runs = runs

    def __call__(self, status):
        if status.runs_done >= self.runs:
            raise KeyboardInterrupt


def test_an_interrupted_sweep_keeps_its_finished_blocks_and_goes_on_from_there(reference):
    where, kept = laid_out(declared(seeds="0:5", sweep=(RATES,))), InMemory()
    with pytest.raises(KeyboardInterrupt):
        loop.run(where, StopAfter(8), kept)
    partial = loop.gather(where, kept)
    finished = partial.runs.finished.values == 1
    assert finished.sum() == 8 and partial.unfinished == 7
    for name in ("w1", "loss_g"):
        np.testing.assert_array_equal(
            partial.runs[name].values[finished], reference[name].values[finished]
        )
        assert np.isnan(partial.runs[name].values[~finished]).all()
    np.testing.assert_array_equal(partial.runs.verdict.values == verdicts.UNFINISHED, ~finished)
    first = kept.blocks[0]
    whole = loop.run(where, None, kept)
    assert kept.blocks[0] is first and whole.unfinished == 0
    assert whole.runs.equals(reference)


def test_a_sweep_stopped_before_its_first_block_keeps_nothing():
    made, kept = declared(seeds="0:5", sweep=(RATES,)), InMemory()
    with pytest.raises(KeyboardInterrupt):
        loop.run(laid_out(made), StopAfter(0), kept)
    assert not kept.blocks


CURVE = {
    "target.kind": "quadratic",
    "target.noise": 0.0,
    "latent.kind": "uniform",
    "latent.dim": 2,
    "discriminator.hidden": (8, 2),
    "discriminator.last_activation": "linear",
    "judging.features": True,
    "judging.snapshot_seeds": 2,
}


@pytest.fixture(scope="module")
def plane():
    made = declared(seeds="0:5", sweep=("generator.optimizer.rate=1e-3,1e25",), **CURVE)
    return loop.run(laid_out(made))


def test_a_plane_goes_the_same_way(plane):
    runs = plane.runs
    assert runs.generated_mean.dims == ("setting", "seed", "step", "dim")
    assert runs["quantiles"].dims == ("setting", "seed", "quantile_level", "dim")
    tame = runs.isel(setting=0)
    for name in (
        "w1",
        "energy",
        "generated_std",
        "residual",
        "generated_mean",
        "d_flatness",
        "centroid_distance",
    ):
        assert np.isfinite(tame[name]).all(), name
    lost = runs.isel(setting=1)
    assert (lost.verdict == verdicts.DIVERGED).all() and np.isnan(
        lost.generated_mean.values[:, -1]
    ).all()
    assert plane.snapshots.samples.sizes["dim"] == 2


def test_probes_show_the_centroids_of_their_features(plane):
    shown = plane.snapshots.features.isel(setting=0)
    assert list(shown.moment.values) == ["before D", "after D", "after G"]
    centroids = shown.mean("row")
    difference = centroids.sel(source="real") - centroids.sel(source="generated")
    distance = np.sqrt((difference**2).sum("feature"))
    kept = plane.runs.centroid_distance.isel(setting=0, seed=slice(2))
    np.testing.assert_allclose(distance, kept, rtol=1e-3)
    # No G update moves what D makes of real rows.
    real = shown.sel(source="real")
    np.testing.assert_array_equal(real.sel(moment="after D"), real.sel(moment="after G"))


def test_pretraining_leaves_its_losses_and_the_first_d():
    fields = {"discriminator.activation": "tanh", "judging.snapshot_seeds": 2}
    made = declared(seeds="0:5", steps=1, sweep=("pretraining.steps=0,300",), **fields)
    result = loop.run(laid_out(made))
    losses, first = result.runs.pretraining_loss, result.snapshots.d_initial
    assert np.isnan(losses[0]).all() and np.isfinite(losses[1]).all()
    assert np.isnan(first[0]).all()
    assert (losses[1, :, -20:].mean("part") < losses[1, :, :5].mean("part")).all()
    # Weights come from the seed alone: the first D is the one that is not pretrained.
    untrained = result.snapshots.d.isel(setting=0, step=0)
    pretrained = result.snapshots.d.isel(setting=1, step=0)
    np.testing.assert_allclose(result.snapshots.d_pretrained[1], pretrained, rtol=1e-5)
    np.testing.assert_allclose(first[1], untrained, rtol=1e-5)
    assert (np.abs(result.snapshots.d.isel(setting=1, step=0) - untrained).max("grid") > 1e-3).all()


def test_verdicts_are_of_the_looks_of_the_settled_generator(reference):
    assert reference.attrs["settled_from"] == 41
    looks = reference.step.values >= 41
    assert looks.sum() == 10
    w1 = np.median(reference.w1.values[:, :, looks], axis=-1)
    np.testing.assert_allclose(reference.settled_w1, w1, rtol=1e-6)
    # After 50 updates these runs are wide enough, and of one mode: their distance decides.
    close = w1 <= 0.25 * reference.target_std.values[:, None]
    known = close if "high_quality_null" not in reference else close & False
    assert (reference.verdict.values[known] == verdicts.SUCCESS).all()
    far = w1 > reference.target_std.values[:, None]
    np.testing.assert_array_equal(reference.verdict == verdicts.FAR, far)
    assert far.any()
    best = reference.w1.sel(step=reference.best_step)
    np.testing.assert_array_equal(best, reference.w1.min("step"))


def test_results_say_what_all_settings_have_in_common():
    made = declared(seeds="0:2", sweep=(RATES,), **{"target.loc": 2.0, "tricks.input_noise": 0.1})
    runs = trained(made)
    assert "target loc 2" in runs.attrs["fixed"] and "input noise 0.1" in runs.attrs["fixed"]
    assert "rate" not in runs.attrs["fixed"]


def test_a_target_that_runs_cannot_be_judged_by_is_refused_before_training():
    made = declared(**{"target.kind": "mixture", "target.means": (-1e25, 1e25)})
    with pytest.raises(experiment.ConfigError, match="standard deviation"):
        trained(made)


def test_progress_counts_every_run_and_update():
    seen = []

    class Record(Silent):
        def __call__(self, status):
            seen.append(status)

    made = declared(seeds="0:5", sweep=(RATES,))
    loop.run(laid_out(made), Record())
    assert seen[-1].runs_done == seen[-1].runs == 15
    assert seen[-1].updates_done == seen[-1].updates == 15 * 50
    done = [status.updates_done for status in seen]
    assert done == sorted(done)


def test_snapshots_are_those_of_their_runs():
    made = declared(seeds="0:5", sweep=(RATES,), **{"judging.snapshot_seeds": 2})
    result = loop.run(laid_out(made))
    assert result.snapshots.sizes["snapshot_seed"] == 2
    samples = result.snapshots.samples.values[..., 0]
    means = result.runs.generated_mean.sel(seed=[0, 1]).values
    # The same generator on another grid of the same latents: means agree closely, not exactly.
    np.testing.assert_allclose(samples.mean(-1), means, rtol=0.01, atol=0.01)
    assert ((result.snapshots.d >= 0) & (result.snapshots.d <= 1)).all()


@pytest.mark.parametrize(
    "options",
    [{"block_size": 3}, {"block_size": 1}, {"block_size": 0}, {"devices": 99}, {"devices": 0}],
)
def test_impossible_layouts_are_refused_by_name(options):
    with pytest.raises(experiment.ConfigError, match=next(iter(options))):
        layout.choose(Sweep(declared()), Choices(**{"devices": 2} | options))


def test_a_default_block_is_no_larger_than_needed(monkeypatch):
    monkeypatch.setitem(layout.RUNS_PER_DEVICE, "cpu", 4096)
    sizes = [
        laid_out(declared(seeds=f"0:{seeds}", sweep=(RATES,)), block_size=None).block_size
        for seeds in (1, 100, 5000)
    ]
    assert sizes == [4, 300, 8192]  # 3 settings, 2 devices


def test_there_are_no_more_devices_than_runs():
    """One that had none would train a copy of another's, in the time of its own."""
    chosen = layout.choose(Sweep(declared(seeds="0:1", sweep=())), Choices())
    assert (len(chosen.devices), chosen.block_size) == (1, 1)


def test_an_easy_target_is_learned():
    """One that the tutorials' own GAN can learn: most seeds come near it."""
    made = experiment.resolve(
        {
            "steps": 3000,
            "seeds": "0:16",
            "judging.log_every": 1500,
            "tricks.feature_matching": "paired",
            "tricks.minibatch": "replace",
        }
    )
    runs = trained(made, block_size=16)
    first, last = np.median(runs.w1.values[0], axis=0)[[0, -1]]
    assert last < 0.2 < 1 < first
