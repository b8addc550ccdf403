"""The parsers of what witnesses, policies and receipts' files bring: the log's own and the client's, written apart."""

from __future__ import annotations

from base64 import b64encode
from functools import partial
from typing import Final

import rfc8785
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from ecluse.client import notes as client_notes
from ecluse.client.errors import ReceiptBroken
from ecluse.client.proofs import TlogProof, read_file, split_proof, write_file
from ecluse.client.trust import Policy as ClientPolicy
from ecluse.client.trust import parse_policy as parse_client_policy
from ecluse.errors import ConfigurationError
from ecluse.ledger.errors import KeyInvalid, NoteInvalid, PolicyInvalid
from ecluse.ledger.model import Signature
from ecluse.ledger.notes import (
    COSIGNATURE,
    cosign,
    format_checkpoint,
    format_signature,
    format_vkey,
    open_cosigned,
    parse_note,
    parse_vkey,
    verifier_of_key,
)
from ecluse.ledger.quorum import Policy, parse_policy
from ecluse.ledger.witnesses import cosignatures_in
from ecluse.witness.errors import RequestInvalid
from ecluse.witness.model import Submission
from ecluse.witness.parse import parse_request
from tests.fuzz.parser import NotRead, Parser, text
from tests.fuzz.signed import HEAD, NOTE, OPENING, ORIGIN, VERIFIER, VKEY

_KEYS: Final = [Ed25519PrivateKey.from_private_bytes(bytes([number]) * 32) for number in (1, 2, 3)]
NAMES: Final = [f"witness.example/{number}" for number in (1, 2, 3)]
WITNESSES: Final = [verifier_of_key(name, key, COSIGNATURE) for name, key in zip(NAMES, _KEYS, strict=True)]
VKEYS: Final = [format_vkey(one) for one in WITNESSES]
TEXT: Final = format_checkpoint(HEAD)
LINES: Final = [cosign(TEXT, name, key, 1_700_000_000) for name, key in zip(NAMES, _KEYS, strict=True)]
COSIGNED: Final = NOTE + "".join(LINES)
POLICY: Final = f"""\
# a policy
log {VKEY} https://log.example/ledger/main
witness a {VKEYS[0]} https://a.example/
witness b {VKEYS[1]}
witness c {VKEYS[2]}
group two 2 a b
group all-of-them all two c
quorum all-of-them
""".encode()
_PATH: Final = "".join(f"{b64encode(bytes([step]) * 32).decode()}\n" for step in range(5))
REQUEST: Final = f"old 20852014\n{_PATH}\n{NOTE}".encode()
_PROOF: Final = f"c2sp.org/tlog-proof@v1\nextra Zm9v\nindex 7\n{_PATH}\n{COSIGNED}".encode()
_RECEIPT: Final = (
    f"c2sp.org/tlog-proof@v1\nextra {b64encode(rfc8785.dumps({'opening': OPENING, 'v': 1, 'value_salts': {'a': '00' * 32}, 'values': {'a': None}})).decode()}\n"  # type: ignore[dict-item] # JSON
    f"index 7\n{_PATH}\n{COSIGNED}".encode()
)
WORDS: Final = (
    "\u2014 ".encode(), b"\n\n", b"\r", b"+", b"AAAA", b"log ", b"witness ", b"group ", b"quorum ", b"none", b"all", b"any", b" 2 ", b"# ", b"old ",
    b"extra ", b"index ", VKEYS[0].encode(), LINES[0].encode(), VKEY.encode(),
)  # fmt: skip


def _write_note(read: tuple[str, list[Signature]]) -> bytes:
    return (read[0] + "\n" + "".join(map(format_signature, read[1]))).encode()


def _write_request(read: Submission) -> bytes:
    return (f"old {read.old_size}\n" + "".join(f"{b64encode(one).decode()}\n" for one in read.proof) + "\n" + read.note).encode()


def _write_proof(read: TlogProof) -> bytes:
    extra = "" if read.extra is None else f"extra {b64encode(read.extra).decode()}\n"
    path = "".join(f"{b64encode(one).decode()}\n" for one in read.path)
    return f"c2sp.org/tlog-proof@v1\n{extra}index {read.index}\n{path}\n{read.note}".encode()


def write_policy(read: Policy) -> bytes:
    """Write a policy anew from what was read of it: comments and blanks are gone, and definitions stand first."""
    lines = [b" ".join((b"log", format_vkey(peer.verifier).encode(), peer.url.encode())) for peer in read.logs]
    lines += [
        b" ".join((b"witness", peer.name, format_vkey(peer.verifier).encode(), peer.url.encode())) for peer in read.witnesses
    ]
    lines += [b" ".join((b"group", name, b"%d" % threshold, *members)) for name, (threshold, members) in read.groups.items()]
    return b"\n".join([*lines, b"quorum " + (read.quorum or b"none"), b""])


def alike(ours: Policy, theirs: ClientPolicy) -> bool:
    """Tell whether both readers read the same policy."""
    logs = [(one.verifier.name, one.verifier.key_id, one.verifier.public_key, one.url) for one in ours.logs]
    witnesses = [(one.name, one.verifier.name, one.verifier.key_id, one.verifier.public_key, one.url) for one in ours.witnesses]
    return (logs, witnesses, ours.groups, ours.quorum) == (
        [(one.key.name, one.key.key_id, one.key.public_key, one.url) for one in theirs.logs],
        [(one.name, one.key.name, one.key.key_id, one.key.public_key, one.url) for one in theirs.witnesses],
        theirs.groups,
        theirs.quorum,
    )


def witnessed() -> dict[str, Parser]:
    """Name the parsers. What has one spelling is written back; of a policy, which has many, see ``test_witnessed.py``."""
    client_logs = [client_notes.parse_vkey(VKEY)]
    client_witnesses = [client_notes.parse_vkey(one, client_notes.WITNESS) for one in VKEYS]
    told = partial(Parser, words=WORDS)
    return {
        "signed note": told(read=parse_note, write=_write_note, errors=(NoteInvalid,), seeds=(NOTE.encode(), COSIGNED.encode())),
        "vkey of a witness": told(
            read=lambda data: parse_vkey(text(data), COSIGNATURE), write=lambda read: format_vkey(read).encode(), errors=(KeyInvalid, NotRead),
            seeds=tuple(map(str.encode, VKEYS)),
        ),
        "vkey of a witness, client": told(
            read=lambda data: client_notes.parse_vkey(text(data), client_notes.WITNESS), errors=(ValueError,), seeds=tuple(map(str.encode, VKEYS))
        ),
        "cosigned checkpoint": told(read=lambda data: open_cosigned(data, [VERIFIER], ORIGIN, WITNESSES), errors=(NoteInvalid,), seeds=(COSIGNED.encode(),)),
        "cosigned checkpoint, client": told(
            read=lambda data: client_notes.open_checkpoint(data, client_logs, client_witnesses), errors=(ReceiptBroken,), seeds=(COSIGNED.encode(),)
        ),
        "answer of a witness": told(
            read=lambda data: cosignatures_in(TEXT, data, WITNESSES), errors=(NoteInvalid,), seeds=(LINES[0].encode(), "".join(LINES).encode())
        ),
        "policy": told(read=parse_policy, errors=(PolicyInvalid,), seeds=(POLICY, b"quorum none\n")),
        "policy, client": told(read=parse_client_policy, errors=(ConfigurationError,), seeds=(POLICY, b"quorum none\n")),
        "add-checkpoint": told(read=parse_request, write=_write_request, errors=(RequestInvalid,), seeds=(REQUEST, f"old 0\n\n{NOTE}".encode())),
        "tlog-proof": told(read=split_proof, write=_write_proof, errors=(ReceiptBroken,), seeds=(_PROOF,)),
        "receipt file": told(read=read_file, write=write_file, errors=(ReceiptBroken,), seeds=(_RECEIPT,)),
    }  # fmt: skip
