"""Attacks that need a browser: pages of others that send or frame ours, names that are markup, a cookie or a key that is carried off."""

from __future__ import annotations

import http.server
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

pytestmark = [pytest.mark.web, pytest.mark.asyncio(loop_scope="module")]


@contextmanager
def elsewhere(page: str) -> Iterator[str]:
    """Serve one page on another port of localhost: another origin of the same site, where ``SameSite`` keeps no cookie back."""
    content = page.encode()

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("content-type", "text/html; charset=utf-8")
            self.send_header("content-length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, format: str, *args: object) -> None:
            """Print nothing."""

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        try:
            yield f"http://localhost:{server.server_port}/"
        finally:
            server.shutdown()
            thread.join()
