"""Whoever takes notices: a webhook that asks Standard Webhooks' own library about its signature, and Slack's `chat.postMessage`
as its documentation says that it is.

In: a file with key and certificate, the webhook's key (`whsec_...`) or the bot's token, then what each request in turn is answered:
a status, or one of Slack's errors. Out: the port in the first line, then each request as a line of JSON.
"""

import json, ssl, sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from standardwebhooks import Webhook, WebhookVerificationError

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
        try:
            Webhook(secret).verify(body, dict(self.headers))
            return True
        except WebhookVerificationError:
            return False

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
