"""Decode what of a bundle's config.json goes into a recording."""

from __future__ import annotations

from typing import Any

import msgspec

_KUBERNETES = "io.kubernetes."


class _LinuxConfig(msgspec.Struct):
    seccomp: dict[str, Any] | None = None


class ConfigJson(msgspec.Struct):
    """What is read of a config.json."""

    linux: _LinuxConfig | None = None
    annotations: Any = None

    @property
    def profile(self) -> dict[str, Any] | None:
        """Return `linux.seccomp`."""
        return self.linux.seccomp if self.linux else None

    @property
    def mentions_pod(self) -> bool:
        """Return whether there are annotations of Kubernetes; anyone may have written them."""
        found = self.annotations
        return isinstance(found, dict) and any(key.startswith(_KUBERNETES) for key in found)


def decode_bundle_config(content: bytes) -> ConfigJson | None:
    """Decode a config.json; None if it is not one."""
    try:
        return msgspec.json.decode(content, type=ConfigJson)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None
