"""mosquitto, held out: MQTT with TLS, retained messages, persistence, passwords, reload, bridges."""

from __future__ import annotations

import struct
from contextlib import suppress

from bench.profiles.clients import abort, certificate, connect, exchange
from bench.profiles.container import Container, wait_until
from bench.profiles.workload import Workload, executing, step

CONFIG = """
per_listener_settings false
listener {port} 127.0.0.1
listener {port2} 127.0.0.1
certfile /run/cert.pem
keyfile /run/key.pem
allow_anonymous true
persistence true
persistence_location /run/data/
persistent_client_expiration 1d
log_dest file /run/mosquitto.log
log_type all
pid_file /run/mosquitto.pid
max_connections 60
max_inflight_messages 10
message_size_limit 3000000
{extra}
"""


def prepare(box: Container) -> None:
    certificate(box)
    (box.folder / "data").mkdir()
    write_config(box)


def write_config(box: Container, extra: str = "") -> None:
    text = CONFIG.format(port=box.port, port2=box.port2, extra=extra)
    (box.folder / "mosquitto.conf").write_text(text)


def ready(box: Container) -> None:
    name = b"ready"
    body = b"\0\4MQTT\4\2\0\x3c" + struct.pack("!H", len(name)) + name
    with connect(box.port) as client:
        client.sendall(bytes([0x10, len(body)]) + body)
        assert client.recv(4)[:1] == b"\x20"


def answers(box: Container) -> bool:
    ready(box)
    return True


def publish(box: Container, *words: str, given: str = "") -> str:
    return box.client("mosquitto_pub", "-h", "127.0.0.1", "-p", str(box.port), *words, given=given)


def receive(box: Container, *words: str) -> str:
    return box.client(
        "mosquitto_sub", "-h", "127.0.0.1", "-p", str(box.port), "-C", "1", "-W", "5", *words
    )


@step
def publish_one(box: Container) -> None:
    publish(box, "-t", "a", "-m", "x")


@step
def keep_a_retained_message(box: Container) -> None:
    publish(box, "-t", "kept", "-r", "-q", "1", "-m", "yes")
    assert receive(box, "-t", "kept").strip() == "yes"


@step
def publish_with_every_quality(box: Container) -> None:
    for quality in "012":
        publish(box, "-t", "q", "-q", quality, "-r", "-m", quality)
        assert receive(box, "-t", "q", "-q", quality).strip() == quality


@step
def publish_a_large_message(box: Container) -> None:
    publish(box, "-t", "large", "-r", "-s", given="y" * 2000000)
    assert len(receive(box, "-t", "large")) > 1999999


@step
def refuse_a_message_too_large(box: Container) -> None:
    with suppress(AssertionError):
        publish(box, "-t", "larger", "-q", "1", "-s", given="y" * 3500000)
    ready(box)


@step
def publish_many(box: Container) -> None:
    publish(box, "-t", "many", "-q", "1", "-l", given="line\n" * 3000)


@step
def keep_messages_for_a_client_that_is_away(box: Container) -> None:
    words = ("-i", "away", "-c", "-q", "1", "-t", "away")
    box.client("mosquitto_sub", "-h", "127.0.0.1", "-p", str(box.port), "-E", *words)
    publish(box, "-t", "away", "-q", "1", "-m", "later")
    assert receive(box, *words).strip() == "later"


@step
def send_a_will(box: Container) -> None:
    name, topic, will = b"dying", b"will", b"gone"
    parts = b"".join(struct.pack("!H", len(each)) + each for each in (name, topic, will))
    body = b"\0\4MQTT\4\x26\0\x3c" + parts
    with connect(box.port) as client:
        client.sendall(bytes([0x10, len(body)]) + body)
        assert client.recv(4)[:1] == b"\x20"
    wait_until(lambda: receive(box, "-t", "will").strip() == "gone")


@step
def speak_version_5(box: Container) -> None:
    publish(box, "-V", "5", "-t", "five", "-r", "-q", "1", "-m", "5")
    assert receive(box, "-V", "5", "-t", "five").strip() == "5"


@step
def tell_about_itself(box: Container) -> None:
    assert "mosquitto" in receive(box, "-t", "$SYS/broker/version")


@step
def talk_tls(box: Container) -> None:
    words = ("-p", str(box.port2), "--insecure", "--cafile", "/tmp/mosquitto-cert.pem")
    place = box._root / "tmp/mosquitto-cert.pem"
    place.write_text((box.folder / "cert.pem").read_text())
    try:
        box.client("mosquitto_pub", "-h", "127.0.0.1", *words, "-t", "a", "-q", "1", "-m", "x")
    finally:
        place.unlink()


@step
def refuse_plain_text_over_tls(box: Container) -> None:
    with suppress(OSError):
        exchange(box.port2, b"GET / HTTP/1.1\r\n\r\n", finish=True)
    ready(box)


@step
def refuse_nonsense(box: Container) -> None:
    with suppress(OSError):
        exchange(box.port, b"GET / HTTP/1.1\r\n\r\n", finish=True)
    ready(box)


@step
def bear_resets(box: Container) -> None:
    for _ in range(20):
        abort(box.port, b"\x10\x20")
    ready(box)


@step
def refuse_more_connections(box: Container) -> None:
    held = [connect(box.port) for _ in range(80)]
    for each in held:
        each.close()
    wait_until(lambda: answers(box))


@step
def save_its_state(box: Container) -> None:
    (box.folder / "data/mosquitto.db").unlink(missing_ok=True)
    box.signal("USR1")
    wait_until((box.folder / "data/mosquitto.db").exists)


@step
def print_its_tree(box: Container) -> None:
    box.signal("USR2")
    ready(box)


@step
def reload(box: Container) -> None:
    (box.folder / "acl").write_text("topic readwrite #\n")
    write_config(box, "acl_file /run/acl")
    box.signal("HUP")
    wait_until(lambda: "Reloading config" in (box.folder / "mosquitto.log").read_text())
    publish(box, "-t", "a", "-q", "1", "-m", "x")


@step
def rotate_logs(box: Container) -> None:
    log = box.folder / "mosquitto.log"
    log.rename(log.with_suffix(".1"))
    box.signal("HUP")
    wait_until(log.exists)


@step
def ask_for_a_password(box: Container) -> None:
    hashed = box.client(
        "sh", "-c", "touch /tmp/p && mosquitto_passwd -b /tmp/p one two >&2; cat /tmp/p; rm /tmp/p"
    )
    (box.folder / "passwords").write_text(hashed)
    (box.folder / "passwords").chmod(0o644)
    write_config(box, "password_file /run/passwords")
    box.restart()
    publish(box, "-u", "one", "-P", "two", "-t", "a", "-q", "1", "-m", "x")
    write_config(box)
    box.restart()


@step
def bridge_to_nothing(box: Container) -> None:
    write_config(box, "connection one\naddress 127.0.0.1:9\ntopic # out\nrestart_timeout 1")
    box.restart()
    wait_until(lambda: "onnecting bridge" in (box.folder / "mosquitto.log").read_text())
    write_config(box)
    box.restart()


@executing("/usr/bin/mosquitto_sub")
def check_health(box: Container) -> None:
    box.execute(
        "/usr/bin/mosquitto_sub",
        "-h",
        "127.0.0.1",
        "-p",
        str(box.port),
        "-t",
        "$SYS/#",
        "-C",
        "1",
        "-W",
        "5",
    )


@executing("/bin/sh", "/usr/bin/mosquitto_pub")
def check_health_by_a_shell(box: Container) -> None:
    box.execute("/bin/sh", "-c", f"mosquitto_pub -p {box.port} -t h -m x || exit 1")


@step
def recover_from_a_crash(box: Container) -> None:
    publish(box, "-t", "survivor", "-r", "-q", "1", "-m", "yes")
    box.signal("USR1")
    wait_until(lambda: b"survivor" in (box.folder / "data/mosquitto.db").read_bytes())
    box.crash()
    assert receive(box, "-t", "survivor").strip() == "yes"


@step
def restart(box: Container) -> None:
    publish(box, "-t", "kept", "-r", "-q", "1", "-m", "yes")
    box.restart()
    assert receive(box, "-t", "kept").strip() == "yes"


def verify(box: Container) -> None:
    publish(box, "-t", "after", "-q", "1", "-m", "x")


WORKLOAD = Workload(
    name="mosquitto",
    packages=("mosquitto", "mosquitto-clients"),
    argv=("/usr/sbin/mosquitto", "-c", "/run/mosquitto.conf"),
    scanned=("/usr/sbin/mosquitto", "/usr/bin/mosquitto_sub"),
    prepare=prepare,
    ready=ready,
    verify=verify,
    user=1000,
    held_out=True,
    training=(publish_one, keep_a_retained_message),
    wide=(
        publish_one,
        keep_a_retained_message,
        publish_with_every_quality,
        publish_a_large_message,
        refuse_a_message_too_large,
        publish_many,
        keep_messages_for_a_client_that_is_away,
        send_a_will,
        speak_version_5,
        tell_about_itself,
        talk_tls,
        refuse_plain_text_over_tls,
        refuse_nonsense,
        bear_resets,
        refuse_more_connections,
        save_its_state,
        print_its_tree,
        reload,
        rotate_logs,
        ask_for_a_password,
        bridge_to_nothing,
        check_health,
        check_health_by_a_shell,
        recover_from_a_crash,
        restart,
    ),
)
