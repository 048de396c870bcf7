"""A Node.js web application: streams, worker threads, a cluster, child processes, crypto, TLS."""

from __future__ import annotations

from bench.profiles.clients import (
    abort,
    certificate,
    exchange,
    expect,
    keep_alive,
    pipelined,
    request,
)
from bench.profiles.container import Container, wait_until
from bench.profiles.workload import Step, Workload, executing, step

APP = r"""
const [port, tls] = process.argv.slice(2).map(Number);
const fs = require('fs'), http = require('http'), https = require('https'), os = require('os');
const crypto = require('crypto'), zlib = require('zlib'), net = require('net'), dgram = require('dgram');
const { Worker, isMainThread } = require('worker_threads'), child = require('child_process');
const { pipeline } = require('stream/promises'), path = require('path'), dns = require('dns');
const promise = (action) => new Promise((yes, no) => action((e, v) => e ? no(e) : yes(v)));
const actions = {
  index: async () => 'hello',
  spool: async (body) => { await fs.promises.writeFile('/run/spool', body);
    return String((await fs.promises.stat('/run/spool')).size); },
  hash: async (body) => crypto.createHash('sha256').update(body).digest('hex'),
  derive: async () => (await promise(f => crypto.scrypt('a', 'b', 16, f))).toString('hex'),
  keys: async () => typeof (await promise(f => crypto.generateKeyPair('ec', {namedCurve: 'P-256'}, f))),
  random: async () => String((await promise(f => crypto.randomBytes(100, f))).length),
  compress: async (body) => String((await promise(f => zlib.gzip(body, f))).length > 0),
  files: async () => { const d = await fs.promises.mkdtemp('/tmp/x-'), p = n => path.join(d, n);
    await fs.promises.writeFile(p('a'), 'a'); await fs.promises.symlink('a', p('b'));
    await fs.promises.link(p('a'), p('c')); await fs.promises.rename(p('c'), p('d'));
    await fs.promises.copyFile(p('a'), p('e')); await fs.promises.chmod(p('e'), 0o600);
    await fs.promises.utimes(p('e'), 1, 1); await fs.promises.truncate(p('d'), 0);
    await fs.promises.appendFile(p('e'), 'more'); await fs.promises.readlink(p('b'));
    await fs.promises.access(p('a')); await fs.promises.realpath(p('b'));
    const h = await fs.promises.open(p('e'), 'r+'); await h.sync(); await h.datasync();
    await h.writev([Buffer.from('1'), Buffer.from('2')]); await h.close();
    const names = (await fs.promises.readdir(d)).sort().join();
    await fs.promises.rm(d, {recursive: true}); return names; },
  stream: async () => { await fs.promises.writeFile('/run/s', Buffer.alloc(3 << 20));
    await pipeline(fs.createReadStream('/run/s'), zlib.createGzip(), fs.createWriteStream('/run/s.gz'));
    return String(fs.existsSync('/run/s.gz')); },
  watch: async () => { fs.writeFileSync('/run/w', '1'); const w = fs.watch('/run/w');
    setTimeout(() => fs.writeFileSync('/run/w', '2'), 20);
    await new Promise(f => w.once('change', f)); w.close(); return 'seen'; },
  worker: async () => { const w = new Worker("require('worker_threads').parentPort.postMessage(42)",
    {eval: true}); const v = await new Promise(f => w.once('message', f)); await w.terminate();
    return String(v); },
  child: async () => (await promise(f => child.execFile(process.execPath, ['-p', '6 * 7'], f))),
  shell: async () => (await promise(f => child.exec('echo $((6 * 7)) | cat', f))),
  fetch: async () => (await new Promise((f, g) => http.get({port, path: '/index'}, r => { r.resume();
    r.on('end', () => f(String(r.statusCode))); }).on('error', g))),
  dead: async () => new Promise(f => http.get({port: 9}).on('error', e => f(e.code))),
  secure: async () => new Promise((f, g) => https.get({port: tls, path: '/index',
    rejectUnauthorized: false}, r => { r.resume(); r.on('end', () => f('done')); }).on('error', g)),
  udp: async () => new Promise(f => { const s = dgram.createSocket('udp4'); s.bind(0, '127.0.0.1', () =>
    s.send('x', s.address().port, '127.0.0.1')); s.on('message', m => { s.close(); f(String(m)); }); }),
  unix: async () => new Promise(f => { const s = net.createServer(c => c.end('x')).listen('/run/u' +
    Date.now(), () => net.connect(s.address()).on('data', d => { s.close(); f(String(d)); })); }),
  resolve: async () => (await dns.promises.lookup('localhost')).address,
  info: async () => String(os.cpus().length > 0 && os.freemem() > 0 && os.hostname() !== '' &&
    os.networkInterfaces() !== null && process.memoryUsage().rss > 0 && os.uptime() > 0 &&
    os.userInfo().uid === 1000 && process.cpuUsage().user > 0 && process.umask() >= 0),
  gc: async () => { let x = []; for (let i = 0; i < 3e6; i++) x.push({i}); x = null;
    if (global.gc) global.gc(); return 'done'; },
  hot: async () => { let s = 0; const f = n => n * 2 + 1; for (let i = 0; i < 2e7; i++) s += f(i) & 1;
    return String(s); },
  wasm: async () => { const m = new Uint8Array([0,97,115,109,1,0,0,0,1,5,1,96,0,1,127,3,2,1,0,7,5,1,1,
    102,0,0,10,6,1,4,0,65,42,11]); return String((await WebAssembly.instantiate(m)).instance.exports.f()); },
  priority: async () => String(os.getPriority() >= -20),
  throw: async () => { throw new Error('as asked'); },
  report: async () => { process.report.directory = '/run'; return String(process.report.writeReport().length > 0); },
};
const handler = (request, response) => { const parts = []; request.on('data', d => parts.push(d));
  request.on('end', async () => { let status = 200, text; const action = actions[request.url.slice(1)];
    try { text = action ? await action(Buffer.concat(parts)) : (status = 404, 'none'); }
    catch (e) { status = 500; text = String(e); }
    response.writeHead(status); response.end(text); }); };
const one = http.createServer(handler).listen(port, '127.0.0.1');
const two = https.createServer({key: fs.readFileSync('/run/key.pem'), cert: fs.readFileSync('/run/cert.pem')},
  handler).listen(tls, '127.0.0.1');
process.on('SIGHUP', () => fs.writeFileSync('/run/reloaded', ''));
process.on('SIGTERM', () => { one.close(); two.close(); setTimeout(() => process.exit(0), 300); });
"""


def prepare(box: Container) -> None:
    certificate(box)
    (box.folder / "app.js").write_text(APP)


def ready(box: Container) -> None:
    expect(box.port, "/index")


def asking(path: str, answer: str = "", body: bytes | None = None) -> Step:
    """Make a step of a request with an expected answer."""

    def ask(box: Container) -> None:
        found = expect(box.port, f"/{path}", method="POST" if body else "GET", body=body).decode()
        assert not answer or found.strip() == answer, found

    return Step(path, ask)


@step
def get_a_page(box: Container) -> None:
    assert expect(box.port, "/index") == b"hello"


@step
def get_what_is_not_there(box: Container) -> None:
    expect(box.port, "/none", 404)


@step
def keep_a_connection(box: Container) -> None:
    keep_alive(box.port, "/index", 30)


@step
def pipeline(box: Container) -> None:
    pipelined(box.port, "/index", 5)


@executing("/usr/bin/node")
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
    expect(box.port, "/throw", 500)


@step
def refuse_nonsense(box: Container) -> None:
    assert b"400" in exchange(box.port, b"\1\2 nonsense\r\n\r\n")


@step
def bear_a_reset(box: Container) -> None:
    for _ in range(5):
        abort(box.port, b"GET /index HTTP/1.1\r\nHost: x\r\n\r\n")
    ready(box)


@step
def bear_a_half_closed_connection(box: Container) -> None:
    data = b"GET /index HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    assert b"HTTP/1.1" in exchange(box.port, data, finish=True)


@step
def upload_a_large_body(box: Container) -> None:
    assert expect(box.port, "/spool", method="POST", body=b"x" * (4 << 20)) == b"4194304"


@step
def serve_many_requests(box: Container) -> None:
    for _ in range(50):
        assert request(box.port, "/index")[0] == 200


@step
def reload(box: Container) -> None:
    box.signal("HUP")
    wait_until((box.folder / "reloaded").exists)


@executing("/usr/bin/node")
def check_health(box: Container) -> None:
    text = f"fetch('http://127.0.0.1:{box.port}/index').then(r => process.exit(r.ok ? 0 : 1))"
    box.execute("/usr/bin/node", "-e", text)


@executing("/bin/sh", "/usr/bin/curl")
def check_health_by_a_shell(box: Container) -> None:
    box.execute("/bin/sh", "-c", f"curl -fsS http://127.0.0.1:{box.port}/index | grep -q hello")


@step
def recover_from_a_crash(box: Container) -> None:
    box.crash()


@step
def restart(box: Container) -> None:
    box.restart()


WORKLOAD = Workload(
    name="nodejs",
    packages=(
        "nodejs",
        "libnode115",
        "node-undici",
        "node-acorn",
        "node-cjs-module-lexer",
        "node-minimatch",
    ),
    argv=("/usr/bin/node", "/run/app.js", "{port}", "{port2}"),
    scanned=("/usr/bin/node",),
    prepare=prepare,
    ready=ready,
    user=1000,
    training=(get_a_page, get_what_is_not_there, keep_a_connection, asking("hash", body=b"x")),
    wide=(
        get_a_page,
        get_what_is_not_there,
        keep_a_connection,
        asking("hash", body=b"x"),
        pipeline,
        asking("spool", "1000", b"x" * 1000),
        asking("derive"),
        asking("keys"),
        asking("random", "100"),
        asking("compress", "true", b"x" * 100000),
        asking("files", "a,b,d,e"),
        asking("stream", "true"),
        asking("watch", "seen"),
        asking("worker", "42"),
        run_a_child,
        run_a_shell,
        asking("fetch", "200"),
        asking("dead", "ECONNREFUSED"),
        asking("secure", "done"),
        asking("udp", "x"),
        asking("unix", "x"),
        asking("resolve", "127.0.0.1"),
        asking("info", "true"),
        asking("gc", "done"),
        asking("hot"),
        asking("wasm", "42"),
        asking("priority", "true"),
        asking("report", "true"),
        talk_tls,
        fail_in_a_handler,
        refuse_nonsense,
        bear_a_reset,
        bear_a_half_closed_connection,
        upload_a_large_body,
        serve_many_requests,
        reload,
        check_health,
        check_health_by_a_shell,
        recover_from_a_crash,
        restart,
    ),
)
