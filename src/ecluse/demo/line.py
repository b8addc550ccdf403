"""The line between a processor and the gate, on which things go wrong: an answer gets lost, a request is overheard.

The gate and the client are the real ones; what is made up is the weather.
"""

from __future__ import annotations

from typing import Final

import httpx
import msgspec

DISCLOSURES: Final = "/v1/disclosures"


class Overheard(msgspec.Struct, frozen=True, kw_only=True):
    """A whole request for a disclosure, as somebody on the line would have it: headers with token and proof, and the body."""

    headers: dict[str, str]
    body: bytes

    def __repr__(self) -> str:
        """Show neither token nor proof."""
        return "Overheard()"


class _Receipt(msgspec.Struct):
    """The part of a lost answer that is remembered: its entry's index, nothing of the person."""

    index: int


class _Answer(msgspec.Struct):
    receipt: _Receipt


class Line(httpx.AsyncBaseTransport):
    """Carries requests. ``lose_next``: drop the next disclosure's answer after the gate sent it; ``lost``: index of the entry it was for."""

    def __init__(self) -> None:
        """Open nothing yet."""
        self._wire = httpx.AsyncHTTPTransport(limits=httpx.Limits(max_connections=32, max_keepalive_connections=32))
        self.lose_next = False
        self.lost: int | None = None
        self.overheard: Overheard | None = None

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send one request; overhear it if it asks for a person."""
        if request.url.path == DISCLOSURES:
            names = ("authorization", "dpop", "content-type", "idempotency-key")
            headers = {name: request.headers[name] for name in names if name in request.headers}
            self.overheard = Overheard(headers=headers, body=request.content)
        response = await self._wire.handle_async_request(request)
        if self.lose_next and request.url.path == DISCLOSURES and response.status_code == httpx.codes.OK:
            self.lose_next = False
            self.lost = msgspec.json.decode(await response.aread(), type=_Answer).receipt.index
            await response.aclose()
            raise httpx.ReadError("the answer was lost on the line", request=request)
        return response

    async def aclose(self) -> None:
        """Close the connections."""
        await self._wire.aclose()
