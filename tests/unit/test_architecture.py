"""The import rules of ARCHITECTURE.md: which package may import which, without a cycle."""

from __future__ import annotations

import ast
import re
from collections import Counter
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

SOURCE = Path(__file__).parent.parent.parent / "src" / "seclatch"

# package -> the packages of seclatch that it may import. `seclatch.errors` and `seclatch.version`
# may be imported by all, `seclatch.api` by none. The order is that of the layers, lowest first.
MAY_IMPORT = {
    "model": "",
    "model.recording": "model",
    "model.profile": "model",
    "data": "",
    "output": "",
    "registry": "output",
    "system": "model model.profile",
    "bpf": "system",
    "bpf.objects": "",
    "filter.classic_bpf": "model",
    "filter.symbolic": "model filter.classic_bpf",
    "filter": "model model.profile filter.classic_bpf filter.symbolic",
    "profile.export": "model model.profile",
    "profile.parse": "model model.profile filter filter.classic_bpf",
    "profile.compile": "model model.profile system profile.export",
    "profile.meaning": (
        "model model.profile system filter filter.classic_bpf filter.symbolic profile.compile"
    ),
    "profile.curated": "model.profile data profile.parse profile.compile",
    "profile.checks": (
        "model model.profile system filter.classic_bpf profile.parse profile.compile "
        "profile.meaning profile.curated"
    ),
    "profile.edit": "model model.profile output profile.export profile.parse",
    "profile.generate.arguments": (
        "model model.recording model.profile profile.meaning profile.curated"
    ),
    "profile.generate.limits": (
        "model model.recording model.profile profile.parse profile.compile profile.meaning "
        "profile.curated profile.generate.arguments"
    ),
    "profile.generate": (
        "model model.recording model.profile profile.parse profile.export profile.compile "
        "profile.meaning profile.checks profile.curated profile.generate.arguments "
        "profile.generate.limits"
    ),
    "profile.amend": (
        "model model.recording model.profile output filter.classic_bpf filter.symbolic "
        "profile.parse profile.export profile.compile profile.meaning profile.curated profile.edit "
        "profile.generate.arguments profile.generate.limits"
    ),
    "profile.score": "model model.profile profile.meaning profile.curated",
    "profile.artifact": "model model.profile output profile.parse profile.export profile.meaning",
    "profile": (
        "model model.profile output profile.parse profile.compile profile.meaning profile.export "
        "profile.checks"
    ),
    "recording.files": "model model.recording data output system",
    "recording.trace": "model model.recording system recording.files",
    "recording.attribution": "model model.recording system recording.trace",
    "recording.backends": "system recording.trace",
    "recording.backends.bpf": "model system bpf recording.trace recording.backends",
    "recording.backends.ptrace": (
        "model system filter.classic_bpf recording.trace recording.backends recording.backends.bpf"
    ),
    "recording.ready": "model system recording.trace recording.backends",
    "recording": (
        "model model.recording system recording.trace recording.ready recording.attribution "
        "recording.backends recording.backends.bpf recording.backends.ptrace"
    ),
    "recording.annotated": (
        "model model.recording output system recording recording.files recording.trace "
        "recording.attribution recording.ready recording.backends recording.backends.bpf"
    ),
    "process.containers": "model system",
    "process.kernel": "system bpf",
    "process": (
        "model model.recording model.profile output system filter filter.classic_bpf profile "
        "profile.parse profile.compile profile.meaning process.containers process.kernel"
    ),
    "scan.elf": "",
    "scan.analysis": "scan.elf",
    "scan.x86": "scan.elf scan.analysis",
    "scan.a64": "scan.elf scan.analysis",
    "scan.image": "system",
    "scan.summary": "scan.elf scan.analysis scan.x86 scan.a64 scan.image",
    "scan.ld": "scan.elf scan.analysis scan.summary scan.image",
    "scan.reach": "model system scan.elf scan.analysis scan.summary scan.image scan.ld",
    "scan": "model model.recording scan.elf scan.analysis scan.summary scan.image scan.reach",
    "runtime": "model system profile.parse profile.compile",
    "apply": "model model.profile system runtime profile.parse profile.compile",
    "tighten": (
        "model model.recording model.profile output system filter filter.classic_bpf process "
        "process.kernel runtime recording recording.ready profile.parse profile.compile "
        "profile.meaning profile.generate.arguments"
    ),
    "tighten.roles": "model.recording output system tighten",
    "tighten.unprivileged": (
        "model output system filter profile.parse profile.compile process tighten tighten.roles"
    ),
    "tighten.automatic": (
        "model output system process process.containers recording recording.annotated "
        "recording.ready tighten profile.parse profile.compile"
    ),
    "engines.installation": "model system runtime",
    "engines.services": "model system runtime engines.installation",
    "engines": "model output system runtime engines.installation engines.services",
    "host": "system runtime engines engines.installation engines.services",
    "fleet": "model.recording model.profile output registry profile.artifact recording.files",
    "agent": (
        "model model.recording output system registry fleet engines engines.installation "
        "engines.services host recording.files recording.annotated"
    ),
    "demo": "",
    "report.tables": "model model.recording output",
    "report.document": "model model.recording model.profile report.tables",
    "report.timeline": "model model.recording report.document",
    "report": (
        "model model.recording model.profile output report.tables report.document report.timeline"
    ),
    "diagnose.evidence": (
        "model model.profile system runtime scan.image profile.parse profile.export recording "
        "recording.trace recording.attribution recording.backends.bpf "
        "diagnose.confirm.client_command"
    ),
    "diagnose.denials": (
        "model model.profile filter.classic_bpf apply process profile.parse profile.compile "
        "recording.trace recording.backends.bpf diagnose.evidence"
    ),
    "diagnose.failure": (
        "model recording.trace recording.backends.bpf diagnose.evidence diagnose.denials"
    ),
    "diagnose.causes": (
        "model recording.trace recording.backends.bpf diagnose.evidence diagnose.denials "
        "diagnose.failure"
    ),
    "diagnose.remedies": (
        "model model.profile profile.parse profile.compile profile.checks profile.export "
        "profile.edit diagnose.evidence diagnose.denials diagnose.causes"
    ),
    "diagnose.confirm.client_command": "",
    "diagnose.confirm.effects": "system diagnose.confirm.client_command",
    "diagnose.confirm": (
        "model system runtime profile.parse profile.export profile.edit recording.trace "
        "recording.attribution recording.backends.bpf diagnose.evidence diagnose.denials "
        "diagnose.failure diagnose.causes diagnose.remedies diagnose.confirm.client_command "
        "diagnose.confirm.effects"
    ),
    "diagnose": (
        "model model.recording output report profile.parse recording recording.trace "
        "recording.attribution recording.backends recording.backends.bpf recording.ready "
        "diagnose.evidence diagnose.denials diagnose.causes diagnose.remedies diagnose.confirm "
        "diagnose.confirm.client_command"
    ),
    "watch.sources": "model system bpf recording.backends.bpf",
    "watch.targets": "model output",
    "watch": (
        "model system filter.classic_bpf process process.containers process.kernel "
        "diagnose.denials watch.sources watch.targets"
    ),
    "pytest_plugin": (
        "model model.recording output process process.containers recording recording.attribution "
        "recording.files recording.trace profile profile.parse profile.compile profile.meaning "
        "profile.generate"
    ),
    "cli.shared": (
        "model output registry engines engines.installation engines.services filter "
        "filter.classic_bpf process profile profile.parse profile.compile"
    ),
    "cli.profile": (
        "model model.recording model.profile output filter filter.classic_bpf profile "
        "profile.parse profile.compile profile.meaning profile.generate profile.export "
        "profile.score profile.curated profile.amend process recording.files scan cli.shared"
    ),
    "cli.filter": (
        "model output report.tables filter filter.classic_bpf process profile.parse "
        "profile.compile profile.meaning profile.export cli.shared cli.profile"
    ),
    "cli.record": (
        "model model.recording output system report engines.installation engines.services process "
        "registry fleet recording recording.files recording.ready recording.annotated agent "
        "cli.shared"
    ),
    "cli.kubernetes": "data registry fleet cli.shared",
    "cli.install_service": "engines.services process watch.targets cli.shared",
    "cli.uninstall_service": "engines.services cli.shared",
    "cli.amend": (
        "model model.profile output profile.parse profile.amend recording.files watch.targets "
        "watch cli.shared"
    ),
    "cli.node": "model output runtime engines.installation engines fleet agent cli.shared",
    "cli.explain": (
        "model model.recording output recording.files recording process diagnose.evidence diagnose "
        "cli.shared"
    ),
    "cli.generate": (
        "model model.recording model.profile output profile.export profile.parse profile.generate "
        "profile recording.files scan cli.shared"
    ),
    "cli": (
        "model model.recording model.profile output report report.tables report.document apply "
        "demo tighten tighten.roles tighten.unprivileged engines engines.installation "
        "engines.services host process runtime registry fleet profile profile.parse "
        "profile.artifact profile.meaning profile.compile profile.generate profile.export "
        "recording.files scan scan.analysis scan.image scan.summary watch watch.sources "
        "watch.targets cli.shared cli.record"
    ),
}

# Only this package may load libraries of the system or issue system calls by number.
CTYPES = "system"

MODULES = {
    ".".join(file.relative_to(SOURCE).with_suffix("").parts): file
    for file in sorted(SOURCE.rglob("*.py"))
}


def package_of(module: str) -> str:
    return module if f"{module}.__init__" in MODULES else module.rpartition(".")[0]


def imported_modules(file: Path) -> Iterator[str]:
    """List the modules that a file imports: seclatch's own without the prefix, and "ctypes"."""
    for node in ast.walk(ast.parse(file.read_text())):
        names: list[str] = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        for name in names:
            if name.startswith("seclatch."):
                ours = name.removeprefix("seclatch.")
                yield ours if ours in MODULES else ours.rpartition(".")[0]
            elif name.split(".")[0] == "ctypes":
                yield "ctypes"


@pytest.mark.parametrize("module", [name for name in MODULES if "." in name])
def test_imports_follow_the_table(module: str) -> None:
    package = package_of(module)
    imported = set(imported_modules(MODULES[module]))
    assert "ctypes" not in imported or package == CTYPES
    used = {package_of(name) for name in imported - {"ctypes", "errors", "version"}}
    assert used <= {package, *MAY_IMPORT[package].split()}


def test_the_table_has_no_cycle() -> None:
    order = list(
        TopologicalSorter({p: row.split() for p, row in MAY_IMPORT.items()}).static_order()
    )
    assert set(order) == set(MAY_IMPORT)


def test_modules_do_not_import_each_other_in_a_cycle() -> None:
    graph = {
        name: [m for m in imported_modules(file) if m in MODULES and not m.endswith("__init__")]
        for name, file in MODULES.items()
        if name not in ("__init__", "api")
    }
    assert len(list(TopologicalSorter(graph).static_order())) >= len(graph)


def test_each_package_states_its_purpose() -> None:
    for name, file in MODULES.items():
        if name.endswith("__init__"):
            assert ast.get_docstring(ast.parse(file.read_text())), name


def test_module_names_are_unique() -> None:
    # a command's module has the command's name, an exporter's and a check's that of its format
    mirrors = re.compile(r"cli\.|profile\.(export|checks)\.|.*__init__$|__main__$")
    names = Counter(m.rpartition(".")[2] for m in MODULES if not mirrors.match(m))
    assert [name for name, count in names.items() if count > 1] == []
