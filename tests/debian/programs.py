"""Five programs from Debian, each with a workload: start, requests, reload, requests, stop."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from tests.debian import clients
from tests.debian.packages import newest
from tests.latch.oci import wait_until

NAMES = ("nginx", "redis", "postgres", "python3", "caddy")


@cache
def python() -> str:
    """Return the newest Python's package and program."""
    return newest(r"python3\.[0-9]+-minimal").removesuffix("-minimal")


@cache
def postgres() -> str:
    """Return the newest PostgreSQL's package."""
    return newest("postgresql-[0-9]+")


def postgres_folder() -> str:
    return f"/usr/lib/postgresql/{postgres().partition('-')[2]}/bin"


def packages() -> list[str]:
    """List the packages to unpack, without libraries."""
    servers = ["nginx", "nginx-common", "redis-server", "redis-tools", "caddy", postgres()]
    return [*servers, python(), f"{python()}-minimal", f"lib{python()}-stdlib"]


Step = Callable[[Path], None]


@dataclass(frozen=True)
class Program:
    """A server whose directory is the container's /run, for its sockets and output files.

    `prepare` fills the directory, `ready` checks whether it answers, `work` sends requests;
    `reload` and `stop` are signals, or `reload` is part of the work.
    """

    name: str
    argv: tuple[str, ...]
    prepare: Step
    ready: Callable[[Path], object]
    work: Step
    reload: str = "HUP"
    stop: str = "TERM"


NGINX = """
worker_processes 2; pid /run/nginx.pid; error_log /run/error.log; daemon off;
events { worker_connections 64; }
http {
  include /etc/nginx/mime.types; access_log /run/access.log; gzip on; sendfile on;
  client_body_temp_path /run/body; proxy_temp_path /run/proxy; fastcgi_temp_path /run/fastcgi;
  uwsgi_temp_path /run/uwsgi; scgi_temp_path /run/scgi;
  server {
    listen unix:/run/web.sock; root /run/www;
    location /up/ { proxy_pass http://unix:/run/web.sock:/; }
  }
}
"""

CADDY = {
    "admin": {
        "listen": "unix//run/admin.sock",
        "origins": ["localhost"],
        "config": {"persist": False},
    },
    "apps": {
        "http": {
            "servers": {
                "one": {
                    "listen": ["unix//run/web.sock"],
                    "automatic_https": {"disable": True},
                    "routes": [{"handle": [{"handler": "file_server", "root": "/run/www"}]}],
                }
            }
        }
    },
}

APP = """
import http.server, json, os, signal, socketserver, sqlite3, subprocess, sys, tempfile, threading

class Handler(http.server.BaseHTTPRequestHandler):
    address_string = lambda self: "client"
    log_message = lambda self, *words: None
    def do_GET(self):
        with sqlite3.connect("/run/app.db") as base:
            base.execute("create table if not exists hits (path text)")
            base.execute("insert into hits values (?)", (self.path,))
            count = base.execute("select count(*) from hits").fetchone()[0]
        with tempfile.TemporaryFile() as file:
            file.write(self.path.encode())
        child = subprocess.run([sys.executable, "-c", "print(6 * 7)"], capture_output=True)
        body = json.dumps({"count": count, "child": child.stdout.decode().strip(),
                           "files": sorted(os.listdir("/run/www"))}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

class Server(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    daemon_threads = True

server = Server("/run/web.sock", Handler)
signal.signal(signal.SIGHUP, lambda *_: open("/run/reloaded", "w").close())
signal.signal(signal.SIGTERM, lambda *_: threading.Thread(target=server.shutdown).start())
server.serve_forever()
"""


def web_root(folder: Path) -> None:
    (folder / "www").mkdir()
    (folder / "www/index.html").write_text("<p>hello</p>" * 1000)


def prepare_nginx(folder: Path) -> None:
    web_root(folder)
    (folder / "nginx.conf").write_text(NGINX)


def prepare_caddy(folder: Path) -> None:
    web_root(folder)
    (folder / "caddy.json").write_text(json.dumps(CADDY))


def prepare_python(folder: Path) -> None:
    web_root(folder)
    (folder / "app.py").write_text(APP)


def prepare_redis(folder: Path) -> None:
    lines = ["port 0", "unixsocket /run/redis.sock", "dir /run", "appendonly yes", 'save ""']
    (folder / "redis.conf").write_text("\n".join(lines))


def answers(folder: Path) -> bool:
    try:
        return clients.http(folder / "web.sock", "GET /index.html")[0] == 200
    except (OSError, IndexError):
        return False


def work_nginx(folder: Path) -> None:
    web = folder / "web.sock"
    for request, status in (
        ("GET /index.html", 200),
        ("GET /none", 404),
        ("HEAD /", 200),
        ("GET /up/index.html", 200),
        ("POST /index.html", 405),
    ):
        assert clients.http(web, request, b"x" * 20000)[0] == status, request


def work_caddy(folder: Path) -> None:
    web = folder / "web.sock"
    assert clients.http(web, "GET /index.html")[0] == 200
    assert clients.http(web, "GET /none")[0] == 404
    changed = json.dumps(CADDY).replace("/run/www", "/run/www/.").encode()
    assert clients.http(folder / "admin.sock", "POST /load", changed)[0] == 200
    assert clients.http(web, "GET /index.html")[0] == 200


def work_python(folder: Path) -> None:
    status, body = clients.http(folder / "web.sock", "GET /x")
    assert status == 200
    assert json.loads(body.split(b"\r\n\r\n")[-1])["child"] == "42"


def redis_answers(folder: Path) -> bool:
    try:
        return clients.redis(folder / "redis.sock", "PING") == "+PONG"
    except OSError:
        return False


def work_redis(folder: Path) -> None:
    def ask(*command: str) -> str:
        return clients.redis(folder / "redis.sock", *command)

    assert ask("SET", "key", "value") == "+OK"
    assert ask("GET", "key") == "value"
    ask("LPUSH", "list", *map(str, range(1000)))
    assert ask("EVAL", "return redis.call('LLEN', 'list') > 0", "0") == ":1"
    ask("CONFIG", "SET", "maxmemory", "100mb")
    ask("BGSAVE")
    wait_until(lambda: "rdb_bgsave_in_progress:0" in ask("INFO", "persistence"), "the save")
    ask("BGREWRITEAOF")
    wait_until(lambda: "aof_rewrite_in_progress:0" in ask("INFO", "persistence"), "the rewrite")
    assert "rdb_last_bgsave_status:ok" in ask("INFO", "persistence")


def postgres_answers(folder: Path) -> bool:
    try:
        clients.Postgres(folder / ".s.PGSQL.5432").close()
    except (OSError, AssertionError):
        return False
    return True


def work_postgres(folder: Path) -> None:
    base = clients.Postgres(folder / ".s.PGSQL.5432")
    for text in (
        "create table if not exists t (n int primary key, s text)",
        "insert into t select n, repeat('x', 100) from generate_series(1, 20000) n "
        "on conflict do nothing",
        "checkpoint",
        "vacuum analyze t",
        "copy t to '/run/t.copy'",
    ):
        base.query(text)
    assert base.query(
        "set work_mem = '64kB'; select count(*) from (select s, n from t order by s, n desc) x"
    ) == ["20000"]
    assert base.query("select pg_reload_conf()") == ["t"]
    base.close()


def everywhere(python: str) -> dict[str, Program]:
    """Return those that run on other architectures too; `python` is the interpreter's path."""
    found = (
        Program(
            "nginx",
            ("/usr/sbin/nginx", "-c", "/run/nginx.conf"),
            prepare_nginx,
            answers,
            work_nginx,
            stop="QUIT",
        ),
        Program(
            "redis",
            ("/usr/bin/redis-server", "/run/redis.conf"),
            prepare_redis,
            redis_answers,
            work_redis,
            reload="",
        ),
        Program("python3", (python, "/run/app.py"), prepare_python, answers, work_python),
    )
    return {each.name: each for each in found}


@cache
def programs() -> dict[str, Program]:
    """Return all of them by name."""
    found = (
        *everywhere(f"/usr/bin/{python()}").values(),
        Program(
            "postgres",
            (
                f"{postgres_folder()}/postgres",
                "-D",
                "/run/data",
                "-k",
                "/run",
                "-h",
                "",
                "-c",
                "jit=off",
            ),
            lambda folder: None,
            postgres_answers,
            work_postgres,
            stop="INT",
        ),
        Program(
            "caddy",
            ("/usr/bin/caddy", "run", "--config", "/run/caddy.json"),
            prepare_caddy,
            answers,
            work_caddy,
            reload="",
        ),
    )
    return {each.name: each for each in found}


def give_to(folder: Path, user: int) -> None:
    """Make the container's user the owner of the files."""
    for each in (folder, *folder.rglob("*")):
        shutil.chown(each, user, user)
