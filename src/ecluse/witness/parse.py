r"""The request of a log to its witness, parsed strictly (C2SP tlog-witness 1.0, "add-checkpoint"). Pure.

UTF-8 lines, each ended by U+000A::

    old 20852014                                     size of the checkpoint cosigned last, canonical decimal
    PlRNCrwHpqhGrupue0L7gxbjbMiKA9temvuZZDDpkaw=     0 to 63 hashes of 32 bytes, canonical base64: consistency from there
                                                     an empty line
    example.com/behind-the-sofa                      the signed checkpoint, to the end (tlog-checkpoint 1.0)
    …

Each request has one spelling; all else is refused. A checkpoint of size 0 with a wrong root parses: refusing it is a later check with an answer of
its own.
"""

from __future__ import annotations

from typing import Final

from ecluse.ledger.errors import NoteInvalid
from ecluse.ledger.model import HASH_BYTES
from ecluse.ledger.notes import parse_base64, parse_checkpoint, parse_decimal, parse_note
from ecluse.witness.errors import RequestInvalid
from ecluse.witness.model import Submission

MAX_REQUEST_BYTES: Final = 65_536
"""Room for 63 hashes and a checkpoint with some twenty signatures, post-quantum ones too."""

MAX_PROOF: Final = 63
_OLD: Final = "old "


def parse_request(raw: bytes) -> Submission:
    """Read the body of an ``add-checkpoint`` request. Raises `RequestInvalid` with what is wrong."""
    if len(raw) > MAX_REQUEST_BYTES:
        raise RequestInvalid(f"A request has at most {MAX_REQUEST_BYTES} bytes.")
    try:
        head, gap, note = raw.decode("utf-8").partition("\n\n")
    except UnicodeDecodeError as bad:
        raise RequestInvalid("A request is UTF-8.") from bad
    if not gap:
        raise RequestInvalid("A request is an old size, a proof, an empty line and a checkpoint.")
    first, *lines = head.split("\n")
    if len(lines) > MAX_PROOF:
        raise RequestInvalid(f"A consistency proof has at most {MAX_PROOF} hashes.")
    try:
        text, _ = parse_note(note)
        checkpoint = parse_checkpoint(text, any_empty_root=True)
    except NoteInvalid as bad:
        raise RequestInvalid(f"The checkpoint does not parse: {bad}.") from bad
    return Submission(
        old_size=_old_size(first), proof=tuple(_hash(line) for line in lines), note=note, text=text, checkpoint=checkpoint
    )


def _old_size(line: str) -> int:
    if not line.startswith(_OLD):
        raise RequestInvalid("A request begins with `old`, a space and a size.")
    try:
        return parse_decimal(line.removeprefix(_OLD))
    except ValueError as bad:
        raise RequestInvalid("The old size is not a canonical decimal below 2^63.") from bad


def _hash(line: str) -> bytes:
    try:
        raw = parse_base64(line)
    except ValueError as bad:
        raise RequestInvalid("A line of the proof is not canonical base64.") from bad
    if len(raw) != HASH_BYTES:
        raise RequestInvalid("A line of the proof is not a hash of 32 bytes.")
    return raw
