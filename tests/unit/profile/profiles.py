"""Profiles for property tests."""

from hypothesis import strategies as st

from seclatch.model.action import ACTION_NAMES, Operator
from seclatch.model.arch import Arch
from seclatch.model.profile.profile import FLAGS, Arg, Condition, Profile, Rule

NAMES = ["read", "openat", "socket", "clone", "mkdir", "bpf", "ptrace", "personality"]
names = st.lists(st.sampled_from(NAMES), min_size=1, max_size=3, unique=True).map(tuple)
values = st.sampled_from([0, 1, 2, 3, 7, 8, 0x7E020000, 0xFFFFFFFF, 1 << 32, (1 << 64) - 1])
some_args = st.lists(
    st.builds(Arg, st.integers(0, 2), st.sampled_from(Operator), values, values), max_size=3
).map(tuple)
errnos = st.none() | st.sampled_from([0, 1, 13, 38])
conditions = st.builds(
    Condition,
    st.lists(st.sampled_from(["CAP_BPF", "CAP_CHOWN"]), max_size=2).map(tuple),
    st.lists(st.sampled_from(["amd64", "arm64"]), max_size=2).map(tuple),
    st.none() | st.sampled_from([(4, 8), (99, 0)]),
)
arches = st.lists(st.sampled_from(Arch), max_size=3, unique=True).map(tuple)


def rules(condition: st.SearchStrategy[Condition]) -> st.SearchStrategy[tuple[Rule, ...]]:
    rule = st.builds(
        Rule,
        names,
        st.sampled_from(ACTION_NAMES),
        errnos,
        some_args,
        comment=st.text(max_size=5),
        includes=condition,
        excludes=condition,
    )
    return st.lists(rule, max_size=4).map(tuple)


def _build(condition: st.SearchStrategy[Condition], **more: object) -> st.SearchStrategy[Profile]:
    return st.builds(
        Profile,
        default_action=st.sampled_from(ACTION_NAMES),
        rules=rules(condition),
        default_errno=errnos,
        flags=st.none() | st.lists(st.sampled_from(FLAGS), max_size=2).map(tuple),
        listener_path=st.sampled_from(["", "/run/agent.sock"]),
        **more,
    )


def profiles() -> st.SearchStrategy[Profile]:
    mapped = st.lists(st.tuples(st.sampled_from(Arch), arches), max_size=2).map(tuple)
    return st.one_of(_build(conditions, architectures=arches), _build(conditions, arch_map=mapped))


def resolved_profiles() -> st.SearchStrategy[Profile]:
    """Draw profiles without conditions, archMap and comments, as engines pass them to runtimes."""
    without = _build(st.just(Condition()), architectures=arches)
    return without.map(
        lambda profile: Profile(
            profile.default_action,
            tuple(Rule(r.names, r.action, r.errno, r.args) for r in profile.rules),
            profile.architectures,
            default_errno=profile.default_errno,
            flags=profile.flags,
            listener_path=profile.listener_path,
        )
    )
