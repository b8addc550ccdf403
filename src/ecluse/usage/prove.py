"""The proof of one line, as a file that a person keeps: C2SP tlog-proof with the person's own opening (docs/decisions/0005-witnessed-ledger.md). Pure.

    c2sp.org/tlog-proof@v1
    extra <base64 of the RFC 8785 bytes of {"opening":{…},"v":1}>
    index <n>
    <base64 of each hash of the inclusion proof, leaf side first>

    <the checkpoint with its signatures and cosignatures>

No salts of values: the person knows the values, and proves by the opening what was given of them, in which form.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Sequence

from ecluse.ledger.fields import SHOWN_TO_SUBJECT, canonical, hour_of, kind_of, opening_shown
from ecluse.usage.model import Entry


def opening_for(entry: Entry) -> dict[str, object]:
    """Return the entry's opening with the fields that its person may see."""
    at, event = str(entry.fields[0][1]), str(entry.fields[1][1])
    return {
        "fields": opening_shown(entry.fields, entry.salts, SHOWN_TO_SUBJECT),
        "h": hour_of(at),
        "k": kind_of(event),
        "v": 1,
    }


def prove_line(entry: Entry, inclusion: Sequence[bytes], checkpoint: str) -> str:
    """Write the proof of one line. ``inclusion``: 32-byte hashes under ``checkpoint``, leaf side first; ``checkpoint``: the whole signed note."""
    extra = canonical({"opening": opening_for(entry), "v": 1})
    hashes = "".join(f"{b64encode(each).decode()}\n" for each in inclusion)
    return f"c2sp.org/tlog-proof@v1\nextra {b64encode(extra).decode()}\nindex {entry.index}\n{hashes}\n{checkpoint}"
