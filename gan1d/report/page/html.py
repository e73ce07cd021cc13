"""The page put together of its parts: words, tables, drawings and the scripts that they need."""

import json

import jinja2
import pandas as pd
import xarray as xr
from bokeh.document import Document
from bokeh.embed import components
from bokeh.events import DocumentReady
from bokeh.models import Model
from bokeh.resources import Resources

from gan1d.report import comparisons, effects, tables
from gan1d.report.effects import Found
from gan1d.report.figures import common
from gan1d.report.figures.common import Selection
from gan1d.report.page import dots, forest, line_film, plane_film, profiles, run, settings, words
from gan1d.report.page import shown as of_shown
from gan1d.results import files


def page(
    runs: xr.Dataset,
    snapshots: xr.Dataset | None,
    summary: pd.DataFrame,
    record: files.Record,
) -> str:
    """The whole page; arguments as `page.write` takes them."""
    found = _effects(runs)
    reference = str(runs.setting.values[0])
    among = common.ranked(Selection(runs, summary, None, None), common.MAX_LINES)
    compared = comparisons.compare_all(_with(runs, among.runs, reference), reference)
    shown = of_shown.choose(runs, snapshots, summary)
    drawn = dots.draw(shown)
    chosen = run.draw(shown, drawn)
    film = (plane_film if common.is_plane(runs) else line_film).draw(shown, chosen)
    filters = settings.filters(runs, drawn)
    parts = [chosen.drawn, film, filters, profiles.draw(among.runs, compared)]
    roots: dict[str, Model] = {"dots": drawn.figure}
    for part in parts:
        roots |= part.roots
    given: dict[str, object] = {"effects": None, "differences": None}
    if found:
        roots["effects"] = forest.of_effects(found)
        given["effects"] = settings.of_rows(effects.rows(found))
        given["effects_legend"] = effects.legend(runs, found)
    if compared:
        roots["forest"] = forest.of_differences(compared, reference)
        given["differences"] = settings.of_rows(comparisons.rows(compared))
    (config,) = pd.json_normalize(json.loads(runs.attrs["config"])).to_dict("records")
    document = Document()
    with document.models.freeze():  # or all are gone through again for each
        for root in roots.values():
            document.add_root(root)
    document.js_on_event(DocumentReady, *(each for part in parts for each in part.at_start))
    script, places = components(roots, wrap_script=False)
    return _template().render(
        title=runs.attrs["title"],
        question=words.question(runs),
        answer=words.answer(runs, summary, found, compared, among.note),
        settings=settings.table(runs, summary),
        legend=tables.legend(summary, runs),
        filters=list(filters.roots),
        curves=chosen.curves,
        looks=chosen.looks,
        note=shown.note,
        compared_note=among.note,
        reference=reference,
        differences_legend=comparisons.LEGEND,
        made_by={
            name: tables.in_a_line(record[name]) for name in tables.PROVENANCE if name in record
        },
        config={
            name: value if isinstance(value, str) else json.dumps(value)
            for name, value in config.items()
        },
        record=json.dumps(record, indent=1),
        places=places,
        bokeh=_bokeh(),
        script=script,
        **given,
    )


def _effects(runs: xr.Dataset) -> list[Found]:
    """The effects of swept fields; none where there are no such factors, or no common seed."""
    try:
        return effects.find(runs) if words.factors(runs) else []
    except ValueError:
        return []


def _with(runs: xr.Dataset, some: xr.Dataset, reference: str) -> xr.Dataset:
    """Some of the settings and the reference, in the order in which they were declared."""
    chosen = {reference, *some.setting.values.tolist()}
    return runs.sel(setting=[label for label in runs.setting.values.tolist() if label in chosen])


def _template() -> jinja2.Template:
    loader = jinja2.FunctionLoader(of_shown.read)
    environment = jinja2.Environment(
        loader=loader, autoescape=True, trim_blocks=True, lstrip_blocks=True
    )
    return environment.get_template("page.html")


def _bokeh() -> list[str]:
    """The parts of BokehJS that the page needs, as scripts."""
    return list(Resources(mode="inline", components=["bokeh", "bokeh-widgets"]).js_raw)
