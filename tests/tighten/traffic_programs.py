"""Seven servers: the work from which a profile is learnt, and other requests, made under it.

A request opens a connection of its own and checks the answer; `connected` makes them on one that
stays open. nginx, redis, postgres and python3 and their training are those of `tests.debian`; Go is
Debian's caddy.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from functools import cache, partial
from pathlib import Path

from tests.debian import programs
from tests.debian.packages import newest
from tests.debian.programs import Program
from tests.tighten import database_traffic as database
from tests.tighten import http_traffic as web
from tests.tighten.http_traffic import LARGE, ask, hash_of

Request = Callable[[Path], object]


@dataclass(frozen=True)
class TrafficProgram:
    """A server, its packages, and what its clients do; `trainers` of them at a time in training.

    `scanned`: a program whose scan is joined with the recording.
    """

    program: Program
    packages: tuple[str, ...]
    requests: tuple[Request, ...]
    connected: Callable[[Path], AbstractContextManager[Callable[[], None]]]
    trainers: int = 1
    scanned: str = ""


def add_site(base: Program) -> Program:
    """Add a large file and a folder to the web site."""
    return replace(base, prepare=partial(web.prepare_with, base.prepare))


@cache
def java() -> str:
    """Return the newest Java's package without a screen."""
    return newest(r"openjdk-[0-9]+-jre-headless")


def java_program() -> str:
    """Return its path."""
    number = re.sub(r"\D", "", java())
    return f"/usr/lib/jvm/java-{number}-openjdk-amd64/bin/java"


def get(path: str, **options: object) -> Request:
    """Make a request that gets this path."""
    return partial(ask, method="GET", path=path, **options)


FILES: tuple[Request, ...] = (
    partial(web.ask_slowly, path="/index.html"),
    partial(web.leave_early, path="/large"),
    get("/large", wanted=LARGE),
)
RANGE = get("/large", status=206, wanted=LARGE[9:100], Range="bytes=9-99")
HASH = partial(ask, method="POST", path="/hash", body=LARGE, wanted=hash_of(LARGE))
# Debian's node loads these parts of itself from files.
NODE_MODULES = ("node-acorn", "node-cjs-module-lexer", "node-minimatch", "node-undici")
KEEP_ASKING = partial(web.keep_asking, path="/index.html")


def make_served(name: str, program: str, file: str, train: programs.Step) -> Program:
    """Make a program of tests/tighten/served."""
    prepare = partial(web.prepare_served, file)
    return Program(name, (program, f"/run/{file}"), prepare, programs.answers, train)


def make_redis() -> TrafficProgram:
    """Return redis, whose saves fork."""
    return TrafficProgram(
        programs.programs()["redis"],
        ("redis-server", "redis-tools"),
        (database.ask_redis, database.send_large_value, database.pipeline, database.subscribe),
        database.keep_asking_redis,
    )


def make_nginx() -> TrafficProgram:
    """Return nginx, with two workers, one of which is its own client."""
    return TrafficProgram(
        add_site(programs.programs()["nginx"]),
        ("nginx", "nginx-common"),
        (
            *FILES,
            RANGE,
            web.find_unchanged,
            get("/up/large", wanted=LARGE),
            get("/list", status=301),
            partial(ask, method="PUT", path="/index.html", status=405),
        ),
        KEEP_ASKING,
    )


def make_postgres() -> TrafficProgram:
    """Return postgres, with a process for each connection."""
    return TrafficProgram(
        programs.programs()["postgres"],
        (programs.postgres(),),
        tuple(
            partial(database.ask_postgres, texts=texts, wanted=wanted)
            for texts, wanted in database.SQL
        ),
        database.keep_asking_postgres,
    )


def make_python() -> TrafficProgram:
    """Return a Python server with a thread and a child for each request."""
    python = programs.python()
    return TrafficProgram(
        programs.programs()["python3"],
        (python, f"{python}-minimal", f"lib{python}-stdlib"),
        (
            partial(web.ask_slowly, path="/y"),
            get("/" + "z" * 4000),
            partial(ask, method="PUT", path="/x", status=501),
        ),
        partial(web.ask_by_and_by, path="/by-and-by"),
        trainers=3,
    )


def make_node() -> TrafficProgram:
    """Return a node server: an event loop and the threads of libuv."""
    node = make_served("node", "/usr/bin/node", "web_server.js", web.train_node)
    return TrafficProgram(
        add_site(node),
        ("nodejs", newest("libnode[0-9]+"), *NODE_MODULES),
        (
            *FILES,
            HASH,
            web.compress,
            get("/stream/large", wanted=LARGE),
            get("/later", wanted=b"later"),
            get("/derive"),
        ),
        KEEP_ASKING,
        trainers=3,
    )


def make_go() -> TrafficProgram:
    """Return caddy, a server in Go, whose runtime makes threads and memory when it likes.

    Not in each training: without them it ends.
    """
    return TrafficProgram(
        add_site(programs.programs()["caddy"]),
        ("caddy",),
        (
            *FILES,
            RANGE,
            web.find_unchanged,
            partial(ask, method="HEAD", path="/index.html"),
            get("/list/", status=404),
        ),
        KEEP_ASKING,
        scanned="/usr/bin/caddy",
    )


def make_java() -> TrafficProgram:
    """Return a Java server with a thread for each connection."""
    served = make_served("java", java_program(), "WebServer.java", web.train_java)
    return TrafficProgram(
        add_site(served),
        (java(),),
        (*FILES, HASH, web.keep, get("/sum/5000000", wanted=b"12500002500000")),
        KEEP_ASKING,
        trainers=3,
    )


MAKERS = {
    "redis": make_redis,
    "nginx": make_nginx,
    "postgres": make_postgres,
    "python": make_python,
    "node": make_node,
    "go": make_go,
    "java": make_java,
}
"""All seven."""
