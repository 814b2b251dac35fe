"""A small HTTP server that keeps what it is sent, and answers as told: the other end of webhooks."""

import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qsl, urlsplit


@contextmanager
def receiver(statuses=(), challenges=()):
    """Yields (url, received); `statuses` are the first answers, 200 afterwards.

    What is asked by GET is kept too, with an empty body, and answered by the next of `challenges`, a function of the
    query that returns (status, text); the last one stays.
    """
    received, answers, replies = [], list(statuses), list(challenges)

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"]))
            received.append((self.path, dict(self.headers), body))
            self.send_response(answers.pop(0) if answers else 200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def do_GET(self):
            received.append((self.path, dict(self.headers), b""))
            asked = dict(parse_qsl(urlsplit(self.path).query))
            status, text = (replies.pop(0) if len(replies) > 1 else replies[0])(asked)
            self.send_response(status)
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text.encode())

        def log_message(self, *args, **more):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", received
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
