"""PyPI, crates.io and npm in a network namespace, by their own names and over TLS, and a command that runs among them.

In: a folder of wheels, then the command. `server.pem` has a certificate for the names. The package of crates and the one of npm
are made here, empty but for a word; `package-lock.json` is written for the latter. Out: the command's own output; which hosts
were asked for what, in the file `seen.json`.
"""

import base64, gzip, hashlib, io, json, os, re, socket, subprocess, sys, tarfile
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from internet import bring_up, names, over_tls, route_here, serve

PUBLIC = "93.184.216.34"
HOSTS = ("pypi.org", "files.pythonhosted.org", "index.crates.io", "static.crates.io", "registry.npmjs.org")
WHEELS = sys.argv[1]
seen = []


def packed(files):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        for name, text in files.items():
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(text.encode()), 0o644
            archive.addfile(entry, io.BytesIO(text.encode()))
    return gzip.compress(out.getvalue(), mtime=0)


CRATE = packed({
    "tinything-1.0.0/Cargo.toml": "[package]\nname = \"tinything\"\nversion = \"1.0.0\"\nedition = \"2021\"\n",
    "tinything-1.0.0/src/lib.rs": "pub const SAID: &str = \"tiny\";\n",
})
NPM = packed({
    "package/package.json": json.dumps({"name": "tinything", "version": "1.0.0", "main": "index.js"}),
    "package/index.js": "module.exports = 'tiny';\n",
})
TARBALL = "https://registry.npmjs.org/tinything/-/tinything-1.0.0.tgz"


def page(name):
    """One of the simple index."""
    lines = []
    for file in sorted(os.listdir(WHEELS)):
        if re.sub(r"[-_.]+", "-", file.split("-")[0]).lower() == name:
            with open(os.path.join(WHEELS, file), "rb") as wheel:
                digest = hashlib.sha256(wheel.read()).hexdigest()
            lines.append(f'<a href="https://files.pythonhosted.org/packages/{file}#sha256={digest}">{file}</a>')
    return ("<!DOCTYPE html><html><body>" + "\n".join(lines) + "</body></html>").encode() if lines else None


def found(host, path):
    """Type and bytes of what is there."""
    last = path.rstrip("/").rpartition("/")[2]
    if host == "pypi.org" and path.startswith("/simple/"):
        return "text/html", page(last)
    if host == "files.pythonhosted.org" and last in os.listdir(WHEELS):
        with open(os.path.join(WHEELS, last), "rb") as wheel:
            return "application/octet-stream", wheel.read()
    if (host, path) == ("index.crates.io", "/config.json"):
        return "application/json", json.dumps({"dl": "https://static.crates.io/crates"}).encode()
    if (host, path) == ("index.crates.io", "/ti/ny/tinything"):
        digest = hashlib.sha256(CRATE).hexdigest()
        line = {"name": "tinything", "vers": "1.0.0", "deps": [], "cksum": digest, "features": {}, "yanked": False}
        return "text/plain", json.dumps(line).encode() + b"\n"
    if (host, path) == ("static.crates.io", "/crates/tinything/1.0.0/download"):
        return "application/gzip", CRATE
    if host == "registry.npmjs.org" and path.endswith(".tgz"):
        return "application/octet-stream", NPM
    return "text/plain", None


class Registry(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        host, path = self.headers["host"].partition(":")[0], self.path.partition("?")[0]
        seen.append([host, path])
        kind, body = found(host, path)
        self.send_response(200 if body is not None else 404)
        self.send_header("content-type", kind)
        self.send_header("content-length", str(len(body or b"")))
        self.end_headers()
        self.wfile.write(body or b"")

    def log_message(self, *_):
        pass


with open("package-lock.json", "w") as file:
    integrity = "sha512-" + base64.b64encode(hashlib.sha512(NPM).digest()).decode()
    packages = {"": {"dependencies": {"tinything": "1.0.0"}}}
    packages["node_modules/tinything"] = {"version": "1.0.0", "resolved": TARBALL, "integrity": integrity}
    json.dump({"name": "app", "lockfileVersion": 3, "requires": True, "packages": packages}, file)
bring_up("lo", "127.0.0.1")
route_here(PUBLIC)
names(lambda name, kind: None if name not in HOSTS else [socket.inet_aton(PUBLIC)] if kind == 1 else [])
serve(over_tls(ThreadingHTTPServer((PUBLIC, 443), Registry), "server.pem"))
ended = subprocess.run(sys.argv[2:])
with open("seen.json", "w") as file:
    json.dump(seen, file)
sys.exit(ended.returncode)
