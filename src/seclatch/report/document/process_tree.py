"""The tree of processes, alike siblings counted together. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from seclatch.model.recording.process_context import NamespaceInodes, ProcessContext
from seclatch.model.recording.recording import RecordedProcess, Recording
from seclatch.report.document.process_history import ProcessHistory
from seclatch.report.document.report_document import Node

MAX_NODES = 300


def list_nodes(recording: Recording, made: dict[int, ProcessHistory]) -> tuple[list[Node], int]:
    """List the nodes, parents before their children, and how many processes are not in it."""
    nodes: list[Node] = []
    shown = 0
    for node in _Tree(recording, made).nodes():
        if len(nodes) == MAX_NODES:
            break
        nodes.append(node)
        shown += node.count
    return nodes, len(recording.processes) - shown


@dataclass(slots=True)
class _ProcessGroup:
    """Alike siblings; the first stands for them."""

    depth: int
    members: list[RecordedProcess] = field(default_factory=list)


class _Tree:
    def __init__(self, recording: Recording, made: dict[int, ProcessHistory]) -> None:
        self._made = made
        self._ids = {each.id for each in recording.processes}
        self._children: dict[int | None, list[RecordedProcess]] = {}
        for each in recording.processes:
            parent = each.parent if each.parent in self._ids and each.parent != each.id else None
            self._children.setdefault(parent, []).append(each)
        self._contexts = recording.contexts
        outside = [each for each in map(self._context, recording.processes) if each]
        self._outside = outside[0].namespaces if outside else NamespaceInodes()
        self._calls: dict[int | None, int] = {}
        self._denied: dict[int | None, int] = {}
        for call in recording.calls:
            self._calls[call.process] = self._calls.get(call.process, 0) + call.count
        for denial in recording.denials:
            self._denied[denial.process] = self._denied.get(denial.process, 0) + denial.count

    def nodes(self) -> Iterator[Node]:
        """Walk, by hand: a recording may be deeper than Python's stack, and have loops."""
        waiting = list(reversed(self._groups(None, 0)))
        while waiting:
            group = waiting.pop()
            yield self._node(group)
            if len(group.members) == 1:
                below = self._groups(group.members[0].id, group.depth + 1)
                waiting += reversed(below)

    def _groups(self, parent: int | None, depth: int) -> list[_ProcessGroup]:
        groups: dict[object, _ProcessGroup] = {}
        for process in self._children.get(parent, []):
            groups.setdefault(self._likeness(process), _ProcessGroup(depth)).members.append(process)
        return list(groups.values())

    def _likeness(self, process: RecordedProcess) -> object:
        """Those with children, or with something denied, stand for themselves."""
        if process.id in self._children or self._denied.get(process.id) or process.session is None:
            return process.id
        history = self._made[process.id]
        images = tuple((each.stage, each.exe, *each.argv) for each in process.images)
        return images, history.stage, history.state, process.status, self._context(process)

    def _context(self, process: RecordedProcess) -> ProcessContext | None:
        """Return the state that a process was last seen in."""
        number = process.contexts[-1].context if process.contexts else -1
        return self._contexts[number] if 0 <= number < len(self._contexts) else None

    def _node(self, group: _ProcessGroup) -> Node:
        first = group.members[0]
        history, context = self._made[first.id], self._context(first)
        last = next((e for e in reversed(history.events) if e.kind != "exit"), None)
        return Node(
            depth=group.depth,
            pid=first.pid,
            count=len(group.members),
            images=[(each.stage, each.exe, list(each.argv)) for each in first.images]
            or [(history.stage, "", [])],
            user=_user(first, context),
            state=history.state,
            filters=last.filters if last else 0,
            calls=sum(self._calls.get(each.id, 0) for each in group.members),
            denied=sum(self._denied.get(each.id, 0) for each in group.members),
            status=first.status,
            found_running=first.found_running,
            facts=list_facts(context, self._outside) if context else [],
        )


def _user(process: RecordedProcess, context: ProcessContext | None) -> str:
    """Format the real user, the effective one if different, and groups if they differ."""
    if context:
        pairs = [(context.uid, context.gid), (context.euid, context.egid)]
    elif process.images:
        pairs = [(process.images[-1].uid, process.images[-1].gid)]
    else:
        return ""
    names = [str(uid) if uid == gid else f"{uid}:{gid}" for uid, gid in pairs]
    return " → ".join(dict.fromkeys(names))


def list_facts(context: ProcessContext, outside: NamespaceInodes) -> list[str]:
    """List what else binds a process: no_new_privs, capabilities, namespaces."""
    told = []
    if context.capabilities:
        count = int(context.capabilities.effective, 16).bit_count()
        told.append(f"{count or 'no'} capabilit{'y' if count == 1 else 'ies'}")
    own = [
        name
        for name in context.namespaces.__struct_fields__
        if getattr(context.namespaces, name) not in (0, getattr(outside, name))
    ]
    if own:
        told.append(f"own {' '.join(own)}")
    if context.no_new_privs:
        told.append("no_new_privs")
    return told
