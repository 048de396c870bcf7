"""Kinds of events in a trace, for both back ends."""

from __future__ import annotations

from enum import IntEnum


class EventKind(IntEnum):
    """Kinds of events. The first four begin a segment."""

    ROOT = 1
    FORK = 2
    EXEC = 3
    FILTER = 4
    CLOSED = 5
    EXIT = 6
    SUSPENSION = 7
    SOCKET_WRITE = 8
    FOUND = 9  # made by the recorder: a process outside of containers that was found running
    MEMBER = 10  # a process of a container that was found running
    JOINED = 11  # forked by a process that is not followed, into a container that is followed
    DENIAL = 12  # the first of its kind in a segment
