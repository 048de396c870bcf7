"""What belongs to a recorded command: images, profiles, connections, unrelated processes."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from seclatch.recording.attribution.bundle_profile import BundleProfiles
from seclatch.recording.attribution.image_lookup import ImageLookup, find_client
from seclatch.recording.attribution.pruning import TracePruner
from seclatch.recording.recorder import RecordOptions
from seclatch.recording.trace.trace import Trace

if TYPE_CHECKING:
    from seclatch.recording.attribution.socket_peers import SocketPeers
    from seclatch.recording.ready.ready_condition import EngineContainer

# Of a container in an engine; the last word of another command may be a whole script.
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")


class CommandAttribution:
    """Follows a trace of this command; `daemons`: whether engines are in it that ran before."""

    def __init__(self, command: tuple[str, ...], *, daemons: bool) -> None:
        self._peers: SocketPeers | None = None
        if daemons:
            from seclatch.recording.attribution.socket_peers import SocketPeers

            self._peers = SocketPeers()
        self.images = ImageLookup(find_client(command))
        self.profiles = BundleProfiles()
        self._pruner = TracePruner()

    def update(self, trace: Trace, options: RecordOptions) -> None:
        """Look up what is new: images, profiles and connections."""
        if options.query_images:
            self.images.update(trace)
        self.profiles.update(trace)
        if self._peers:
            self._peers.update(trace)
        self.profiles.find_pods(options.find_pod)
        if self._peers and not options.sights:  # detail events refer to segments by number
            self._pruner.update(trace)

    def list_containers(self, trace: Trace) -> tuple[EngineContainer, ...]:
        """Return the containers that the engine's client has started."""
        client = self.images.client
        if client is None:
            return ()
        names = {trace.segments[number].argv[-1] for number in trace.starts}
        from seclatch.recording.ready.ready_condition import EngineContainer

        words = client.words
        return tuple(
            EngineContainer(words, name) for name in sorted(names) if _NAME.fullmatch(name)
        )
