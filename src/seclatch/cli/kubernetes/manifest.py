"""`seclatch kubernetes manifest`."""

from __future__ import annotations

from pathlib import Path

import click

from seclatch.cli.shared.profile_options import FILE
from seclatch.cli.shared.registry_options import (
    REFERENCE,
    require_image,
    require_optional_repository,
)
from seclatch.cli.shared.result_output import print_warnings, require_stdout, write_result
from seclatch.registry.reference import Reference

_EXISTING = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--image",
    callback=require_image,
    metavar="IMG@sha256:…",
    help="An image with `seclatch[registry]` that runs it as its entry point. Without one there is "
    "no DaemonSet.",
)
@click.option(
    "--registry",
    default="",
    metavar="HOST[:PORT]/PATH",
    help="Refuse a list with profiles of other registries.",
)
@click.option(
    "--key",
    type=_EXISTING,
    metavar="FILE",
    help="The publisher's public key (PEM): nodes take what it has signed. Required with --image.",
)
@click.option(
    "--profiles",
    "list_file",
    type=_EXISTING,
    metavar="LIST",
    help="Lines NAME HOST/REPOSITORY@sha256:…, as for `seclatch node`.",
)
@click.option(
    "--pull-secret",
    default="",
    metavar="NAME",
    help="A secret of type kubernetes.io/dockerconfigjson in the namespace, for the registry.",
)
@click.option(
    "--profiles-only",
    is_flag=True,
    help="The DaemonSet brings profiles alone: no right at the API, no capability. The latch comes "
    "with the nodes' image, and the label from whoever makes the nodes.",
)
@click.option(
    "--remove",
    is_flag=True,
    help="The DaemonSet removes the labels and the latch; then delete all of it.",
)
@click.option(
    "--record",
    is_flag=True,
    help="Nodes record containers that have the annotation seclatch.record=NAME, in namespaces "
    "with the label seclatch.io/record=allowed: by a second container of the DaemonSet.",
)
@click.option(
    "--recordings",
    type=REFERENCE,
    callback=require_optional_repository,
    metavar="HOST/REPOSITORY",
    help="Nodes push the counts of their recordings there.",
)
@click.option(
    "--inspect",
    is_flag=True,
    help="A second DaemonSet, privileged, for `kubectl seclatch`; takes --image.",
)
@click.option("-o", "--output", type=FILE, help="Write there instead of to standard output.")
def command(
    image: str,
    registry: str,
    key: Path | None,
    list_file: Path | None,
    pull_secret: str,
    profiles_only: bool,
    remove: bool,
    record: bool,
    recordings: Reference | None,
    inspect: bool,
    output: Path | None,
) -> None:
    """Print the Kubernetes manifests for a cluster, as YAML.

    A namespace; the RuntimeClass `seclatch`, whose pods go to nodes with the label
    seclatch.io/latch=ready; a DaemonSet that runs `seclatch node`: it installs the latch for
    containerd, proves it by a start, labels the node, and brings the listed profiles to kubelet's
    directory; the right to patch nodes, held to a node's own label by a policy; policies: which
    namespace may use which profile, which may have its containers recorded, which must use the
    latch. Takes Kubernetes 1.30 or later.

    \b
    Examples:
      seclatch kubernetes manifest | kubectl apply -f -
      seclatch kubernetes manifest --image registry.example/seclatch@sha256:… --key cosign.pub \\
        --profiles profiles.list --registry registry.example/profiles -o seclatch.yaml
      seclatch kubernetes manifest --image registry.example/seclatch@sha256:… --key cosign.pub \\
        --remove | kubectl apply -f -
    """
    from seclatch.fleet.kubernetes_manifest import ClusterWish, write_manifests
    from seclatch.fleet.profile_list import read_profile_list, require_registry
    from seclatch.registry.cosign_signature import load_public_key

    require_stdout()
    if image and key is None:
        raise click.UsageError("--image needs --key: nodes take signed profiles alone")
    if inspect and not image:
        raise click.UsageError("--inspect needs --image")
    listed = read_profile_list(list_file) if list_file else []
    if registry and list_file:
        require_registry(listed, registry, str(list_file))
    if key:
        load_public_key(key)  # refused here and not on every node
    if record and (profiles_only or not image):
        raise click.UsageError("--record needs --image, and a DaemonSet that installs the latch")
    if remove and (profiles_only or not image):
        raise click.UsageError("--remove needs --image, and a DaemonSet that installs the latch")
    wish = ClusterWish(
        image=image,
        key=key.read_text() if key else "",
        profiles=tuple(listed),
        pull_secret=pull_secret,
        install=not profiles_only,
        remove=remove,
        record=record,
        recordings=str(recordings or ""),
        inspect=inspect,
    )
    write_result(write_manifests(wish), output)
    if not image:
        print_warnings("kubernetes manifest", ["no DaemonSet without --image"])
