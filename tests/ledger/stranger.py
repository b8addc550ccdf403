"""Who reads all that anybody may read of a gate, and guesses: a stranger, and a dictionary attacker who knows every field's value and no salt.

From the public interface alone: nothing of Écluse is imported.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import httpx
import rfc8785

from tests.e2e.outsider import tree_root

WORD: Final = "a" * 26
_SHOWN_HEADERS: Final = {"date", "content-length", "connection"}
"""Shown another way, or of the line alone: a server hangs up where it answered before it had read the whole request (RFC 9112 §9.6)."""

_VARIES: Final = re.compile(r"[A-Za-z0-9_-]{43,}={0,2}|[0-9a-f]{32,}")


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What came back: status, header fields, bytes."""

    status: int
    headers: dict[str, str]
    body: bytes

    def shape(self) -> tuple[int, dict[str, str], int]:
        """Return all of it but the hour and the bytes themselves, of which the number counts."""
        return self.status, {name: value for name, value in self.headers.items() if name not in _SHOWN_HEADERS}, len(self.body)


async def ask(http: httpx.AsyncClient, method: str, path: str) -> Answer:
    """Ask once, without a credential."""
    answer = await http.request(method, path, content=b"{}" if method == "POST" else None)
    return Answer(
        status=answer.status_code, headers={name.lower(): value for name, value in answer.headers.items()}, body=answer.content
    )


def tile_path(level: int, index: int, width: int) -> str:
    """Write a tile's path, for an index below a thousand (C2SP tlog-tiles)."""
    return f"/ledger/main/tile/{level}/{index:03d}" + ("" if width == 256 else f".p/{width}")


def tile_paths(size: int) -> list[str]:
    """Name every tile that the log of that size has, each also in every narrower form."""
    paths, level = [], 0
    while size:
        full, width = divmod(size, 256)
        paths += [tile_path(level, index, wide) for index in range(full) for wide in range(1, 257)]
        paths += [tile_path(level, full, wide) for wide in range(1, width + 1)]
        level, size = level + 1, full
    return paths


async def read_ledger(http: httpx.AsyncClient, size: int) -> dict[str, Answer]:
    """Read the checkpoint and every tile of the tree of ``size``; ask for the entries, too, and for tiles that are not there."""
    denied = [
        "/ledger/main/tile/entries/000",
        "/ledger/main/tile/entries/000.p/1",
        "/ledger/main/",
        "/ledger/main/tile/",
        "/ledger/other/checkpoint",
    ]
    beyond = [tile_path(0, size // 256 + 1, 256), tile_path(1, 900, 1), tile_path(7, 0, 1), "/ledger/main/tile/0/0"]
    return {path: await ask(http, "GET", path) for path in ["/ledger/main/checkpoint", *tile_paths(size), *denied, *beyond]}


async def read_pages(http: httpx.AsyncClient) -> dict[str, Answer]:
    """Read everything else that is there without a credential: each operation of the document, each page of a problem, health, keys, and what is not there."""
    document = (await http.get("/schema/openapi.json")).json()
    found = {}
    for path, methods in document["paths"].items():
        real = (
            re.sub(r"\{(appointment|session|disclosure|request_id)\}", WORD, path)
            .replace("{path}", "0/000.p/1")
            .replace("{log}", "main")
        )
        real = real.replace("{code}", "budget-spent")
        for method in methods:
            found[f"{method} {path}"] = await ask(http, method.upper(), real)
    others = [
        "/",
        "/metrics",
        "/robots.txt",
        "/schema",
        "/problems",
        "/problems.css",
        "/v1",
        "/v1/../metrics",
        "/healthz?verbose=1",
    ]
    others += ["/console", "/desk", "/my-data"]
    codes = {one.decode() for one in re.findall(rb"/problems/([a-z-]+)", (await http.get("/problems")).content)}
    for path in [*others, *(f"/problems/{code}" for code in sorted(codes))]:
        found[f"get {path}"] = await ask(http, "GET", path)
    return found


def leaves_of(ledger: Mapping[str, Answer], size: int) -> list[bytes]:
    """Return the leaf hashes that the tiles of the first level give away."""
    raw = b"".join(ledger[tile_path(0, first // 256, min(256, size - first))].body for first in range(0, size, 256))
    return [raw[at : at + 32] for at in range(0, len(raw), 32)]


# ── words ────────────────────────────────────────────────────────────────────────────────────────────────────────────────────
def texts_in(value: object) -> Iterator[str]:
    """Go through every text inside a field's value, names of members included."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for name, each in value.items():
            yield from (name, *texts_in(each))
    elif isinstance(value, Sequence):
        for each in value:
            yield from texts_in(each)


def spellings(text: str) -> set[bytes]:
    """Write a text in the ways in which it could stand in other bytes: plain, in hex, in base64 at each of its three places, and, if it is hex, raw."""
    raw = text.encode()
    found = {raw, raw.hex().encode(), raw.upper(), raw[::-1]}
    for shift in range(3):
        whole = base64.b64encode(b"\0" * shift + raw)
        inner = whole[4 if shift else 0 : len(whole) // 4 * 4 - 4]
        found |= {inner, inner.replace(b"+", b"-").replace(b"/", b"_")}
    if len(text) >= 32 and re.fullmatch("(?:[0-9a-f]{2})+", text):
        found |= {bytes.fromhex(text), base64.b64encode(bytes.fromhex(text)).rstrip(b"=")}
    return {one for one in found if len(one) >= 8}


# ── guesses ──────────────────────────────────────────────────────────────────────────────────────────────────────────────────
def digest(name: str, salt: bytes, value: object) -> bytes:
    """Hash a field as decision 0001 says, with whatever stands for its salt."""
    return hashlib.sha256(b"ecluse/1/" + name.encode() + b"\0" + salt + rfc8785.dumps(value)).digest()  # type: ignore[arg-type] # any JSON value


def leaf_hash(fields: Sequence[tuple[str, object]], salts: Sequence[bytes]) -> bytes:
    """Return the leaf hash of an entry with these salts."""
    root = tree_root([digest(name, salt, value) for (name, value), salt in zip(fields, salts, strict=True)])
    said = dict(fields)
    kind = "control" if str(said["event"]).startswith("control:") else "decision"
    leaf = rfc8785.dumps({"c": root.hex(), "h": str(said["at"])[:13] + "Z", "k": kind, "v": 1})
    return hashlib.sha256(b"\0" + leaf).digest()


def guessed_salts(public: Iterable[bytes], index: int) -> list[bytes]:
    """List what an attacker would try for a salt: none, constants, the entry's number, and all that is public."""
    constants = [b"", bytes(32), b"\xff" * 32, b"\0", b"ecluse", hashlib.sha256(b"").digest()]
    numbers = [index.to_bytes(32, "big"), index.to_bytes(32, "little"), index.to_bytes(8, "big"), str(index).encode()]
    numbers += [hashlib.sha256(one).digest() for one in numbers]
    return [*constants, *numbers, *public]


def guessed_hashes(fields: Sequence[tuple[str, object]], salts: Iterable[bytes]) -> set[bytes]:
    """Return every hash that the values of an entry give with one guess for all its salts, and without any rule at all."""
    found: set[bytes] = set()
    for salt in salts:
        digests = [digest(name, salt, value) for name, value in fields]
        found |= {*digests, tree_root(digests), leaf_hash(fields, [salt] * len(fields))}
        own = [hashlib.sha256(salt + name.encode()).digest() for name, _ in fields]  # a salt derived for each field
        found.add(leaf_hash(fields, own))
    for name, value in fields:
        written = rfc8785.dumps(value)  # type: ignore[arg-type] # any JSON value
        found |= {
            hashlib.sha256(each).digest()
            for each in (written, written.strip(b'"'), name.encode() + written, b"\0" + written, b"\1" + written)
        }
    whole = rfc8785.dumps([list(one) for one in fields])
    return found | {hashlib.sha256(whole).digest(), hashlib.sha256(b"\0" + whole).digest()}


def hashes_in(answers: Iterable[Answer]) -> set[bytes]:
    """Collect every hash that stands in answers: of tiles each 32 bytes, of texts what is hex or base64 of 32 bytes."""
    found: set[bytes] = set()
    for one in answers:
        if one.headers.get("content-type") == "application/octet-stream":
            found |= {one.body[at : at + 32] for at in range(0, len(one.body), 32)}
            continue
        for word in _VARIES.findall(one.body.decode("utf-8", "replace")):
            if re.fullmatch("[0-9a-f]{64}", word):
                found.add(bytes.fromhex(word))
            elif re.fullmatch(r"[A-Za-z0-9+/_-]{43}=?", word):
                found.add(base64.urlsafe_b64decode(word[:43].replace("+", "-").replace("/", "_") + "="))
    return found


def openings_of(rows: Iterable[Mapping[str, Any]]) -> list[tuple[list[tuple[str, object]], list[bytes]]]:
    """Read what the controller keeps of each entry: its fields and salts."""
    read = []
    for row in rows:
        fields = [(name, value) for name, value in row["fields"]]
        read.append((fields, [row["salts"][at : at + 32] for at in range(0, len(row["salts"]), 32)]))
    return read
