"""What the acts of the console share: whose page it is, and how one is sent on after an act with the number of its entry."""

from __future__ import annotations

from typing import TYPE_CHECKING

from litestar.exceptions import NotFoundException

from ecluse.web.console.state import console_of, reading
from ecluse.web.pages.frame import see

if TYPE_CHECKING:
    from litestar import Response

    from ecluse.web.console.governed import Governed
    from ecluse.web.gateway import Gateway, HttpRequest


async def known_processor(request: HttpRequest, gateway: Gateway, processor: str) -> Governed:
    """Return a processor. Raises `NotFoundException` for one that is not there."""
    async with reading(gateway) as connection:
        _, everybody = await console_of(request, gateway).register.read(connection, gateway.log_id)
    found = everybody.processors.get(processor)
    if found is None:
        raise NotFoundException
    return found


def done(path: str, notice: str, entry: int | None = None) -> Response[str]:
    """Send the browser on after an act. ``entry``: the number of its sealed entry, which the notice says."""
    return see(path, notice if entry is None else f"{notice}.{entry}")
