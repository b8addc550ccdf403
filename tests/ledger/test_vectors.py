"""The vectors as a whole: most of each file is to be refused, sources are named, and the written files are as their generator writes them."""

from __future__ import annotations

import json
import re
from base64 import b64decode
from pathlib import Path

import pytest

from ecluse.ledger.errors import NoteInvalid
from ecluse.ledger.notes import open_checkpoint, parse_base64, parse_checkpoint, parse_vkey
from ecluse.ledger.tree import EMPTY_ROOT, check_inclusion, leaf_hash, node_hash
from tests.vectors.c2sp import generate

pytestmark = pytest.mark.unit

VECTORS = Path(__file__).parents[1] / "vectors"
CHECKPOINTS = json.loads((VECTORS / "c2sp" / "checkpoints.json").read_text(encoding="utf-8"))


def _read(name):
    return json.loads((VECTORS / name).read_text(encoding="utf-8"))


def _count(name):
    """Count the cases of a file to accept and to refuse."""
    held = _read(name)
    if name == "rfc6962/proofs.json":
        cases = [*held["inclusion"], *held["consistency"]]
        return sum(not case["wantErr"] for case in cases), sum(case["wantErr"] for case in cases)
    if name == "c2sp/tile-paths.json":
        return len(held["good"]), len(held["bad"])
    if name == "c2sp/notes.json":
        return 2, len(held["bad_vkeys"]) + len(held["malformed"])  # the note of two signers; the two examples can't be opened
    return len(held["accepted"]), len(held["refused"])


FILES = [
    "rfc6962/proofs.json", "c2sp/notes.json", "c2sp/checkpoints.json", "c2sp/tile-paths.json", "c2sp/policies.json",
    "c2sp/cosignatures.json", "c2sp/tlog-proofs.json", "c2sp/add-checkpoint.json",
]  # fmt: skip


@pytest.mark.parametrize("name", FILES)
def test_vectors_when_counted_then_two_thirds_are_to_be_refused(name):
    """In each file at least two of three cases must fail."""
    accepted, refused = _count(name)
    assert accepted
    assert refused >= 2 * accepted


def test_vectors_when_all_are_counted_then_as_many_as_there_were():
    """No case is lost unnoticed: a good two thirds of some hundreds are refusals."""
    accepted, refused = (sum(column) for column in zip(*map(_count, FILES), strict=True))
    assert refused >= 4 * accepted
    assert accepted + refused >= 480


@pytest.mark.parametrize("folder", ["c2sp", "rfc6962"])
def test_vectors_when_a_file_lies_there_then_its_source_is_named(folder):
    """Each file of vectors stands in SOURCES.md, and each that stands there is there."""
    sources = (VECTORS / folder / "SOURCES.md").read_text(encoding="utf-8")
    there = {path.name for path in (VECTORS / folder).glob("*.json")}
    assert {name for name in there if f"`{name}`" in sources} == there
    assert {word.strip("`:") for word in sources.split() if word.endswith((".json`", ".json`:"))} == there


@pytest.mark.parametrize("name", ["policies", "cosignatures", "tlog-proofs", "add-checkpoint"])
def test_vectors_when_written_anew_then_the_same(name):
    """The written files are what the generator writes, from the standards' texts and nothing of ours."""
    made = getattr(generate, name.replace("-", "_"))()
    assert json.loads(json.dumps(made)) == _read(f"c2sp/{name}.json")
    lines = Path(generate.__file__).read_text(encoding="utf-8").splitlines()
    assert not [line for line in lines if line.startswith(("import ecluse", "from ecluse"))]


@pytest.mark.parametrize("case", CHECKPOINTS["refused"], ids=lambda case: case["name"])
def test_parse_checkpoint_when_a_vector_is_bad_then_refused(case):
    """Every text that is no checkpoint is refused."""
    with pytest.raises(NoteInvalid):
        parse_checkpoint(case["text"])


@pytest.mark.parametrize("case", CHECKPOINTS["accepted"], ids=lambda case: case["name"])
def test_parse_checkpoint_when_a_vector_is_good_then_read(case):
    """Good texts are read, extension lines and odd origins included."""
    read = parse_checkpoint(case["text"])
    assert (read.origin, read.size, read.root) == (case["origin"], case["size"], b64decode(case["root"]))


def test_hashes_when_published_then_ours():
    """Leaf, node and empty tree hash to the published values; a leaf is no node, and order counts."""
    published = _read("rfc6962/hashes.json")
    left, right = bytes.fromhex(published["node"]["left"]), bytes.fromhex(published["node"]["right"])
    assert EMPTY_ROOT.hex() == published["empty"]
    assert leaf_hash(bytes.fromhex(published["leaf"]["entry"])).hex() == published["leaf"]["hash"]
    assert node_hash(left, right).hex() == published["node"]["hash"]
    assert len({node_hash(left, right), node_hash(right, left), leaf_hash(left + right)}) == 3


@pytest.mark.parametrize("case", _read("c2sp/tlog-proofs.json")["accepted"], ids=lambda case: case["name"])
def test_check_inclusion_when_of_a_tlog_proof_then_under_its_checkpoint(case):
    """The good proofs hold: their path leads from the leaf to the root that the log signed."""
    vkey = parse_vkey(_read("c2sp/tlog-proofs.json")["log"])
    head = open_checkpoint(case["checkpoint"], [vkey], vkey.name)
    path = [parse_base64(one) for one in case["path"]]
    check_inclusion(case["index"], head.size, parse_base64(case["leaf_hash"]), path, head.root)


@pytest.mark.parametrize("case", _read("c2sp/add-checkpoint.json")["accepted"], ids=lambda case: case["name"])
def test_open_checkpoint_when_of_a_published_request_then_signed_by_its_log(case):
    """The published requests carry checkpoints that their log's published key signed."""
    vkey = parse_vkey(_read("c2sp/add-checkpoint.json")["log"])
    assert open_checkpoint(case["note"], [vkey], vkey.name).size in {1, 3, 5}


def test_page_when_it_names_a_test_or_a_page_then_it_is_there():
    """What docs/ledger.md points at exists: tests by name, pages, folders."""
    page = (VECTORS.parents[1] / "docs" / "ledger.md").read_text(encoding="utf-8")
    named = re.findall(r"`(tests/[a-z0-9_/]+\.py)(?:::(\w+))?`", page)
    assert len(named) >= 10
    for file, name in named:
        text = (VECTORS.parents[1] / file).read_text(encoding="utf-8")
        assert not name or re.search(rf"^(async )?def {name}\(", text, re.MULTILINE), name
    for link in re.findall(r"\]\(([^)#]+)\)", page):
        assert (VECTORS.parents[1] / "docs" / link).exists(), link
