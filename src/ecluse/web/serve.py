"""Serving: Granian around the application, one process. Scale by running more of them; they share nothing but the database."""

from __future__ import annotations

import asyncio
import gc
import signal
import sys
from collections.abc import Callable
from typing import Final

import structlog
import uvloop
from granian.constants import HTTPModes, Interfaces
from granian.http import HTTP1Settings
from granian.server.embed import Server

from ecluse.install import Databases
from ecluse.settings import Installation
from ecluse.web.app import build_app
from ecluse.web.gateway import Gateway, build

_BACKLOG: Final = 1024
_COLLECT_EVERY: Final = 50_000  # objects made and not yet freed: some hundred requests' worth


def set_up_logs() -> None:
    """Write one JSON line an event to standard error: constant event names, allow-listed fields, no personal value."""
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.JSONRenderer(),
        ],
        logger_factory=structlog.WriteLoggerFactory(file=sys.stderr),
        cache_logger_on_first_use=True,
    )


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

    server = Server(
        build_app(make),
        address=settings.host,
        port=settings.port,
        interface=Interfaces.ASGI,
        http=HTTPModes.http1,
        http1_settings=HTTP1Settings(header_read_timeout=10_000),
        websockets=False,
        backlog=_BACKLOG,
        log_enabled=False,
    )
    _calm_collector()
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    serving = asyncio.create_task(server.serve())
    ready()
    ended = asyncio.create_task(stop.wait())
    await asyncio.wait({serving, ended}, return_when=asyncio.FIRST_COMPLETED)
    if not serving.done():
        server.stop()  # type: ignore[no-untyped-call] # granian types its embedded server less than the rest
    await serving
