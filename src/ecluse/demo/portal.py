"""The controller's portal at the gate: it has made sure who a person is, and asks for a link to that person's own page."""

from __future__ import annotations

from typing import Final

import httpx
import msgspec

from ecluse.demo.scheduler import Scheduler
from ecluse.errors import EcluseError

_PATH: Final = "/v1/usage/links"


class LinkRefused(EcluseError):
    """The gate gave no link."""

    code = "link-refused"


class _Link(msgspec.Struct):
    url: str


class Portal(Scheduler):
    """One client with the role of a portal; it gets its token as the planning software does."""

    async def link(self, register: str, key: list[str]) -> str:
        """Return a person's one-time link: good for ten minutes. Raises `LinkRefused`."""
        token = await self._token()
        url = self._base_url + _PATH
        headers = {"Authorization": f"DPoP {token}", "DPoP": self._proof(url, token), "Content-Type": "application/json"}
        body = msgspec.json.encode({"subject": {"register": register, "key": key}})
        answer = await self._http.post(url, content=body, headers=headers)
        if answer.status_code != httpx.codes.OK:
            raise LinkRefused(f"HTTP {answer.status_code}")
        return msgspec.json.decode(answer.content, type=_Link).url
