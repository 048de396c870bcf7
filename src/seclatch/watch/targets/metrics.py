"""Metrics for Prometheus, by its client library (the extra `metrics`)."""

from __future__ import annotations

import ipaddress
from collections import Counter as Counts
from typing import TYPE_CHECKING

from seclatch.errors import SeclatchError
from seclatch.model.denial_log import LoggedContainer, LoggedDenial, LogLine
from seclatch.output.printable_text import make_printable
from seclatch.watch.targets.log_target import LogTarget

if TYPE_CHECKING:
    from prometheus_client import Counter

MAX_SERIES = 1000
"""Sets of labels; denials beyond are counted under `other`, so that nothing fills a server."""

MAX_PLACE_SERIES = 100
"""Sets of labels of one container or unit, so that its processes do not take those of others."""

_MAX_LABEL = 100
_PLACE = ("namespace", "pod", "container", "image", "unit")
_LABELS = (*_PLACE, "stage", "syscall", "answer")
_OTHER = ("other",) * len(_LABELS)


class Metrics(LogTarget):
    """Serves `seclatch_denials_total` by HTTP on one address."""

    def __init__(self, address: str) -> None:
        """Raise SeclatchError: no library, a bad address, a port in use."""
        host, port = parse_address(address)
        try:
            from prometheus_client import CollectorRegistry, Counter, start_http_server
        except ImportError as error:
            raise SeclatchError(
                "serving metrics: prometheus_client is not installed",
                remedy="install seclatch with it: pipx install 'seclatch[metrics]'",
                status=2,
            ) from error
        registry = CollectorRegistry()
        self._denials: Counter = Counter(
            "seclatch_denials",
            "System calls that seccomp denied or logged",
            _LABELS,
            registry=registry,
        )
        self._uncounted: Counter = Counter(
            "seclatch_undescribed_denials", "Denials that were only counted", registry=registry
        )
        self._series: set[tuple[str, ...]] = set()
        self._places: Counts[tuple[str, ...]] = Counts()
        try:
            self._server, self._thread = start_http_server(port, host, registry)
        except OSError as error:
            raise SeclatchError(
                f"serving metrics on {address}: {error.strerror or error}", status=2
            ) from error

    @property
    def port(self) -> int:
        """Return the port that is served."""
        return int(self._server.server_port)

    def write(self, line: LogLine) -> None:
        """Count a denial."""
        if not isinstance(line, LoggedDenial):
            if line.event == "lost":
                self._uncounted.inc(line.count)
            return
        self._denials.labels(*self._admit(make_labels(line))).inc(line.count)

    def _admit(self, labels: tuple[str, ...]) -> tuple[str, ...]:
        """Return the labels that count a denial: its own while there is room for them."""
        place = labels[: len(_PLACE)]
        if labels not in self._series and self._places[place] >= MAX_PLACE_SERIES:
            labels = (*place, "other", "other", "other")
        if labels not in self._series:
            if len(self._series) >= MAX_SERIES:
                return _OTHER
            self._series.add(labels)
            self._places[place] += 1
        return labels

    def close(self) -> None:
        """Stop serving."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


def make_labels(denial: LoggedDenial) -> tuple[str, ...]:
    """Return the labels' values, printable and short.

    Pod, container and image are as engines and trusted processes say; all other claims share the
    label `untrusted`, and all numbers that are no calls `unknown`. So a process has few to choose
    from.
    """
    one = denial.container
    pod = one if one and one.trusted else None
    values = (
        pod.namespace if pod else "",
        pod.pod if pod else "",
        _name_container(one) if one else "",
        one.image if one else "",
        denial.unit,
        denial.stage,
        denial.syscall or "unknown",
        denial.errno or denial.answer if denial.answer == "errno" else denial.answer,
    )
    return tuple(make_printable(value[:_MAX_LABEL])[:_MAX_LABEL] for value in values)


def _name_container(one: LoggedContainer) -> str:
    return one.name or one.id[:12] if one.trusted else "untrusted"


def parse_address(text: str) -> tuple[str, int]:
    """Parse `HOST:PORT`, `:PORT` or `PORT`: without a host, loopback. Raise SeclatchError."""
    host, _, port = text.rpartition(":")
    host = host.removeprefix("[").removesuffix("]") or "127.0.0.1"
    try:
        if host != "localhost":
            ipaddress.ip_address(host)
        number = int(port) if port.isascii() and port.isdigit() and len(port) < 6 else -1
    except ValueError as error:
        raise _make_address_error(text, "HOST is an IP address or localhost") from error
    if not 0 <= number < 1 << 16:
        raise _make_address_error(text, "PORT is a number up to 65535")
    return "127.0.0.1" if host == "localhost" else host, number


def _make_address_error(text: str, rule: str) -> SeclatchError:
    return SeclatchError(
        f"--metrics {make_printable(text[:80])}: not an address", remedy=rule, status=2
    )
