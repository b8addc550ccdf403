"""Listening: Granian around one ASGI application, in this process and this event loop, until it is told to stop; and the lines it logs."""

from __future__ import annotations

import asyncio
import signal
import socket
import sys
from collections.abc import Callable
from typing import Any, Final

import structlog
from granian.constants import HTTPModes, Interfaces
from granian.http import HTTP1Settings
from granian.server.embed import Server

from ecluse.errors import ConfigurationError

_BACKLOG: Final = 1024


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


def require_free_port(host: str, port: int) -> None:
    """Refuse a port that another program has, before anything is opened."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(found[0], socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(found[4])
    except OSError as taken:
        raise ConfigurationError(
            f"{host}:{port}", f"can't listen there ({taken.strerror})", "Choose another --host or --port"
        ) from taken


async def listen(
    app: Callable[..., Any], *, host: str, port: int, ready: Callable[[], None], ending: Callable[[], None] = lambda: None
) -> None:
    """Serve until SIGINT or SIGTERM, and let what is under way finish.

    ``ready`` is called when the port is about to open, ``ending`` when the end was asked for: what would never finish by itself has to end then.
    """
    server = Server(
        app,
        address=host,
        port=port,
        interface=Interfaces.ASGI,
        http=HTTPModes.http1,
        http1_settings=HTTP1Settings(header_read_timeout=10_000),
        websockets=False,
        backlog=_BACKLOG,
        log_enabled=False,
    )
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    serving = asyncio.create_task(server.serve())
    ready()
    ended = asyncio.create_task(stop.wait())
    await asyncio.wait({serving, ended}, return_when=asyncio.FIRST_COMPLETED)
    ending()
    if not serving.done():
        server.stop()  # type: ignore[no-untyped-call] # granian types its embedded server less than the rest
    await serving
