"""caddy, held out, written in Go: files, TLS, a proxy, templates, its API, reload, log rotation."""

from __future__ import annotations

import threading

from bench.profiles.clients import (
    abort,
    certificate,
    exchange,
    expect,
    keep_alive,
    pipelined,
    request,
    site,
)
from bench.profiles.container import Container, free_port, wait_until
from bench.profiles.workload import Workload, executing, step

CONFIG = """
{{
  admin 127.0.0.1:{admin}
  auto_https off
  storage file_system /run/storage
  grace_period 2s
  servers {{
    timeouts {{
      read_header 2s
      read_body 2s
    }}
  }}
}}
http://127.0.0.1:{port} {{
  root * /run/www
  encode gzip
  log {{
    output file /run/access.log {{
      roll_size 1MiB
      roll_keep 2
    }}
  }}
  handle_path /up/* {{
    reverse_proxy 127.0.0.1:{port}
  }}
  handle_path /down/* {{
    reverse_proxy 127.0.0.1:9
  }}
  handle_path /post/* {{
    reverse_proxy 127.0.0.1:{port}
  }}
  handle_path /list/* {{
    root * /run/www/list
    file_server browse
  }}
  handle /template {{
    templates {{
      mime text/html
    }}
    rewrite * /template.html
    file_server
  }}
  handle_path /secret/* {{
    basicauth {{
      one {hashed}
    }}
    file_server
  }}
  respond /me "{{remote_host}}"
  redir /moved /index.html
  {extra}
  file_server
}}
https://127.0.0.1:{port2} {{
  tls /run/cert.pem /run/key.pem
  root * /run/www
  file_server
}}
"""
HASHED = "$2a$14$6IPGQ3lHYq7wFTrUWdcNfOYx3oQu.qQnvyYtEkzS1EFyyD6IVPpyq"
_admin: dict[int, int] = {}


def prepare(box: Container) -> None:
    _admin[box.port] = free_port()
    site(box.folder)
    certificate(box)
    (box.folder / "www/template.html").write_text('{{now | date "2006"}} {{env "HOME"}}')
    write_config(box)


def write_config(box: Container, extra: str = "") -> None:
    text = CONFIG.format(
        port=box.port, port2=box.port2, admin=_admin[box.port], hashed=HASHED, extra=extra
    )
    (box.folder / "Caddyfile").write_text(text)


def ready(box: Container) -> None:
    expect(box.port, "/index.html")


@step
def get_a_page(box: Container) -> None:
    assert b"hello" in expect(box.port, "/index.html")


@step
def get_what_is_not_there(box: Container) -> None:
    expect(box.port, "/none", 404)


@step
def keep_a_connection(box: Container) -> None:
    keep_alive(box.port, "/index.html", 5)


@step
def head(box: Container) -> None:
    expect(box.port, "/index.html", method="HEAD")


@step
def pipeline(box: Container) -> None:
    pipelined(box.port, "/index.html", 5)


@step
def get_a_large_file(box: Container) -> None:
    assert len(expect(box.port, "/large.bin")) == 4 << 20


@step
def get_a_range(box: Container) -> None:
    headers = {"Range": "bytes=1000-1999"}
    assert len(expect(box.port, "/large.bin", 206, headers=headers)) == 1000


@step
def compress(box: Container) -> None:
    assert expect(box.port, "/index.html", headers={"Accept-Encoding": "gzip"})[:2] == b"\x1f\x8b"


@step
def list_a_directory(box: Container) -> None:
    assert b"a.txt" in expect(box.port, "/list/")


@step
def fill_a_template(box: Container) -> None:
    assert b"20" in expect(box.port, "/template")


@step
def redirect(box: Container) -> None:
    expect(box.port, "/moved", 302)


@step
def ask_for_a_password(box: Container) -> None:
    expect(box.port, "/secret/index.html", 401)


@step
def check_a_wrong_password(box: Container) -> None:
    expect(box.port, "/secret/index.html", 401, headers={"Authorization": "Basic b25lOnR3bw=="})


@step
def talk_tls(box: Container) -> None:
    assert len(expect(box.port2, "/large.bin", tls=True)) == 4 << 20


@step
def proxy(box: Container) -> None:
    assert len(expect(box.port, "/up/large.bin")) == 4 << 20


@step
def upload_to_a_proxy(box: Container) -> None:
    assert request(box.port, "/post/none", "POST", b"x" * 50000)[0] in (404, 405)


@step
def answer_for_a_dead_upstream(box: Container) -> None:
    expect(box.port, "/down/x", 502)


@step
def refuse_nonsense(box: Container) -> None:
    assert b"400" in exchange(box.port, b"\1\2 nonsense\r\n\r\n")
    assert b"HTTP/1.0 400" in exchange(box.port2, b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")


@step
def bear_a_reset(box: Container) -> None:
    abort(box.port, b"GET /large.bin HTTP/1.1\r\nHost: x\r\n\r\n")
    ready(box)


@step
def bear_a_half_closed_connection(box: Container) -> None:
    data = b"GET /index.html HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n"
    assert exchange(box.port, data) and exchange(box.port, data, finish=True) is not None
    ready(box)


@step
def time_out_a_client(box: Container) -> None:
    assert b"HTTP/1.1 2" not in exchange(box.port, b"GET / HTTP/1.1\r\nHost: x\r\n")


@step
def serve_many_at_once(box: Container) -> None:
    failed: list[BaseException] = []

    def one() -> None:
        try:
            for _ in range(5):
                expect(box.port, "/large.bin", 206, headers={"Range": "bytes=0-99999"})
        except BaseException as error:
            failed.append(error)

    threads = [threading.Thread(target=one) for _ in range(50)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert not failed, failed[0]


@step
def answer_its_api(box: Container) -> None:
    assert b"apps" in expect(_admin[box.port], "/config/")


@step
def tell_metrics_and_profiles(box: Container) -> None:
    assert b"go_goroutines" in expect(_admin[box.port], "/metrics")
    expect(_admin[box.port], "/debug/pprof/goroutine?debug=1")


@step
def profile_its_processor_use(box: Container) -> None:
    expect(_admin[box.port], "/debug/pprof/profile?seconds=1")


@step
def reload_by_its_api(box: Container) -> None:
    write_config(box, "respond /reloaded 204")
    body = (box.folder / "Caddyfile").read_bytes()
    expect(
        _admin[box.port],
        "/load",
        method="POST",
        body=body,
        headers={"Content-Type": "text/caddyfile"},
    )
    wait_until(lambda: request(box.port, "/reloaded")[0] == 204)


@step
def reload_by_a_signal(box: Container) -> None:
    box.signal("USR1")
    ready(box)


@step
def roll_logs(box: Container) -> None:
    for _ in range(1500):
        request(box.port, "/me?" + "x" * 900)
    wait_until(lambda: len(list(box.folder.glob("access*"))) > 1)


@executing("/usr/bin/caddy")
def test_the_configuration(box: Container) -> None:
    box.execute(
        "/usr/bin/caddy", "validate", "--config", "/run/Caddyfile", "--adapter", "caddyfile"
    )


@executing("/bin/sh", "/usr/bin/curl")
def check_health(box: Container) -> None:
    box.execute("/bin/sh", "-c", f"curl -fsS http://127.0.0.1:{box.port}/me | grep -q 127")


@step
def recover_from_a_crash(box: Container) -> None:
    box.crash()


@step
def restart(box: Container) -> None:
    write_config(box)
    box.restart()


WORKLOAD = Workload(
    name="caddy",
    packages=("caddy",),
    argv=("/usr/bin/caddy", "run", "--config", "/run/Caddyfile", "--adapter", "caddyfile"),
    scanned=("/usr/bin/caddy",),
    prepare=prepare,
    ready=ready,
    user=1000,
    held_out=True,
    training=(get_a_page, get_what_is_not_there, keep_a_connection, talk_tls),
    wide=(
        get_a_page,
        get_what_is_not_there,
        keep_a_connection,
        head,
        pipeline,
        get_a_large_file,
        get_a_range,
        compress,
        list_a_directory,
        fill_a_template,
        redirect,
        ask_for_a_password,
        check_a_wrong_password,
        talk_tls,
        proxy,
        upload_to_a_proxy,
        answer_for_a_dead_upstream,
        refuse_nonsense,
        bear_a_reset,
        bear_a_half_closed_connection,
        time_out_a_client,
        serve_many_at_once,
        answer_its_api,
        tell_metrics_and_profiles,
        profile_its_processor_use,
        reload_by_its_api,
        reload_by_a_signal,
        roll_logs,
        test_the_configuration,
        check_health,
        recover_from_a_crash,
        restart,
    ),
)
