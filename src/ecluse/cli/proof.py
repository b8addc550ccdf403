"""Checking a receipt against the public log: the signed checkpoint and its tiles, read over HTTP and believed only as far as they check.

1 the receipt: values and forms against the opening, the opening against the leaf hash (``ecluse.client``)
2 the checkpoint: signed by the pinned key, for the receipt's log
3 the tiles that the inclusion proof needs, at the widths of that checkpoint
4 the proof (RFC 9162 §2.1.3.2): tiles that are wrong make it fail
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

import httpx
import msgspec

from ecluse.cli.edge import Refusal
from ecluse.cli.reach import read_bytes
from ecluse.client.calls import read_disclosed
from ecluse.client.errors import AnswerInvalid, ReceiptBroken, Unavailable
from ecluse.client.exchange import read_object
from ecluse.client.model import Disclosed
from ecluse.client.notes import LogKey, check_inclusion, open_checkpoint, parse_vkey
from ecluse.client.receipts import open_receipt
from ecluse.errors import ConfigurationError
from ecluse.ledger.errors import LedgerError
from ecluse.ledger.model import HASH_BYTES, TILE_WIDTH, Tile
from ecluse.ledger.tiles import TileId, read_nodes, tile_path, tiles_with
from ecluse.ledger.tree import fold, nodes_of, plan_inclusion

_MOST_BYTES: Final = 65_536
_TIMEOUT_SECONDS: Final = 10.0


class Checked(msgspec.Struct, frozen=True, kw_only=True):
    """A receipt that holds: ``at`` its instant as sealed, ``values`` how many it commits to, ``size`` of the signed head above it."""

    log: str
    index: int
    at: str
    disclosure: str
    values: int
    size: int


def check(path: Path, vkey: str, url: str) -> Checked:
    """Check a receipt's file; raises `ReceiptBroken` (something does not hold), `Refusal`, `Unavailable`, `ConfigurationError`."""
    try:
        key = parse_vkey(vkey)
    except ValueError as bad:
        raise ConfigurationError("--vkey", str(bad), "Copy the whole line that the controller handed over") from None
    disclosed = read_receipt(path)  # 1
    try:
        with httpx.Client(base_url=url.rstrip("/"), timeout=_TIMEOUT_SECONDS) as http:
            size = _check_in_log(http, disclosed, key)
    except (httpx.TransportError, httpx.InvalidURL) as lost:
        raise Unavailable("connection-lost") from lost
    receipt = disclosed.receipt
    at = str(open_receipt(receipt)["at"])
    return Checked(
        log=receipt.log, index=receipt.index, at=at, disclosure=disclosed.disclosure, values=len(disclosed.subject), size=size
    )


def read_receipt(path: Path) -> Disclosed:
    """Read the gate's answer and check that it holds in itself."""
    content = read_bytes(path)
    mend = "Name the whole answer of POST /v1/disclosures, or what `ecluse disclose --json` wrote"
    try:
        answer = read_object(content)
        opening = answer["receipt"]["opening"]["fields"]  # type: ignore[index,call-overload] # JSON of another shape is caught below
        named = {entry[0]: entry[2] for entry in opening if isinstance(entry, list)}  # type: ignore[union-attr] # the same
        return read_disclosed(answer, str(named["appointment"]), str(named["agent"]))
    except (AnswerInvalid, KeyError, IndexError, TypeError):
        raise ConfigurationError(str(path), "it is not the answer to a disclosure", mend) from None


def _check_in_log(http: httpx.Client, disclosed: Disclosed, key: LogKey) -> int:
    """Check that the entry is in the public log; return the size of the head it was checked under."""
    receipt = disclosed.receipt
    head = open_checkpoint(_get(http, "/ledger/main/checkpoint").decode("utf-8", "replace"), key)  # 2
    if head.origin != receipt.log:
        raise ReceiptBroken("the checkpoint is of another log")
    if head.size <= receipt.index:
        raise Refusal("log", f"its signed head covers {head.size} entries, not yet this one", "Wait a second and check again")
    plan = plan_inclusion(receipt.index, head.size)
    nodes = nodes_of(plan)
    try:
        tiles = {tile: _tile(http, tile, head.size) for tile in tiles_with(nodes)}  # 3
        path = fold(plan, read_nodes(nodes, tiles))
    except LedgerError as bad:
        raise ReceiptBroken("the log's tiles do not reach that far") from bad
    check_inclusion(receipt.index, receipt.leaf_hash, path, head)  # 4
    return head.size


def _tile(http: httpx.Client, tile: TileId, size: int) -> bytes:
    """Read a tile at the width that a log of this size has it."""
    level, index = tile
    width = min(TILE_WIDTH, (size >> 8 * level) - index * TILE_WIDTH)
    return _get(http, f"/ledger/main/{tile_path(Tile(level=level, index=index, width=width))}")[: width * HASH_BYTES]


def _get(http: httpx.Client, path: str) -> bytes:
    """Read one public file of the log."""
    answer = http.get(path)
    if answer.status_code != httpx.codes.OK:
        raise Unavailable(f"http-{answer.status_code}")
    if len(answer.content) > _MOST_BYTES:
        raise ReceiptBroken("the log answers more than a tile holds")
    return answer.content
