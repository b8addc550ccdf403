"""The controller's planning software at the gate: a token of its own (RFC 7523, RFC 9449), and files to ``POST /v1/schedule``."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import httpx
import msgspec

from ecluse import clock, ids
from ecluse.client.credential import ASSERTION_TYPE, JTI_BYTES, Credential
from ecluse.errors import EcluseError

_PATH: Final = "/v1/schedule"
_TOKEN_PATH: Final = "/oauth/token"  # noqa: S105 - an address


class ScheduleRefused(EcluseError):
    """The gate did not take the schedule."""

    code = "schedule-refused"


class ScheduleWaits(ScheduleRefused):
    """The gate keeps the schedule until a second person approves it."""

    code = "schedule-waits"


class Imported(msgspec.Struct, frozen=True, kw_only=True):
    """What an import did. ``counts``: rows by what became of them; ``index``: its entry in the ledger."""

    counts: dict[str, int]
    index: int


class _Token(msgspec.Struct):
    access_token: str


class _Waiting(msgspec.Struct):
    request: str | None = None


class Scheduler:
    """One client with the role of a scheduler."""

    def __init__(self, base_url: str, client_id: str, key_file: Path) -> None:
        """Load the key; nothing is sent yet."""
        self._base_url = base_url
        self._credential = Credential.from_file(client_id, key_file)
        self._http = httpx.AsyncClient(timeout=60)

    async def send(self, file: bytes) -> Imported:
        """Send one CSV file; all of it takes effect, or `ScheduleRefused` is raised with the report's first line, or `ScheduleWaits`."""
        token = await self._token()
        url = self._base_url + _PATH
        headers = {"Authorization": f"DPoP {token}", "DPoP": self._proof(url, token), "Content-Type": "text/csv"}
        answer = await self._http.post(url, content=file, headers=headers)
        if answer.status_code != httpx.codes.OK:
            raise ScheduleRefused(f"HTTP {answer.status_code}: {answer.text[:400]}")
        if msgspec.json.decode(answer.content, type=_Waiting).request is not None:
            raise ScheduleWaits("above the contract's volume of persons")
        return msgspec.json.decode(answer.content, type=Imported)

    async def close(self) -> None:
        """Close the connection."""
        await self._http.aclose()

    async def _token(self) -> str:
        """Ask for a token: one for each file, they are rare."""
        assertion = self._credential.assertion(audience=self._base_url, now=clock.now(), nonce=ids.random_bytes(JTI_BYTES))
        url = self._base_url + _TOKEN_PATH
        form = {"grant_type": "client_credentials", "client_assertion_type": ASSERTION_TYPE, "client_assertion": assertion}
        answer = await self._http.post(url, data=form, headers={"DPoP": self._proof(url, None)})
        if answer.status_code != httpx.codes.OK:
            raise ScheduleRefused(f"no token: HTTP {answer.status_code}")
        return msgspec.json.decode(answer.content, type=_Token).access_token

    def _proof(self, url: str, token: str | None) -> str:
        """Sign a proof for one request."""
        return self._credential.proof(method="POST", url=url, token=token, now=clock.now(), nonce=ids.random_bytes(JTI_BYTES))
