"""Policies, notes and proofs, damaged: the two readers agree, what is read is read as itself, and no made-up proof passes."""

from __future__ import annotations

import json
from contextlib import suppress
from itertools import islice
from pathlib import Path
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecluse.client import notes as client_notes
from ecluse.client.errors import ReceiptBroken
from ecluse.client.proofs import split_proof
from ecluse.client.trust import parse_policy as parse_client_policy
from ecluse.errors import ConfigurationError
from ecluse.ledger.errors import NoteInvalid, PolicyInvalid, ProofError, RangeRefused
from ecluse.ledger.model import MAX_SIZE
from ecluse.ledger.notes import open_cosigned, parse_checkpoint, parse_note
from ecluse.ledger.quorum import parse_policy
from ecluse.ledger.tree import check_consistency, check_inclusion
from ecluse.witness.errors import RequestInvalid
from ecluse.witness.parse import parse_request
from tests.fuzz.mutants import mutants
from tests.fuzz.signed import ORIGIN, VERIFIER, VKEY
from tests.fuzz.test_parsers import BIG
from tests.fuzz.witnessed import COSIGNED, POLICY, TEXT, VKEYS, WITNESSES, WORDS, alike, write_policy

pytestmark = pytest.mark.unit

VECTORS: Final = Path(__file__).parents[1] / "vectors" / "c2sp"


def read(name: str) -> Any:
    """Read a file of vectors."""
    return json.loads((VECTORS / f"{name}.json").read_text(encoding="utf-8"))


def test_policy_when_damaged_then_both_readers_agree_and_it_is_read_as_itself(pytestconfig: pytest.Config) -> None:
    """The log's reader and the client's take the same policies and read the same in them; written anew, a policy is the same policy."""
    taken, seeds = (
        0,
        [POLICY, *(one["policy"].encode("latin-1") for kind in ("accepted", "refused") for one in read("policies")[kind])],
    )
    for data in [*seeds, *islice(mutants(seeds, WORDS, pytestconfig.getoption("randomly_seed", 0)), 3_000 * BIG)]:
        ours = theirs = None
        with suppress(PolicyInvalid):
            ours = parse_policy(data)
        with suppress(ConfigurationError):
            theirs = parse_client_policy(data)
        assert (ours is None) is (theirs is None), data
        if ours is not None and theirs is not None:
            assert alike(ours, theirs), data
            assert parse_policy(write_policy(ours)) == ours
            taken += 1
    assert taken > 20


def test_checkpoint_when_damaged_then_both_readers_believe_the_same_cosignatures(pytestconfig: pytest.Config) -> None:
    """Whatever the client believes of witnesses, the log's own reader reads, and the other way round."""
    taken, logs = 0, [client_notes.parse_vkey(VKEY)]
    witnesses = [client_notes.parse_vkey(one, client_notes.WITNESS) for one in VKEYS]
    for data in islice(mutants([COSIGNED.encode()], WORDS, pytestconfig.getoption("randomly_seed", 0)), 1_500 * BIG):
        ours = theirs = None
        with suppress(NoteInvalid):
            ours = open_cosigned(data, [VERIFIER], ORIGIN, WITNESSES)
        with suppress(ReceiptBroken):
            theirs = client_notes.open_checkpoint(data, logs, witnesses)
        assert (ours is None) is (theirs is None), data
        if ours is not None and theirs is not None:
            assert {one.name: at for one, at in ours.cosigned_at.items()} == {
                one.name: at for one, at in theirs.cosigned_at.items()
            }
            assert (ours.checkpoint.size, ours.checkpoint.root) == (theirs.checkpoint.size, theirs.checkpoint.root)
            assert set(ours.cosigned_at) <= set(WITNESSES)
            taken += 1
    assert taken


@pytest.mark.parametrize("case", read("add-checkpoint")["refused"], ids=lambda case: case["name"])
def test_parse_request_when_a_vector_is_bad_then_refused(case: dict[str, str]) -> None:
    """Every request of another form is refused."""
    with pytest.raises(RequestInvalid):
        parse_request(case["body"].encode())


@pytest.mark.parametrize("case", read("add-checkpoint")["accepted"], ids=lambda case: case["name"])
def test_parse_request_when_a_vector_is_good_then_read(case: dict[str, Any]) -> None:
    """Published requests are read whole."""
    request = parse_request(case["body"].encode())
    assert (request.old_size, len(request.proof), request.note) == (case["old"], len(case["proof"]), case["note"])


@pytest.mark.parametrize("case", read("tlog-proofs")["refused"], ids=lambda case: case["name"])
def test_split_proof_when_a_vector_is_bad_then_it_or_its_checkpoint_is_refused(case: dict[str, str]) -> None:
    """Every proof of another form is refused, at the latest where its checkpoint is opened."""
    with pytest.raises((ReceiptBroken, NoteInvalid)):
        parse_checkpoint(parse_note(split_proof(case["proof"].encode()).note)[0])


@given(
    st.integers(-1, MAX_SIZE + 1), st.integers(-1, MAX_SIZE + 1), st.lists(st.binary(min_size=31, max_size=33) | st.just(bytes(32)), max_size=66),
    st.binary(min_size=32, max_size=32), st.binary(min_size=32, max_size=32),
)  # fmt: skip
def test_checks_when_the_proof_is_made_up_then_refused(
    first: int, second: int, path: list[bytes], left: bytes, right: bytes
) -> None:
    """No made-up proof passes: not of inclusion, not of consistency, whatever the sizes and however long."""
    with pytest.raises((ProofError, RangeRefused)):
        check_inclusion(first, second, left, path, left[::-1] + right[32:] if path else bytes(31))
    if first != second or left != right or path:
        with pytest.raises((ProofError, RangeRefused)):
            check_consistency(first, second, left, right, path)


def test_cosigned_when_whole_then_all_three_are_believed() -> None:
    """The seed itself is good: what is tested above is damage to something that holds."""
    assert len(open_cosigned(COSIGNED, [VERIFIER], ORIGIN, WITNESSES).cosigned_at) == 3
    assert parse_note(COSIGNED)[0] == TEXT
