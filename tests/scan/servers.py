"""Five servers from Debian's packages, run under strace; their scans have bounded sizes."""

from __future__ import annotations

import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from tests.debian import clients
from tests.debian.programs import everywhere, prepare_nginx, web_root
from tests.debian.server import unpacked
from tests.latch.oci import wait_until
from tests.scan import traced

PACKAGES = (
    "nginx",
    "nginx-common",
    "redis-server",
    "redis-tools",
    "memcached",
    "lighttpd",
    "apache2",
    "apache2-bin",
    "apache2-data",
    "lighttpd-mod-openssl",
)

# Modules that Debian's maintainer script enables.
MODULES = (
    "access_compat",
    "alias",
    "auth_basic",
    "authn_core",
    "authn_file",
    "authz_core",
    "authz_host",
    "authz_user",
    "autoindex",
    "deflate",
    "dir",
    "env",
    "filter",
    "mime",
    "mpm_event",
    "negotiation",
    "reqtimeout",
    "setenvif",
    "status",
)

LIGHTTPD = """
server.modules = ("mod_access", "mod_dirlisting")
server.document-root = "/run/www"
server.bind = "/run/web.sock"
server.errorlog = "/run/error.log"
dir-listing.activate = "enable"
index-file.names = ("index.html")
"""

APACHE = """
ServerName localhost
Listen 127.0.0.1:{port}
PidFile /run/apache.pid
Mutex file:/run default
ErrorLog /run/error.log
User app
Group app
IncludeOptional /etc/apache2/mods-enabled/*.load
TypesConfig /dev/null
DocumentRoot /run/www
<Directory /run/www>
Options Indexes
Require all granted
</Directory>
"""


@dataclass(frozen=True)
class Server:
    """A server in its root directory, with its directory at /run; `work` sends requests."""

    path: str
    argv: tuple[str, ...]
    prepare: Callable[[Path], None]
    work: Callable[[Path], object]
    stop: str = "TERM"


@contextmanager
def root() -> Iterator[Path]:
    """Make a root directory with all of them."""
    with unpacked(PACKAGES) as path:
        enable_modules(path)
        yield path


def enable_modules(path: Path) -> None:
    """Enable apache2's modules in a root directory, as its maintainer script does."""
    enabled = path / "etc/apache2/mods-enabled"
    enabled.mkdir(exist_ok=True)
    for each in MODULES:
        (enabled / f"{each}.load").symlink_to(f"../mods-available/{each}.load")
    (path / "var/log/apache2").mkdir(parents=True, exist_ok=True)


def trace(server: Server, directory: Path, folder: Path) -> set[str]:
    """Return a server's calls from its start to its end, children included."""
    (folder / "run").mkdir()
    (folder / "run").chmod(0o777)
    server.prepare(folder / "run")
    log = folder / "log"
    script = (
        'mount --bind "$1" "$2/run" && mount --bind /dev "$2/dev" && mount -t proc proc "$2/proc"'
        ' && log="$3" root="$2" && shift 3 && exec strace -f -qq -s256 -esignal=none -o "$log"'
        ' chroot "$root" "$@"'
    )
    words = ["unshare", "--mount", "sh", "-c", script, "sh", folder / "run", directory, log]
    environment = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C"}
    with subprocess.Popen(
        [*words, *server.argv],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        env=environment,
    ) as process:
        try:
            wait_until(lambda: _answers(server, folder / "run", process), server.path, 60)
        finally:
            with suppress(OSError):  # strace has exited
                children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
                for each in children.read_text().split():
                    subprocess.run(["kill", f"-{server.stop}", each], check=False)
            process.wait(60)
    made = traced.read(log.read_text(errors="replace"))
    return made[server.path]


def _answers(server: Server, folder: Path, process: subprocess.Popen[bytes]) -> bool:
    assert process.poll() is None, f"{server.path} has ended"
    with suppress(OSError, IndexError, AssertionError):
        server.work(folder)
        return True
    time.sleep(0.2)
    return False


def _web(folder: Path) -> None:
    for request, status in (("GET /index.html", 200), ("GET /none", 404), ("HEAD /", 200)):
        assert clients.http(folder / "web.sock", request)[0] == status


def _memcached(folder: Path) -> None:
    with closing(clients.connect(folder / "memcached.sock")) as client:
        client.sendall(
            b"set a 0 0 1\r\nx\r\nget a\r\nstats\r\nstats slabs\r\nflush_all\r\nquit\r\n"
        )
        answer = b"".join(iter(lambda: client.recv(65536), b""))
    assert b"STORED" in answer and b"VALUE a 0 1" in answer


def _nginx(folder: Path) -> None:
    prepare_nginx(folder)
    config = folder / "nginx.conf"
    config.write_text("user app app;\n" + config.read_text())


def _lighttpd(folder: Path) -> None:
    web_root(folder)
    (folder / "lighttpd.conf").write_text(LIGHTTPD)


def _apache(port: int) -> Callable[[Path], None]:
    def prepare(folder: Path) -> None:
        web_root(folder)
        (folder / "apache.conf").write_text(APACHE.format(port=port))

    return prepare


def _over_tcp(port: int) -> Callable[[Path], None]:
    def work(folder: Path) -> None:
        del folder
        for path, status in (("/index.html", b"200"), ("/none", b"404"), ("/", b"200")):
            with closing(socket.create_connection(("127.0.0.1", port), 10)) as client:
                client.sendall(f"GET {path} HTTP/1.0\r\nAccept-Encoding: gzip\r\n\r\n".encode())
                answer = b"".join(iter(lambda: client.recv(65536), b""))
            assert answer.split()[1] == status

    return work


def _free_port() -> int:
    with closing(socket.socket()) as listening:
        listening.bind(("127.0.0.1", 0))
        port: int = listening.getsockname()[1]
        return port


def servers() -> dict[str, Server]:
    """Return all five by name."""
    port = _free_port()
    nginx, redis = everywhere("")["nginx"], everywhere("")["redis"]
    return {
        "nginx": Server(nginx.argv[0], nginx.argv, _nginx, nginx.work, nginx.stop),
        "apache2": Server(
            "/usr/sbin/apache2",
            ("/usr/sbin/apache2", "-DFOREGROUND", "-f", "/run/apache.conf"),
            _apache(port),
            _over_tcp(port),
        ),
        "memcached": Server(
            "/usr/bin/memcached",
            ("/usr/bin/memcached", "-u", "root", "-s", "/run/memcached.sock"),
            lambda folder: None,
            _memcached,
        ),
        "lighttpd": Server(
            "/usr/sbin/lighttpd",
            ("/usr/sbin/lighttpd", "-D", "-f", "/run/lighttpd.conf"),
            _lighttpd,
            _web,
        ),
        "redis": Server("/usr/bin/redis-server", redis.argv, redis.prepare, redis.work),
    }
