"""The controller's portal as a test drives it, and a verifier of the proofs that it hands on: written from the public formats alone."""

from __future__ import annotations

import asyncio
import json
from base64 import b64decode
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any, Final

import httpx

from tests.agency import Agency, Machine
from tests.e2e.outsider import Outsider, is_included, read_checkpoint, recomputed_leaf_hash, shown_fields

PATH: Final = "/v1/usage"
FIRST_LINE: Final = "c2sp.org/tlog-proof@v1"


@asynccontextmanager
async def portal_of(agency: Agency, machine: Machine | None = None) -> AsyncIterator[Outsider]:
    """Register a portal (or take ``machine``) and get its token."""
    known = machine or await agency.machine(None, "portal")
    async with Outsider(agency.public_url, known.id, known.key) as portal:
        yield portal


def body_of(person: int | str, **more: Any) -> dict[str, Any]:
    """Write the body that asks for a person."""
    return {"subject": {"register": "ofii", "key": [str(person)]}, "language": "en"} | more


async def record_of(portal: Outsider, person: int | str, **more: Any) -> dict[str, Any]:
    """Ask for a person's record and return the answer."""
    answer = await portal.call("POST", PATH, body=body_of(person, **more))
    assert answer.status_code == httpx.codes.OK, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def disclosures_of(portal: Outsider, person: int | str, **more: Any) -> list[dict[str, Any]]:
    """Return the lines of a person's record that are disclosures."""
    return [line for line in (await record_of(portal, person, **more))["usages"] if line["kind"] != "record-shown"]


async def proven(portal: Outsider, person: int | str, lines: int) -> list[dict[str, Any]]:
    """Return that many newest disclosures once each has its proof."""
    for _ in range(60):
        found = (await disclosures_of(portal, person, limit=100))[:lines]
        if len(found) == lines and all(line["proof"] for line in found):
            return found
        await asyncio.sleep(0.25)
    raise AssertionError("no checkpoint covered the lines")


def check_proof(proof: str, vkey: str) -> tuple[int, Mapping[str, Any]]:
    """Verify a C2SP tlog-proof by the log's key; return the index and the fields that its opening shows."""
    head, _, note = proof.partition("\n\n")
    first, extra, index, *hashes = head.split("\n")
    assert first == FIRST_LINE
    assert extra.startswith("extra ")
    assert index.startswith("index ")
    held = json.loads(b64decode(extra.removeprefix("extra "), validate=True))
    assert set(held) == {"opening", "v"}
    _, size, root = read_checkpoint(note, vkey)
    number = int(index.removeprefix("index "))
    leaf = bytes.fromhex(recomputed_leaf_hash(held["opening"]))
    assert is_included(number, size, leaf, [b64decode(each, validate=True) for each in hashes], root)
    return number, shown_fields(held["opening"])
