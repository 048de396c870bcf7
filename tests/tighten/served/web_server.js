// A web server on /run/web.sock: files, hashes, compression and timers, of its threads and its loop.
const crypto = require("crypto"), fs = require("fs"), http = require("http"), zlib = require("zlib");

function collect(request, then) {
  const parts = [];
  request.on("data", (part) => parts.push(part));
  request.on("end", () => then(Buffer.concat(parts)));
}

const server = http.createServer((request, response) => {
  const { method, url } = request;
  const end = (body) => { response.setHeader("Content-Length", body.length); response.end(body); };
  if (method === "POST" && url === "/hash")
    collect(request, (body) => end(crypto.createHash("sha256").update(body).digest("hex")));
  else if (method === "POST" && url === "/compress")
    collect(request, (body) => zlib.gzip(body, (error, packed) => end(packed)));
  else if (url === "/later")
    setTimeout(() => end("later"), 20);
  else if (url === "/derive")
    crypto.pbkdf2("word", "salt", 1000, 32, "sha256", (error, key) => end(key.toString("hex")));
  else if (url.startsWith("/stream/")) {
    const stream = fs.createReadStream("/run/www/" + url.slice(8));
    stream.on("error", () => { response.statusCode = 404; end(""); });
    stream.pipe(response);
  } else
    fs.readFile("/run/www" + url, (error, data) => {
      if (error) { response.statusCode = 404; end(""); } else end(data);
    });
});
server.listen("/run/web.sock");
process.on("SIGTERM", () => process.exit(0));
