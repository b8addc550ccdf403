"""Serving: Granian around the application, one process. Scale by running more of them; they share nothing but the database."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

import uvloop
from prometheus_client import start_http_server

from ecluse.errors import ConfigurationError
from ecluse.install import Databases
from ecluse.listen import listen
from ecluse.settings import Installation
from ecluse.web.app import build_app
from ecluse.web.gateway import Gateway, build

_COLLECT_EVERY: Final = 50_000  # objects made and not yet freed: some hundred requests' worth


def serve(installation: Installation, reached: Databases, *, ready: Callable[[], None] = lambda: None) -> None:
    """Serve until SIGINT or SIGTERM. ``ready`` is called once the gateway is built and the port about to open.

    Raises what `build` raises, before the port opens.
    """
    uvloop.run(_serve(installation, reached, ready))


def _calm_collector() -> None:
    """Look for garbage cycles seldom: a request leaves none, and going through what is under way at every 700 objects took a fifth of the time."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(_COLLECT_EVERY, 20, 50)


async def _serve(installation: Installation, reached: Databases, ready: Callable[[], None]) -> None:
    """Build the gateway first, so that a wrong configuration never opens a port; then serve in this loop."""
    settings = installation.settings
    gateway = await build(installation, reached.database_url, reached.register_url)

    async def make() -> Gateway:
        return gateway

    _calm_collector()
    with _metrics(settings.metrics):
        await listen(build_app(make), host=settings.host, port=settings.port, ready=ready, ending=gateway.leaving.set)


@contextmanager
def _metrics(address: str) -> Iterator[None]:
    """Serve the metrics (labels are codes, never values) at an address of their own: how often what was refused is for the controller alone."""
    if not address:
        yield
        return
    host, _, port = address.rpartition(":")
    try:
        server, thread = start_http_server(int(port), host.strip("[]"))
    except OSError as taken:
        raise ConfigurationError(
            "metrics", f"can't listen at {address} ({taken.strerror})", "Choose another address, or leave it empty"
        ) from taken
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
