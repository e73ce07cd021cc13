"""README and docs say what the runs say that they rest on."""

import re

import claims
import pytest

# What is a result of runs: rates, points, intervals, p-values.
NUMBERS = re.compile(r"[<>]?\d+(?:\.\d+)?%|[+-]\d+\.\d|\[[^\]\s]+, [^\]\s]+\]|\bp = \S+\b")
CODE = re.compile(r"```.*?```|^    .*?$|`[^`]+`", re.DOTALL | re.MULTILINE)


def sections(text):
    """Each section's prose, and what its blocks hold; a page's beginning may quote all of them."""
    for i, section in enumerate(re.split(r"^##+ ", text, flags=re.MULTILINE)):
        of = section if i else text
        blocks = "\n".join(found[3] for found in claims.BLOCK.finditer(of))
        yield CODE.sub("", claims.BLOCK.sub("", section)), blocks


@pytest.mark.parametrize("path", claims.TEXTS, ids=lambda path: path.name)
def test_every_table_is_that_of_the_runs(path):
    text = path.read_text()
    assert claims.BLOCK.search(text)
    assert claims.written(text) == text


@pytest.mark.parametrize("path", claims.TEXTS, ids=lambda path: path.name)
def test_every_number_in_prose_stands_in_a_table_beside_it(path):
    for prose, blocks in sections(path.read_text()):
        if path.name == "README.md" and not blocks:
            continue  # it has other numbers too, of times and sizes
        for found in NUMBERS.findall(prose):
            said = found.removeprefix("p = ")
            assert said in blocks, f"{found} in {prose[:40]!r}"


def test_what_is_no_result_is_found_out():
    text = "## A\nIt is 5%, not 6%.\n<!-- claim: table x y -->\n5%\n<!-- end -->\n"
    first, (prose, blocks) = sections(text)
    assert first == ("", blocks)
    assert [number in blocks for number in NUMBERS.findall(prose)] == [True, False]
    (prose, blocks), _ = sections(f"It is 5%, not 7%.\n{text}")
    assert [number in blocks for number in NUMBERS.findall(prose)] == [True, False]
