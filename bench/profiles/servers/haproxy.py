"""haproxy: master and workers, TLS, TCP and HTTP, caches, its runtime API, health checks, reload."""

from __future__ import annotations

import http.server
import socket
import threading
import time
from contextlib import closing

from bench.profiles.clients import (
    abort,
    certificate,
    connect,
    exchange,
    expect,
    keep_alive,
    pipelined,
    request,
    trusting,
)
from bench.profiles.container import PATIENCE, Container, free_port, wait_until
from bench.profiles.workload import Workload, executing, step

CONFIG = """
global
  master-worker
  nbthread 2
  log stdout format raw local0
  stats socket /run/api.sock mode 666 level admin expose-fd listeners
  user app
  group app
  maxconn 200
  server-state-base /run
  tune.ssl.default-dh-param 2048
defaults
  mode http
  log global
  option httplog
  timeout connect 1s
  timeout client 5s
  timeout server 5s
  timeout http-request 2s
  retries 1
cache one
  total-max-size 4
  max-object-size 100000
  max-age 5
listen stats
  bind 127.0.0.1:{stats}
  stats enable
  stats uri /
frontend web
  bind 127.0.0.1:{port}
  bind 127.0.0.1:{port2} ssl crt /run/both.pem alpn h2,http/1.1
  compression algo gzip
  compression type text/html
  http-request deny if {{ path /denied }}
  http-request return status 200 content-type text/plain lf-string "%ci" if {{ path /me }}
  http-request track-sc0 src table rates if {{ path /limited }}
  http-request deny deny_status 429 if {{ path /limited }} {{ sc_http_req_rate(0) gt 2 }}
  use_backend down if {{ path_beg /down }}
  use_backend cached if {{ path_beg /cached }}
  use_backend balanced if {{ path_beg /balanced }}
  default_backend up
  {extra}
backend rates
  stick-table type ip size 1k expire 10s store http_req_rate(10s)
backend up
  option httpchk GET /index.html
  server one 127.0.0.1:{origin} check inter 200
backend balanced
  balance roundrobin
  cookie S insert indirect nocache
  server one 127.0.0.1:{origin} cookie one check
  server two 127.0.0.1:{origin} cookie two check
backend cached
  http-request cache-use one
  http-response cache-store one
  server one 127.0.0.1:{origin}
backend down
  server none 127.0.0.1:9
"""

ENTRY = '#!/bin/sh\nset -e\nexec /usr/sbin/haproxy -W -db "$@"\n'

_origins: dict[int, tuple[int, int]] = {}


class Page(http.server.BaseHTTPRequestHandler):
    """The web server behind haproxy: on the host, bound by no profile."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        body = bytes(4 << 20) if "large" in self.path else b"<p>hello</p>" * 500
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.send_header("Cache-Control", "max-age=5")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.do_GET()

    def log_message(self, *_: object) -> None:
        """Write nothing."""


class Origin(http.server.ThreadingHTTPServer):
    """Serves pages in threads; connections that haproxy resets are ignored."""

    daemon_threads = True

    def handle_error(self, *_: object) -> None:
        """Write nothing."""


def prepare(box: Container) -> None:
    server = Origin(("127.0.0.1", 0), Page)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    _origins[box.port] = (server.server_address[1], free_port())
    certificate(box)
    (box.folder / "entry").write_text(ENTRY)
    (box.folder / "entry").chmod(0o755)
    box.folder.chmod(0o777)
    write_config(box)


def write_config(box: Container, extra: str = "") -> None:
    origin, stats = _origins[box.port]
    text = CONFIG.format(port=box.port, port2=box.port2, origin=origin, stats=stats, extra=extra)
    (box.folder / "haproxy.cfg").write_text(text)


def command(box: Container, text: str) -> str:
    with closing(socket.socket(socket.AF_UNIX)) as client:
        client.settimeout(PATIENCE)
        client.connect(str(box.folder / "api.sock"))
        client.sendall(f"{text}\n".encode())
        return b"".join(iter(lambda: client.recv(65536), b"")).decode()


def ready(box: Container) -> None:
    expect(box.port, "/index.html")


@step
def get_a_page(box: Container) -> None:
    assert b"hello" in expect(box.port, "/index.html")


@step
def keep_a_connection(box: Container) -> None:
    keep_alive(box.port, "/index.html", 5)


@step
def pipeline(box: Container) -> None:
    pipelined(box.port, "/index.html", 5)


@step
def get_a_large_answer(box: Container) -> None:
    assert len(expect(box.port, "/large")) == 4 << 20


@step
def upload_a_large_body(box: Container) -> None:
    expect(box.port, "/up", method="POST", body=b"x" * (4 << 20))


@step
def compress(box: Container) -> None:
    assert expect(box.port, "/index.html", headers={"Accept-Encoding": "gzip"})[:2] == b"\x1f\x8b"


@step
def talk_tls(box: Container) -> None:
    assert b"hello" in expect(box.port2, "/index.html", tls=True)
    assert len(expect(box.port2, "/large", tls=True)) == 4 << 20


@step
def resume_tls(box: Container) -> None:
    context = trusting()
    session = None
    for _ in range(2):
        with context.wrap_socket(connect(box.port2), session=session) as client:
            client.sendall(b"GET /me HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            assert b"127.0.0.1" in b"".join(iter(lambda: client.recv(65536), b""))
            session = client.session


@step
def answer_by_itself(box: Container) -> None:
    assert expect(box.port, "/me") == b"127.0.0.1"


@step
def deny(box: Container) -> None:
    expect(box.port, "/denied", 403)


@step
def limit_requests(box: Container) -> None:
    statuses = [request(box.port, "/limited")[0] for _ in range(5)]
    assert statuses[-1] == 429, statuses


@step
def cache_answers(box: Container) -> None:
    for _ in range(3):
        assert b"hello" in expect(box.port, "/cached/x")


@step
def answer_for_a_dead_upstream(box: Container) -> None:
    expect(box.port, "/down", 503)


@step
def balance(box: Container) -> None:
    for _ in range(4):
        expect(box.port, "/balanced")


@step
def show_statistics(box: Container) -> None:
    assert b"Statistics Report" in expect(_origins[box.port][1], "/")


@step
def answer_its_runtime_api(box: Container) -> None:
    for what in ("show info", "show stat", "show sess", "show fd", "show activity", "show pools"):
        assert command(box, what), what


@step
def take_a_server_out(box: Container) -> None:
    command(box, "disable server balanced/two")
    assert "MAINT" in command(box, "show stat")
    expect(box.port, "/balanced")
    command(box, "enable server balanced/two")


@step
def change_a_certificate_while_it_runs(box: Container) -> None:
    certificate(box)
    text = (box.folder / "both.pem").read_text()
    assert "ransaction" in command(box, f"set ssl cert /run/both.pem <<\n{text}\n")
    assert "Success" in command(box, "commit ssl cert /run/both.pem")
    expect(box.port2, "/index.html", tls=True)


@step
def refuse_nonsense(box: Container) -> None:
    assert b"400" in exchange(box.port, b"\1\2 nonsense\r\n\r\n")


@step
def refuse_plain_text_over_tls(box: Container) -> None:
    try:
        answer = exchange(box.port2, b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    except ConnectionResetError:
        answer = b""
    assert b"hello" not in answer
    expect(box.port2, "/index.html", tls=True)


@step
def bear_a_reset(box: Container) -> None:
    abort(box.port, b"GET /large HTTP/1.1\r\nHost: x\r\n\r\n")
    ready(box)


@step
def bear_a_half_closed_connection(box: Container) -> None:
    data = b"GET /index.html HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    assert b"hello" in exchange(box.port, data, finish=True)


@step
def time_out_a_client(box: Container) -> None:
    assert b"408" in exchange(box.port, b"GET / HTTP/1.1\r\n")


@step
def queue_connections(box: Container) -> None:
    held = [connect(box.port) for _ in range(250)]
    for each in held:
        each.close()
    wait_until(lambda: expect(box.port, "/index.html"))


@executing("/usr/sbin/haproxy")
def reload(box: Container) -> None:
    write_config(box, "http-request return status 204 if { path /reloaded }")
    box.signal("USR2")
    wait_until(lambda: request(box.port, "/reloaded")[0] == 204)


@executing("/usr/sbin/haproxy")
def refuse_a_broken_configuration(box: Container) -> None:
    (box.folder / "haproxy.cfg").write_text("nonsense\n")
    box.signal("USR2")
    time.sleep(1)
    expect(box.port, "/index.html")
    write_config(box, "http-request return status 204 if { path /again }")
    box.signal("USR2")
    wait_until(lambda: request(box.port, "/again")[0] == 204)


@executing("/usr/sbin/haproxy")
def test_the_configuration(box: Container) -> None:
    box.execute("/usr/sbin/haproxy", "-c", "-f", "/run/haproxy.cfg")


@executing("/bin/sh", "/usr/bin/curl")
def check_health(box: Container) -> None:
    url = f"http://127.0.0.1:{box.port}/me"
    box.execute("/bin/sh", "-c", f"curl -fsS {url} | grep -q 127")


@step
def write_its_state(box: Container) -> None:
    assert "balanced" in command(box, "show servers state")


@step
def stop_softly(box: Container) -> None:
    box.signal("USR1")
    box.wait()
    box.kill()
    box.start()


WORKLOAD = Workload(
    name="haproxy",
    packages=("haproxy",),
    argv=("/run/entry", "-f", "/run/haproxy.cfg"),
    scanned=("/usr/bin/dash", "/usr/sbin/haproxy"),
    prepare=prepare,
    ready=ready,
    stop="USR1",
    training=(get_a_page, keep_a_connection, show_statistics),
    wide=(
        get_a_page,
        keep_a_connection,
        pipeline,
        get_a_large_answer,
        upload_a_large_body,
        compress,
        talk_tls,
        resume_tls,
        answer_by_itself,
        deny,
        limit_requests,
        cache_answers,
        answer_for_a_dead_upstream,
        balance,
        show_statistics,
        answer_its_runtime_api,
        take_a_server_out,
        change_a_certificate_while_it_runs,
        refuse_nonsense,
        refuse_plain_text_over_tls,
        bear_a_reset,
        bear_a_half_closed_connection,
        time_out_a_client,
        queue_connections,
        reload,
        refuse_a_broken_configuration,
        test_the_configuration,
        check_health,
        write_its_state,
        stop_softly,
    ),
)
