"""python -m gan1d fields: what can be set, found by the words that people type."""

import subprocess
import sys
from pathlib import Path

import pytest
from helpers import run_command

from gan1d.commands import fields as command
from gan1d.config import fields

DOCUMENT = Path(__file__).parents[1] / "docs" / "fields.md"


def listed(capsys, *words):
    """The names of the fields that are printed."""
    assert run_command(command.main, *words) == 0
    lines = capsys.readouterr().out.splitlines()
    return [line.split("=")[0].strip() for line in lines if line[:2] == "  " and line[2] != " "]


def test_without_words_all_fields_are_listed_once(capsys):
    assert listed(capsys) == list(fields.specs())


@pytest.mark.parametrize(
    ("words", "names"),
    [
        (["lr"], ["generator.optimizer.rate", "discriminator.optimizer.rate"]),
        (["batch-size"], ["training.batch_size"]),
        (["--", "--config.training.batch_size=8"], ["training.batch_size"]),
        (["discriminator", "rate"], ["discriminator.optimizer.rate"]),
        (["wgan-gp"], []),
        (["hinge"], ["loss.kind"]),
        (["seed"], ["seeds"]),
        (["PACKING"], ["tricks.packing"]),
        (["pytorch"], ["generator.kernel_init", "discriminator.kernel_init"]),
    ],
)
def test_words_name_fields_by_their_names_options_and_what_others_call_them(capsys, words, names):
    if names:
        assert set(names) <= set(listed(capsys, *words))
        assert len(listed(capsys, *words)) <= len(names) + 1
    else:
        assert run_command(command.main, *words) == 2


def test_every_alias_names_a_field(capsys):
    for alias, part in fields.ALIASES.items():
        assert any(part in name for name in listed(capsys, alias)), alias


def test_options_of_few_fields_are_explained_within_the_width(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "60")
    assert run_command(command.main, "penalty.kind") == 0
    printed = capsys.readouterr().out
    assert "r2: R2: the same over generated rows" in " ".join(printed.split())
    assert max(map(len, printed.splitlines())) <= 60


def test_what_is_no_field_is_one_line_with_the_nearest(capsys):
    assert run_command(command.main, "training.batchsize") == 2
    printed = capsys.readouterr()
    assert printed.err.count("\n") == 1 and "training.batch_size" in printed.err
    assert not printed.out


def test_the_document_is_what_the_command_prints():
    """In a process of its own, where no test has registered any."""
    command = [sys.executable, "-m", "gan1d", "fields", "--markdown"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.stdout == DOCUMENT.read_text(), "python -m gan1d fields --markdown > docs/fields.md"


def test_a_reader_who_has_enough_ends_a_command_quietly():
    command = [sys.executable, "-m", "gan1d", "fields"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        process.stdout.readline()
        process.stdout.close()
        assert process.stderr.read() == b""
