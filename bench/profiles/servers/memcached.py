"""memcached: the text and meta protocols, TLS, an external store, limits, statistics."""

from __future__ import annotations

from contextlib import closing, suppress

from bench.profiles.clients import abort, certificate, connect, exchange, trusting
from bench.profiles.container import PATIENCE, Container, wait_until
from bench.profiles.workload import Workload, executing, step


def ask(box: Container, text: str, *, tls: bool = False) -> str:
    raw = connect(box.port2 if tls else box.port)
    client = trusting().wrap_socket(raw) if tls else raw
    with closing(client):
        client.settimeout(PATIENCE)
        client.sendall(text.replace("\n", "\r\n").encode() + b"quit\r\n")
        return b"".join(iter(lambda: client.recv(65536), b"")).decode(errors="replace")


def prepare(box: Container) -> None:
    certificate(box)


def ready(box: Container) -> None:
    assert "VERSION" in ask(box, "version\n")


@step
def set_and_get(box: Container) -> None:
    assert "STORED" in ask(box, "set a 0 0 1\nx\n")
    assert "VALUE a 0 1" in ask(box, "get a\n")


@step
def tell_statistics(box: Container) -> None:
    for what in ("", " settings", " items", " slabs", " sizes", " conns"):
        assert "END" in ask(box, f"stats{what}\n"), what


@step
def add_append_replace(box: Container) -> None:
    text = "delete b\nadd b 0 0 1\n1\nappend b 0 0 1\n2\nreplace b 0 0 1\n3\nincr b 4\ndecr b 1\n"
    assert ask(box, text).count("STORED") == 3


@step
def compare_and_swap(box: Container) -> None:
    assert "VALUE a" in ask(box, "set a 0 0 1\nx\ngets a\n")
    assert "EXISTS" in ask(box, "cas a 0 0 1 1\ny\n")


@step
def use_the_meta_protocol(box: Container) -> None:
    assert "HD" in ask(box, "ms m 2 T0\nhi\n")
    assert "VA 2" in ask(box, "mg m v\nmn\n")


@step
def expire(box: Container) -> None:
    ask(box, "set e 0 1 1\nx\n")
    wait_until(lambda: "VALUE" not in ask(box, "get e\n"))


@step
def touch(box: Container) -> None:
    assert "TOUCHED" in ask(box, "set t 0 0 1\nx\ntouch t 100\n")


@step
def refuse_a_value_too_large(box: Container) -> None:
    assert "too large" in ask(box, f"set l 0 0 {3 << 20}\n{'x' * (3 << 20)}\n")


@step
def keep_a_value_of_megabytes(box: Container) -> None:
    assert "STORED" in ask(box, f"set l 0 0 1000000\n{'x' * 1000000}\n")
    assert len(ask(box, "get l\n")) > 1000000


@step
def evict(box: Container) -> None:
    for n in range(100):
        ask(box, f"set v{n} 0 0 900000\n{'x' * 900000}\n")
    assert "STAT evictions 0\n" not in ask(box, "stats\n").replace("\r", "")


@step
def grow_its_hash_table(box: Container) -> None:
    for n in range(20):
        text = "".join(f"set h{n}.{m} 0 0 1 noreply\nx\n" for m in range(5000))
        ask(box, text)
    wait_until(lambda: "hash_is_expanding 0" in ask(box, "stats\n"))


@step
def move_slabs(box: Container) -> None:
    assert "OK" in ask(box, "slabs automove 1\n")
    ask(box, "slabs reassign -1 1\n")
    ready(box)


@step
def crawl_its_items(box: Container) -> None:
    assert "OK" in ask(box, "lru_crawler crawl all\n")
    wait_until(lambda: "END" in ask(box, "lru_crawler metadump all\n"))


@step
def watch(box: Container) -> None:
    with connect(box.port) as client:
        client.sendall(b"watch fetchers mutations\r\n")
        assert b"OK" in client.recv(100)
        ask(box, "set w 0 0 1\nx\nget w\n")
        assert client.recv(1000)


@step
def use_a_thread_for_each_connection(box: Container) -> None:
    held = [connect(box.port) for _ in range(60)]
    for each in held:
        each.sendall(b"version\r\n")
    for each in held:
        assert b"VERSION" in each.recv(100)
        each.close()


@step
def refuse_more_connections(box: Container) -> None:
    held = [connect(box.port) for _ in range(150)]
    for each in held:
        each.close()
    wait_until(lambda: "VERSION" in ask(box, "version\n"))


@step
def close_idle_connections(box: Container) -> None:
    with connect(box.port) as client:
        client.settimeout(PATIENCE + 4)
        client.sendall(b"version\r\n")
        client.recv(100)
        assert client.recv(100) == b""


@step
def refuse_nonsense(box: Container) -> None:
    assert "ERROR" in ask(box, "nonsense\n")
    exchange(box.port, b"\x80\x00" * 50 + b"\r\nquit\r\n", finish=True)
    ready(box)


@step
def bear_a_reset(box: Container) -> None:
    ask(box, f"set l 0 0 1000000\n{'x' * 1000000}\n")
    abort(box.port, b"get l\r\n" * 20)
    ready(box)


@step
def talk_tls(box: Container) -> None:
    assert "VERSION" in ask(box, "version\n", tls=True)


@step
def refuse_plain_text_over_tls(box: Container) -> None:
    with connect(box.port2) as client, suppress(ConnectionResetError):
        client.sendall(b"version\r\n\r\n")
        assert b"VERSION" not in client.recv(100)
    assert "VERSION" in ask(box, "version\n", tls=True)


@step
def read_new_certificates(box: Container) -> None:
    certificate(box)
    box.own()
    assert "OK" in ask(box, "refresh_certs\n")
    assert "VERSION" in ask(box, "version\n", tls=True)


@step
def flush(box: Container) -> None:
    assert "OK" in ask(box, "flush_all\n")


@step
def change_its_verbosity(box: Container) -> None:
    assert "OK" in ask(box, "verbosity 2\n")
    ask(box, "set v 0 0 1\nx\n")
    assert "OK" in ask(box, "verbosity 0\n")


@executing("/bin/sh", "/bin/grep")
def check_health(box: Container) -> None:
    command = "(cat /proc/1/cmdline | tr '\\0' ' ') | grep -q memcached"
    box.execute("/bin/sh", "-c", command)


@step
def dump_to_a_file_and_warm_up(box: Container) -> None:
    ask(box, "set kept 0 0 1\nx\n")
    box.signal("USR1")
    status = box.wait()
    assert status == 0, (status, box.log()[-300:])
    assert (box.folder / "memory.meta").exists()
    box.kill()
    box.start()
    assert "[restart]" in box.log()


@step
def restart(box: Container) -> None:
    box.restart()


WORKLOAD = Workload(
    name="memcached",
    packages=("memcached",),
    argv=(
        "/usr/bin/memcached",
        "-l",
        "notls:127.0.0.1:{port},127.0.0.1:{port2}",
        "-Z",
        "-o",
        "ssl_chain_cert=/run/cert.pem,ssl_key=/run/key.pem,idle_timeout=2",
        "-o",
        "hashpower=13",
        "-I",
        "2m",
        "-m",
        "64",
        "-c",
        "128",
        "-e",
        "/run/memory",
    ),
    scanned=("/usr/bin/memcached",),
    prepare=prepare,
    ready=ready,
    user=1000,
    training=(set_and_get, tell_statistics),
    wide=(
        set_and_get,
        tell_statistics,
        add_append_replace,
        compare_and_swap,
        use_the_meta_protocol,
        expire,
        touch,
        refuse_a_value_too_large,
        keep_a_value_of_megabytes,
        evict,
        grow_its_hash_table,
        move_slabs,
        crawl_its_items,
        watch,
        use_a_thread_for_each_connection,
        refuse_more_connections,
        close_idle_connections,
        refuse_nonsense,
        bear_a_reset,
        talk_tls,
        refuse_plain_text_over_tls,
        read_new_certificates,
        flush,
        change_its_verbosity,
        check_health,
        dump_to_a_file_and_warm_up,
        restart,
    ),
)
