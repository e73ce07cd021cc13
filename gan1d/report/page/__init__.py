"""The report: a sweep's results as one page, report.html, that needs nothing but a browser.

`words` says what was asked and what came out, `settings` tables it, `dots`, `run`, the films,
`profiles` and `forest` draw it, and `html` puts the page together. Numbers are those of
`report.tables`, `comparisons` and `effects`; scripts choose which of them are shown, and compute
none.
"""

from pathlib import Path

import pandas as pd
import xarray as xr

from gan1d.results import files, netcdf

NAME = "report.html"
IMPORTED = "gan1d.report.page.html"  # when it is first written; Bokeh takes half a second


def write(
    folder: Path,
    runs: xr.Dataset,
    snapshots: xr.Dataset | None,
    summary: pd.DataFrame,
) -> Path:
    """Write folder/report.html; returns its path.

    Args:
      folder: a results folder.
      runs: what `results.load` gives.
      snapshots: what `results.load_snapshots` gives.
      summary: what `tables.summary` says of the runs.

    Raises:
      ResultsError: the folder's record is damaged.
      WriteError: the report can't be written.
    """
    from gan1d.report.page import html

    record = netcdf.load_record(folder) or {}
    text = html.page(runs, snapshots, summary, record)
    path = Path(folder) / NAME
    files.replace(path, lambda temporary: temporary.write_text(text, encoding="utf-8"))
    return path


def clear(folder: Path) -> None:
    """Remove what `write` may have written."""
    files.remove(Path(folder) / NAME)
    files.clear_temporaries(Path(folder), NAME)
