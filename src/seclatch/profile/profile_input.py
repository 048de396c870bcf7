"""What a user hands over as a profile, in force on a host: a document or a raw BPF program."""

from __future__ import annotations

from dataclasses import dataclass

from seclatch.errors import InputError
from seclatch.model.filter import Filter
from seclatch.model.profile.profile import Profile
from seclatch.profile.compile.resolve_profile import Host, list_kept_rules, narrow_profile
from seclatch.profile.parse.load_profile import ProfileDocument, parse_document
from seclatch.profile.parse.profile_source import ProfileSource
from seclatch.profile.parse.text_position import TextPosition


@dataclass(frozen=True, slots=True)
class ProfileInput:
    """`profile` is resolved. `document` is None for a BPF program, whose code is in `program`.

    `origin` has for each rule of `profile` its number in the file. `warnings` are sentences about
    what the rules of a program do not say, and `beyond` names the calls, as in Recovered.
    """

    name: str
    profile: Profile
    origin: tuple[int, ...]
    document: ProfileDocument | None = None
    program: Filter | None = None
    warnings: tuple[str, ...] = ()
    beyond: frozenset[tuple[str, str]] = frozenset()

    def place(self, rule: int) -> TextPosition:
        """Where rule number `rule` of `profile` stands in the file; line 0 if nowhere."""
        path = ("syscalls", self.origin[rule])
        return self.document.locate(path) if self.document else TextPosition(path)


def read_profile_input(source: ProfileSource, host: Host) -> ProfileInput:
    """Read and resolve a profile, or decompile a program. Raises InputError."""
    if source.is_program:
        return give_program(source, host)
    document = parse_document(source.text(), source.name)
    origin = tuple(list_kept_rules(document.profile, host))
    return ProfileInput(source.name, narrow_profile(document.profile, host), origin, document)


def require_action(given: ProfileInput) -> ProfileInput:
    """Refuse the empty profile, which says nothing. Raises InputError."""
    require_default_action(given.profile, given.name)
    return given


def require_default_action(profile: Profile, name: str) -> Profile:
    """Refuse the empty profile, of the file `name`. Raises InputError."""
    if not profile.default_action:
        raise InputError(
            name,
            "",
            "the empty profile stands for no seccomp at all",
            remedy='to allow everything, write {"defaultAction": "SCMP_ACT_ALLOW"}',
        )
    return profile


def give_program(source: ProfileSource, host: Host, *, in_force: bool = False) -> ProfileInput:
    """Return the rules of a raw BPF program, as far as rules can say what it does."""
    from seclatch.profile.parse.raw_program import recover_profile

    found = recover_profile(source, host.arch, in_force=in_force)
    origin = tuple(range(len(found.profile.rules)))
    return ProfileInput(
        source.name,
        found.profile,
        origin,
        program=found.program,
        warnings=found.warnings,
        beyond=found.beyond,
    )
