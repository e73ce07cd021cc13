"""Lists what a sweep's config can set: all fields, or those that words name.

    python -m gan1d fields
    python -m gan1d fields learning rate
    python -m gan1d fields --markdown

A word is any part of a field's name, of what is said of it, or of its options; some that other
programs use (lr, beta1, batch, gp) are known as well. Of few fields, or with --markdown, what each
option is and whose is said too. Each is set by --config.FIELD=VALUE, and swept by
--sweep=FIELD=VALUE,VALUE. A config file that registers fields of its own shows them by
`python -m gan1d.main --config=FILE --help`.
"""

import shutil
import textwrap

from absl import flags

from gan1d.commands import shell
from gan1d.config import fields
from gan1d.gan.spec import Spec, Value

FEW = 8  # fields of which all options are explained
WIDEST = 100
Fields = dict[str, tuple[Spec, Value]]

_MARKDOWN = flags.DEFINE_bool("markdown", False, "Print all of it as Markdown, for documents.")


def main(argv: list[str]) -> int:
    """Print the fields; returns the exit code."""
    words = [_plain(word) for word in argv[1:]]
    found = _named(words)
    if not found:
        near = fields.nearest(words[-1], fields.specs())
        hint = f"did you mean {' or '.join(near)}?" if near else "without words all are listed"
        return shell.refuse(f"{' '.join(argv[1:])}: no field has this to do with it; {hint}")
    width = min(shutil.get_terminal_size().columns, WIDEST)
    print(markdown(found) if _MARKDOWN.value else _text(found, width, len(found) <= FEW))
    return 0


def _plain(word: str) -> str:
    """A word as names have it."""
    return word.lower().lstrip("-").removeprefix("config.").replace("-", "_").partition("=")[0]


def _named(words: list[str]) -> Fields:
    """The fields that all the words name; by an alias only where no part of a name is the word."""
    found = fields.specs()
    for word in words:
        names: set[str] = set()
        for part in (word, fields.ALIASES.get(word, word)):
            names = names or {name for name in found if part in name.split(".") or part == name}
        names = names or {name for name in found if fields.ALIASES.get(word, word) in name}
        names = names or {name for name, (spec, _) in found.items() if _mentions(name, spec, word)}
        found = {name: known for name, known in found.items() if name in names}
    return found


def _mentions(name: str, spec: Spec, word: str) -> bool:
    texts = [spec.doc, spec.label, *spec.options, *fields.said(name, spec).values()]
    said = " ".join(texts).lower()
    return word in said or word.replace("_", " ") in said


def _text(found: Fields, width: int, options: bool) -> str:
    """Fields by sections, wrapped."""
    lines: list[str] = []
    section = None
    for name, (spec, default) in found.items():
        if (own := name.rpartition(".")[0]) != section:
            section = own
            lines += [""] * bool(lines) + [section or "the sweep"]
        lines.append(_wrapped(fields.line(name, spec, default), width, 2))
        if options:
            each = fields.said(name, spec).items()
            lines += [_wrapped(f"{option}: {text}", width, 6) for option, text in each]
    return "\n".join(lines)


def _wrapped(text: str, width: int, indent: int) -> str:
    first, rest = " " * indent, " " * (indent + 4)
    return textwrap.fill(
        text, width, initial_indent=first, subsequent_indent=rest, break_on_hyphens=False
    )


def markdown(found: Fields) -> str:
    """Fields by sections, a table each, and below it what each option is."""
    parts = ["# Fields of a config", "Made by `python -m gan1d fields --markdown`."]
    sections: dict[str, Fields] = {}
    for name, known in found.items():
        sections.setdefault(name.rpartition(".")[0] or "the sweep", {})[name] = known
    for section, own in sections.items():
        rows = ["| field | default | what it is | values |", "| --- | --- | --- | --- |"]
        for name, (spec, default) in own.items():
            cells = [f"`{name}`", f"`{fields.value_text(default)}`", spec.doc, fields.details(spec)]
            rows.append(f"| {' | '.join(cell.replace('|', '/') for cell in cells)} |")
        parts += [f"## {section}", "\n".join(rows)]
        for name, (spec, _) in own.items():
            if options := fields.said(name, spec):
                listed = "\n".join(f"- `{option}`: {text}" for option, text in options.items())
                parts += [f"`{name}`:", listed]
    return "\n\n".join(parts)


COMMAND = shell.Command(__name__, main)

if __name__ == "__main__":
    COMMAND.start()
