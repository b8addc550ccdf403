"""The vectors for integrators: our own code accepts and refuses exactly as they say, and their source writes them anew byte for byte."""

from __future__ import annotations

import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any

import msgspec
import pytest

from ecluse.client.calls import read_disclosed, read_proof
from ecluse.client.errors import ReceiptBroken
from ecluse.client.trust import policy_of_vkey
from ecluse.disclosure.compose import value_digest
from ecluse.identity import ClientAuthInvalid, ProofChecker, ProofInvalid, check_assertion, load_private, parse_public_jwk
from ecluse.identity.proofs import token_hash
from ecluse.identity.tokens import TokenChecker
from ecluse.ids import ClientId, is_id
from ecluse.ledger import SHOWN_TO_PROCESSOR, leaf_hash
from ecluse.ledger.fields import commit, fields_of
from ecluse.ledger.model import Checkpoint
from ecluse.ledger.notes import open_checkpoint
from ecluse.ledger.notes import parse_vkey as server_vkey
from ecluse.ledger.tree import check_inclusion, root_of
from ecluse.web.problems import PROBLEMS
from tests.e2e import outsider
from tests.vectors.integrators.generate import HERE, files, written

pytestmark = pytest.mark.unit

Row = dict[str, Any]


def read(name: str) -> Row:
    """Read a file of vectors."""
    content: Row = json.loads((HERE / name).read_text(encoding="utf-8"))
    return content


RFC, KEYS, PROOFS, ASSERTIONS, RECEIPTS = (
    read(f"{name}.json") for name in ("rfc9449", "keys", "proofs", "assertions", "receipts")
)
NOW = datetime.fromtimestamp(PROOFS["epoch"], UTC)


def named(rows: list[Row]) -> pytest.MarkDecorator:
    """Run a test for each row, under its name."""
    return pytest.mark.parametrize("row", rows, ids=[row["name"] for row in rows])


def check(row: Row) -> str:
    """Check a proof of our vectors as the gate does; return the key's thumbprint."""
    thumbprint = None
    if row["token"] is not None:
        public = parse_public_jwk(KEYS["keys"]["token"]["public_jwk"])
        thumbprint = TokenChecker([public], PROOFS["server"], PROOFS["server"]).check(row["token"], NOW).thumbprint
    checker = ProofChecker(PROOFS["server"])
    request = {"method": row["method"], "path": row["path"], "token": row["token"], "thumbprint": thumbprint}
    return checker.check(row["proof"], now=NOW, **request).thumbprint


def test_files_when_written_anew_then_the_same() -> None:
    """Each file is what its source writes; there are at least twice as many refused ones as accepted, under names of their own."""
    for name, content in files().items():
        assert (HERE / name).read_text(encoding="utf-8") == written(content), (
            f"{name}: python -m tests.vectors.integrators.generate"
        )
    for found in (PROOFS, ASSERTIONS, RECEIPTS):
        assert len(found["refused"]) >= 2 * len(found["accepted"])
        assert len({row["name"] for row in found["refused"]}) == len(found["refused"])
    assert NOW.isoformat() == PROOFS["at"].replace("Z", "+00:00")


# ── proofs ───────────────────────────────────────────────────────────────────────────────────────────────────────────────────
@named(PROOFS["refused"])
def test_proofs_when_to_be_refused_then_refused(row: Row) -> None:
    """Each spoilt proof is refused, and its problem is one of the catalogue."""
    with pytest.raises(ProofInvalid):
        check(row)
    assert row["problem"] in PROBLEMS


@named(PROOFS["accepted"])
def test_proofs_when_good_then_accepted_by_their_key(row: Row) -> None:
    """Each good proof is accepted, its parts are those of its text, and its claims are those that it shows."""
    assert check(row) == KEYS["keys"][row["key"]]["thumbprint"]
    assert row["proof"] == f"{row['signing_input']}.{row['signature']}"
    header, claims = (json.loads(urlsafe_b64decode(part + "==")) for part in row["signing_input"].split("."))
    assert (header, claims) == (row["header"], row["claims"])
    assert claims.get("ath") == (token_hash(row["token"]) if row["token"] else None)


@named(RFC["proofs"])
def test_proofs_when_of_the_standard_then_accepted(row: Row) -> None:
    """The RFC's own examples are accepted at their own instant, for their own requests."""
    checker = ProofChecker(row["server"])
    thumbprint = RFC["thumbprint"] if row["token"] else None
    found = checker.check(
        row["proof"], method=row["method"], path=row["path"], token=row["token"], thumbprint=thumbprint, now=datetime.fromtimestamp(row["epoch"], UTC)
    )  # fmt: skip
    assert found.thumbprint == RFC["thumbprint"] == parse_public_jwk(RFC["jwk"]).thumbprint
    assert row["token"] is None or token_hash(row["token"]) == row["ath"]


def test_keys_when_read_in_every_form_then_one_key() -> None:
    """JWK, PEM and thumbprint of a key are of the same key."""
    for key in KEYS["keys"].values():
        private = load_private(key["private_pem"].encode())
        assert private.public.jwk == key["public_jwk"] == {k: v for k, v in key["private_jwk"].items() if k != "d"}
        hashed = urlsafe_b64encode(sha256(key["thumbprint_input"].encode()).digest()).rstrip(b"=").decode()
        assert private.thumbprint == key["thumbprint"] == hashed


# ── assertions ───────────────────────────────────────────────────────────────────────────────────────────────────────────────
def authenticate(row: Row) -> str:
    """Check an assertion as the token endpoint does; return the thumbprint of the key that signed it."""
    registered = [parse_public_jwk(KEYS["keys"][name]["public_jwk"]) for name in ASSERTIONS["registered"]]
    server = ASSERTIONS["server"]
    return check_assertion(
        row["assertion"], client_id=ClientId(ASSERTIONS["client_id"]), client_keys=registered, audiences={server, f"{server}/oauth/token"}, now=NOW
    ).thumbprint  # fmt: skip


@named(ASSERTIONS["refused"])
def test_assertions_when_to_be_refused_then_refused(row: Row) -> None:
    """Each spoilt assertion is refused with the OAuth error that it names."""
    with pytest.raises(ClientAuthInvalid) as refused:
        authenticate(row)
    assert refused.value.oauth_error == row["error"]


@named(ASSERTIONS["accepted"])
def test_assertions_when_good_then_accepted_by_their_key(row: Row) -> None:
    """Each good assertion is accepted, by the key that signed it."""
    assert authenticate(row) == KEYS["keys"][row["key"]]["thumbprint"]


# ── receipts ─────────────────────────────────────────────────────────────────────────────────────────────────────────────────
def judge(row: Row) -> None:
    """Check an answer and its proof as our client does; raise what it raises."""
    disclosed = read_disclosed(row["answer"], row["request"]["appointment"], row["request"]["agent"])
    try:
        found = read_proof(row["proof"], disclosed.receipt, policy_of_vkey(row["vkey"]))
    except ReceiptBroken as bad:
        raise ReceiptBroken(f"after the receipt: {bad}") from bad
    assert found is not None


@named(RECEIPTS["refused"])
def test_receipts_when_spoilt_then_refused_by_the_part_they_name(row: Row) -> None:
    """Each spoilt receipt is refused: what concerns values or opening before the log is asked, the rest by the log's proof."""
    with pytest.raises(ReceiptBroken) as refused:
        judge(row)
    assert ("after the receipt" in str(refused.value)) == (row["fails"] in {"proof", "checkpoint"})


@named(RECEIPTS["accepted"])
def test_receipts_when_good_then_accepted_by_client_and_outsider(row: Row) -> None:
    """Our client accepts the receipt, and so does the verifier that was written from the public interface alone."""
    judge(row)
    outsider.check_receipt(row["answer"])
    origin, size, root = outsider.read_checkpoint(row["proof"]["checkpoint"], row["vkey"])
    path = [bytes.fromhex(each) for each in row["proof"]["inclusion"]]
    assert origin == row["proof"]["log"]
    assert outsider.is_included(row["proof"]["index"], size, bytes.fromhex(row["proof"]["leaf_hash"]), path, root)
    assert is_id(row["answer"]["disclosure"], "dsc")
    assert is_id(row["request"]["appointment"], "apt")
    assert is_id(row["request"]["agent"], "agt")


@named(RECEIPTS["accepted"])
def test_receipts_when_walked_by_the_server_then_the_same_steps(row: Row) -> None:
    """The server's own functions give each digest, the leaf, its hash, the root and the signed checkpoint of the vectors."""
    steps = row["steps"]
    told = [(each["name"], bytes.fromhex(each["preimage"]).partition(b"\0")[2]) for each in steps["fields"]]
    pairs = fields_of(msgspec.json.encode([[name, msgspec.json.decode(rest[32:])] for name, rest in told]).decode())
    committed = commit(pairs, b"".join(rest[:32] for _, rest in told))
    assert [digest.hex() for digest in committed.digests] == [each["digest"] for each in steps["fields"]]
    assert committed.leaf.decode() == steps["leaf"]
    assert steps["c"] in steps["leaf"]
    assert leaf_hash(committed.leaf).hex() == steps["leaf_hash"] == row["answer"]["receipt"]["leaf_hash"]
    assert {each["name"] for each in steps["fields"] if each["shown"]} <= SHOWN_TO_PROCESSOR
    assert not {each["name"] for each in steps["fields"] if not each["shown"]} & SHOWN_TO_PROCESSOR
    for each in steps["values"]:
        value, salt = json.loads(each["canonical"]), bytes.fromhex(row["answer"]["receipt"]["value_salts"][each["attribute"]])
        assert value == row["answer"]["subject"][each["attribute"]]
        assert value_digest(each["attribute"], salt, value) == each["digest"]
    leaves = [bytes.fromhex(each) for each in steps["leaf_hashes"]]
    head: Checkpoint = open_checkpoint(row["proof"]["checkpoint"], [server_vkey(row["vkey"])], row["proof"]["log"])
    assert head.root == root_of(leaves) == bytes.fromhex(steps["root"])
    path = [bytes.fromhex(each) for each in row["proof"]["inclusion"]]
    check_inclusion(row["proof"]["index"], head.size, leaves[row["proof"]["index"]], path, head.root)
