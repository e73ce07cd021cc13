"""docs/tutorial.ipynb: its cells run in their order, and what they end with can be shown."""

import ast
import html
import json
import re
from pathlib import Path

import pytest
from test_register import as_it_was  # noqa: F401 - a fixture: the tutorial registers a loss

NOTEBOOK = Path(__file__).parents[1] / "docs" / "tutorial.ipynb"
CELLS = [cell for cell in json.loads(NOTEBOOK.read_text())["cells"] if cell["cell_type"] == "code"]
LARGEST = 300_000  # bytes


def value_of(cell, names):
    """What a notebook would show of a cell."""
    *body, last = ast.parse("".join(cell["source"])).body
    if not isinstance(last, ast.Expr):
        body, last = [*body, last], None
    exec(compile(ast.Module(body, []), "a cell", "exec"), names)
    return last and eval(compile(ast.Expression(last.value), "a cell", "eval"), names)


@pytest.mark.usefixtures("compiled_once")
def test_its_cells_run_and_end_with_what_a_notebook_shows(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names = {}
    for cell in CELLS:
        shown = value_of(cell, names)
        kinds = {kind for output in cell["outputs"] for kind in output.get("data", {})}
        for kind, method in (("text/html", "_repr_html_"), ("image/png", "_repr_png_")):
            if kind in kinds:
                assert getattr(shown, method)(), cell["source"]
        assert (shown is None) == (not kinds), cell["source"]
    assert set(names["own"]["loss_sharpness"].values) == {0.1, 1.0}
    # The report is a document of its own within the notebook, and the file that was saved.
    frame = r'<iframe srcdoc="([^"<>]*)" width="100%" height="\d+"></iframe>'
    found = re.fullmatch(frame, names["page"]._repr_html_())
    text = (tmp_path / "report.html").read_text()
    assert html.unescape(found[1]) == text
    assert json.loads(names["runs"].attrs["provenance"])["source"] in text


def test_it_has_been_executed_from_its_first_cell_on_and_is_small():
    assert [cell["execution_count"] for cell in CELLS] == list(range(1, len(CELLS) + 1))
    outputs = [output["output_type"] for cell in CELLS for output in cell["outputs"]]
    assert "error" not in outputs and outputs.count("execute_result") >= 5
    assert NOTEBOOK.stat().st_size < LARGEST
