"""Find words of a command line for which it is not run again without being asked.

Options that are not known here to be harmless count: a new one may do anything. What options give a
container is not judged here but by its configuration (container_effects.py).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from seclatch.diagnose.confirm.client_command.client_options import find_runtime
from seclatch.diagnose.confirm.client_command.run_options import RunOption

_DIRECTORIES = ("", "/bin", "/usr/bin", "/usr/local/bin")
_WRAPPERS = ("sudo", "env", "nsenter")
_NAMESPACE = re.compile(r"--(mount|net|pid|ipc|uts|cgroup)=/proc/\d+/ns/\w+|--")
_VARIABLE = re.compile(r"(?P<name>[A-Za-z_][A-Za-z0-9_]*)=")
# By these a runtime connects a container to a service manager or to an agent (sd_notify(3),
# sd_listen_fds(3), crun(1)): no configuration shows it, and each run has a message sent.
_CONNECTING = ("NOTIFY_SOCKET", "LISTEN_FDS", "WATCHDOG_USEC", "RUN_OCI_SECCOMP_RECEIVER")
# Values of options that name a program.
_PROGRAMS = ("runtime", "runc-binary")

_ENGINES_TEXT = """
    add-host a attach blkio-weight blkio-weight-device cap-add cap-drop cgroup-parent cgroupns
    cidfile conmon-pidfile cpu-count cpu-percent cpu-period cpu-quota cpu-rt-period cpu-rt-runtime c
    cpu-shares cpus cpuset-cpus cpuset-mems detach detach-keys device-read-bps device-read-iops
    device-write-bps device-write-iops disable-content-trust dns dns-option dns-opt dns-search
    domainname entrypoint e env env-file env-host expose group-add help h hostname http-proxy
    image-volume init init-path interactive ip ip6 ipc isolation l label label-file log-driver
    log-opt mac-address m memory memory-reservation memory-swap memory-swappiness mount name net
    network network-alias no-healthcheck no-hostname no-hosts oom-kill-disable oom-score-adj passwd
    pid pidfile pids-limit platform p publish publish-all pull quiet read-only read-only-tmpfs
    replace restart rm runtime security-opt shm-size sig-proxy stop-signal stop-timeout sysctl
    tls-verify tmpfs tz ulimit umask unsetenv unsetenv-all u user userns uts v volume w workdir
"""
_CTR_TEXT = """
    allow-new-privs apparmor-default-profile apparmor-profile cap-add cap-drop cpu-period cpu-quota
    cpu-shares cpus cpuset-cpus cpuset-mems cwd env env-file fifo-dir help hostname label
    memory-limit mount net-host null-io pid-file read-only rlimit-nofile rm runc-binary
    runc-root runc-systemd-cgroup runtime seccomp seccomp-profile snapshotter user u
"""
_RUNTIMES_TEXT = "b bundle help keep no-subreaper pid-file"
_SECLATCH_TEXT = """
    cap-add cap-drop e env help hostname interactive name network no-new-privs no-tty plain
    profile read-only rm rootfs runtime tty u user v volume w workdir
"""
_KNOWN: Mapping[str, frozenset[str]] = {
    **dict.fromkeys(("docker", "podman", "nerdctl"), frozenset(_ENGINES_TEXT.split())),
    **dict.fromkeys(("runc", "crun"), frozenset(_RUNTIMES_TEXT.split())),
    "ctr": frozenset(_CTR_TEXT.split()),
    "seclatch": frozenset(_SECLATCH_TEXT.split()),
}
# Networks of others: what waits for the program there is not in one of its own.
_JOINING = ("container:", "ns:", "host")


def find_wrapper(before: Sequence[str]) -> str:
    """Return why what stands before the client is not run again unasked; "" if nothing does.

    Only `sudo`, `env NAME=VALUE` and `nsenter --KIND=/proc/PID/ns/KIND`: other options change the
    directory in which a bundle is looked for or write a file, and other programs may do anything.
    """
    wrapper = ""
    for word in before:
        found = _VARIABLE.match(word)
        if wrapper == "env" and found:
            if found["name"] in _CONNECTING:
                return _describe_variable(found["name"])
        elif not (wrapper == "nsenter" and _NAMESPACE.fullmatch(word)):
            folder, _, wrapper = word.rpartition("/")
            if wrapper not in _WRAPPERS or folder not in _DIRECTORIES:
                return f"{word} would be run again, too"
    return ""


def find_variable(environment: Mapping[str, str]) -> str:
    """Return what in the environment connects a container to others; "" if nothing does."""
    return next((_describe_variable(name) for name in _CONNECTING if name in environment), "")


def _describe_variable(name: str) -> str:
    return f"each run would send a message to what {name} of its environment names"


def find_option(client: str, options: Sequence[RunOption]) -> str:
    """Return why options of the client's `run` forbid an unasked run; "" if none does."""
    for option in options:
        if option.name not in _KNOWN[client]:
            return f"what its option {option.words[0].partition('=')[0]} does is not known here"
        if option.name in _PROGRAMS and (reason := find_runtime(option.value)):
            return reason
        if option.name in ("network", "net") and option.value.startswith(_JOINING):
            return f"its network is not its own ({' '.join(option.words)})"
    return ""
