"""A sweep with as many seeds as its question needs: batches of them, until the answer is known.

What stops it is how wide intervals are, never where they lie: with many seeds they then hold as
those of a sweep do whose number of seeds was fixed before (Chow and Robbins 1965, Annals of
Mathematical Statistics 36, on intervals of fixed width). With few, and for rates, whose intervals
are as wide as where they lie has it, that is found by simulation, in tests.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from absl import logging

from gan1d import results
from gan1d.config.experiment import Experiment
from gan1d.report import precision
from gan1d.sweep import api
from gan1d.sweep.api import Published, Report
from gan1d.sweep.cohorts import Sweep
from gan1d.sweep.layout import Choices
from gan1d.sweep.parts import part_of


def train_until(
    points: float,
    sweep: Sweep,
    folder: Path,
    choices: Choices,
    *,
    report: Report,
    overwrite: bool = False,
    kinds: Sequence[str] | None = None,
    overrides: Sequence[str] = (),
) -> tuple[Published, str]:
    """Train batches of a sweep's seeds until all that it asks is known to so many points.

    What a folder has of the sweep counts. The results are those of a sweep of the seeds that were
    needed, and the same call with fewer points, or a plain one, goes on from there.

    Args:
      points: half the width that the widest interval may have (`precision.asked`).
      sweep: the sweep, with all the seeds that there may be.
      folder: its results folder.
      choices: how it is to be laid out.
      report: makes what reports how far a batch is, from the number of updates.
      overwrite: replace what the folder holds.
      kinds: of figures, as in `api.train_and_publish`.
      overrides: what was given besides the config file, for the record.

    Returns:
      The results, and in words how well the answer is known, and at how many seeds.

    Raises:
      ConfigError, ResultsError, WriteError, Stopped: as `api.train_and_publish`.
    """
    whole, most = sweep.experiment, len(sweep.experiment.seeds)
    there = 0 if overwrite else seeds_there(folder, whole)
    count = min(there or precision.BATCH, most)
    while True:
        published = api.train_and_publish(
            Sweep(whole.of_seeds(whole.seeds[:count])),
            folder,
            choices,
            report=report,
            overwrite=overwrite,
            kinds=(),
            overrides=overrides,
        )
        overwrite = False
        found = precision.asked(published.runs)
        if 100 * found.half_width <= points or count == most:
            break
        more = precision.seeds_for(points, count, found.half_width, most)
        known = f"{found.what} is known to {found.points()}"
        logging.info("%d seeds: %s; going on to %d of up to %d", count, known, more, most)
        count = more
    api.draw(folder, *results.read(folder), published.summary, kinds)
    return published, precision.told(found, points, published.runs, most)


def seeds_there(folder: Path, whole: Experiment) -> int:
    """How many of a sweep's first seeds a folder has results of, all or some."""
    record = results.load_record(folder)
    part = None if record is None else part_of(record["config"], whole)
    return 0 if part is None else int(np.flatnonzero(part.seed >= 0)[-1]) + 1
