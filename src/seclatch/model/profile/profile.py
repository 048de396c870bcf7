"""A profile's JSON document. Engine and runtime decide what it means."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from seclatch.model.action import Action, Operator
from seclatch.model.arch import Arch

FLAGS = (
    "SECCOMP_FILTER_FLAG_TSYNC",
    "SECCOMP_FILTER_FLAG_LOG",
    "SECCOMP_FILTER_FLAG_SPEC_ALLOW",
    "SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV",
)
"""Flags that a profile may name (OCI runtime spec 1.2, and TSYNC, which runtimes accept)."""


@dataclass(frozen=True, slots=True)
class Arg:
    """One comparison: argument `index` (0 to 5) with `value`.

    MASKED_EQ: `(argument & value) == value_two`; all others ignore `value_two`.
    """

    index: int
    operator: Operator
    value: int
    value_two: int = 0

    def __str__(self) -> str:
        """Return `arg1 & 0xf == 0x2`, counting arguments from 0 as profiles do."""
        if self.operator is Operator.MASKED_EQ:
            return f"arg{self.index} & {self.value:#x} == {self.value_two:#x}"
        return f"arg{self.index} {self.operator.symbol} {self.value:#x}"


def list_alternatives(args: Sequence[Arg]) -> list[tuple[Arg, ...]]:
    """Return the alternatives of a rule's comparisons; all comparisons of one must hold.

    Comparisons of different arguments must all hold; two of one argument make all comparisons of
    the rule alternatives (a compatibility rule of runc and crun).
    """
    if any(count > 1 for count in Counter(arg.index for arg in args).values()):
        return [(arg,) for arg in args]
    return [tuple(args)]


def format_comparisons(args: Sequence[Arg]) -> str:
    """Return a rule's comparisons as text: `arg0 == 0x1 and arg1 < 0x2`, alternatives by `or`."""
    return " or ".join(
        " and ".join(map(str, alternative)) for alternative in list_alternatives(args)
    )


@dataclass(frozen=True, slots=True)
class Condition:
    """When a rule applies: the engine decides it once, for its host and the container.

    `arches` are in the engine's own spelling (Docker: `amd64`, not `SCMP_ARCH_X86_64`).
    """

    caps: tuple[str, ...] = ()
    arches: tuple[str, ...] = ()
    min_kernel: tuple[int, int] | None = None

    def __bool__(self) -> bool:
        """Return whether it has any condition at all."""
        return bool(self.caps or self.arches or self.min_kernel)


@dataclass(frozen=True, slots=True)
class Rule:
    """The action for calls of these names if their arguments match.

    `action` is the `SCMP_ACT_*` name as the profile spells it; `errno` its errnoRet if given, and
    `errno_name` containers-common's `errno`, which Podman prefers and others do not read.
    """

    names: tuple[str, ...]
    action: str
    errno: int | None = None
    args: tuple[Arg, ...] = ()
    errno_name: str = ""
    comment: str = ""
    includes: Condition = field(default_factory=Condition)
    excludes: Condition = field(default_factory=Condition)

    @property
    def effect(self) -> Action:
        """Return the action with its data, as runtimes read it."""
        return Action.from_scmp(self.action, self.errno)


@dataclass(frozen=True, slots=True)
class Profile:
    """A whole profile.

    `flags` is None where none are given: runtimes then choose their default. `architectures` and
    `arch_map` exclude each other. `default_action` is "" only in the empty profile, which means no
    seccomp at all.
    """

    default_action: str
    rules: tuple[Rule, ...] = ()
    architectures: tuple[Arch, ...] = ()
    arch_map: tuple[tuple[Arch, tuple[Arch, ...]], ...] = ()
    default_errno: int | None = None
    default_errno_name: str = ""
    flags: tuple[str, ...] | None = None
    listener_path: str = ""
    listener_metadata: str = ""

    @property
    def default(self) -> Action:
        """Return the default action with its data, as runtimes read it."""
        return Action.from_scmp(self.default_action, self.default_errno)

    @property
    def conditional(self) -> bool:
        """Return whether an engine must resolve it before a runtime can read it."""
        return bool(self.arch_map) or any(rule.includes or rule.excludes for rule in self.rules)
