"""Write tests/data/frozen.json: options and formats that later versions keep.

tools/frozen.py [--check]

Before a release. The test refuses what has gone since; --check refuses what is new and not in the
table yet (docs/stability.md).
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

from seclatch.cli.main import cli
from seclatch.data import DATA
from tools.man import path_of, walk

TABLE = Path(__file__).parent.parent / "tests" / "data" / "frozen.json"

Table = dict[str, dict[str, list[str]]]


def read_interface() -> Table:
    """Return options by command, and properties by format."""
    root = click.Context(cli, info_name="seclatch", **cli.context_settings)
    options = {path_of(context): sorted(list_options(context.command)) for context in walk(root)}
    schemas = sorted((DATA / "schemas").glob("*.json"))
    formats = {path.stem: list_properties(json.loads(path.read_text())) for path in schemas}
    return {"options": options, "formats": formats}


def read_table() -> Table:
    """Read the table as it is checked in."""
    table: Table = json.loads(TABLE.read_text())
    return table


def list_options(command: click.Command) -> Iterator[str]:
    """Yield each spelling of an option, with its choices; arguments by their place."""
    for parameter in command.params:
        if getattr(parameter, "hidden", False):
            continue
        names = parameter.opts + parameter.secondary_opts
        for name in names if isinstance(parameter, click.Option) else [f"<{parameter.name}>"]:
            yield name
            if isinstance(parameter.type, click.Choice):
                yield from (f"{name}={choice}" for choice in parameter.type.choices)


def list_properties(schema: dict[str, Any]) -> list[str]:
    """List the properties of a schema by their paths (`calls[].name`); `!`: always present."""
    return sorted(set(_walk(schema, schema.get("$defs", {}), "", ())))


def _walk(
    part: dict[str, Any], types: dict[str, Any], path: str, above: tuple[str, ...]
) -> Iterator[str]:
    """Yield the paths below a part of a schema; a type within itself once."""
    name = part.get("$ref", "").rpartition("/")[2]
    if name:
        if name not in above:
            yield from _walk(types[name], types, path, (*above, name))
        return
    for key, value in part.get("properties", {}).items():
        inner = f"{path}.{key}".lstrip(".")
        yield inner + ("!" if key in part.get("required", ()) else "")
        yield from _walk(value, types, inner, above)
    for each in (*part.get("anyOf", ()), *part.get("oneOf", ()), *part.get("prefixItems", ())):
        yield from _walk(each, types, path, above)
    for key, mark in (("items", "[]"), ("additionalProperties", "{}")):
        if isinstance(part.get(key), dict):
            yield from _walk(part[key], types, path + mark, above)


def find_missing(old: Table, new: Table) -> list[str]:
    """Describe what the old table has and the new one lacks."""
    return [
        f"{kind}: {name}: {item}"
        for kind, rows in old.items()
        for name, items in rows.items()
        for item in items or [""]
        if name not in new[kind] or (item and item not in new[kind][name])
    ]


def main() -> None:
    """Write the table, or compare it."""
    now = read_interface()
    if "--check" in sys.argv:
        if new := find_missing(now, read_table()):
            sys.exit("\n".join(["new since the last release; run tools/frozen.py:", *new]))
        return
    TABLE.write_text(json.dumps(now, indent=1) + "\n")


if __name__ == "__main__":
    main()
