"""lighttpd: static files, TLS, CGI, WebDAV-less uploads to a proxy, listing, graceful restarts."""

from __future__ import annotations

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
from bench.profiles.container import Container, wait_until
from bench.profiles.workload import Workload, executing, step

CONFIG = """
server.modules = ("mod_access", "mod_dirlisting", "mod_openssl", "mod_cgi", "mod_proxy",
  "mod_accesslog", "mod_redirect", "mod_status", "mod_expire", "mod_auth",
  "mod_authn_file", "mod_alias", "mod_indexfile", "mod_staticfile")
server.document-root = "/run/www"
server.bind = "127.0.0.1"
server.port = {port}
server.errorlog = "/run/error.log"
accesslog.filename = "/run/access.log"
server.pid-file = "/run/lighttpd.pid"
server.username = "app"
server.groupname = "app"
server.upload-dirs = ("/run/uploads")
server.max-read-idle = 2
server.stat-cache-engine = "inotify"
server.graceful-shutdown-timeout = 2
dir-listing.activate = "enable"
index-file.names = ("index.html")
mimetype.assign = (".html" => "text/html", ".txt" => "text/plain")
status.status-url = "/status"
alias.url = ("/cgi/" => "/run/cgi/")
url.redirect = ("^/moved$" => "/index.html")
auth.backend = "plain"
auth.backend.plain.userfile = "/run/users"
$HTTP["url"] =~ "^/cgi/" {{ cgi.assign = ("" => "") }}
$HTTP["url"] =~ "^/secret/" {{ auth.require = ("" => ("method" => "basic", "realm" => "x",
  "require" => "valid-user")) }}
$HTTP["url"] =~ "^/up/" {{
  proxy.server = ("" => (("host" => "127.0.0.1", "port" => {port})))
  proxy.header = ("map-urlpath" => ("/up/" => "/"))
}}
$HTTP["url"] =~ "^/down/" {{ proxy.server = ("" => (("host" => "127.0.0.1", "port" => 9))) }}
$SERVER["socket"] == "127.0.0.1:{port2}" {{ ssl.engine = "enable" ssl.pemfile = "/run/both.pem" }}
{extra}
"""
# The configuration's modules that are not built in.
MODULES = (
    "mod_accesslog",
    "mod_auth",
    "mod_authn_file",
    "mod_cgi",
    "mod_dirlisting",
    "mod_openssl",
    "mod_proxy",
    "mod_status",
)

CGI = "#!/bin/sh\ncat > /dev/null\necho 'Content-Type: text/plain'\necho\necho $((6 * 7))\n"


def prepare(box: Container) -> None:
    site(box.folder)
    certificate(box)
    for name in ("cgi", "uploads", "cache", "www/secret"):
        (box.folder / name).mkdir()
    (box.folder / "cgi/x").write_text(CGI)
    (box.folder / "cgi/x").chmod(0o755)
    (box.folder / "users").write_text("one:two\n")
    (box.folder / "www/secret/index.html").write_text("secret")
    for name in ("", "uploads", "cache"):
        (box.folder / name).chmod(0o777)
    write_config(box)


def write_config(box: Container, extra: str = "") -> None:
    text = CONFIG.format(port=box.port, port2=box.port2, extra=extra)
    (box.folder / "lighttpd.conf").write_text(text)


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
    expect(box.port, "/", method="HEAD")


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
def list_a_directory(box: Container) -> None:
    assert b"a.txt" in expect(box.port, "/list/")


@step
def redirect(box: Container) -> None:
    expect(box.port, "/moved", 301)


@step
def ask_for_a_password(box: Container) -> None:
    expect(box.port, "/secret/", 401)
    headers = {"Authorization": "Basic b25lOnR3bw=="}
    expect(box.port, "/secret/", headers=headers)


@step
def talk_tls(box: Container) -> None:
    assert len(expect(box.port2, "/large.bin", tls=True)) == 4 << 20


@step
def notice_a_changed_file(box: Container) -> None:
    file = box.folder / "www/list/c.txt"
    for text in ("one", "other"):
        file.write_text(text)
        wait_until(lambda text=text: expect(box.port, "/list/c.txt") == text.encode())


@executing("/run/cgi/x", "/bin/sh", "/usr/bin/cat")
def run_a_cgi_program(box: Container) -> None:
    assert expect(box.port, "/cgi/x").strip() == b"42"


@executing("/run/cgi/x", "/bin/sh", "/usr/bin/cat")
def upload_a_large_body_to_a_program(box: Container) -> None:
    expect(box.port, "/cgi/x", method="POST", body=b"x" * (2 << 20))


@step
def proxy(box: Container) -> None:
    assert len(expect(box.port, "/up/large.bin")) == 4 << 20


@step
def upload_a_large_body_to_a_proxy(box: Container) -> None:
    status, _ = request(box.port, "/up/index.html", "POST", b"x" * (2 << 20))
    assert status in (200, 405), status


@step
def answer_for_a_dead_upstream(box: Container) -> None:
    assert request(box.port, "/down/")[0] in (502, 503)


@step
def tell_its_status(box: Container) -> None:
    assert b"Uptime" in expect(box.port, "/status?auto")


@step
def refuse_nonsense(box: Container) -> None:
    assert b"400" in exchange(box.port, b"\1\2 nonsense\r\n\r\n")
    assert b"HTTP/1.1 2" not in exchange(box.port2, b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")


@step
def bear_a_reset(box: Container) -> None:
    abort(box.port, b"GET /large.bin HTTP/1.1\r\nHost: x\r\n\r\n")
    ready(box)


@step
def bear_a_half_closed_connection(box: Container) -> None:
    data = b"GET /index.html HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    assert b"hello" in exchange(box.port, data, finish=True)


@step
def time_out_a_client(box: Container) -> None:
    assert b"HTTP/1.1 2" not in exchange(box.port, b"GET / HTTP/1.1\r\nHost: x\r\n")


@step
def rotate_logs(box: Container) -> None:
    (box.folder / "access.log").rename(box.folder / "access.log.1")
    box.signal("HUP")

    def reopened() -> bool:
        ready(box)
        return (box.folder / "access.log").exists()

    wait_until(reopened)


@executing("/usr/sbin/lighttpd")
def restart_gracefully(box: Container) -> None:
    write_config(box, 'url.access-deny = ("denied")')
    box.signal("USR1")
    wait_until(lambda: request(box.port, "/denied")[0] == 403)


@executing("/usr/sbin/lighttpd")
def test_the_configuration(box: Container) -> None:
    box.execute("/usr/sbin/lighttpd", "-tt", "-f", "/run/lighttpd.conf")


@executing("/bin/sh", "/usr/bin/curl")
def check_health(box: Container) -> None:
    url = f"http://127.0.0.1:{box.port}/index.html"
    box.execute("/bin/sh", "-c", f"curl -fsS {url} > /dev/null || exit 1")


@step
def stop_gracefully(box: Container) -> None:
    box.signal("INT")
    assert box.wait() == 0
    box.kill()
    box.start()


@step
def restart(box: Container) -> None:
    box.restart()


WORKLOAD = Workload(
    name="lighttpd",
    packages=("lighttpd", "lighttpd-mod-openssl"),
    argv=("/usr/sbin/lighttpd", "-D", "-f", "/run/lighttpd.conf"),
    scanned=("/usr/sbin/lighttpd",),
    plugins=tuple(f"/usr/lib/lighttpd/{each}.so" for each in MODULES),
    prepare=prepare,
    ready=ready,
    training=(get_a_page, get_what_is_not_there, keep_a_connection),
    wide=(
        get_a_page,
        get_what_is_not_there,
        keep_a_connection,
        head,
        pipeline,
        get_a_large_file,
        get_a_range,
        list_a_directory,
        redirect,
        ask_for_a_password,
        talk_tls,
        notice_a_changed_file,
        run_a_cgi_program,
        upload_a_large_body_to_a_program,
        proxy,
        upload_a_large_body_to_a_proxy,
        answer_for_a_dead_upstream,
        tell_its_status,
        refuse_nonsense,
        bear_a_reset,
        bear_a_half_closed_connection,
        time_out_a_client,
        rotate_logs,
        restart_gracefully,
        test_the_configuration,
        check_health,
        stop_gracefully,
        restart,
    ),
)
