"""Apache: static files, TLS, CGI, a proxy, WebDAV, .htaccess, graceful restarts, piped logs."""

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
from bench.profiles.container import Container, wait_until
from bench.profiles.workload import Workload, executing, step

MODULES = [
    "ssl",
    "socache_shmcb",
    "proxy",
    "proxy_http",
    "dav",
    "dav_fs",
    "cgid",
    "headers",
    "expires",
    "rewrite",
    "info",
]

CONFIG = """
ServerName localhost
ServerRoot /etc/apache2
Listen 127.0.0.1:{port}
Listen 127.0.0.1:{port2}
PidFile /run/apache.pid
DefaultRuntimeDir /run
Mutex file:/run default
ErrorLog /run/error.log
CustomLog /run/access.log "%h %r %>s"
User app
Group app
StartServers 1
ServerLimit 3
ThreadsPerChild 25
MaxRequestWorkers 75
GracefulShutdownTimeout 2
IncludeOptional /etc/apache2/mods-enabled/*.load
{modules}
TypesConfig /etc/mime.types
DocumentRoot /run/www
ScriptSock /run/cgisock
DavLockDB /run/DavLock
RequestReadTimeout header=2 body=2
<Directory /run/www>
Options Indexes FollowSymLinks
AllowOverride All
Require all granted
</Directory>
<Directory /run/cgi>
Options ExecCGI
SetHandler cgi-script
Require all granted
</Directory>
<Directory /run/dav>
Dav On
Require all granted
</Directory>
ScriptAlias /cgi /run/cgi
Alias /dav /run/dav
<Location /status>
SetHandler server-status
Require all granted
</Location>
ProxyPass /up/ http://127.0.0.1:{port}/
ProxyPass /down/ http://127.0.0.1:9/
AddOutputFilterByType DEFLATE text/html
<VirtualHost *:{port2}>
SSLEngine on
SSLCertificateFile /run/cert.pem
SSLCertificateKeyFile /run/key.pem
DocumentRoot /run/www
</VirtualHost>
"""

ENTRY = '#!/bin/sh\nset -e\nrm -f /run/apache.pid\nexec /usr/sbin/apache2 -DFOREGROUND "$@"\n'
CGI = "#!/bin/sh\ncat > /dev/null\necho 'Content-Type: text/plain'\necho\necho $((6 * 7))\n"


def prepare(box: Container) -> None:
    site(box.folder)
    certificate(box)
    for name in ("cgi", "dav", "www/secret"):
        (box.folder / name).mkdir()
    (box.folder / "cgi/x").write_text(CGI)
    (box.folder / "entry").write_text(ENTRY)
    for each in ("cgi/x", "entry"):
        (box.folder / each).chmod(0o755)
    for place in (box.folder, box.folder / "dav"):
        place.chmod(0o777)
    (box.folder / "users").write_text("one:$apr1$abcdefgh$0EyBMTlzbRFvu6JAeTUpw/\n")
    (box.folder / "www/secret/.htaccess").write_text(
        "AuthType Basic\nAuthName x\nAuthUserFile /run/users\nRequire valid-user\n"
    )
    (box.folder / "www/link").symlink_to("index.html")
    write_config(box)


def write_config(box: Container, extra: str = "") -> None:
    folder = "/usr/lib/apache2/modules"
    modules = "\n".join(f"LoadModule {each}_module {folder}/mod_{each}.so" for each in MODULES)
    text = CONFIG.format(port=box.port, port2=box.port2, modules=modules)
    (box.folder / "apache.conf").write_text(text + extra)


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
def talk_tls(box: Container) -> None:
    assert len(expect(box.port2, "/large.bin", tls=True)) == 4 << 20


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
def get_ranges(box: Container) -> None:
    headers = {"Range": "bytes=0-9,100-109"}
    assert b"Content-range" in expect(box.port, "/large.bin", 206, headers=headers)


@step
def compress(box: Container) -> None:
    assert expect(box.port, "/index.html", headers={"Accept-Encoding": "gzip"})[:2] == b"\x1f\x8b"


@step
def list_a_directory(box: Container) -> None:
    assert b"a.txt" in expect(box.port, "/list/")


@step
def follow_a_link(box: Container) -> None:
    expect(box.port, "/link")


@step
def ask_for_a_password(box: Container) -> None:
    expect(box.port, "/secret/", 401)


@step
def obey_a_new_htaccess(box: Container) -> None:
    (box.folder / "www/list/.htaccess").write_text("RewriteEngine on\nRewriteRule ^z$ a.txt\n")
    assert expect(box.port, "/list/z") == b"a"
    (box.folder / "www/list/.htaccess").unlink()


@executing("/run/cgi/x", "/bin/sh", "/usr/bin/cat")
def run_a_cgi_program(box: Container) -> None:
    assert expect(box.port, "/cgi/x").strip() == b"42"


@executing("/run/cgi/x", "/bin/sh", "/usr/bin/cat")
def post_to_a_cgi_program(box: Container) -> None:
    expect(box.port, "/cgi/x", method="POST", body=b"x" * 100000)


@step
def proxy(box: Container) -> None:
    assert len(expect(box.port, "/up/large.bin")) == 4 << 20


@step
def answer_for_a_dead_upstream(box: Container) -> None:
    expect(box.port, "/down/", 503)


@step
def upload_a_large_file(box: Container) -> None:
    assert request(box.port, "/dav/up.bin", "PUT", b"y" * (6 << 20))[0] in (201, 204)
    assert (box.folder / "dav/up.bin").stat().st_size == 6 << 20


@step
def make_move_and_delete_by_dav(box: Container) -> None:
    expect(box.port, "/dav/d/", 201, method="MKCOL")
    expect(box.port, "/dav/d/f", 201, method="PUT", body=b"x")
    to = {"Destination": f"http://127.0.0.1:{box.port}/dav/d/g"}
    expect(box.port, "/dav/d/f", 201, method="MOVE", headers=to)
    expect(box.port, "/dav/d/", 207, method="PROPFIND", headers={"Depth": "1"})
    expect(box.port, "/dav/d/", 204, method="DELETE")


@step
def lock_by_dav(box: Container) -> None:
    body = (
        b'<?xml version="1.0"?><lockinfo xmlns="DAV:"><lockscope><exclusive/></lockscope>'
        b"<locktype><write/></locktype></lockinfo>"
    )
    assert request(box.port, "/dav/locked", "LOCK", body)[0] in (200, 201)


@step
def tell_its_status(box: Container) -> None:
    assert b"Scoreboard" in expect(box.port, "/status?auto")


@step
def refuse_nonsense(box: Container) -> None:
    assert b"400" in exchange(box.port, b"\1\2 nonsense\r\n\r\n")
    assert b"400" in exchange(box.port2, b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")


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
def restart_gracefully(box: Container) -> None:
    write_config(box, "Redirect 410 /reloaded\n")
    box.signal("USR1")
    wait_until(lambda: request(box.port, "/reloaded")[0] == 410)


@step
def restart_at_once(box: Container) -> None:
    write_config(box)
    box.signal("HUP")
    wait_until(lambda: request(box.port, "/reloaded")[0] == 404)


@step
def rotate_logs(box: Container) -> None:
    (box.folder / "access.log").rename(box.folder / "access.log.1")
    box.signal("USR1")

    def logged() -> int:
        ready(box)
        return (box.folder / "access.log").stat().st_size

    wait_until(logged)


@executing("/usr/sbin/apache2")
def test_the_configuration(box: Container) -> None:
    box.execute("/usr/sbin/apache2", "-t", "-f", "/run/apache.conf")


@executing("/bin/sh", "/usr/bin/curl")
def check_health(box: Container) -> None:
    url = f"http://127.0.0.1:{box.port}/index.html"
    box.execute("/bin/sh", "-c", f"curl -fsS {url} > /dev/null || exit 1")


@executing("/usr/bin/dash", "/usr/bin/cat")
def pipe_logs_into_a_program(box: Container) -> None:
    write_config(box, 'CustomLog "|$/usr/bin/cat -u > /run/piped" "%r"\n')
    box.signal("USR1")

    def piped() -> int:
        ready(box)
        return (box.folder / "piped").stat().st_size

    try:
        wait_until(piped)
    finally:
        write_config(box)


@step
def restart(box: Container) -> None:
    box.restart()


WORKLOAD = Workload(
    name="apache2",
    packages=("apache2", "apache2-bin", "apache2-data"),
    argv=("/run/entry", "-f", "/run/apache.conf"),
    scanned=("/usr/bin/dash", "/usr/bin/rm", "/usr/sbin/apache2"),
    plugins=tuple(f"/usr/lib/apache2/modules/mod_{each}.so" for each in MODULES),
    prepare=prepare,
    ready=ready,
    stop="TERM",
    training=(get_a_page, get_what_is_not_there, keep_a_connection, talk_tls),
    wide=(
        get_a_page,
        get_what_is_not_there,
        keep_a_connection,
        talk_tls,
        head,
        pipeline,
        get_a_large_file,
        get_ranges,
        compress,
        list_a_directory,
        follow_a_link,
        ask_for_a_password,
        obey_a_new_htaccess,
        run_a_cgi_program,
        post_to_a_cgi_program,
        proxy,
        answer_for_a_dead_upstream,
        upload_a_large_file,
        make_move_and_delete_by_dav,
        lock_by_dav,
        tell_its_status,
        refuse_nonsense,
        bear_a_reset,
        bear_a_half_closed_connection,
        time_out_a_client,
        serve_many_at_once,
        restart_gracefully,
        restart_at_once,
        rotate_logs,
        test_the_configuration,
        check_health,
        pipe_logs_into_a_program,
        restart,
    ),
)
