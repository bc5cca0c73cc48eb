"""A network namespace as a small internet: addresses of others, names that lead to them, files that lie over the machine's.

Whoever uses it says `answer(name, kind)`: the addresses of a name as bytes, or none if nobody has that name.
"""

import ctypes, fcntl, os, socket, socketserver, ssl, struct, threading


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
        known = self.server.answer(".".join(labels), kind)
        answers = known or []
        head = data[:2] + struct.pack("!HHHHH", 0x8180 if known is not None else 0x8183, 1, len(answers), 0, 0)
        body = b"".join(b"\xc0\x0c" + struct.pack("!HHIH", kind, 1, 0, len(one)) + one for one in answers)
        sender.sendto(head + data[12 : at + 5] + body, self.client_address)


def names(answer):
    """Serves names to this namespace."""
    lie_over("/etc/resolv.conf", "nameserver 127.0.0.1\noptions attempts:1 timeout:2\n")
    lie_over("/etc/nsswitch.conf", "hosts: dns\n")
    dns = socketserver.ThreadingUDPServer(("127.0.0.1", 53), Dns)
    dns.answer = answer
    serve(dns)


def over_tls(server, pem):
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(pem)
    server.socket = tls.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    return server


def serve(server):
    threading.Thread(target=server.serve_forever, daemon=True).start()
