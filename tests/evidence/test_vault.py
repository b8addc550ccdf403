"""Documents at rest: what opens only with its key, its id and its hash, in every version of the key."""

from __future__ import annotations

from hashlib import sha256

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from hypothesis import given
from hypothesis import strategies as st

from ecluse.evidence import EvidenceBroken
from ecluse.evidence.vault import Vault

pytestmark = pytest.mark.unit

ID, OTHER = "evd_" + "b" * 26, "evd_" + "c" * 26
OLD, NEW = b"\x01" * 32, b"\x02" * 32
NONCE = b"\x09" * 12


@given(st.binary(max_size=64), st.integers(min_value=0))
def test_ciphertext_when_any_bit_is_changed_then_broken(content: bytes, place: int) -> None:
    """Whichever bit of nonce, ciphertext or tag is turned, nothing is opened."""
    vault = Vault({1: OLD})
    sealed, digest = vault.seal(ID, content, nonce=NONCE)
    bit = place % (8 * len(sealed))
    changed = bytearray(sealed)
    changed[bit // 8] ^= 1 << bit % 8
    with pytest.raises(EvidenceBroken):
        vault.open(ID, bytes(changed), digest)
    assert vault.open(ID, sealed, digest) == content


def test_document_when_opened_as_another_then_broken() -> None:
    """Another id, another hash, another key, and too few bytes open nothing."""
    vault = Vault({1: OLD})
    sealed, digest = vault.seal(ID, b"bonjour", nonce=NONCE)
    wrong = sha256(b"bonsoir").hexdigest()
    for opened_by, name, kept, said in (
        (vault, OTHER, sealed, digest),
        (vault, ID, sealed, wrong),
        (Vault({1: NEW}), ID, sealed, digest),
    ):
        with pytest.raises(EvidenceBroken):
            opened_by.open(name, kept, said)
    for kept in (b"", sealed[:11], sealed[:27]):
        with pytest.raises(EvidenceBroken):
            vault.open(ID, kept, digest)


def test_document_when_another_content_was_sealed_under_its_hash_then_broken() -> None:
    """Who has the key and lies about the hash is found out by the hash itself."""
    digest = sha256(b"bonjour")
    sealed = NONCE + AESGCM(OLD).encrypt(NONCE, b"bonsoir", b"ecluse/1/evidence/" + ID.encode() + b"\0" + digest.digest())
    with pytest.raises(EvidenceBroken):
        Vault({1: OLD}).open(ID, sealed, digest.hexdigest())


def test_key_when_a_version_is_added_then_the_new_one_seals_and_the_old_one_opens() -> None:
    """What was sealed before a rotation opens after it; what is sealed after it does not open with the old key alone."""
    before, _ = Vault({1: OLD}).seal(ID, b"bonjour", nonce=NONCE)
    both = Vault({2: NEW, 1: OLD})
    after, digest = both.seal(ID, b"bonjour", nonce=NONCE)
    assert both.open(ID, before, digest) == both.open(ID, after, digest) == b"bonjour"
    with pytest.raises(EvidenceBroken):
        Vault({1: OLD}).open(ID, after, digest)


def test_sealed_bytes_when_read_by_the_decision_record_then_as_it_says() -> None:
    """Twelve bytes of nonce, then AES-256-GCM with the additional data of decision 0006."""
    sealed, digest = Vault({1: OLD}).seal(ID, b"bonjour", nonce=NONCE)
    bound = b"ecluse/1/evidence/" + ID.encode() + b"\x00" + sha256(b"bonjour").digest()
    assert sealed[:12] == NONCE
    assert AESGCM(OLD).decrypt(NONCE, sealed[12:], bound) == b"bonjour"
    assert digest == sha256(b"bonjour").hexdigest()
