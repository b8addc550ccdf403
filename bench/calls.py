"""The requests of one run, ready to be sent: for the gate with a fresh DPoP proof each, for the bare service as they are.

Proofs live 60 seconds, so they are signed just before the run, by the client library's own credential, in as many processes as there are
processors. Signing is a processor's work, on its own machine: it is outside the measurement.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Final

import httpx
import msgspec

from bench.agency import ATTRIBUTES, Agency, Place
from ecluse import clock
from ecluse.client.credential import ASSERTION_TYPE, Credential
from ecluse.ids import random_bytes
from ecluse.web.disclose import PATH

_SIZE_BYTES: Final = 4


class Work(msgspec.Struct, frozen=True, kw_only=True):
    """What one signing process is to do: one client's places."""

    base_url: str
    client: str
    pem: bytes
    token: str
    places: tuple[Place, ...]


def fetch_tokens(agency: Agency, folder: Path, base_url: str) -> dict[str, str]:
    """Return an access token for each client, from the token endpoint."""
    tokens: dict[str, str] = {}
    url = f"{base_url}/oauth/token"
    with httpx.Client() as http:
        for client in agency.clients:
            credential = Credential.from_file(client.id, folder / f"{client.id}.pem")
            form = {
                "grant_type": "client_credentials",
                "client_assertion_type": ASSERTION_TYPE,
                "client_assertion": credential.assertion(audience=base_url, now=clock.now(), nonce=random_bytes(16)),
            }
            proof = credential.proof(method="POST", url=url, token=None, now=clock.now(), nonce=random_bytes(16))
            answer = http.post(url, data=form, headers={"DPoP": proof})
            answer.raise_for_status()
            tokens[client.id] = answer.json()["access_token"]
    return tokens


def gate_requests(agency: Agency, folder: Path, base_url: str, tokens: Mapping[str, str], places: Sequence[Place]) -> list[bytes]:
    """Return one signed ``POST /v1/disclosures`` a place, in the order of ``places``."""
    work: list[Work] = []
    ranks: list[int] = []
    for client in agency.clients:
        mates = [each.id for each in agency.clients if each.processor == client.processor]
        turn = mates.index(client.id)
        mine = [rank for rank, place in enumerate(places) if place.processor == client.processor and rank % len(mates) == turn]
        ranks += mine
        pem = (folder / f"{client.id}.pem").read_bytes()
        chosen = tuple(places[rank] for rank in mine)
        work.append(Work(base_url=base_url, client=client.id, pem=pem, token=tokens[client.id], places=chosen))
    requests = [b""] * len(places)
    with ProcessPoolExecutor(os.cpu_count()) as pool:
        signed = [request for part in pool.map(_sign, work) for request in part]
    for rank, request in zip(ranks, signed, strict=True):
        requests[rank] = request
    return requests


def _sign(work: Work) -> list[bytes]:
    """Write the requests of one client."""
    credential = Credential(work.client, work.pem)
    url, host = work.base_url + PATH, work.base_url.partition("//")[2]
    now = clock.now()
    requests = []
    for place in work.places:
        proof = credential.proof(method="POST", url=url, token=work.token, now=now, nonce=random_bytes(16))
        body = msgspec.json.encode({"appointment": place.handle, "agent": place.agent, "attributes": ATTRIBUTES})
        head = (
            f"POST {PATH} HTTP/1.1\r\nhost: {host}\r\nauthorization: DPoP {work.token}\r\ndpop: {proof}\r\n"
            f"idempotency-key: {random_bytes(16).hex()}\r\ncontent-type: application/json\r\naccept: application/json\r\n"
            f"content-length: {len(body)}\r\n\r\n"
        )
        requests.append(head.encode("ascii") + body)
    return requests


def bare_requests(base_url: str, places: Sequence[Place]) -> list[bytes]:
    """Return one ``GET /people/{id}`` a place."""
    host = base_url.partition("//")[2]
    return [
        f"GET /people/{place.person} HTTP/1.1\r\nhost: {host}\r\naccept: application/json\r\n\r\n".encode() for place in places
    ]


def write_requests(path: Path, requests: Sequence[bytes]) -> None:
    """Write requests for the load process: each after its length."""
    with path.open("wb") as file:
        for request in requests:
            file.write(len(request).to_bytes(_SIZE_BYTES, "big") + request)


def read_requests(path: Path) -> list[bytes]:
    """Read what `write_requests` wrote."""
    data = path.read_bytes()
    requests, at = [], 0
    while at < len(data):
        size = int.from_bytes(data[at : at + _SIZE_BYTES], "big")
        requests.append(data[at + _SIZE_BYTES : at + _SIZE_BYTES + size])
        at += _SIZE_BYTES + size
    return requests
