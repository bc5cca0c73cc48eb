"""Answers every request with one stream of events, and says what came.

`recorder.py CERT KEY ANSWER`: prints its port, then of each request path, headers and body as a line of JSON.
"""

import http.server
import json
import ssl
import sys

cert, key, answer = sys.argv[1:4]


class Recorder(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        headers = {name.lower(): value for name, value in self.headers.items()}
        print(json.dumps([self.path, headers, body]), flush=True)
        with open(answer, "rb") as file:
            stream = file.read()
        self.send_response(200)
        self.send_header("content-type", "text/event-stream")
        self.send_header("content-length", str(len(stream)))
        self.end_headers()
        self.wfile.write(stream)

    def log_message(self, *_):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Recorder)
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(cert, key)
server.socket = context.wrap_socket(server.socket, server_side=True)
print(server.server_port, flush=True)
server.serve_forever()
