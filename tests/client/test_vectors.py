"""The published vectors of C2SP and RFC 6962, judged by the client's own verifier: the server's is tested on the same ones apart."""

from __future__ import annotations

import json
from base64 import b64decode
from pathlib import Path
from typing import Any, Final

import pytest

from ecluse.client.errors import ReceiptBroken
from ecluse.client.model import Checkpoint
from ecluse.client.notes import LOG, WITNESS, open_checkpoint, parse_checkpoint, parse_vkey
from ecluse.client.proofs import TlogProof, split_proof
from ecluse.client.tree import check_extends, check_inclusion, tile_path
from ecluse.client.trust import parse_policy
from ecluse.errors import ConfigurationError

pytestmark = pytest.mark.unit

VECTORS: Final = Path(__file__).resolve().parents[1] / "vectors"
Row = dict[str, Any]


def read(name: str) -> Any:
    """Read a file of vectors."""
    return json.loads((VECTORS / name).read_text(encoding="utf-8"))


def named(rows: list[Row]) -> pytest.MarkDecorator:
    """Run a test for each row, under its name."""
    return pytest.mark.parametrize("row", rows, ids=[row["name"] for row in rows])


POLICIES, COSIGNATURES, PROOFS, CHECKPOINTS = (
    read(f"c2sp/{name}.json") for name in ("policies", "cosignatures", "tlog-proofs", "checkpoints")
)
TREES = read("rfc6962/proofs.json")
PATHS = read("c2sp/tile-paths.json")


@named(POLICIES["refused"])
def test_policy_when_to_be_refused_then_refused_with_its_line(row: Row) -> None:
    """Each faulty policy is refused, and the error names the line where the fault is, if it is of one line."""
    with pytest.raises(ConfigurationError) as refused:
        parse_policy(row["policy"].encode("utf-8", "surrogateescape"))
    if row["line"] and "quorum line" not in refused.value.why:
        assert refused.value.where == f"policy, line {row['line']}"


@named(POLICIES["accepted"])
def test_policy_when_good_then_the_quorum_is_as_told(row: Row) -> None:
    """Each good policy has the logs, witnesses and quorum that it says, and is reached by exactly those sets of witnesses."""
    policy = parse_policy(row["policy"].encode("utf-8", "surrogateescape"))
    assert len(policy.logs) == row["logs"]
    names = [one.name.decode("utf-8", "surrogateescape") for one in policy.witnesses]
    assert names == row["witnesses"]
    assert (None if policy.quorum is None else policy.quorum.decode("utf-8", "surrogateescape")) == row["quorum"]
    keys = dict(zip(names, (one.key for one in policy.witnesses), strict=True))
    for by, enough in row["cosigned"]:
        assert policy.reached(keys[name] for name in by) is enough, by


def opened(row: Row) -> dict[str, int]:
    """Open a note of the vectors, of the log asked for, and return who cosigned it when."""
    head = open_checkpoint(
        row["note"], [parse_vkey(key, LOG) for key in row["logs"]], [parse_vkey(key, WITNESS) for key in row["witnesses"]]
    )
    if head.checkpoint.origin != row["origin"]:
        raise ReceiptBroken("of another origin")
    return {key.name: at for key, at in head.cosigned_at.items()}


@named(COSIGNATURES["refused"])
def test_cosignature_when_to_be_refused_then_the_note_is_refused(row: Row) -> None:
    """One bad line of a known key, or one that is none, spoils the note."""
    with pytest.raises(ReceiptBroken):
        opened(row)


@named(COSIGNATURES["accepted"])
def test_cosignature_when_good_then_who_and_when(row: Row) -> None:
    """Each good note tells which known witnesses cosigned it, and when."""
    assert opened(row) == row["cosigned_at"]


@named(CHECKPOINTS["refused"])
def test_checkpoint_when_to_be_refused_then_refused(row: Row) -> None:
    """A checkpoint has one spelling."""
    with pytest.raises(ReceiptBroken):
        parse_checkpoint(row["text"])


@named(CHECKPOINTS["accepted"])
def test_checkpoint_when_good_then_read(row: Row) -> None:
    """Origin, size and root are those of the text."""
    assert parse_checkpoint(row["text"]) == Checkpoint(origin=row["origin"], size=row["size"], root=b64decode(row["root"]))


def proven(text: str) -> tuple[TlogProof, Checkpoint]:
    """Read a .tlog-proof and open its checkpoint by the vectors' log."""
    proof = split_proof(text.encode())
    return proof, open_checkpoint(proof.note, [parse_vkey(PROOFS["log"])]).checkpoint


@named(PROOFS["refused"])
def test_proof_when_to_be_refused_then_refused(row: Row) -> None:
    """A .tlog-proof has one spelling, its checkpoint included."""
    with pytest.raises(ReceiptBroken):
        proven(row["proof"])


@named(PROOFS["accepted"])
def test_proof_when_good_then_its_parts_and_the_leaf_is_there(row: Row) -> None:
    """Extra, index, path and checkpoint are those of the text, and the proof shows the leaf."""
    proof, head = proven(row["proof"])
    path = tuple(b64decode(each) for each in row["path"])
    extra = None if row["extra"] is None else b64decode(row["extra"])
    assert (proof.extra, proof.index, proof.path, proof.note) == (extra, row["index"], path, row["checkpoint"])
    check_inclusion(proof.index, b64decode(row["leaf_hash"]), proof.path, head)


@named(TREES["inclusion"])
def test_inclusion_when_published_then_as_published(row: Row) -> None:
    """Each inclusion proof of transparency-dev holds or fails as it is marked."""

    def judge() -> None:
        head = Checkpoint(origin="o", size=row["treeSize"], root=b64decode(row["root"] or ""))
        check_inclusion(row["leafIdx"], b64decode(row["leafHash"] or ""), [b64decode(each) for each in row["proof"] or []], head)

    if row["wantErr"]:
        with pytest.raises(ReceiptBroken):
            judge()
    else:
        judge()


@named([row for row in TREES["consistency"] if 0 < row["size1"] < row["size2"]])
def test_consistency_when_published_then_as_published(row: Row) -> None:
    """Each consistency proof of transparency-dev between two sizes holds or fails as it is marked."""

    def judge() -> None:
        older, newer = (Checkpoint(origin="o", size=row[f"size{n}"], root=b64decode(row[f"root{n}"] or "")) for n in (1, 2))
        check_extends(older, newer, [b64decode(each) for each in row["proof"] or []])

    if row["wantErr"]:
        with pytest.raises(ReceiptBroken):
            judge()
    else:
        judge()


def test_tile_path_when_published_then_as_published() -> None:
    """Paths of tiles are written as C2SP writes them."""
    wanted = [row for row in PATHS["good"] if row[1] >= 0]
    assert len(wanted) > 5
    for path, level, index, width in wanted:
        assert tile_path((level, index), width) == path
