"""A small internet in a network namespace: names that lead anywhere, servers that remember, and a command that runs in it.

In: `PORTS` of servers as arguments before `--`, the command behind it. Out: the command's own output; what the servers saw,
as JSON, in the file `seen.json`. Names: `public.example` is an address of the public network, `rebound.example` is one the
first time and this machine ever after, `inside.example` and `mapped.example` are addresses that no name may lead to,
`own.example` is a public address that this machine has; `public.example`'s is somebody else's as far as the kernel says.
"""

import base64, ctypes, fcntl, json, os, socket, socketserver, ssl, struct, subprocess, sys, threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

PUBLIC, OWN = "93.184.216.34", "93.184.216.35"
NAMES = {"public": [PUBLIC], "rebound": [PUBLIC, "127.0.0.1"], "inside": ["169.254.169.254"], "mapped": [], "own": [OWN]}
asked, seen = {}, []


def bring_up(interface, address):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        name = interface.encode().ljust(16, b"\0")
        if address != "127.0.0.1":
            fcntl.ioctl(control, 0x8916, name + struct.pack("HH4s8x", socket.AF_INET, 0, socket.inet_aton(address)))
        fcntl.ioctl(control, 0x8914, name + struct.pack("h14x", 0x41))


def route_here(address):
    """Whoever connects there reaches this namespace, and it is no address of any interface."""
    attributes = ((1, socket.inet_aton(address)), (4, struct.pack("I", 1)), (7, socket.inet_aton("127.0.0.1")))
    body = struct.pack("8BI", socket.AF_INET, 32, 0, 0, 255, 4, 254, 2, 0)
    body += b"".join(struct.pack("HH", 4 + len(value), kind) + value for kind, value in attributes)
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0) as control:
        control.send(struct.pack("IHHII", 16 + len(body), 24, 0x405, 1, 0) + body)
        code = struct.unpack("i", control.recv(4096)[16:20])[0]
        if code:
            raise OSError(-code, address)


def lie_over(path, text):
    """Another file in the place of one, for this namespace only. It stays beside the folder: what is gone no sandbox can show."""
    lie = os.path.join("..", os.path.basename(path))
    with open(lie, "w") as file:
        file.write(text)
    if ctypes.CDLL(None, use_errno=True).mount(lie.encode(), path.encode(), None, 4096, None):
        raise OSError(ctypes.get_errno(), path)


class Dns(socketserver.BaseRequestHandler):
    def handle(self):
        data, sender = self.request
        labels, at = [], 12
        while data[at]:
            labels.append(data[at + 1 : at + 1 + data[at]].decode().lower())
            at += 1 + data[at]
        kind = struct.unpack("!H", data[at + 1 : at + 3])[0]
        known = NAMES.get(labels[0]) if labels[-1] == "example" else None
        answers = []
        if kind == 1 and known:
            count = asked[labels[0]] = asked.get(labels[0], 0) + 1
            answers = [socket.inet_aton(known[min(count, len(known)) - 1])]
        if kind == 28 and labels[0] == "mapped":
            answers = [socket.inet_pton(socket.AF_INET6, "::ffff:127.0.0.1")]
        head = data[:2] + struct.pack("!HHHHH", 0x8180 if known is not None else 0x8183, 1, len(answers), 0, 0)
        body = b"".join(b"\xc0\x0c" + struct.pack("!HHIH", kind, 1, 0, len(one)) + one for one in answers)
        sender.sendto(head + data[12 : at + 5] + body, self.client_address)


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
lie_over("/etc/resolv.conf", "nameserver 127.0.0.1\noptions attempts:1 timeout:2\n")
lie_over("/etc/nsswitch.conf", "hosts: dns\n")
dns = socketserver.ThreadingUDPServer(("127.0.0.1", 53), Dns)
servers = [ThreadingHTTPServer(at, Http) for at in ((PUBLIC, 80), (OWN, 80), ("127.0.0.1", 80), ("127.0.0.1", 8080))]
if os.path.exists("server.pem"):
    # Key and certificates of whoever else is there.
    https = ThreadingHTTPServer((PUBLIC, 443), Http)
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain("server.pem")
    https.socket = tls.wrap_socket(https.socket, server_side=True, do_handshake_on_connect=False)
    servers.append(https)
for one in [dns, *servers]:
    threading.Thread(target=one.serve_forever, daemon=True).start()
ended = subprocess.run(sys.argv[1:])
with open("seen.json", "w") as file:
    json.dump({"asked": asked, "seen": seen}, file)
sys.exit(ended.returncode)
