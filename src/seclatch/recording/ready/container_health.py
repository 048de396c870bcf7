"""The health check of a container, as Docker or Podman reports it."""

from __future__ import annotations

from seclatch.recording.ready.ready_command import RepeatedQuery
from seclatch.recording.ready.ready_condition import EngineContainer, ReadyCondition, ReadyView

_QUERY = ("container", "inspect", "--format", "{{.State.Health.Status}}")
_NONE = (b"", b"<nil>", b"<no value>", b"none")


class HealthyContainer(ReadyCondition):
    """The engine reports `healthy` for a recorded container."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self._queries: dict[EngineContainer, RepeatedQuery] = {}
        self._explained = False

    def is_met(self, view: ReadyView) -> bool:
        """Query the health of each container; report once that one has no health check."""
        for container in view.containers:
            query = self._find_query(container)
            if query.poll():
                answer = query.answer.strip()
                if answer == b"healthy":
                    return True
                self._explain(container, missing=answer in _NONE)
        return False

    def _find_query(self, container: EngineContainer) -> RepeatedQuery:
        if container not in self._queries:
            words = [*container.client, *_QUERY, container.identifier]
            self._queries[container] = RepeatedQuery(words)
        return self._queries[container]

    def _explain(self, container: EngineContainer, *, missing: bool) -> None:
        if missing and not self._explained:
            self._explained = True
            self.notify(
                f"--ready healthy: the container {container.identifier[:12]} has no health check "
                "(HEALTHCHECK of its image, or --health-cmd)"
            )

    def close(self) -> None:
        """End the queries that are under way."""
        for query in self._queries.values():
            query.close()
