"""Requests to redis and postgres, other than those of their training."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path

from tests.debian import clients


def ask_redis(folder: Path) -> None:
    """Use data types and commands that the training does not."""
    say = partial(clients.redis, folder / "redis.sock")
    say("HSET", "hash", "field", "value")
    assert say("HGET", "hash", "field") == "value"
    say("ZADD", "sorted", "1", "one", "2", "two")
    assert say("ZRANK", "sorted", "two") == ":1"
    say("XADD", "stream", "*", "field", "value")
    say("SETEX", "short", "1", "value")
    assert say("TYPE", "stream") == "+stream"
    assert say("OBJECT", "ENCODING", "hash").startswith(("listpack", "ziplist"))


def send_large_value(folder: Path) -> None:
    """Set and get a value of a megabyte."""
    text = "x" * (1 << 20)
    clients.redis(folder / "redis.sock", "SET", "large", text)
    assert clients.redis(folder / "redis.sock", "GET", "large") == text


def pipeline(folder: Path) -> None:
    """Send a hundred commands at once, in a transaction."""
    with (
        closing(clients.connect(folder / "redis.sock")) as client,
        client.makefile("rwb") as stream,
    ):
        stream.write(b"MULTI\r\n" + b"INCR counter\r\n" * 98 + b"EXEC\r\n")
        stream.flush()
        assert stream.readline() == b"+OK\r\n"
        assert {stream.readline() for _ in range(98)} == {b"+QUEUED\r\n"}
        assert stream.readline() == b"*98\r\n"
        assert all(stream.readline().startswith(b":") for _ in range(98))


def subscribe(folder: Path) -> None:
    """Subscribe on one connection, publish on another."""
    with (
        closing(clients.connect(folder / "redis.sock")) as client,
        client.makefile("rwb") as stream,
    ):
        stream.write(b"SUBSCRIBE news\r\n")
        stream.flush()
        assert [stream.readline() for _ in range(6)][-1] == b":1\r\n"
        clients.redis(folder / "redis.sock", "PUBLISH", "news", "text")
        assert [stream.readline() for _ in range(7)][-1] == b"text\r\n"


@contextmanager
def keep_asking_redis(folder: Path) -> Iterator[Callable[[], None]]:
    """Wait for an element that does not come, and count, on one connection."""
    with (
        closing(clients.connect(folder / "redis.sock")) as client,
        client.makefile("rwb") as stream,
    ):

        def ask_again() -> None:
            stream.write(b"BLPOP empty 0.05\r\nINCR kept\r\n")
            stream.flush()
            assert stream.readline() == b"*-1\r\n"
            assert stream.readline().startswith(b":")

        yield ask_again


def ask_postgres(folder: Path, texts: tuple[str, ...], wanted: list[str] | None) -> None:
    """Connect, make queries, and check the last answer."""
    with closing(clients.Postgres(folder / ".s.PGSQL.5432")) as base:
        answers = [base.query(text) for text in texts]
        assert wanted is None or answers[-1] == wanted, answers


SQL: tuple[tuple[tuple[str, ...], list[str] | None], ...] = (
    (("begin", "create temp table u (a int)", "insert into u values (7)", "rollback"), None),
    (("prepare p as select $1::int + 1", "execute p(41)"), ["42"]),
    (("select count(*) from t a join t b using (n) where a.n % 7 = 0",), ["2857"]),
    (("update t set s = 'y' where n <= 100", "select count(*) from t where s ~ '^y$'"), ["100"]),
    (
        ("begin", "declare c cursor for select n from t order by n", "fetch 3 from c"),
        ["1", "2", "3"],
    ),
    (("select pg_sleep(0.02)", "select string_agg(n::text, ',') from t where n < 4"), ["1,2,3"]),
    (("create temp table v (j jsonb)", "create index on v using gin (j)", "analyze v"), None),
)


@contextmanager
def keep_asking_postgres(folder: Path) -> Iterator[Callable[[], None]]:
    """Make queries on one connection."""
    with closing(clients.Postgres(folder / ".s.PGSQL.5432")) as base:

        def ask_again() -> None:
            assert base.query("select max(n) from t") == ["20000"]

        yield ask_again
