"""The words of a function's stack, and when other code may have changed them.

A word is known by what was stored there, as wide as it was stored, until other code may have
written to it: once an address of the frame has escaped, every call and every store to an unknown
address may. The caller's words have their initial values until then.

See docs/decisions/0068 (values in memory).
"""

from __future__ import annotations

from seclatch.scan.analysis.abstract_values import Key, State, Value, make_numbers

KEPT: Key = ("kept", 0, 0)
"""Nothing was called, and nothing stored except to known words of the stack."""

HIDDEN: Key = ("hidden", 0, 0)
"""No address of the frame has escaped."""

_SETTLED: Key = ("settled", 0, 0)
"""Memory to which arguments point does not change, whatever is called."""

_GIVEN: Key = ("given", 0, 0)
"""The caller's words are unchanged."""

_WORDS = {"frame", "width"}
_YES, _NO = make_numbers(0), make_numbers(1)
_WORD = 8

Place = tuple[str, int, int]


def begin_frame(state: State, *, settled: bool = False) -> None:
    """Set all of these facts at a function's entry; an absent fact does not hold."""
    state.update({KEPT: _YES, HIDDEN: _YES, _GIVEN: _YES})
    if settled:
        state[_SETTLED] = _YES


def is_certain(state: State, key: Key) -> bool:
    """Return whether one of these facts is certain."""
    return state.get(key) == _YES


def expose_frame(state: State) -> None:
    """Note that an address of the frame escapes."""
    state[HIDDEN] = _NO


def note_unknown_write(state: State) -> None:
    """Note a call, or a store to an unknown address."""
    if not is_certain(state, _SETTLED):
        state[KEPT] = _NO
    if not is_certain(state, HIDDEN):
        forget_words(state)


def forget_words(state: State) -> None:
    """Note that any word of the stack may have been written to."""
    state[_GIVEN] = _NO
    for key in [known for known in state if isinstance(known, tuple) and known[0] in _WORDS]:
        del state[key]


def load_word(state: State, place: Place, width: int) -> Value:
    """Return what so many bytes of the stack hold: stored there before, or given by the caller."""
    if place in state:
        return _read(state[place], peek_word(state, ("width", place[1], place[2])), width)
    near = range(place[2] - _WORD + 1, place[2] + width)
    if any(("frame", place[1], at) in state for at in near):
        return None
    return peek_word(state, place)


def _read(value: Value, stored: Value, width: int) -> Value:
    if value is None or stored is None or len(stored) != 1:
        return None
    (wide,) = stored
    whole = width >= 4 or all(isinstance(atom, int) for atom in value)
    if not isinstance(wide, int) or wide < width or not whole:
        return None
    mask = (1 << (8 * width)) - 1
    return frozenset(atom & mask if isinstance(atom, int) else atom for atom in value)


def store_word(state: State, place: Place, width: int, value: Value) -> None:
    """Write so many bytes of the stack; overlapping words become unknown."""
    if not width:
        forget_words(state)
        return
    _, base, offset = place
    for at in range(offset - _WORD + 1, offset + width):
        key: Key = ("frame", base, at)
        if key in state or is_caller_word(key):
            state[key] = None
    state["frame", base, offset] = value if width in (4, _WORD) else None
    state["width", base, offset] = make_numbers(width)


def is_caller_word(key: Key) -> bool:
    """Return whether it is a word of the caller's, or the width of one."""
    return (
        isinstance(key, tuple)
        and key[0] in ("frame", "width")
        and key[1] == 0
        and key[2] > 0
        and key[2] % _WORD == 0
    )


def peek_word(state: State, key: Key) -> Value:
    """Return a key's value, also for a word of the caller's that the state does not list."""
    if key in state:
        return state[key]
    if not isinstance(key, tuple) or not is_caller_word(key) or not is_certain(state, _GIVEN):
        return None
    if key[0] == "width":
        return make_numbers(_WORD) if ("frame", key[1], key[2]) not in state else None
    return frozenset([("stack", key[2])])
