"""redis: strings, lists, scripts, saves in the background, an append-only file, replication, TLS."""

from __future__ import annotations

import ssl
from contextlib import closing, suppress
from pathlib import Path

from bench.profiles.clients import certificate, connect, exchange, trusting
from bench.profiles.container import PATIENCE, Container, wait_until
from bench.profiles.workload import Workload, executing, step

CONFIG = """
port {port}
tls-port {port2}
tls-cert-file /run/cert.pem
tls-key-file /run/key.pem
tls-auth-clients no
bind 127.0.0.1
dir /run/data
pidfile /run/redis.pid
logfile /run/redis.log
appendonly no
save ""
enable-debug-command yes
"""


class RedisError(AssertionError):
    """An error answered by redis."""


def ask(box: Container, *command: str, tls: bool = False) -> str:
    """Return the first line of the answer, and the string if the answer is one."""
    raw = connect(box.port2 if tls else box.port)
    client = trusting().wrap_socket(raw) if tls else raw
    with closing(client), client.makefile("rwb") as stream:
        client.settimeout(PATIENCE)
        send(stream, command)
        return read(stream)


def send(stream, command) -> None:  # type: ignore[no-untyped-def]
    words = [f"${len(word.encode())}\r\n{word}\r\n" for word in command]
    stream.write(f"*{len(words)}\r\n{''.join(words)}".encode())
    stream.flush()


def read(stream) -> str:  # type: ignore[no-untyped-def]
    line = stream.readline().decode().strip()
    if not line:
        raise EOFError("closed")
    if line.startswith("-"):
        raise RedisError(line)
    if line.startswith("$") and line != "$-1":
        return str(stream.read(int(line[1:]) + 2)[:-2].decode(errors="replace"))
    return str(line)


def info(box: Container, section: str, what: str) -> bool:
    return what in ask(box, "INFO", section)


def prepare(box: Container) -> None:
    certificate(box)
    (box.folder / "data").mkdir()
    text = CONFIG.format(port=box.port, port2=box.port2)
    (box.folder / "redis.conf").write_text(text)


def ready(box: Container) -> None:
    assert ask(box, "PING") == "+PONG"


def verify(box: Container) -> None:
    ready(box)
    ask(box, "SET", "after", "1")
    assert ask(box, "SAVE") == "+OK"


@step
def set_and_get(box: Container) -> None:
    assert ask(box, "SET", "key", "value") == "+OK"
    assert ask(box, "GET", "key") == "value"


@step
def count_and_expire(box: Container) -> None:
    ask(box, "SET", "n", "1", "PX", "20")
    ask(box, "INCR", "m")
    wait_until(lambda: ask(box, "EXISTS", "n") == ":0")


@step
def push_and_pop(box: Container) -> None:
    ask(box, "DEL", "list")
    assert ask(box, "LPUSH", "list", *map(str, range(1000))) == ":1000"
    assert ask(box, "RPOP", "list") == "0"


@step
def keep_large_values(box: Container) -> None:
    ask(box, "SET", "large", "x" * (8 << 20))
    assert len(ask(box, "GET", "large")) == 8 << 20
    ask(box, "UNLINK", "large")


@step
def run_a_script(box: Container) -> None:
    assert ask(box, "EVAL", "return redis.call('INCR', 'script')", "0").startswith(":")


@step
def break_off_an_endless_script(box: Container) -> None:
    ask(box, "CONFIG", "SET", "busy-reply-threshold", "50")
    with connect(box.port) as client:
        client.sendall(b"*3\r\n$4\r\nEVAL\r\n$17\r\nwhile 1 do   end \r\n$1\r\n0\r\n")

        wait_until(lambda: _succeeds(box, "SCRIPT", "KILL"))
        wait_until(lambda: _succeeds(box, "CONFIG", "GET", "port"))  # the script has ended


def _succeeds(box: Container, *words: str) -> bool:
    try:
        ask(box, *words)
    except RedisError:
        return False
    return True


@step
def answer_a_pipeline(box: Container) -> None:
    data = b"PING\r\n" * 200 + b"QUIT\r\n"
    assert exchange(box.port, data).count(b"+PONG") == 200


@step
def publish(box: Container) -> None:
    with connect(box.port) as client, client.makefile("rwb") as stream:
        send(stream, ("SUBSCRIBE", "news"))
        stream.readline()
        wait_until(lambda: ask(box, "PUBLISH", "news", "x") == ":1")


@step
def wait_for_a_list(box: Container) -> None:
    with connect(box.port) as client, client.makefile("rwb") as stream:
        send(stream, ("BLPOP", "later", "5"))
        ask(box, "LPUSH", "later", "x")
        assert read(stream) == "*2"


@step
def use_a_stream(box: Container) -> None:
    ask(box, "XADD", "s", "*", "a", "1")
    assert ask(box, "XLEN", "s").startswith(":")


@step
def save_in_the_foreground(box: Container) -> None:
    assert ask(box, "SAVE") == "+OK"


@step
def save_in_the_background(box: Container) -> None:
    ask(box, "BGSAVE")
    wait_until(lambda: info(box, "persistence", "rdb_bgsave_in_progress:0"))
    assert info(box, "persistence", "rdb_last_bgsave_status:ok")


@step
def turn_the_append_only_file_on(box: Container) -> None:
    ask(box, "CONFIG", "SET", "appendonly", "yes")
    wait_until(lambda: info(box, "persistence", "aof_rewrite_in_progress:0"))
    ask(box, "SET", "durable", "yes")
    assert info(box, "persistence", "aof_last_write_status:ok")
    wait_until(lambda: any((box.folder / "data/appendonlydir").glob("*.incr.aof")))


@step
def sync_always(box: Container) -> None:
    ask(box, "CONFIG", "SET", "appendfsync", "always")
    ask(box, "SET", "durable", "always")
    assert info(box, "persistence", "aof_last_write_status:ok")


@step
def rewrite_the_append_only_file(box: Container) -> None:
    ask(box, "BGREWRITEAOF")
    wait_until(lambda: info(box, "persistence", "aof_rewrite_in_progress:0"))
    assert info(box, "persistence", "aof_last_bgrewrite_status:ok")


@step
def evict_keys(box: Container) -> None:
    ask(box, "CONFIG", "SET", "maxmemory", "20mb")
    ask(box, "CONFIG", "SET", "maxmemory-policy", "allkeys-lru")
    for n in range(8):
        ask(box, "SET", f"big{n}", "x" * (4 << 20))
    wait_until(lambda: not info(box, "stats", "evicted_keys:0"))
    ask(box, "CONFIG", "SET", "maxmemory", "0")


@step
def defragment_memory(box: Container) -> None:
    ask(box, "MEMORY", "PURGE")
    ask(box, "MEMORY", "DOCTOR")


@step
def talk_tls(box: Container) -> None:
    assert ask(box, "SET", "tls", "1", tls=True) == "+OK"


@step
def refuse_nonsense_over_tls(box: Container) -> None:
    with connect(box.port2) as client, suppress(ConnectionResetError):
        client.sendall(b"PING\r\n\r\n")
        assert b"+PONG" not in client.recv(1000)
    try:
        ssl.get_server_certificate(("127.0.0.1", box.port2), timeout=PATIENCE)
    except OSError as error:
        raise AssertionError(str(error)) from error


@step
def ask_for_a_password(box: Container) -> None:
    ask(box, "CONFIG", "SET", "requirepass", "secret")
    try:
        ask(box, "PING")
        raise AssertionError("no password asked for")
    except RedisError:
        pass
    assert exchange(box.port, b'AUTH secret\r\nCONFIG SET requirepass ""\r\nQUIT\r\n')


@step
def use_acls(box: Container) -> None:
    ask(box, "ACL", "SETUSER", "one", "on", ">two", "~*", "+get")
    assert b"NOPERM" in exchange(box.port, b"AUTH one two\r\nSET a b\r\nQUIT\r\n")


@step
def rewrite_the_configuration(box: Container) -> None:
    before = (box.folder / "redis.conf").stat().st_ino
    assert ask(box, "CONFIG", "REWRITE") == "+OK"
    assert (box.folder / "redis.conf").stat().st_ino != before


@step
def refuse_more_clients(box: Container) -> None:
    ask(box, "CONFIG", "SET", "maxclients", "10")
    held = [connect(box.port) for _ in range(12)]
    for each in held:
        each.close()

    def answers() -> bool:
        try:
            return ask(box, "CONFIG", "SET", "maxclients", "5000") == "+OK"
        except RedisError:
            return False

    wait_until(answers)


@step
def close_idle_clients(box: Container) -> None:
    ask(box, "CONFIG", "SET", "timeout", "1")
    with connect(box.port) as client:
        assert client.recv(10) == b""
    ask(box, "CONFIG", "SET", "timeout", "0")


@step
def refuse_a_replica_of_nothing(box: Container) -> None:
    ask(box, "REPLICAOF", "127.0.0.1", "9")
    wait_until(lambda: info(box, "replication", "role:slave"))
    wait_until(lambda: "Connecting to MASTER" in (box.folder / "redis.log").read_text())
    assert ask(box, "REPLICAOF", "NO", "ONE") == "+OK"


@step
def feed_a_replica(box: Container) -> None:
    with connect(box.port) as client:
        client.settimeout(PATIENCE)
        client.sendall(b"REPLCONF capa eof capa psync2\r\n")
        client.recv(100)
        client.sendall(b"PSYNC ? -1\r\n")
        seen = b""
        while b"REDIS0" not in seen:
            more = client.recv(65536)
            assert more, seen[-100:]
            seen += more


@step
def tell_about_itself(box: Container) -> None:
    for section in ("everything", "commandstats", "latencystats"):
        assert ask(box, "INFO", section)
    ask(box, "CLIENT", "LIST")
    ask(box, "SLOWLOG", "GET")


@executing("/usr/bin/redis-cli")
def check_health(box: Container) -> None:
    assert "PONG" in box.execute("/usr/bin/redis-cli", "-p", str(box.port), "ping")


@executing("/bin/sh", "/usr/bin/redis-cli")
def check_health_by_a_shell(box: Container) -> None:
    box.execute("/bin/sh", "-c", f"redis-cli -p {box.port} ping | grep -q PONG")


@step
def restart(box: Container) -> None:
    ask(box, "SET", "kept", "1")
    box.restart()
    assert ask(box, "GET", "kept") == "1"


@step
def recover_from_a_crash(box: Container) -> None:
    ask(box, "CONFIG", "SET", "appendonly", "yes")
    wait_until(lambda: info(box, "persistence", "aof_rewrite_in_progress:0"))
    ask(box, "SET", "survivor", "1")
    ask(box, "CONFIG", "REWRITE")
    box.crash()
    assert ask(box, "GET", "survivor") == "1"


@step
def shut_down_with_a_save(box: Container) -> None:
    file = Path(box.folder / "data/dump.rdb")
    file.unlink(missing_ok=True)
    with connect(box.port) as client:
        client.sendall(b"SHUTDOWN SAVE\r\n")
        box.wait()
    assert file.exists()
    box.start()


WORKLOAD = Workload(
    name="redis",
    packages=("redis-server", "redis-tools"),
    argv=("/usr/bin/redis-server", "/run/redis.conf"),
    scanned=("/usr/bin/redis-server", "/usr/bin/redis-cli"),
    prepare=prepare,
    ready=ready,
    verify=verify,
    user=1000,
    training=(set_and_get, count_and_expire, push_and_pop, tell_about_itself),
    wide=(
        set_and_get,
        count_and_expire,
        push_and_pop,
        keep_large_values,
        run_a_script,
        break_off_an_endless_script,
        answer_a_pipeline,
        publish,
        wait_for_a_list,
        use_a_stream,
        save_in_the_foreground,
        save_in_the_background,
        turn_the_append_only_file_on,
        sync_always,
        rewrite_the_append_only_file,
        evict_keys,
        defragment_memory,
        talk_tls,
        refuse_nonsense_over_tls,
        ask_for_a_password,
        use_acls,
        rewrite_the_configuration,
        refuse_more_clients,
        close_idle_clients,
        refuse_a_replica_of_nothing,
        feed_a_replica,
        tell_about_itself,
        check_health,
        check_health_by_a_shell,
        restart,
        recover_from_a_crash,
        shut_down_with_a_save,
    ),
)
