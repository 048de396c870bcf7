"""Print the `dev` dependency group of pyproject.toml, for pips older than `--group` (25.1)."""

import tomllib
from pathlib import Path

project = tomllib.loads((Path(__file__).parent.parent / "pyproject.toml").read_text())
print(*(requirement.replace(" ", "") for requirement in project["dependency-groups"]["dev"]))
