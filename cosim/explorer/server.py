"""Serves one page to this machine's browsers: on the loopback address alone, nothing else than the page."""

from __future__ import annotations

from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from netlists.errors import ToolkitError

LOOPBACK = "127.0.0.1"


def server_of(text: str, port: int) -> ThreadingHTTPServer:
    """A server of one page, on a free port for 0; `ToolkitError` if the port is taken."""
    body = text.encode()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            # Another site's page that names this machine as its own gets nothing.
            ours = (self.headers.get("Host") or "").rpartition(":")[0] in (LOOPBACK, "localhost")
            found = ours and self.path == "/"
            self.send_response(200 if found else 404)
            self.send_header("Content-Type", "text/html; charset=utf-8")
            self.send_header("Content-Length", str(len(body) if found else 0))
            self.end_headers()
            if found:
                self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            """Says nothing of each request."""

    try:
        return ThreadingHTTPServer((LOOPBACK, port), Handler)
    except (OSError, OverflowError) as e:
        raise ToolkitError(
            f"port={port}: cannot be listened on ({getattr(e, 'strerror', None) or e}); choose another port"
        ) from None


def serve(text: str, port: int, say: Callable[[str], None]) -> None:
    """Serves a page until Ctrl-C."""
    with server_of(text, port) as server:
        say(f"http://{LOOPBACK}:{server.server_address[1]}/ (Ctrl-C ends it)")
        server.serve_forever()
