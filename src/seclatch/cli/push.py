"""`seclatch push`."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import click

from seclatch.cli.shared.profile_options import (
    PROFILE,
    host_from,
    host_options,
    read_given_profile,
)
from seclatch.cli.shared.registry_options import (
    REFERENCE,
    access_from,
    limit_time,
    registry_options,
    require_image,
)
from seclatch.cli.shared.result_output import print_warnings, require_stdout
from seclatch.errors import InputError
from seclatch.profile.compile.resolve_profile import Host
from seclatch.profile.export.oci import list_unsaid
from seclatch.profile.profile_input import ProfileInput
from seclatch.registry.reference import Reference

SCHEMA = "seclatch.pushed-profile/1"


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("profile", type=PROFILE)
@click.argument("reference", type=REFERENCE, metavar="REF")
@click.option(
    "--image",
    callback=require_image,
    metavar="IMG@sha256:…",
    help="The image whose program the profile is for; `seclatch pull --image` requires it.",
)
@click.option(
    "--sign",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    metavar="KEY",
    help="Sign with this ECDSA key (PEM; its password in SECLATCH_SIGN_PASSWORD).",
)
@click.option(
    "--format",
    "written_as",
    type=click.Choice(["oci", "kubernetes"]),
    default="oci",
    show_default=True,
    help="kubernetes: a SeccompProfile, which older security-profiles-operators pull.",
)
@click.option("--dry-run", is_flag=True, help="Check and name the result; upload nothing.")
@click.option("--json", "as_json", is_flag=True, help="Print an object instead of the reference.")
@registry_options
@host_options
def command(
    profile: Path,
    reference: Reference,
    image: str,
    sign: Path | None,
    written_as: str,
    dry_run: bool,
    as_json: bool,
    timeout: float,
    **options: Any,
) -> None:
    """Publish a profile at a registry, in the format that container runtimes read (KEP-6061).

    REF is HOST[:PORT]/REPOSITORY[:TAG]. Prints the reference by digest, which pods, `seclatch
    pull`, CRI-O and security-profiles-operator take. Conditions on capabilities, kernels and
    architectures are resolved first, as --arch, --cap-add and the others say.

    A profile that runtimes refuse from a registry (more than 128 rules for one call, comparisons
    that contradict each other, errnoRet without effect) is written in other rules with the same
    meaning, which is proved; one with a listener, SCMP_ACT_NOTIFY or more than 1 MiB is refused.
    The signature has cosign's format: `cosign verify --key` and containers-policy.json(5) read it.

    Releases of security-profiles-operator from before September 2026 read another form, that of
    --format kubernetes. None takes a signature by a key: `cosign sign` the digest as well.

    \b
    Examples:
      seclatch push web.json registry.example/profiles/web:1 --sign key.pem
      seclatch push web.json registry.example/profiles/web --image docker.io/library/nginx@sha256:…
      seclatch push web.json registry.example/operator/web:1 --format kubernetes
      seclatch push web.json localhost:5000/web:1 --plain-http --dry-run
    """
    require_stdout()
    access = access_from(options)
    if reference.digest:
        raise InputError(str(reference), "", "a push makes the digest: give no @sha256:…")
    from seclatch.fleet.push_profile import (
        OPERATOR_FORM,
        ProfileLayer,
        plan_push,
        push_profile,
        read_signing_key,
    )

    if written_as == "oci":
        layer = ProfileLayer(_write(profile, options), image)
    else:
        layer = ProfileLayer(_write_for_operator(profile, options, reference), image, OPERATOR_FORM)
    key = read_signing_key(sign, os.environ.get("SECLATCH_SIGN_PASSWORD", ""))
    if dry_run:
        done = plan_push(layer, reference)
    else:
        with limit_time(timeout, f"pushing to {reference}"):
            done = push_profile(layer, reference, access, key)
    if not as_json:
        click.echo(str(done.reference))
        return
    document = {
        "schema": SCHEMA,
        "reference": str(done.reference),
        "tag": reference.tag,
        "image": image,
        "size": done.size,
        "signature": "none" if key is None or dry_run else "added" if done.signed else "there",
        "dry_run": dry_run,
    }
    click.echo(json.dumps(document))


def _read(file: Path, host: Host) -> ProfileInput:
    """Read the profile, and say what it was resolved for."""
    given = read_given_profile(file, host)
    if given.document and given.document.profile.conditional:
        kernel = "{}.{}".format(*host.kernel)
        print_warnings(given.name, [f"conditions resolved for {host.arch.scmp}, Linux {kernel}"])
    return given


def _write_for_operator(file: Path, options: dict[str, Any], reference: Reference) -> bytes:
    from seclatch.profile.artifact.operator_artifact import write_operator_artifact

    host = host_from(options)
    given = _read(file, host)
    title = reference.repository.rpartition("/")[2].replace("_", "-")
    return write_operator_artifact(given.profile, host.arch, given.name, title)


def _write(file: Path, options: dict[str, Any]) -> bytes:
    """Return the artifact's layer, and say what it does not carry."""
    from seclatch.profile.artifact.profile_artifact import write_artifact

    host = host_from(options)
    given = _read(file, host)
    print_warnings(given.name, list_unsaid(given.profile))
    made = write_artifact(given.profile, host.arch, given.name)
    if made.regrouped:
        before, after = made.regrouped
        print_warnings(
            given.name,
            [f"{before} rules, which runtimes refuse, are written as {after} of the same meaning"],
        )
    return made.layer
