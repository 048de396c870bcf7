"""Write docs/man/*.1: a page for each command, from its `--help`.

`python tools/man.py` writes them; a test compares them with the commands.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from inspect import cleandoc
from pathlib import Path

import click

from seclatch.cli.main import cli
from seclatch.cli.shared.lazy_group import OpenCommand
from seclatch.version import __version__

TARGET = Path(__file__).parent.parent / "docs" / "man"
AS_IS = "\b"  # click's mark: do not wrap the paragraph's lines


def pages() -> dict[str, str]:
    """Make every page, by file name."""
    root = click.Context(cli, info_name="seclatch", **cli.context_settings)
    return {f"{path_of(context).replace(' ', '-')}.1": page(context) for context in walk(root)}


def path_of(context: click.Context) -> str:
    """Name a command by those above it; click's own path includes their arguments."""
    above = f"{path_of(context.parent)} " if context.parent else ""
    return f"{above}{context.info_name}"


def walk(context: click.Context) -> Iterator[click.Context]:
    """Visit a command and all below it."""
    yield context
    if isinstance(context.command, click.Group | OpenCommand):
        for name in context.command.list_commands(context):
            command = context.command.get_command(context, name)
            if command and not command.hidden:
                settings = command.context_settings
                yield from walk(click.Context(command, info_name=name, parent=context, **settings))


def page(context: click.Context) -> str:
    """Write one page."""
    path = path_of(context)
    text, examples = parts(cleandoc(context.command.help or ""))
    lines = [f'.TH "{path.replace(" ", "-").upper()}" "1" "" "seclatch {__version__}" "seclatch"']
    lines += section("NAME", [rf"{escape(path).replace(' ', chr(92) + '-')} \- {first(text)}"])
    pieces = " ".join(context.command.collect_usage_pieces(context))
    lines += section("SYNOPSIS", [rf"\fB{escape(path)}\fR {escape(pieces)}"])
    lines += section("DESCRIPTION", roff(text))
    lines += section("OPTIONS", options(context))
    lines += section("COMMANDS", commands(context))
    lines += section("EXAMPLES", roff(examples))
    lines += section("SEE ALSO", related(context))
    return "\n".join(lines) + "\n"


def parts(text: str) -> tuple[list[str], list[str]]:
    """Split help into paragraphs: those of the description, and the examples."""
    paragraphs = re.split(r"\n\s*\n", text)
    examples = [each for each in paragraphs if each.lstrip(AS_IS + "\n").startswith("Example")]
    return [each for each in paragraphs if each not in examples], [
        AS_IS + "\n" + "\n".join(each.strip(AS_IS + "\n").splitlines()[1:]) for each in examples
    ]


def first(paragraphs: list[str]) -> str:
    """Return one line that describes it."""
    sentence = " ".join(paragraphs[0].split()) if paragraphs else ""
    return escape(re.split(r"(?<=\w)[.:](?:\s|$)", sentence)[0])


def roff(paragraphs: list[str]) -> list[str]:
    """Convert paragraphs to roff: filled, or line by line where click does not wrap them either."""
    lines: list[str] = []
    for number, paragraph in enumerate(paragraphs):
        lines += [".PP"] if number else []
        if AS_IS in paragraph:
            rows = paragraph.replace(AS_IS, "").strip("\n").splitlines()
            lines += [".nf", *map(escape, rows), ".fi"]
        else:
            lines += [escape(line.strip()) for line in paragraph.splitlines()]
    return lines


def options(context: click.Context) -> list[str]:
    """List each option with its help and default, as `--help` does."""
    lines: list[str] = []
    for parameter in context.command.get_params(context):
        record = parameter.get_help_record(context)
        if record and record[1]:
            lines += [".TP", rf"\fB{escape(record[0])}\fR", escape(record[1])]
    return lines


def commands(context: click.Context) -> list[str]:
    """List the commands of a group, each with its line."""
    if not isinstance(context.command, click.Group | OpenCommand):
        return []
    described = getattr(context.command, "commands_of", {})
    lines: list[str] = []
    for name in context.command.list_commands(context):
        lines += [".TP", rf"\fB{escape(name)}\fR", escape(described.get(name, ""))]
    return lines


def related(context: click.Context) -> list[str]:
    """Name the page above, and those below."""
    names = [path_of(context.parent)] if context.parent else []
    if isinstance(context.command, click.Group | OpenCommand):
        below = context.command.list_commands(context)
        names += [f"{path_of(context)} {name}" for name in below]
    shown = [rf"\fB{escape(name.replace(' ', '-'))}\fR(1)" for name in names]
    return [", ".join(shown)] if shown else []


def section(title: str, lines: list[str]) -> list[str]:
    """Make a section if it has contents."""
    return [f".SH {title}", *lines] if lines else []


def escape(text: str) -> str:
    """Escape text for roff: backslashes, dashes, quotes, control lines."""
    text = text.replace("\\", r"\e").replace("-", r"\-").replace("…", "...")
    text = text.replace("'", r"\(aq").replace("`", r"\(ga").replace("^", r"\(ha")
    text = text.replace("~", r"\(ti").replace("→", r"\(->")
    return rf"\&{text}" if text.startswith(".") else text


def main() -> int:
    """Write changed pages, and remove those of commands that no longer exist."""
    TARGET.mkdir(parents=True, exist_ok=True)
    made = pages()
    for file in TARGET.glob("*.1"):
        if file.name not in made:
            file.unlink()
    for name, text in made.items():
        (TARGET / name).write_text(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
