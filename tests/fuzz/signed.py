"""The parsers of what is signed, and of keys: tokens, proofs, assertions, notes, receipts. A signed text has one spelling by its signature."""

from __future__ import annotations

import json
from base64 import b64encode
from datetime import UTC, datetime
from functools import partial
from typing import Any, Final

from cryptography.exceptions import InternalError
from cryptography.hazmat.primitives.asymmetric import ec, x25519
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from ecluse.client import notes as client_notes
from ecluse.client.errors import ReceiptBroken
from ecluse.client.receipts import open_entry
from ecluse.identity import (
    ClientAuthInvalid,
    KeyInvalid,
    ProofChecker,
    ProofInvalid,
    TokenChecker,
    TokenInvalid,
    TokenIssuer,
    check_assertion,
    load_private,
)
from ecluse.identity.compact import Malformed, pack, parse_header, parse_object, split, unpack
from ecluse.identity.keys import parse_public_jwk
from ecluse.identity.proofs import normal_url, token_hash
from ecluse.identity.ring import parse_token_keys
from ecluse.ids import ClientId
from ecluse.ledger import commit, leaf_hash, opening_shown
from ecluse.ledger.errors import KeyInvalid as LogKeyInvalid
from ecluse.ledger.errors import NoteInvalid, RangeRefused
from ecluse.ledger.fields import SHOWN_TO_PROCESSOR, leaf_from_opening
from ecluse.ledger.model import Checkpoint
from ecluse.ledger.notes import (
    format_checkpoint,
    format_vkey,
    open_checkpoint,
    parse_base64,
    parse_checkpoint,
    parse_decimal,
    parse_vkey,
    sign_checkpoint,
    verifier_of_key,
)
from ecluse.ledger.sign import load_log_key
from ecluse.ledger.tiles import parse_tile_path, tile_path
from tests.fuzz.parser import NotRead, Parser, fixed_key, must, pem, text

NOW: Final = datetime(2026, 1, 5, 9, 30, tzinfo=UTC)
URL: Final = "https://gate.example"
ORIGIN: Final = "agency.example/log"


# ── JOSE ─────────────────────────────────────────────────────────────────────────────────────────────────────────────────────
KEY: Final = fixed_key(7)
CLIENT: Final = ClientId("cli_" + "a" * 26)
TOKEN: Final = TokenIssuer(KEY, URL, URL).issue(
    client_id=CLIENT,
    scope="disclose",
    thumbprint=KEY.thumbprint,
    now=NOW,
    jti="once",
)
_JWK: Final = dict(KEY.public.jwk)
PROOF: Final = KEY.sign_compact(
    {"typ": "dpop+jwt", "jwk": _JWK},
    json.dumps(
        {
            "jti": "once-1",
            "htm": "POST",
            "htu": URL + "/v1/disclosures",
            "iat": int(NOW.timestamp()),
            "ath": token_hash(TOKEN),
        }
    ).encode(),
)
_ASSERTED: Final = {
    "iss": CLIENT, "sub": CLIENT, "aud": URL, "iat": int(NOW.timestamp()), "exp": int(NOW.timestamp()) + 60, "jti": "once-2",
}  # fmt: skip
ASSERTION: Final = KEY.sign_compact({}, json.dumps(_ASSERTED).encode())


def check_proof(data: bytes) -> Any:
    """Check a proof as the hot path does, by a checker that knows the key."""
    return ProofChecker(URL).check(
        text(data), method="POST", path="/v1/disclosures", token=TOKEN, thumbprint=KEY.thumbprint, now=NOW
    )


def check_token(data: bytes) -> Any:
    """Check a token by a checker that has seen none."""
    return TokenChecker([KEY.public], URL, URL).check(text(data), NOW)


def check_client(data: bytes) -> Any:
    """Check an assertion."""
    return check_assertion(
        text(data),
        client_id=CLIENT,
        client_keys=[KEY.public],
        audiences={URL},
        now=NOW,
    )


def _compact(data: bytes) -> tuple[bytes, ...]:
    parts = split(text(data), 4096)
    parse_header(parts.header)
    return unpack(parts.header), parts.claims, parts.signature


_SIGNED_WORDS: Final = (b"eyJ", b"e30", b"Zg", b"Zh", b"A", b"AA")


def _as_signed(good: bytes, _: object) -> bytes:
    """Return the one text that was signed, whatever was read."""
    return good


def signed() -> dict[str, Parser]:
    """Texts under a signature: the seed alone may pass."""
    checks = {
        "dpop proof": (check_proof, PROOF, ProofInvalid), "access token": (check_token, TOKEN, TokenInvalid),
        "client assertion": (check_client, ASSERTION, ClientAuthInvalid),
    }  # fmt: skip
    return {
        name: Parser(
            read=check, errors=(error, NotRead), seeds=(good.encode(),), write=partial(_as_signed, good.encode()), words=_SIGNED_WORDS
        )
        for name, (check, good, error) in checks.items()
    } | {
        "compact jws": Parser(
            read=_compact, errors=(Malformed, NotRead), seeds=(PROOF.encode(), TOKEN.encode(), b"e30.e30.AA"), words=_SIGNED_WORDS,
            write=lambda parts: ".".join(map(pack, parts)).encode(),
        ),
        "json object": Parser(read=parse_object, errors=(Malformed,), seeds=(b'{"a":[1,{"b":"c"}],"d":null}',), words=(b'"a":', b'"b":')),
        "public jwk": Parser(
            read=lambda data: parse_public_jwk(parse_object(data)), errors=(Malformed, KeyInvalid), seeds=(json.dumps(_JWK).encode(),),
            words=(b'"d":', b'"use":', b'"P-384"', b'"OKP"', b'"Ed25519"'),
        ),
        "http address": Parser(
            read=lambda data: normal_url(text(data)), errors=(ValueError,), seeds=(b"https://gate.example/v1/x", b"http://[::1]:8080/"),
            words=(b"://", b"[", b"]", b":99999", b"@", b"//"),
        ),
        # InternalError: some damaged keys leave an error in OpenSSL's queue that the library then takes for that of the next key
        "private key": Parser(read=load_private, errors=(KeyInvalid, InternalError), seeds=(pem(Ed25519PrivateKey.from_private_bytes(b"k" * 32)), *_PEMS)),
        "token.key": Parser(
            read=lambda data: parse_token_keys(text(data)), errors=(KeyInvalid, InternalError, NotRead),
            words=(b"valid from ", b"2026-02-30T00:00:00Z", b"-----", _PEMS[0]),
            seeds=(_PEMS[0], _PEMS[0] + b"valid from 2026-01-05T00:00:00Z\n" + pem(Ed25519PrivateKey.from_private_bytes(b"k" * 32))),
        ),
        "log key": Parser(
            read=lambda data: load_log_key(text(data)), errors=(LogKeyInvalid, InternalError, NotRead),
            seeds=(pem(Ed25519PrivateKey.from_private_bytes(b"k" * 32)), *_PEMS)
        ),
    }  # fmt: skip


def _pems() -> tuple[bytes, ...]:
    return (
        pem(ec.derive_private_key(7, ec.SECP256R1())),
        pem(ec.derive_private_key(7, ec.SECP384R1())),
        pem(x25519.X25519PrivateKey.from_private_bytes(b"k" * 32)),
    )


_PEMS: Final = _pems()


# ── the log ──────────────────────────────────────────────────────────────────────────────────────────────────────────────────
LOG_KEY: Final = Ed25519PrivateKey.from_private_bytes(b"l" * 32)
VERIFIER: Final = verifier_of_key(ORIGIN, LOG_KEY)
VKEY: Final = format_vkey(VERIFIER)
HEAD: Final = Checkpoint(origin=ORIGIN, size=20_852_163, root=b"r" * 32)
NOTE: Final = sign_checkpoint(HEAD, LOG_KEY)
_WITNESSED: Final = NOTE + sign_checkpoint(HEAD, Ed25519PrivateKey.from_private_bytes(b"w" * 32)).rpartition("\n\n")[2]
FIELDS: Final = [
    ("at", "2026-01-05T09:30:00.000000Z"),
    ("event", "disclosure:person:granted"),
    ("disclosure", "dsc_x"),
    ("forms", {"a": "full"}),
]
COMMITTED: Final = commit(FIELDS, bytes(32 * len(FIELDS)))
OPENING: Final = {
    "v": 1, "k": "decision", "h": COMMITTED.hour, "fields": opening_shown(FIELDS, COMMITTED.salts, SHOWN_TO_PROCESSOR - {"forms"}),
}  # fmt: skip


def _opening(data: bytes) -> bytes:
    """Read an opening row's texts: the leaf as sealed, or nothing."""
    leaf = leaf_from_opening(text(data), bytes(32 * len(FIELDS)))
    must(hold=leaf == COMMITTED.leaf)
    return leaf


def _receipt(data: bytes) -> Any:
    """Open a receipt that an answer carried: it has to lead to the leaf that was sealed."""
    found, shown = open_entry(parse_object(data))
    must(hold=found == leaf_hash(COMMITTED.leaf))
    return shown


_NOTE_WORDS: Final = ("\u2014 ".encode(), b"\n\n", b"\r", ORIGIN.encode(), b"+", b"AAAA", b"20852163")


def log() -> dict[str, Parser]:
    """Name the parsers of what the log publishes, and of what opens its entries."""
    return {
        "vkey": Parser(
            read=lambda data: parse_vkey(text(data)), write=lambda read: format_vkey(read).encode(), errors=(LogKeyInvalid, NotRead), seeds=(VKEY.encode(),),
            words=_NOTE_WORDS,
        ),
        "checkpoint": Parser(
            read=lambda data: parse_checkpoint(text(data)), write=lambda read: format_checkpoint(read).encode(), errors=(NoteInvalid, NotRead),
            seeds=(format_checkpoint(HEAD).encode(),), words=_NOTE_WORDS,
        ),
        "signed checkpoint": Parser(
            read=lambda data: open_checkpoint(data, [VERIFIER], ORIGIN), errors=(NoteInvalid,), seeds=(NOTE.encode(), _WITNESSED.encode()), words=_NOTE_WORDS
        ),
        "signed checkpoint, client": Parser(
            read=lambda data: client_notes.open_checkpoint(text(data), [client_notes.parse_vkey(VKEY)]), errors=(ReceiptBroken, NotRead),
            seeds=(NOTE.encode(), _WITNESSED.encode()), words=_NOTE_WORDS,
        ),
        "vkey, client": Parser(read=lambda data: client_notes.parse_vkey(text(data)), errors=(ValueError,), seeds=(VKEY.encode(),), words=_NOTE_WORDS),
        "tile path": Parser(
            read=lambda data: parse_tile_path(text(data)), write=lambda read: tile_path(read).encode(), errors=(RangeRefused, NotRead),
            seeds=(b"tile/0/x001/067.p/5", b"tile/entries/000", b"tile/63/x009/x223/x372/x036/x854/x775/807"), words=(b"x000/", b".p/256", b"entries", b"64"),
        ),
        "decimal": Parser(read=lambda data: parse_decimal(text(data)), write=lambda n: str(n).encode(), errors=(ValueError,), seeds=(b"0", b"20852163")),
        "base64": Parser(
            read=lambda data: parse_base64(text(data)), errors=(ValueError,), seeds=(b"AAECAwQF", b"Zg==", b""),
            write=b64encode,
        ),
        "opening row": Parser(read=_opening, errors=(ValueError,), seeds=(COMMITTED.fields.encode(),), words=(b'["at",', b'"forms"', b"[[")),
        "opening of a receipt": Parser(
            read=_receipt, errors=(ReceiptBroken, Malformed, NotRead), seeds=(json.dumps(OPENING).encode(),), words=(b'"v":', b"1.0", b"true", b"[]")
        ),
    }  # fmt: skip
