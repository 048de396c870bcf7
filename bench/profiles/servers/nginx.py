"""nginx: static files, TLS, a reverse proxy with a cache, uploads, reload, upgrade of logs."""

from __future__ import annotations

import os
import threading

from bench.profiles.clients import (
    abort,
    certificate,
    connect,
    exchange,
    expect,
    keep_alive,
    pipelined,
    request,
    site,
)
from bench.profiles.container import Container, wait_until
from bench.profiles.workload import Workload, executing, step

CONFIG = """
user app app; worker_processes 2; pid /run/nginx.pid; error_log /run/error.log info; daemon off;
events {{ worker_connections 128; multi_accept on; }}
http {{
  include /etc/nginx/mime.types; access_log /run/access.log; gzip on; gzip_min_length 100; if_modified_since before;
  sendfile on; tcp_nopush on; keepalive_timeout 5; client_max_body_size 64m;
  client_body_temp_path /run/body; proxy_temp_path /run/proxy; fastcgi_temp_path /run/fastcgi;
  uwsgi_temp_path /run/uwsgi; scgi_temp_path /run/scgi; client_body_timeout 2s;
  proxy_cache_path /run/cache keys_zone=one:1m inactive=5s; limit_req_zone $uri zone=slow:1m rate=1r/s;
  map $uri $where {{ default no; /moved yes; }}
  upstream up {{ server 127.0.0.1:{port} max_fails=0; keepalive 4; }}
  upstream down {{ server 127.0.0.1:9; }}
  server {{
    listen 127.0.0.1:{port}; listen 127.0.0.1:{port2} ssl; http2 on; server_name localhost;
    ssl_certificate /run/cert.pem; ssl_certificate_key /run/key.pem; ssl_session_cache shared:s:1m;
    root /run/www; error_page 404 /index.html;
    location /list/ {{ autoindex on; }}
    location /up/ {{ proxy_pass http://up/; proxy_http_version 1.1; proxy_set_header Connection ""; }}
    location /cached/ {{ proxy_pass http://up/; proxy_cache one; proxy_cache_valid 200 5s; }}
    location /down/ {{ proxy_pass http://down/; proxy_connect_timeout 1s; }}
    location /aio/ {{ alias /run/www/; aio threads; directio 512; }}
    location /dav/ {{ alias /run/dav/; dav_methods PUT DELETE MKCOL COPY MOVE; create_full_put_path on; }}
    location /secret/ {{ alias /run/www/; auth_basic x; auth_basic_user_file /run/users; }}
    location /slow/ {{ alias /run/www/; limit_rate 512k; }}
    location /limited/ {{ alias /run/www/; limit_req zone=slow; }}
    location /moved {{ return 301 /index.html; }}
    location /static {{ expires 1d; add_header X-One 1; alias /run/www; }}
    location /post {{ proxy_pass http://up/index2; client_body_in_file_only on; }}
    location /sub {{ sub_filter hello hi; sub_filter_once off; alias /run/www/; }}
    location /status {{ stub_status; }}
  }}
}}
"""


def prepare(box: Container) -> None:
    site(box.folder)
    certificate(box)
    (box.folder / "dav").mkdir()
    (box.folder / "users").write_text("one:{PLAIN}two\n")
    write_config(box)
    for name in ("body", "proxy", "fastcgi", "uwsgi", "scgi", "cache", "dav"):
        (box.folder / name).mkdir(exist_ok=True)
        (box.folder / name).chmod(0o777)


def write_config(box: Container, extra: str = "") -> None:
    text = CONFIG.format(port=box.port, port2=box.port2)
    (box.folder / "nginx.conf").write_text(
        text.replace("location /list/", f"{extra} location /list/")
    )


def ready(box: Container) -> None:
    expect(box.port, "/index.html")


@step
def get_a_page(box: Container) -> None:
    assert b"hello" in expect(box.port, "/index.html")


@step
def get_what_is_not_there(box: Container) -> None:
    expect(box.port, "/none", 404)


@step
def head(box: Container) -> None:
    expect(box.port, "/", method="HEAD")


@step
def refuse_a_post(box: Container) -> None:
    expect(box.port, "/index.html", 405, method="POST", body=b"x" * 100)


@step
def keep_a_connection(box: Container) -> None:
    keep_alive(box.port, "/index.html", 5)


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
def answer_not_modified(box: Container) -> None:
    expect(
        box.port, "/index.html", 304, headers={"If-Modified-Since": "Fri, 01 Jan 2100 00:00:00 GMT"}
    )


@step
def list_a_directory(box: Container) -> None:
    assert b"a.txt" in expect(box.port, "/list/")


@step
def talk_tls(box: Container) -> None:
    assert b"hello" in expect(box.port2, "/index.html", tls=True)
    assert len(expect(box.port2, "/large.bin", tls=True)) == 4 << 20


@step
def proxy(box: Container) -> None:
    assert b"hello" in expect(box.port, "/up/index.html")
    assert len(expect(box.port, "/up/large.bin")) == 4 << 20


@step
def cache_an_answer(box: Container) -> None:
    for _ in range(3):
        assert len(expect(box.port, "/cached/large.bin")) == 4 << 20
    wait_until(lambda: any(each.is_file() for each in (box.folder / "cache").rglob("*")))


@step
def answer_for_a_dead_upstream(box: Container) -> None:
    expect(box.port, "/down/", 502)


@step
def read_files_by_aio(box: Container) -> None:
    assert len(expect(box.port, "/aio/large.bin")) == 4 << 20


@step
def upload_a_large_file(box: Container) -> None:
    status, _ = request(box.port, "/dav/new/up.bin", "PUT", b"y" * (6 << 20))
    assert status == 201
    assert (box.folder / "dav/new/up.bin").stat().st_size == 6 << 20


@step
def copy_move_and_delete_by_dav(box: Container) -> None:
    expect(box.port, "/dav/d/", 201, method="MKCOL")
    expect(box.port, "/dav/d/f", 201, method="PUT", body=b"x")
    to = {"Destination": f"http://127.0.0.1:{box.port}/dav/d/g"}
    expect(box.port, "/dav/d/f", 204, method="COPY", headers=to)
    to = {"Destination": f"http://127.0.0.1:{box.port}/dav/d/h"}
    expect(box.port, "/dav/d/g", 204, method="MOVE", headers=to)
    expect(box.port, "/dav/d/h", 204, method="DELETE")
    expect(box.port, "/dav/d/", 204, method="DELETE")


@step
def keep_a_body_in_a_file(box: Container) -> None:
    expect(box.port, "/post", 404, method="POST", body=b"z" * (2 << 20))


@step
def ask_for_a_password(box: Container) -> None:
    expect(box.port, "/secret/index.html", 401)
    headers = {"Authorization": "Basic b25lOnR3bw=="}
    expect(box.port, "/secret/index.html", headers=headers)


@step
def send_slowly(box: Container) -> None:
    assert len(expect(box.port, "/slow/large.bin", 206, headers={"Range": "bytes=0-600000"})) > 1


@step
def limit_requests(box: Container) -> None:
    statuses = {request(box.port, "/limited/index.html")[0] for _ in range(4)}
    assert statuses == {200, 503}, statuses


@step
def refuse_nonsense(box: Container) -> None:
    assert b"400 Bad Request" in exchange(box.port, b"\0\1\2 nonsense\r\n\r\n")
    assert b"400" in exchange(box.port2, b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")


@step
def bear_a_reset(box: Container) -> None:
    abort(box.port, b"GET /large.bin HTTP/1.1\r\nHost: x\r\n\r\n")
    expect(box.port, "/index.html")


@step
def bear_a_half_closed_connection(box: Container) -> None:
    data = b"GET /index.html HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    assert b"hello" in exchange(box.port, data, finish=True)


@step
def time_out_a_client(box: Container) -> None:
    with connect(box.port) as client:
        client.sendall(b"POST /dav/t HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nabc")
        assert b"HTTP/1.1 2" not in client.recv(1000)


@step
def serve_many_at_once(box: Container) -> None:
    failed: list[BaseException] = []

    def one() -> None:
        try:
            for _ in range(5):
                expect(box.port, "/index.html")
        except BaseException as error:
            failed.append(error)

    threads = [threading.Thread(target=one) for _ in range(20)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert not failed, failed[0]


@step
def reload(box: Container) -> None:
    write_config(box, "location /reloaded { return 204; }")
    box.signal("HUP")
    wait_until(lambda: request(box.port, "/reloaded")[0] == 204)


@step
def refuse_a_broken_configuration(box: Container) -> None:
    (box.folder / "nginx.conf").write_text("nonsense")
    box.signal("HUP")
    wait_until(lambda: "nonsense" in (box.folder / "error.log").read_text())
    write_config(box)
    expect(box.port, "/index.html")


@step
def rotate_logs(box: Container) -> None:
    log = box.folder / "access.log"
    log.rename(box.folder / "access.log.1")
    box.signal("USR1")
    wait_until(log.exists)
    expect(box.port, "/index.html")
    wait_until(lambda: log.stat().st_size > 0)


@executing("/usr/sbin/nginx")
def test_the_configuration(box: Container) -> None:
    box.execute("/usr/sbin/nginx", "-t", "-c", "/run/nginx.conf")


@executing("/bin/sh", "/usr/bin/curl")
def check_health(box: Container) -> None:
    url = f"http://127.0.0.1:{box.port}/status"
    box.execute("/bin/sh", "-c", f"curl -fsS {url} | grep -q Active")


@step
def replace_a_worker_that_dies(box: Container) -> None:
    workers = box.pids()[1:]
    os.kill(workers[0], 9)
    wait_until(lambda: len(box.pids()) >= 3 and workers[0] not in box.pids())
    expect(box.port, "/index.html")


@step
def restart(box: Container) -> None:
    box.restart()
    expect(box.port, "/index.html")


WORKLOAD = Workload(
    name="nginx",
    packages=("nginx", "nginx-common"),
    argv=("/usr/sbin/nginx", "-c", "/run/nginx.conf"),
    scanned=("/usr/sbin/nginx",),
    prepare=prepare,
    ready=ready,
    stop="QUIT",
    training=(get_a_page, get_what_is_not_there, keep_a_connection, talk_tls),
    wide=(
        get_a_page,
        get_what_is_not_there,
        head,
        refuse_a_post,
        keep_a_connection,
        pipeline,
        get_a_large_file,
        get_a_range,
        compress,
        answer_not_modified,
        list_a_directory,
        talk_tls,
        proxy,
        cache_an_answer,
        answer_for_a_dead_upstream,
        read_files_by_aio,
        upload_a_large_file,
        copy_move_and_delete_by_dav,
        keep_a_body_in_a_file,
        ask_for_a_password,
        send_slowly,
        limit_requests,
        refuse_nonsense,
        bear_a_reset,
        bear_a_half_closed_connection,
        time_out_a_client,
        serve_many_at_once,
        reload,
        refuse_a_broken_configuration,
        rotate_logs,
        test_the_configuration,
        check_health,
        replace_a_worker_that_dies,
        restart,
    ),
)
