"""A Python web application: threads, SQLite, files, subprocesses, TLS, asyncio, signals."""

from __future__ import annotations

import json

from bench.profiles.clients import (
    abort,
    certificate,
    exchange,
    expect,
    keep_alive,
    request,
)
from bench.profiles.container import Container, wait_until
from bench.profiles.workload import Step, Workload, executing, step
from tests.debian.programs import python

APP = r"""
import asyncio, concurrent.futures, gzip, hashlib, http.server, json, logging, logging.handlers
import mmap, multiprocessing, os, pathlib, queue, random, resource, select, shutil, signal, socket
import socketserver, sqlite3, ssl, subprocess, sys, tarfile, tempfile, threading, time, urllib.request
import zipfile

PORT, TLS = int(sys.argv[1]), int(sys.argv[2])
log = logging.getLogger()
log.addHandler(logging.handlers.RotatingFileHandler("/run/app.log", maxBytes=2000, backupCount=2))

def index(body):
    log.warning("request %d", time.time())
    return "hello"

def store(body):
    with sqlite3.connect("/run/app.db") as base:
        base.execute("pragma journal_mode=wal")
        base.execute("create table if not exists hits (n int)")
        base.execute("insert into hits values (1)")
        count = base.execute("select count(*) from hits").fetchone()[0]
        base.commit()
        base.execute("pragma wal_checkpoint(truncate)")
    base.close()
    base = sqlite3.connect("/run/app.db", isolation_level=None)
    base.execute("vacuum")
    base.close()
    return str(count)

def spool(body):
    with tempfile.SpooledTemporaryFile(max_size=1000) as file:
        file.write(body); file.seek(0); return hashlib.sha256(file.read()).hexdigest()

def files(body):
    place = pathlib.Path(tempfile.mkdtemp())
    (place / "a").write_text("a"); (place / "b").symlink_to("a"); os.link(place / "a", place / "c")
    os.rename(place / "c", place / "d"); os.chmod(place / "d", 0o600); os.utime(place / "d", (1, 1))
    os.truncate(place / "d", 0); shutil.copy2(place / "a", place / "e"); os.statvfs(place)
    with open(place / "e", "r+b") as file: os.fsync(file.fileno()); os.fdatasync(file.fileno())
    found = sorted(str(each.name) for each in place.rglob("*")); shutil.rmtree(place)
    return ",".join(found)

def archive(body):
    place = pathlib.Path(tempfile.mkdtemp())
    (place / "x").write_bytes(body or b"x")
    with tarfile.open(place / "t.tgz", "w:gz") as tar: tar.add(place / "x", "x")
    with tarfile.open(place / "t.tgz") as tar: tar.extractall(place / "out", filter="data")
    with zipfile.ZipFile(place / "z.zip", "w") as z: z.write(place / "x", "x")
    shutil.rmtree(place); return "done"

def child(body):
    return subprocess.run([sys.executable, "-c", "print(6 * 7)"], capture_output=True, text=True).stdout

def shell(body):
    return subprocess.check_output("echo $((6 * 7)) | cat", shell=True, text=True)

def fork(body):
    context = multiprocessing.get_context("fork")
    with context.Pool(2) as pool: return str(sum(pool.map(abs, range(10))))

def threads(body):
    with concurrent.futures.ThreadPoolExecutor(20) as pool:
        return str(sum(pool.map(lambda n: (time.sleep(0.01), n)[1], range(100))))

def run_async(body):
    async def main():
        await asyncio.gather(*(asyncio.sleep(0.01) for _ in range(10)))
        one, other = socket.socketpair()
        reader, writer = await asyncio.open_connection(sock=one)
        other.send(b"x\n"); line = await reader.readline(); writer.close(); other.close()
        return line.decode()
    return asyncio.run(main())

def fetch(body):
    return str(len(urllib.request.urlopen(f"http://127.0.0.1:{PORT}/index", timeout=5).read()))

def dead(body):
    try: urllib.request.urlopen("http://127.0.0.1:9/", timeout=1)
    except OSError as error: return type(error).__name__

def udp(body):
    one, other = (socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(2))
    one.bind(("127.0.0.1", 0)); other.sendto(b"x", one.getsockname()); return str(one.recvfrom(10)[0])

def six(body):
    s = socket.socket(socket.AF_INET6); s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    s.bind(("::1", 0)); s.listen(); s.close(); return "done"

def resolve(body):
    return str(len(socket.getaddrinfo("localhost", 80)))

def mapped(body):
    with tempfile.TemporaryFile() as file:
        file.truncate(100000)
        with mmap.mmap(file.fileno(), 100000) as m: m[0] = 1; m.flush(); m.resize(200000)
    return "done"

def waits(body):
    r, w = os.pipe(); p = select.poll(); p.register(r, 1); os.write(w, b"x")
    select.select([r], [], [], 1); e = select.epoll(); e.register(r); e.poll(1); e.close()
    return str(len(p.poll(100)))

def limits(body):
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE); resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    return str(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss > 0 and os.nice(0) is not None)

def ids(body):
    return json.dumps([os.getpid(), os.getuid(), os.getgroups(), os.getcwd(), os.uname().sysname,
                       os.cpu_count(), len(os.sched_getaffinity(0)), os.getloadavg(), os.umask(18)])

def alarm(body):
    return str(signal.getsignal(signal.SIGALRM) is not None and time.clock_gettime(time.CLOCK_MONOTONIC) > 0)

def randomness(body):
    return str(len(os.urandom(1000)) + random.SystemRandom().randrange(2) * 0)

def lock(body):
    import fcntl
    with open("/run/lock", "w") as file:
        fcntl.flock(file, fcntl.LOCK_EX); fcntl.lockf(file, fcntl.LOCK_EX); fcntl.lockf(file, fcntl.LOCK_UN)
    return "done"

def crash(body): raise ValueError("as asked")

def xattr(body):
    try: os.setxattr("/run/lock2", "user.x", b"y")
    except OSError as error: return type(error).__name__

class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def log_message(self, *words): pass
    def do_GET(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        action = globals().get(self.path.strip("/"))
        try:
            status, text = (200, action(body)) if action in ACTIONS else (404, "none")
        except Exception as error:
            status, text = 500, f"{type(error).__name__}: {error}"
        self.send_response(status); self.send_header("Content-Length", str(len(text.encode())))
        self.end_headers(); self.wfile.write(text.encode())
    do_POST = do_GET

ACTIONS = [index, store, spool, files, archive, child, shell, fork, threads, run_async, fetch, dead,
           udp, six, resolve, mapped, waits, limits, ids, alarm, randomness, lock, crash, xattr]

class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True; request_queue_size = 50
    def handle_error(self, *words): pass

server = Server(("127.0.0.1", PORT), Handler)
secure = Server(("127.0.0.1", TLS), Handler)
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER); context.load_cert_chain("/run/cert.pem", "/run/key.pem")
secure.socket = context.wrap_socket(secure.socket, server_side=True, do_handshake_on_connect=False)
threading.Thread(target=secure.serve_forever, daemon=True).start()
signal.signal(signal.SIGHUP, lambda *_: open("/run/reloaded", "w").close())
signal.signal(signal.SIGTERM, lambda *_: threading.Thread(target=server.shutdown).start())
server.serve_forever()
"""


def prepare(box: Container) -> None:
    certificate(box)
    (box.folder / "app.py").write_text(APP)


def ready(box: Container) -> None:
    expect(box.port, "/index")


def asking(path: str, answer: str = "", body: bytes | None = None) -> Step:
    """Make a step of a request with an expected answer."""

    def ask(box: Container) -> None:
        found = expect(box.port, f"/{path}", method="POST" if body else "GET", body=body).decode()
        assert not answer or found.strip() == answer, found

    return Step(path.replace("_", " "), ask)


@step
def get_a_page(box: Container) -> None:
    assert expect(box.port, "/index") == b"hello"


@step
def get_what_is_not_there(box: Container) -> None:
    expect(box.port, "/none", 404)


@step
def keep_a_connection(box: Container) -> None:
    keep_alive(box.port, "/index", 30)


@executing("python3")
def run_a_child(box: Container) -> None:
    assert expect(box.port, "/child").strip() == b"42"


@executing("/bin/sh", "/usr/bin/cat")
def run_a_shell(box: Container) -> None:
    assert expect(box.port, "/shell").strip() == b"42"


@step
def talk_tls(box: Container) -> None:
    assert expect(box.port2, "/index", tls=True) == b"hello"


@step
def fail_in_a_handler(box: Container) -> None:
    assert b"ValueError" in expect(box.port, "/crash", 500)


@step
def tell_ids(box: Container) -> None:
    assert json.loads(expect(box.port, "/ids"))[0] == 1


@step
def refuse_nonsense(box: Container) -> None:
    assert b"400" in exchange(box.port, b"nonsense\r\n\r\n")
    ready(box)


@step
def bear_a_reset(box: Container) -> None:
    for _ in range(5):
        abort(box.port, b"GET /index HTTP/1.1\r\nHost: x\r\n\r\n")
    ready(box)


@step
def bear_a_half_closed_connection(box: Container) -> None:
    data = b"GET /index HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    assert b"hello" in exchange(box.port, data, finish=True)


@step
def end_many_threads(box: Container) -> None:
    for _ in range(50):
        assert request(box.port, "/index")[0] == 200


@step
def reload(box: Container) -> None:
    box.signal("HUP")
    wait_until((box.folder / "reloaded").exists)


@executing("python3")
def check_health(box: Container) -> None:
    text = f"import urllib.request; urllib.request.urlopen('http://127.0.0.1:{box.port}/index')"
    box.execute(f"/usr/bin/{python()}", "-c", text)


@executing("/bin/sh", "/usr/bin/curl")
def check_health_by_a_shell(box: Container) -> None:
    box.execute("/bin/sh", "-c", f"curl -fsS http://127.0.0.1:{box.port}/index | grep -q hello")


@step
def recover_from_a_crash(box: Container) -> None:
    box.crash()
    expect(box.port, "/store")


@step
def restart(box: Container) -> None:
    box.restart()


WORKLOAD = Workload(
    name="python3",
    packages=(python(), f"{python()}-minimal", f"lib{python()}-stdlib"),
    argv=(f"/usr/bin/{python()}", "/run/app.py", "{port}", "{port2}"),
    scanned=(f"/usr/bin/{python()}",),
    prepare=prepare,
    ready=ready,
    user=1000,
    training=(get_a_page, get_what_is_not_there, asking("store"), keep_a_connection),
    wide=(
        get_a_page,
        get_what_is_not_there,
        asking("store"),
        keep_a_connection,
        asking("spool", body=b"x" * 100000),
        asking("files", "a,b,d,e"),
        asking("archive", "done", b"x" * 100000),
        run_a_child,
        run_a_shell,
        asking("fork", "45"),
        asking("threads", "4950"),
        asking("run_async", "x"),
        asking("fetch", "5"),
        asking("dead", "URLError"),
        asking("udp", "b'x'"),
        asking("six", "done"),
        asking("resolve"),
        asking("mapped", "done"),
        asking("waits", "1"),
        asking("limits", "True"),
        asking("alarm", "True"),
        asking("randomness", "1000"),
        asking("lock", "done"),
        asking("xattr", "FileNotFoundError"),
        talk_tls,
        fail_in_a_handler,
        tell_ids,
        refuse_nonsense,
        bear_a_reset,
        bear_a_half_closed_connection,
        end_many_threads,
        reload,
        check_health,
        check_health_by_a_shell,
        recover_from_a_crash,
        restart,
    ),
)
