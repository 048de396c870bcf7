"""What a profile that is to be added to allows already, and what it refuses on purpose."""

from __future__ import annotations

from seclatch.model.arch import Arch
from seclatch.model.profile.profile import Profile
from seclatch.model.seccomp_data import MAX_ARGS
from seclatch.profile.compile.resolve_profile import Host, narrow_profile
from seclatch.profile.generate.arguments.narrow_arguments import INT, Values
from seclatch.profile.meaning.rule_meaning import ProfileMeaning, read_meaning


class BaseProfile:
    """A base profile as a container without capabilities gets it.

    What is allowed for some containers only does not count as allowed.
    """

    def __init__(self, profile: Profile, native: Arch, kernel: tuple[int, int]) -> None:
        self.profile = profile
        self._meaning: ProfileMeaning = read_meaning(
            narrow_profile(profile, Host(native, kernel=kernel)), native
        )

    def has(self, name: str, values: Values) -> bool:
        """Whether the call is allowed as it was recorded."""
        if self._meaning.always_executes(name):
            return True
        clauses = self._meaning.clauses(name)
        indices = {arg.index for clause in clauses for arg in clause.args}
        if len(indices) != 1:
            return False
        [index] = indices
        seen = values.get((name, index), set())
        return bool(seen) and all(self._allows(name, index, value) for value in seen)

    def _allows(self, name: str, index: int, value: int) -> bool:
        args = [0] * MAX_ARGS
        args[index] = value & INT
        return self._meaning.verdict(name, args).kind.executes

    def refuses(self, name: str) -> bool:
        """Whether a rule refuses the call whatever its arguments (clone3, with ENOSYS)."""
        clauses = self._meaning.clauses(name)
        action = self._meaning.unconditional(name)
        return bool(clauses) and action is not None and not action.kind.executes

    def narrows(self, name: str) -> bool:
        """Whether it allows the call for some arguments."""
        return bool(self._meaning.clauses(name)) and self._meaning.unconditional(name) is None
