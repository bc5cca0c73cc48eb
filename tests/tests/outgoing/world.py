"""A small internet in a network namespace: names that lead anywhere, servers that remember, and a command that runs in it.

In: `PORTS` of servers as arguments before `--`, the command behind it. Out: the command's own output; what the servers saw,
as JSON, in the file `seen.json`. Names: `public.example` is an address of the public network, `rebound.example` is one the
first time and this machine ever after, `inside.example` and `mapped.example` are addresses that no name may lead to,
`own.example` is a public address that this machine has; `public.example`'s is somebody else's as far as the kernel says.
"""

import base64, json, os, socket, subprocess, sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from internet import bring_up, names, over_tls, route_here, serve

PUBLIC, OWN = "93.184.216.34", "93.184.216.35"
NAMES = {"public": [PUBLIC], "rebound": [PUBLIC, "127.0.0.1"], "inside": ["169.254.169.254"], "mapped": [], "own": [OWN]}
asked, seen = {}, []


def answer(name, kind):
    first = name.partition(".")[0]
    known = NAMES.get(first) if name.endswith("example") else None
    if kind == 1 and known:
        count = asked[first] = asked.get(first, 0) + 1
        return [socket.inet_aton(known[min(count, len(known)) - 1])]
    if kind == 28 and first == "mapped":
        return [socket.inet_pton(socket.AF_INET6, "::ffff:127.0.0.1")]
    return None if known is None else []


class Http(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def answer(self):
        body = self.rfile.read(int(self.headers.get("content-length", 0))).decode()
        address, port = self.server.server_address[:2]
        headers = {name.lower(): value for name, value in self.headers.items()}
        seen.append(dict(at=f"{address}:{port}", method=self.command, path=self.path, headers=headers, body=body))
        secret = headers.get("authorization", "")
        path = self.path.partition("?")[0]
        if path.endswith("/moved"):
            self.send_response(302)
            self.send_header("location", "http://public.example/open/after")
            self.send_header("content-length", "0")
            self.end_headers()
            return
        encoded = base64.b64encode(secret.encode()).decode()
        text = json.dumps({"you said": secret, "or": encoded, "hex": secret.encode().hex()}).encode()
        self.send_response(200)
        self.send_header("x-echo", secret)
        self.send_header("transfer-encoding", "chunked")
        self.send_header("connection", "close")
        self.end_headers()
        # In pieces, so that no chunk has the whole of it.
        for at in range(0, len(text), 3):
            piece = text[at : at + 3]
            self.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece))
            self.wfile.flush()
        self.wfile.write(b"0\r\n\r\n")

    do_GET = do_POST = answer

    def log_message(self, *_):
        pass


bring_up("lo", "127.0.0.1")
bring_up("lo:1", OWN)
route_here(PUBLIC)
names(answer)
for at in ((PUBLIC, 80), (OWN, 80), ("127.0.0.1", 80), ("127.0.0.1", 8080)):
    serve(ThreadingHTTPServer(at, Http))
if os.path.exists("server.pem"):
    # Key and certificates of whoever else is there.
    serve(over_tls(ThreadingHTTPServer((PUBLIC, 443), Http), "server.pem"))
ended = subprocess.run(sys.argv[1:])
with open("seen.json", "w") as file:
    json.dump({"asked": asked, "seen": seen}, file)
sys.exit(ended.returncode)
