"""A server on loopback that does one thing to each batch: `python -m benchmarks.server accepts|fails|hangs`."""

import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    behaviour = "accepts"

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        if self.behaviour == "hangs":
            threading.Event().wait()
        self.send_response(200 if self.behaviour == "accepts" else 500)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Say nothing: the standard output belongs to the port number."""


def main(behaviour: str) -> None:
    Handler.behaviour = behaviour
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    print(server.server_port, flush=True)
    sys.stdin.read()  # until whoever asked is gone


if __name__ == "__main__":
    main(*sys.argv[1:])
