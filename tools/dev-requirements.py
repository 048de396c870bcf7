"""Print the `dev` dependency group of pyproject.toml, or another, or `--dependencies`."""  # noqa: N999

# For pips older than `--group` (25.1).
import sys
import tomllib
from pathlib import Path

project = tomllib.loads((Path(__file__).parent.parent / "pyproject.toml").read_text())
which = sys.argv[1] if len(sys.argv) > 1 else "dev"
own = which == "--dependencies"
listed = project["project"]["dependencies"] if own else project["dependency-groups"][which]
print(*(requirement.replace(" ", "") for requirement in listed))
