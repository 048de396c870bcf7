"""Plan an installation or its removal: every check first, then a list of steps.

See docs/decisions/0008 (installation).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath

from seclatch.engines import running_containers
from seclatch.engines.containerd import Containerd
from seclatch.engines.crio import CriO
from seclatch.engines.docker import Docker
from seclatch.engines.installation import installed_latch
from seclatch.engines.installation.engine import LATCHES, ContainerEngine, LatchRegistration
from seclatch.engines.installation.file_change import ChangeStep, FileChange, FileState, read_file
from seclatch.engines.installation.host_root import HostRoot
from seclatch.engines.installation.install_record import (
    RECORDS,
    ChangedFile,
    InstallRecord,
    hash_content,
    load_record,
    load_records,
    record_path,
)
from seclatch.engines.installation.leftover_files import remove_leftovers
from seclatch.engines.podman import Podman
from seclatch.engines.rancher import make_k3s, make_rke2
from seclatch.engines.services import annotation_recorder, annotation_supervisor
from seclatch.errors import InputError, SeclatchError
from seclatch.model.recorder_limits import RecorderLimits
from seclatch.runtime.find_latch import find_latch, read_latch

ENGINES: dict[str, Callable[[HostRoot], ContainerEngine]] = {
    "docker": Docker,
    "podman": Podman,
    "containerd": Containerd,
    "crio": CriO,
    "k3s": make_k3s,
    "rke2": make_rke2,
}

# Removed when empty, whichever engine's installation made them.
OUR_DIRECTORIES = (LATCHES, RECORDS, str(PurePosixPath(RECORDS).parent))

MAX_USERS = 5
"""How many of the containers that need a latch are named."""

RECORD_PURPOSE = "the record for uninstall"


@dataclass(frozen=True)
class InstallPlan:
    """Steps in the order of their execution; none means that nothing is left to do."""

    engine: ContainerEngine
    wish: LatchRegistration | None  # None: removal
    steps: list[ChangeStep] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def make_engine(name: str, root: HostRoot) -> ContainerEngine:
    """Make the engine of this name."""
    return ENGINES[name](root)


def plan_install(engine: ContainerEngine, root: HostRoot, wish: LatchRegistration) -> InstallPlan:
    """Plan to register the latch; reads everything, writes nothing."""
    runtime = find_runtime(root, wish.runtime, engine.runtime_directories)
    latch = read_latch(find_latch(wish.runtime))
    record = load_record(root, engine.name)
    present = read_configs(engine, root, record)
    former = find_former_texts(engine, root, present, record)
    registered = engine.register(former, wish)
    wanted = {**registered, **{path: former[path] for path in former if path not in registered}}
    after = {path: keep_layout(engine, path, present[path], text) for path, text in wanted.items()}
    engine.check(after)
    change = change_configs(engine, root, present, after)
    fronts = installed_latch.place_latch(root, wish, latch, runtime)
    refuse_removal_in_use(root, fronts, wish.engine)
    written = [path for path, text in after.items() if text is not None]
    paths = [*(str(PurePosixPath(path).parent) for path in written), wish.directory, RECORDS]
    private = None
    if wish.recorder:
        paths += [annotation_recorder.DIRECTORY, wish.recorder.directory]
        private = root.resolve(wish.recorder.directory)
    paths += [wish.running_profiles] if wish.running_profiles else []
    missing = installed_latch.list_missing_directories(root, paths)
    made = [f"/{path.relative_to(root.prefix)}" for path in missing]
    known = [made_by for one in load_records(root) for made_by in one.directories]
    new = InstallRecord(
        engine.name,
        wish.runtime,
        [
            ChangedFile(path, encode_config(former[path]), hash_content(encode_config(text)))
            for path, text in after.items()
            if path == engine.config or text != former[path]
        ],
        sorted({*known, *made}),
    )
    # The record comes first: it names the directories, should this be interrupted.
    state = [path for path in missing if root.resolve(RECORDS).is_relative_to(path)]
    steps = [
        *remove_leftovers(list_own_files(root, engine, after)),
        *installed_latch.make_directories(state),
        *write_record(root, new),
        *installed_latch.make_directories([one for one in missing if one not in state], private),
        *annotation_recorder.place_recorder(root, wish),
        *annotation_supervisor.place_supervisor(root, wish),
        *fronts,
        *engine.make_live_steps(change, wish),
    ]
    notes = engine.list_notes(wish, after)
    if wish.recorder and not wish.keeps_programs:
        notes = [*notes, *annotation_recorder.list_notes(root)]
    return InstallPlan(engine, wish, steps, notes)


def keep_options(root: HostRoot, wish: LatchRegistration) -> LatchRegistration:
    """Return the wish with the mode and the annotations that are installed for the engine now.

    For an agent, whose Python is not the host's: it can install neither recorder nor supervisor,
    and does not remove what an administrator has installed. A recorder that it wishes runs in a
    container, unless the host has one of its own.
    """
    recorder = wish.recorder
    if annotation_recorder.is_installed(root):
        heeded = recorder or annotation_recorder.heeds_annotations(root, wish.engine)
        limits = annotation_recorder.read_limits(root) or RecorderLimits()
        recorder = limits if heeded else None
    profiles = annotation_supervisor.find_profiles(root, wish.engine)
    return replace(
        wish,
        mode=installed_latch.read_mode(root, wish),
        recorder=recorder,
        running_profiles=profiles,
        keeps_programs=True,
    )


def plan_uninstall(engine: ContainerEngine, root: HostRoot) -> InstallPlan:
    """Plan to restore the former state; an engine without the latch gives an empty plan."""
    record = load_record(root, engine.name)
    present = read_configs(engine, root, record)
    after = find_former_texts(engine, root, present, record)
    # `config` first: what names another file is changed before that file goes.
    change = change_configs(engine, root, present, after)
    fronts = installed_latch.remove_latches(root, engine.name)
    refuse_removal_in_use(root, fronts, engine.name)
    rest = [
        *remove_leftovers(list_own_files(root, engine, after)),
        *fronts,
        *annotation_recorder.remove_recorder(root, engine.name),
        *annotation_supervisor.remove_supervisor(root, engine.name),
    ]
    removed = {path for path in map(find_removed_path, [*change, *rest]) if path}
    steps = [*(engine.make_live_steps(change, None) if change else []), *rest]
    steps += remove_state(root, engine, record, removed)
    notes = engine.list_removal_notes() if steps else []
    kept = annotation_recorder.note_kept_recordings(root)
    return InstallPlan(engine, None, steps, [*notes, *kept])


def remove_state(
    root: HostRoot, engine: ContainerEngine, record: InstallRecord | None, removed: set[Path]
) -> list[ChangeStep]:
    """Return the steps that remove the record and our directories, those that are empty then.

    The record goes last of all, with the directories that it lies in: until then it names what is
    left to do, should this be interrupted.
    """
    directories = [f"{LATCHES}/{engine.name}", annotation_recorder.DIRECTORY, *OUR_DIRECTORIES]
    used = annotation_recorder.list_kept_directories(root, engine.name)
    directories += [one for one in record.directories if one not in used] if record else []
    ours = [root.resolve(one) for one in directories]
    above = [one for one in ours if root.resolve(RECORDS).is_relative_to(one)]
    below = [one for one in ours if one not in above]
    steps: list[ChangeStep] = [*installed_latch.remove_directories(below, removed)]
    steps += remove_record(root, engine.name)
    gone = {path for path in map(find_removed_path, steps) if path}
    return [*steps, *installed_latch.remove_directories(above, removed | gone)]


def list_own_files(root: HostRoot, engine: ContainerEngine, configs: Iterable[str]) -> list[Path]:
    """List every file and link that installing for an engine may write."""
    names = [*installed_latch.list_names(), *annotation_recorder.FORMER_NAMES]
    names += annotation_supervisor.NAMES
    recorder = [annotation_recorder.PROGRAM, annotation_recorder.LIMITS]
    latches = [root.resolve(f"{LATCHES}/{engine.name}/{name}") for name in names]
    files = [*configs, record_path(engine.name), *recorder]
    return [*(root.resolve(path) for path in files), *latches]


def find_runtime(root: HostRoot, runtime: str, directories: Sequence[str] = ()) -> str:
    """Find the real runtime that the latch is to start: the engine's own before PATH."""
    own = [f"{directory}/{runtime}" for directory in directories]
    present = [path for path in own if root.resolve(path).is_file()]
    path = present[0] if present else root.find_program(runtime)
    if path is None:
        raise SeclatchError(
            f"looking for the runtime {runtime}: it is not on PATH"
            + ("" if root.is_host else f" below {root.prefix}"),
            remedy=f"install {runtime} (`apt install {runtime}`), or choose another by --runtime",
        )
    return path


def read_configs(
    engine: ContainerEngine, root: HostRoot, record: InstallRecord | None
) -> dict[str, FileState | None]:
    """Read the files that may be changed, and those that have been; None where there is none."""
    recorded = [file.path for file in record.files] if record else []
    paths = dict.fromkeys([*engine.list_configs(), *recorded])
    return {path: read_file(root.resolve(path)) for path in paths}


def find_former_texts(
    engine: ContainerEngine,
    root: HostRoot,
    present: Mapping[str, FileState | None],
    record: InstallRecord | None,
) -> dict[str, str | None]:
    """Return the configuration without the latch."""
    return {
        path: find_former_text(
            engine, path, root.resolve(path), state, record.find_file(path) if record else None
        )
        for path, state in present.items()
    }


def find_former_text(
    engine: ContainerEngine,
    name: str,
    path: Path,
    current: FileState | None,
    changed: ChangedFile | None,
) -> str | None:
    """Return a file's text without the latch: the bytes kept, or the text less its entries."""
    if current is None:
        return None
    if changed and hash_content(current.content) == changed.installed:
        return decode_config(path, changed.original)
    original = decode_config(path, changed.original) if changed else None
    text = decode_config(path, current.content) or ""
    return text if changed and text == original else engine.unregister(name, text, original)


def keep_layout(
    engine: ContainerEngine, path: str, current: FileState | None, after: str | None
) -> str | None:
    """Return the present text if it means the same as the wanted one, else the wanted one."""
    text = decode_config(engine.root.resolve(path), current.content) if current else None
    if text is None or after is None or engine.parse(path, text) != engine.parse(path, after):
        return after
    return text


def change_configs(
    engine: ContainerEngine,
    root: HostRoot,
    present: Mapping[str, FileState | None],
    after: Mapping[str, str | None],
) -> list[FileChange]:
    """Return the steps from the present files to the wanted texts."""
    return [
        change
        for path, text in after.items()
        for change in change_config(engine, root.resolve(path), present.get(path), text)
    ]


def change_config(
    engine: ContainerEngine, path: Path, current: FileState | None, after: str | None
) -> list[FileChange]:
    """Return the step from the present file to the wanted text, if they differ."""
    content = encode_config(after)
    if content == (current.content if current else None):
        return []
    if content is None:
        wanted = None
    else:
        wanted = (
            current.replaced(content)
            if current
            else FileState(content, 0o644, *installed_latch.choose_owner())
        )
    purpose = f"configuration of {engine.name}"
    return [FileChange(path, current, wanted, purpose, shown=True)]


def write_record(root: HostRoot, record: InstallRecord) -> list[ChangeStep]:
    """Return the step that writes the record, if it is not there yet."""
    path = root.resolve(record_path(record.engine))
    present = read_file(path)
    # A configuration may hold secrets, and the record holds a configuration.
    wanted = FileState(record.encode(), 0o600, *installed_latch.choose_owner())
    if present and installed_latch.is_as_wanted(present, wanted):
        return []
    return [FileChange(path, present, wanted, RECORD_PURPOSE)]


def remove_record(root: HostRoot, engine: str) -> list[ChangeStep]:
    """Return the step that removes the record, if there is one."""
    path = root.resolve(record_path(engine))
    present = read_file(path)
    return [FileChange(path, present, None, RECORD_PURPOSE)] if present else []


def refuse_removal_in_use(root: HostRoot, fronts: list[ChangeStep], engine: str) -> None:
    """Refuse to remove a latch while running containers will be stopped through it."""
    going = any(isinstance(one, FileChange) and one.after is None for one in fronts)
    users = (
        running_containers.list_containers_using(f"{LATCHES}/{engine}")
        if going and root.is_live
        else []
    )
    if users:
        shown = ", ".join(users[:MAX_USERS])
        more = f" and {len(users) - MAX_USERS} more" if len(users) > MAX_USERS else ""
        raise SeclatchError(
            f"removing the latch of {engine}: running containers need it: {shown}{more}",
            remedy="stop them (`seclatch ps` shows all), then run the command again",
        )


def find_removed_path(step: ChangeStep) -> Path | None:
    """Return the path that a step removes, if it removes one."""
    gone = getattr(step, "after", "") is None or getattr(step, "present", True) is False
    return step.path if gone and hasattr(step, "path") else None


def decode_config(path: Path, content: bytes | None) -> str | None:
    """Decode a configuration as UTF-8, which JSON and TOML are."""
    try:
        return None if content is None else content.decode()
    except UnicodeDecodeError as error:
        raise InputError(str(path), f"byte {error.start}", "is not UTF-8") from None


def encode_config(text: str | None) -> bytes | None:
    """Encode a configuration as UTF-8."""
    return None if text is None else text.encode()
