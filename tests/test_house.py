"""The house: few rooms, short modules, few untyped places; pyproject.toml has its contracts."""

import ast
from pathlib import Path

import gan1d

PACKAGE = Path(gan1d.__file__).parent
MODULES = sorted(PACKAGE.rglob("*.py"))
MOST_ROOMS, MOST_LINES, LINES_AN_ANY = 12, 400, 100


def test_there_are_a_dozen_rooms_at_most():
    rooms = [path for path in PACKAGE.glob("[!_]*") if path.suffix in ("", ".py")]
    assert len(rooms) <= MOST_ROOMS, sorted(path.name for path in rooms)


def test_no_module_is_long():
    long = {str(path): len(path.read_text().splitlines()) for path in MODULES}
    assert {path: lines for path, lines in long.items() if lines > MOST_LINES} == {}


def test_any_is_rare():
    lines, found = 0, 0
    for path in MODULES:
        text = path.read_text()
        lines += len(text.splitlines())
        found += sum(
            isinstance(node, ast.Name) and node.id == "Any" for node in ast.walk(ast.parse(text))
        )
    assert found * LINES_AN_ANY <= lines


def test_every_module_says_what_it_is_for():
    assert [
        str(path) for path in MODULES if not ast.get_docstring(ast.parse(path.read_text()))
    ] == []


def test_nothing_is_mocked_in_the_package():
    assert [str(path) for path in MODULES if "mock" in path.read_text()] == []
