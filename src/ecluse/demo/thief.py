"""Somebody who overheard a request: with the token but without its key, and with the whole request."""

from __future__ import annotations

import httpx

from ecluse import clock, ids
from ecluse.client.credential import JTI_BYTES, Credential
from ecluse.demo.line import DISCLOSURES, Overheard
from ecluse.identity import generate_private


async def use_token(base_url: str, overheard: Overheard) -> str:
    """Use the token with a key of one's own; return the gate's answer in a word."""
    token = overheard.headers["authorization"].partition(" ")[2]
    own = Credential(ids.new_id("cli"), generate_private("ES256"))
    url = base_url + DISCLOSURES
    proof = own.proof(method="POST", url=url, token=token, now=clock.now(), nonce=ids.random_bytes(JTI_BYTES))
    return await _post(url, {**overheard.headers, "dpop": proof}, overheard.body)


async def send_again(base_url: str, overheard: Overheard) -> str:
    """Send the whole request once more, byte for byte; return the gate's answer in a word."""
    return await _post(base_url + DISCLOSURES, overheard.headers, overheard.body)


async def _post(url: str, headers: dict[str, str], body: bytes) -> str:
    """Send, and return a problem's code, or ``granted``."""
    async with httpx.AsyncClient() as http:
        answer = await http.post(url, headers=headers, content=body)
    if answer.status_code == httpx.codes.OK:
        return "granted"
    return str(answer.json().get("type", "")).rpartition("/problems/")[2]
