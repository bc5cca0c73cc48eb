"""Whoever takes notices, as their own documentation says that they are: a webhook that checks the signature of Standard Webhooks,
and Slack's `chat.postMessage`.

In: a file with key and certificate, the webhook's key (`whsec_...`) or the bot's token, then what each request in turn is answered:
a status, or one of Slack's errors. Out: the port in the first line, then each request as a line of JSON.
"""

import base64, hashlib, hmac, json, ssl, sys, time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

pem, secret, *answers = sys.argv[1:]


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"]))
        is_slack = self.path == "/api/chat.postMessage"
        good = self.is_from_bot() if is_slack else self.is_signed(body)
        print(json.dumps({"good": good, "path": self.path, "headers": dict(self.headers), "body": json.loads(body)}), flush=True)
        answer = answers.pop(0) if answers else "500"
        if is_slack:
            self.answer_as_slack(good, answer, json.loads(body))
        else:
            self.answer(int(answer) if good else 401, {})

    def is_signed(self, body):
        """The scheme's own words: `id.timestamp.payload` by HMAC-SHA256, five minutes of tolerance."""
        said = [self.headers[name] for name in ("webhook-id", "webhook-timestamp", "webhook-signature")]
        if None in said or abs(time.time() - int(said[1])) > 300:
            return False
        key = base64.b64decode(secret.removeprefix("whsec_"))
        content = f"{said[0]}.{said[1]}.".encode() + body
        expected = base64.b64encode(hmac.new(key, content, hashlib.sha256).digest()).decode()
        versions = (one.split(",", 1) for one in said[2].split(" "))
        return any(name == "v1" and hmac.compare_digest(one, expected) for name, one in versions)

    def is_from_bot(self):
        return self.headers["authorization"] == f"Bearer {secret}"

    def answer_as_slack(self, good, answer, post):
        if not good:
            return self.answer(200, {"ok": False, "error": "invalid_auth"})
        if answer == "ratelimited":
            return self.answer(429, {"ok": False, "error": answer})
        if answer != "200":
            return self.answer(200, {"ok": False, "error": answer})
        self.answer(200, {"ok": True, "channel": post["channel"], "ts": "1503435956.000247", "message": {"text": post["text"]}})

    def answer(self, status, value):
        text = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json; charset=utf-8")
        self.send_header("content-length", str(len(text)))
        if status in (429, 503):
            self.send_header("retry-after", "1")
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *_):
        pass


server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(pem)
server.socket = context.wrap_socket(server.socket, server_side=True)
print(server.server_port, flush=True)
server.serve_forever()
