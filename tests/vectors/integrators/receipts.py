"""Writes the receipts of this folder: one answer of ``POST /v1/disclosures`` about an invented person, opened step by step, and broken ones.

Written from docs/decisions/0001-formats.md and RFC 6962 §2.1 alone, without the server's code: a test lets server and client judge them.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Sequence
from copy import deepcopy
from typing import Any, Final

import rfc8785
from cryptography.hazmat.primitives.asymmetric import ed25519

from tests.vectors.integrators.jose import CLIENT, Key, Row

ORIGIN: Final = "agency.example/ecluse/main"
LOG_KEY: Final = Key("log", "Ed25519")
NEXT_LOG_KEY: Final = Key("next log", "Ed25519")
WITNESSES: Final = {f"witness.example/{name}": Key(f"witness {name}", "Ed25519") for name in ("one", "two", "three")}
SIZE: Final = 11
INDEX: Final = 6
DISCLOSURE: Final = "dsc_ouxg4zlsorqxgylbmvyhgzlunq"
REQUEST: Final[dict[str, Any]] = {
    "appointment": "apt_mfzw6ylqmfzxgzlcmfxgk3tqmi",
    "agent": "agt_mfrggzdfmztwq2lknnwg23tpoa",
    "attributes": ["birth_date", "email", "family_name", "given_name", "phone"],
}
SUBJECT: Final[dict[str, Any]] = {
    "birth_date": 1990,
    "family_name": 'Exemple-Łoś « \\Été/ » "Ñ"',
    "given_name": "Ἠώ",
    "phone": None,
}
FORMS: Final = {"birth_date": "year", "email": "withheld", "family_name": "full", "given_name": "full", "phone": "masked"}
HIDDEN: Final = {"subject", "fingerprints", "rules", "interval"}
"""What an opening never shows a processor."""


def salt(of: str) -> bytes:
    """Return 32 bytes that follow from a name; real ones are drawn by chance, or derived from a secret."""
    return hashlib.sha256(b"salt of " + of.encode()).digest()


def node(left: bytes, right: bytes) -> bytes:
    """Hash two nodes (RFC 6962 §2.1)."""
    return hashlib.sha256(b"\x01" + left + right).digest()


def root(leaves: Sequence[bytes]) -> bytes:
    """Return the root over leaf hashes."""
    if len(leaves) == 1:
        return leaves[0]
    split = 1 << (len(leaves) - 1).bit_length() - 1
    return node(root(leaves[:split]), root(leaves[split:]))


def path(index: int, leaves: Sequence[bytes]) -> list[bytes]:
    """Return the inclusion proof of a leaf, leaf side first (RFC 6962 §2.1.1)."""
    if len(leaves) == 1:
        return []
    split = 1 << (len(leaves) - 1).bit_length() - 1
    if index < split:
        return [*path(index, leaves[:split]), root(leaves[split:])]
    return [*path(index - split, leaves[split:]), root(leaves[:split])]


def value_digest(attribute: str, value: Any) -> bytes:
    """Commit to a delivered value."""
    return hashlib.sha256(
        b"ecluse/1/value/" + attribute.encode() + b"\0" + salt(f"value {attribute}") + rfc8785.dumps(value)
    ).digest()


def fields() -> list[tuple[str, Any]]:
    """Return the fields of the entry."""
    prints = {name: hashlib.sha256(name.encode()).hexdigest() for name in SUBJECT}
    return [
        ("at", "2026-01-05T09:30:00.250000Z"), ("event", "disclosure:person:granted"), ("disclosure", DISCLOSURE), ("processor", "lyon-formation"),
        ("client", CLIENT), ("agent", REQUEST["agent"]), ("assurance", "asserted"), ("appointment", REQUEST["appointment"]), ("subject", "register:1042"),
        ("purpose", "civic-training"), ("legal_basis", "6.1.e"),
        ("contract", {"hash": hashlib.sha256(b"a contract").hexdigest(), "reference": "2026-CIR-017", "version": 3}), ("forms", FORMS),
        ("values", {name: value_digest(name, value).hex() for name, value in SUBJECT.items()}),
        ("fingerprints", {"attributes": prints, "key": 1, "normal": 1}), ("rules", ["contract:form", "window:open"]),
        ("interval", ["2026-01-04T09:00:00.000000Z", "2026-01-05T18:00:00.000000Z"]),
    ]  # fmt: skip


def note(text: str, key: Key) -> str:
    """Sign a note (C2SP signed-note)."""
    secret = key.secret
    if not isinstance(secret, ed25519.Ed25519PrivateKey):
        raise TypeError("a log's key is Ed25519")
    signed = base64.b64encode(key_id(key) + secret.sign(text.encode())).decode()
    return f"{text}\n\u2014 {ORIGIN} {signed}\n"


def key_id(key: Key) -> bytes:
    """Return a key's id in notes."""
    return hashlib.sha256(ORIGIN.encode() + b"\n\x01" + public(key)).digest()[:4]


def public(key: Key) -> bytes:
    """Return the 32 bytes of a public key."""
    return base64.urlsafe_b64decode(key.jwk["x"] + "=")


def vkey(key: Key) -> str:
    """Write a verifier key."""
    typed = base64.b64encode(b"\x01" + public(key)).decode()
    return f"{ORIGIN}+{key_id(key).hex()}+{typed}"


def witness_id(name: str) -> bytes:
    """Return a witness's key id: of its name, the type and the key."""
    return hashlib.sha256(name.encode() + b"\n\x04" + public(WITNESSES[name])).digest()[:4]


def witness_vkey(name: str) -> str:
    """Write a witness's verifier key."""
    typed = base64.b64encode(b"\x04" + public(WITNESSES[name])).decode()
    return f"{name}+{witness_id(name).hex()}+{typed}"


def cosigned(text: str, name: str, at: int, *, claimed: int | None = None) -> str:
    """Return a witness's signature line of a checkpoint's text (C2SP tlog-cosignature); ``claimed``: another time than the signed one."""
    secret = WITNESSES[name].secret
    if not isinstance(secret, ed25519.Ed25519PrivateKey):
        raise TypeError("a witness's key is Ed25519")
    raw = (at if claimed is None else claimed).to_bytes(8, "big") + secret.sign(f"cosignature/v1\ntime {at}\n{text}".encode())
    return f"\u2014 {name} {base64.b64encode(witness_id(name) + raw).decode()}\n"


def steps() -> tuple[list[Row], bytes, bytes]:
    """Return each field's pre-image and digest, their root, and the leaf."""
    rows: list[Row] = []
    for name, value in fields():
        before = b"ecluse/1/" + name.encode() + b"\0" + salt(f"field {name}") + rfc8785.dumps(value)
        rows.append(
            {"name": name, "shown": name not in HIDDEN, "preimage": before.hex(), "digest": hashlib.sha256(before).hexdigest()}
        )
    committed = root([bytes.fromhex(row["digest"]) for row in rows])
    leaf = b'{"c":"' + committed.hex().encode() + b'","h":"2026-01-05T09Z","k":"decision","v":1}'
    return rows, committed, leaf


def good() -> Row:
    """Return the request, the answer, the proof and what they lead through."""
    rows, committed, leaf = steps()
    leaf_hash = hashlib.sha256(b"\0" + leaf).digest()
    opened = [
        [name, salt(f"field {name}").hex(), value] if row["shown"] else row["digest"]
        for row, (name, value) in zip(rows, fields(), strict=True)
    ]
    leaves = [leaf_hash if n == INDEX else hashlib.sha256(b"\0an entry of somebody else: %d" % n).digest() for n in range(SIZE)]
    text = f"{ORIGIN}\n{SIZE}\n{base64.b64encode(root(leaves)).decode()}\n"
    answer = {
        "disclosure": DISCLOSURE, "subject": SUBJECT, "forms": FORMS, "window_closes_at": "2026-01-05T18:00:00Z",
        "receipt": {
            "log": ORIGIN, "index": INDEX, "leaf_hash": leaf_hash.hex(), "opening": {"v": 1, "k": "decision", "h": "2026-01-05T09Z", "fields": opened},
            "value_salts": {name: salt(f"value {name}").hex() for name in SUBJECT},
        },
    }  # fmt: skip
    proof = {
        "log": ORIGIN, "index": INDEX, "leaf_hash": leaf_hash.hex(), "checkpoint": note(text, LOG_KEY),
        "inclusion": [each.hex() for each in path(INDEX, leaves)],
    }  # fmt: skip
    walk = {
        "fields": rows, "c": committed.hex(), "leaf": leaf.decode(), "leaf_hash": leaf_hash.hex(), "leaf_hashes": [each.hex() for each in leaves],
        "root": root(leaves).hex(),
        "values": [
            {"attribute": name, "canonical": rfc8785.dumps(value).decode(), "digest": value_digest(name, value).hex()} for name, value in SUBJECT.items()
        ],
    }  # fmt: skip
    return {"request": REQUEST, "answer": answer, "proof": proof, "steps": walk}


Change = Callable[[Row], object]


def opened_at(case: Row, name: str) -> list[Any]:
    """Return a shown field of a case."""
    found: list[Any] = next(f for f in case["answer"]["receipt"]["opening"]["fields"] if isinstance(f, list) and f[0] == name)
    return found


def broken() -> list[tuple[str, str, Change]]:
    """Return what is done to the good case: name, the part that fails, the change."""
    other = vkey(Key("another log", "Ed25519"))

    def resign(case: Row) -> None:
        case["proof"]["checkpoint"] = note(f"{ORIGIN}\n12\n{base64.b64encode(bytes(32)).decode()}\n", LOG_KEY)

    def swap(case: Row) -> None:
        held = case["answer"]["receipt"]["opening"]["fields"]
        held[0], held[1] = held[1], held[0]

    def resize(case: Row) -> None:
        case["proof"]["checkpoint"] = case["proof"]["checkpoint"].replace("\n11\n", "\n12\n")

    def unsigned(case: Row) -> None:
        case["proof"]["checkpoint"] = case["proof"]["checkpoint"].partition("\n\n")[0] + "\n\n"

    def twice(case: Row) -> None:
        told = fields()
        told.insert(13, ("forms", FORMS | {"family_name": "initial"}))
        raw = [b"ecluse/1/" + name.encode() + b"\0" + salt(f"field {name}") + rfc8785.dumps(value) for name, value in told]
        digests = [hashlib.sha256(each).digest() for each in raw]
        leaf = b'{"c":"' + root(digests).hex().encode() + b'","h":"2026-01-05T09Z","k":"decision","v":1}'
        opened = [
            digest.hex() if name in HIDDEN or place == 12 else [name, salt(f"field {name}").hex(), value]
            for place, ((name, value), digest) in enumerate(zip(told, digests, strict=True))
        ]
        receipt = case["answer"]["receipt"]
        receipt["opening"]["fields"], receipt["leaf_hash"] = opened, hashlib.sha256(b"\0" + leaf).hexdigest()
        case["answer"]["forms"] = case["answer"]["forms"] | {"family_name": "initial"}

    def by_others(case: Row) -> None:
        text, gap, _ = case["proof"]["checkpoint"].partition("\n\n")
        case["proof"]["checkpoint"] = text + gap + "".join(cosigned(text + "\n", name, 1) for name in WITNESSES)

    return [
        ("a value is another than the one sealed", "values", lambda c: c["answer"]["subject"].update(birth_date=1991)),
        ("a value has another type", "values", lambda c: c["answer"]["subject"].update(birth_date="1990")),
        ("a missing value is filled in", "values", lambda c: c["answer"]["subject"].update(phone="")),
        ("a withheld attribute is in the answer", "values", lambda c: c["answer"]["subject"].update(email="e***@example.org")),
        ("a value was left out", "values", lambda c: c["answer"]["subject"].pop("phone")),
        ("a value's salt is another", "values", lambda c: c["answer"]["receipt"]["value_salts"].update(birth_date="00" * 32)),
        ("a form is weaker than the one sealed", "opening", lambda c: c["answer"]["forms"].update(family_name="initial")),
        ("the appointment is another", "opening", lambda c: c["request"].update(appointment="apt_" + "a" * 26)),
        ("the disclosure is another", "opening", lambda c: c["answer"].update(disclosure="dsc_" + "a" * 26)),
        ("a shown field was edited", "opening", lambda c: opened_at(c, "purpose").__setitem__(2, "marketing")),
        ("a field's salt was edited", "opening", lambda c: opened_at(c, "at").__setitem__(1, "00" * 32)),
        ("two fields are swapped", "opening", swap),
        ("a hidden field is missing", "opening", lambda c: c["answer"]["receipt"]["opening"]["fields"].pop()),
        ("two fields of a name, the second one shown", "opening", twice),
        ("the hour is another", "opening", lambda c: c["answer"]["receipt"]["opening"].update(h="2026-01-05T10Z")),
        ("the leaf hash is another", "opening", lambda c: c["answer"]["receipt"].update(leaf_hash="00" * 32)),
        ("the proof is of another entry", "proof", lambda c: c["proof"].update(index=5)),
        ("the proof lacks a hash", "proof", lambda c: c["proof"]["inclusion"].pop()),
        ("the proof has one hash too many", "proof", lambda c: c["proof"]["inclusion"].append("00" * 32)),
        ("two hashes of the proof are swapped", "proof", lambda c: c["proof"]["inclusion"].reverse()),
        ("the checkpoint's size was edited", "checkpoint", resize),
        ("the checkpoint is signed, and of another tree", "proof", resign),
        ("the checkpoint has no signature", "checkpoint", unsigned),
        ("witnesses signed the checkpoint, the log did not", "checkpoint", by_others),
        ("the key is another log's", "checkpoint", lambda c: c.update(vkey=other)),
    ]  # fmt: skip


def more_signed(note_text: str) -> dict[str, str]:
    """Return the same checkpoint with signatures beside the log's, by what they are: whoever knows none of them passes over them."""
    text = note_text.partition("\n\n")[0] + "\n"
    witnesses = [cosigned(text, name, 1_767_605_401 + n) for n, name in enumerate(WITNESSES)]
    after = note(text, NEXT_LOG_KEY).removeprefix(text + "\n")
    own = note_text.removeprefix(text + "\n")
    return {
        "cosigned by witnesses": note_text + "".join(witnesses),
        "cosigned by witnesses, whose lines stand before": f"{text}\n{''.join(witnesses)}{own}",
        "signed by the log's next key, too": note_text + after,
    }


def vectors() -> Row:
    """Return the file."""
    case = {"vkey": vkey(LOG_KEY), **good()}
    told = {"request": case["request"], "vkey": case["vkey"], "answer": case["answer"], "proof": case["proof"]}
    accepted = [{"name": "one person, four values, one withheld", **told, "steps": case["steps"]}]
    for name, signed in more_signed(told["proof"]["checkpoint"]).items():
        accepted.append({"name": name, **told, "proof": told["proof"] | {"checkpoint": signed}, "steps": case["steps"]})
    refused = []
    for name, fails, change in broken():
        worse = deepcopy(told)
        change(worse)
        refused.append({"name": name, "fails": fails, **worse})
    return {"accepted": accepted, "refused": refused}
