"""Replace characters that a stream's encoding lacks by ASCII, without an exception."""

from __future__ import annotations

import codecs
import io
from typing import TextIO

ERRORS = "seclatch-ascii"
"""The name of the error handler, for `str.encode` and `TextIOWrapper.reconfigure`."""

CODEC = "seclatch-ascii-codec"

# One character for one, where tables and charts are drawn with it.
_SIGNS = {
    "…": "...",
    "→": "->",
    "±": "+-",
    "µ": "u",
    "•": "*",
    "·": ".",
    "✗": "x",
    "✕": "x",
    "│": "|",
    "─": "-",
    "├": "|",
    "└": "`",
    "█": "#",
    "▒": "%",
    "░": ".",
    "▶": ">",
    "▼": "v",
    "◆": "^",
    "⚑": "!",
}


def _replace(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    text = error.object[error.start : error.end]
    shown = "".join(
        _SIGNS.get(each) or each.encode("ascii", "backslashreplace").decode() for each in text
    )
    return shown, error.end


codecs.register_error(ERRORS, _replace)


def _find_codec(name: str) -> codecs.CodecInfo | None:
    """ASCII by another name: a stream of that encoding is one that click replaces by UTF-8."""
    if name.replace("_", "-") != CODEC:
        return None
    known = codecs.lookup("ascii")
    return codecs.CodecInfo(
        known.encode,
        known.decode,
        known.streamreader,
        known.streamwriter,
        known.incrementalencoder,
        known.incrementaldecoder,
        name=CODEC,
    )


codecs.register(_find_codec)


def adapt_streams(*streams: TextIO | None) -> None:
    """Let streams replace what their encoding does not have; one that was closed is None."""
    for stream in streams:
        if isinstance(stream, io.TextIOWrapper):
            is_ascii = codecs.lookup(stream.encoding).name == "ascii"
            stream.reconfigure(encoding=CODEC if is_ascii else stream.encoding, errors=ERRORS)
