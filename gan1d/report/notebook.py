"""Results in a notebook: loaded as one, and as tables and the report where the cursor is."""

import html
import json
from pathlib import Path

import pandas as pd
import xarray as xr

from gan1d import results
from gan1d.report import comparisons, tables
from gan1d.report import effects as of_effects
from gan1d.report import runs as of_runs
from gan1d.results import files

Results = xr.DataTree | xr.Dataset  # what `gan1d.run` and `load` give, or its runs alone
FRAME = 800  # pixels: the height of a report within a notebook


class Inline:
    """What a notebook shows as HTML, and a file holds as bytes."""

    def __init__(self, shown: str, content: bytes):
        """Keep both."""
        self.content = content
        self._shown = shown

    def _repr_html_(self) -> str:
        return self._shown

    def save(self, path: str | Path) -> Path:
        """Write it to a file; returns the file's path.

        Raises:
          WriteError: it can't be written.
        """
        files.replace(Path(path), lambda temporary: temporary.write_bytes(self.content))
        return Path(path)


def load(folder: str | Path) -> xr.DataTree:
    """The results of a folder, verified and in memory: `gan1d.run` gives the same.

    Returns:
      A tree as runs.nc has it. At its root are the runs, `tree["w1"]` and whatever else is known of
      them, over (setting, seed, step); the snapshots of the first seeds, where they were kept, are
      `tree["snapshots"]`; `tree.attrs["provenance"]` is what was run, with what and when, as JSON.

    Raises:
      ResultsError: nothing there, not the form of results, or damage.
    """
    return results.tree(*results.read(folder))


def summary(runs: Results) -> pd.DataFrame:
    """One row a setting, best first: what became of its runs, with 95% intervals.

    The columns are those of `tables.summary`, and of summary.csv.
    """
    return tables.summary(parts(runs)[0])


def compare(runs: Results, against: str | int = 1) -> pd.DataFrame:
    """Every setting compared with one of them, seed by seed, at three thresholds.

    Args:
      runs: results.
      against: the setting to compare with: its label, a part of it, or its number.

    Returns:
      The columns of `comparisons.Row`.

    Raises:
      SelectionError: there is no such setting.
    """
    of_sweep, _ = parts(runs)
    other = of_runs.find_setting(of_sweep, str(against), "against")
    return pd.DataFrame(comparisons.numbers(comparisons.compare_all(of_sweep, other)))


def effects(runs: Results) -> pd.DataFrame:
    """What each swept factor does, and what two do together beyond what each does alone.

    Returns:
      The columns of `effects.Row`.

    Raises:
      ValueError: the settings are no product of factors, or no seed is finished in all.
    """
    return pd.DataFrame(of_effects.numbers(of_effects.find(parts(runs)[0])))


def report(runs: Results) -> Inline:
    """The report, to be looked at in a notebook, or to `save` as a file for any browser."""
    from gan1d.report.page import html as page  # Bokeh takes half a second to import

    of_sweep, snapshots = parts(runs)
    record = json.loads(of_sweep.attrs.get("provenance", "{}"))
    text = page.page(of_sweep, snapshots, tables.summary(of_sweep), record)
    # A document of its own, so that neither its scripts nor its styles meet the notebook's.
    frame = f'<iframe srcdoc="{html.escape(text)}" width="100%" height="{FRAME}"></iframe>'
    return Inline(frame, text.encode())


def parts(runs: Results) -> tuple[xr.Dataset, xr.Dataset | None]:
    """Runs, and snapshots where there are any."""
    return (runs, None) if isinstance(runs, xr.Dataset) else results.parts(runs)
