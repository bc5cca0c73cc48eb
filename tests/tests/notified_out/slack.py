"""A stand-in of Slack on the loopback of a network namespace, over TLS, and a command that runs beside it.

In: a file with key and certificate, a file for what was heard, the stand-in's program, then the command. Out: the command's own
output; messages of the channel `general` as Slack's own client reads them, as JSON.
"""

import json, socket, socketserver, subprocess, sys, threading, time

from internet import bring_up, over_tls, serve
from slack_sdk import WebClient

PLAIN = ("127.0.0.1", 4700)
pem, heard, stand_in, *command = sys.argv[1:]


class Front(socketserver.BaseRequestHandler):
    def handle(self):
        behind = socket.create_connection(PLAIN)

        def pass_on(one, other):
            while data := one.recv(65536):
                other.sendall(data)
            other.shutdown(socket.SHUT_WR) if other is behind else other.close()

        there = threading.Thread(target=pass_on, args=(self.request, behind), daemon=True)
        there.start()
        pass_on(behind, self.request)


class Server(socketserver.ThreadingTCPServer):
    daemon_threads = True


def is_up():
    try:
        socket.create_connection(PLAIN).close()
        return True
    except OSError:
        return False


bring_up("lo", "127.0.0.1")
started = ["node", stand_in, "start", "--service", "slack", "--port", str(PLAIN[1])]
slack = subprocess.Popen(started, stdout=subprocess.DEVNULL)
try:
    until = time.monotonic() + 120
    while not is_up():
        if slack.poll() is not None or time.monotonic() > until:
            sys.exit("the stand-in does not listen")
        time.sleep(0.05)
    serve(over_tls(Server(("127.0.0.1", 4701), Front), pem))
    ended = subprocess.run(command)
    client = WebClient(token="test_token_admin", base_url="http://127.0.0.1:4700/api/")
    general = next(one["id"] for one in client.conversations_list()["channels"] if one["name"] == "general")
    messages = client.conversations_history(channel=general, include_all_metadata=True)["messages"]
    with open(heard, "w") as file:
        json.dump([one for one in messages if one.get("metadata")], file)
finally:
    slack.kill()
    slack.wait()
sys.exit(ended.returncode)
