"""The table of settings: what a summary's table shows, to be sorted and filtered."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple, TypeVar

import pandas as pd
import xarray as xr
from bokeh.models import Select

from gan1d.report import runs as of_runs
from gan1d.report import tables
from gan1d.report.page.dots import Dots
from gan1d.report.page.shown import Drawn, script
from gan1d.results.schema import coordinate

# What the columns of `tables.rows` are sorted by: columns of the summary.
SORTED_BY = (
    "number",
    "finished",
    "success_rate",
    "rank_low",
    "within_half_rate",
    "beyond_one_rate",
    "modes_lost_rate",
    "sustained_rate",
    "w1_median",
    "structure_median",
    "setting",
)
ALL = "all"


class Cell(NamedTuple):
    """A cell's text, and what its column is sorted by."""

    text: str
    key: float | str  # as summary.csv has it


class Row(NamedTuple):
    """A setting."""

    number: int
    cells: list[Cell]


class Table(NamedTuple):
    """Settings in the summary's order."""

    header: list[str]
    rows: list[Row]


def table(runs: xr.Dataset, summary: pd.DataFrame) -> Table:
    """What `tables` shows of a summary, the setting's name right behind its number."""
    rows = []
    texts = tables.rows(summary, runs)
    for text, (_, row) in zip(texts, summary.iterrows(), strict=True):
        keys = (row[column] for column in SORTED_BY)
        cells = [Cell(*each) for each in zip(text.values(), keys, strict=True)]
        rows.append(Row(row.number, _named_early(cells)))
    return Table(_named_early(list(texts[0])), rows)


Element = TypeVar("Element")


def _named_early(cells: list[Element]) -> list[Element]:
    first, *others, last = cells
    return [first, last, *others]


def filters(runs: xr.Dataset, drawn: Dots) -> Drawn:
    """A select a swept field that takes several values; they filter the table, and the dots."""
    values = {
        field: [of_runs.value_text(value) for value in runs[coordinate(field)].values.tolist()]
        for field in of_runs.swept_fields(runs)
    }
    values = {field: words for field, words in values.items() if len(set(words)) > 1}
    selects = [
        Select(
            name=field,
            title=of_runs.short_name(runs, field),
            options=[ALL, *dict.fromkeys(words)],
            value=ALL,
            width=190,
        )
        for field, words in values.items()
    ]
    chosen = script("filter", selects=selects, values=list(values.values()), **drawn._asdict())
    for select in selects:
        select.js_on_change("value", chosen)
    return Drawn({f"filter{i}": select for i, select in enumerate(selects)})


def of_rows(rows: Sequence[Mapping[str, str]]) -> Table:
    """A table of texts alone."""
    cells = [[Cell(text, "") for text in row.values()] for row in rows]
    return Table(list(rows[0]), [Row(i, row) for i, row in enumerate(cells)])
