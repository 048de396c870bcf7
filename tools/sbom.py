"""Write a release's bill of materials: CycloneDX, validated against its schema.

It names what is in the files: this project, the C library that its static programs are linked with,
the engines' default profiles; and what is installed with it.
"""

from __future__ import annotations

import re
import subprocess
import tomllib
import uuid
from collections.abc import Iterable
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

import msgspec
from cyclonedx.model import (
    ExternalReference,
    ExternalReferenceType,
    HashAlgorithm,
    HashType,
    Property,
    XsUri,
)
from cyclonedx.model.bom import Bom
from cyclonedx.model.component import Component, ComponentScope, ComponentType
from cyclonedx.model.license import DisjunctiveLicense
from cyclonedx.output.json import JsonV1Dot6
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from packageurl import PackageURL

_NAMESPACE = uuid.UUID("6f2d3b0a-60a3-5d0c-8f6e-5b1f0d1c3c55")


def write_sbom(source: Path, files: Iterable[Path], epoch: int) -> str:
    """Return the document. Raises SystemExit where it is not valid."""
    project = tomllib.loads((source / "pyproject.toml").read_text())
    version = read_version(source)
    hashes = {path.name: sha256(path.read_bytes()).hexdigest() for path in files}
    bom = Bom(serial_number=uuid.uuid5(_NAMESPACE, repr((version, sorted(hashes.items())))))
    bom.metadata.timestamp = datetime.fromtimestamp(epoch, UTC)
    bom.metadata.component = main = describe_project(project["project"], version, hashes)
    parts = [*list_dependencies(project["project"]), *list_contents(source, project)]
    for part in parts:
        bom.components.add(part)
    bom.register_dependency(main, parts)
    text = JsonV1Dot6(bom).output_as_string(indent=1) + "\n"
    if problem := JsonStrictValidator(SchemaVersion.V1_6).validate_str(text):
        raise SystemExit(f"the SBOM is not valid: {problem}")
    return text


def read_version(source: Path) -> str:
    """Return the version in a tree."""
    text = (source / "src/seclatch/version.py").read_text()
    return text.partition('__version__ = "')[2].partition('"')[0]


def describe_project(project: dict[str, Any], version: str, hashes: dict[str, str]) -> Component:
    """Describe this project, with the files of the release."""
    name = project["name"]
    references = [
        ExternalReference(
            type=ExternalReferenceType.DISTRIBUTION,
            url=XsUri(file),
            hashes=[HashType(alg=HashAlgorithm.SHA_256, content=value)],
        )
        for file, value in hashes.items()
    ]
    home = ExternalReference(
        type=ExternalReferenceType.WEBSITE, url=XsUri(project["urls"]["Homepage"])
    )
    return Component(
        type=ComponentType.APPLICATION,
        name=name,
        version=version,
        bom_ref=name,
        description=project["description"],
        licenses=[DisjunctiveLicense(id=project["license"])],
        purl=PackageURL("pypi", None, name, version),
        external_references=[home, *references],
    )


def list_dependencies(project: dict[str, Any]) -> list[Component]:
    """Describe what is installed with it, or by an extra: a range of versions each."""
    found = {}
    groups = {"": project["dependencies"], **project["optional-dependencies"]}
    for extra, requirements in groups.items():
        for requirement in requirements:
            name, versions = re.match(r"([\w.-]+)(.*)", requirement.replace(" ", "")).groups()  # type: ignore[union-attr]
            properties = [Property(name="seclatch:versions", value=versions)]
            if extra:
                properties.append(Property(name="seclatch:extra", value=extra))
            found[name] = Component(
                type=ComponentType.LIBRARY,
                name=name,
                bom_ref=f"pypi-{name}",
                purl=PackageURL("pypi", None, name),
                scope=ComponentScope.OPTIONAL if extra else ComponentScope.REQUIRED,
                properties=properties,
            )
    return list(found.values())


def list_contents(source: Path, project: dict[str, Any]) -> list[Component]:
    """Describe what the files contain of others."""
    zig = next(
        line.partition("==")[2]
        for line in project["dependency-groups"]["wheels"]
        if line.startswith("ziglang==")
    )
    musl_wheels = Component(
        type=ComponentType.LIBRARY,
        name="musl",
        bom_ref="musl-wheels",
        version=f"of ziglang {zig}",
        description="C library, linked statically into the programs of the wheels",
        licenses=[DisjunctiveLicense(id="MIT")],
        purl=PackageURL("pypi", None, "ziglang", zig),
    )
    debian = subprocess.run(
        ["/usr/bin/dpkg-query", "-W", "-f", "${Version}", "musl-dev"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    musl_deb = Component(
        type=ComponentType.LIBRARY,
        name="musl",
        bom_ref="musl-deb",
        version=debian,
        description="C library, linked statically into the programs of the Debian package",
        licenses=[DisjunctiveLicense(id="MIT")],
        purl=PackageURL("deb", "debian", "musl-dev", debian),
    )
    return [musl_wheels, musl_deb, *list_profiles(source)]


def list_profiles(source: Path) -> list[Component]:
    """Describe the engines' default profiles, which the package contains."""
    return [
        Component(
            type=ComponentType.DATA,
            name=path.stem,
            bom_ref=path.stem,
            version=msgspec.json.decode(path.read_bytes())["version"],
            licenses=[DisjunctiveLicense(id="Apache-2.0")],
            description="default seccomp profile of an engine",
        )
        for path in sorted((source / "src/seclatch/data/defaults").glob("*.json"))
    ]
