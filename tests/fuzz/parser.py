"""What a parser is to these tests, and the few things that several of them need."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from ecluse.identity.keys import PrivateKey


@dataclass(frozen=True, kw_only=True)
class Parser:
    """One parser. ``read`` raises one of ``errors``, and nothing else, for what it refuses; ``write`` None: it claims no one spelling.

    ``one_spelling_of``: the part of the input that has one.
    """

    read: Callable[[bytes], Any]
    errors: tuple[type[Exception], ...]
    seeds: tuple[bytes, ...]
    write: Callable[[Any], bytes] | None = None
    words: tuple[bytes, ...] = ()
    one_spelling_of: Callable[[bytes], bytes] = bytes


class NotRead(ValueError):
    """The test's own refusal, where a parser answers with a value or is only handed text."""


def text(data: bytes) -> str:
    """Decode as an edge does: what is not UTF-8 reaches no parser of texts."""
    try:
        return data.decode()
    except UnicodeDecodeError:
        raise NotRead from None


def must(*, hold: bool) -> None:
    """Refuse where a predicate is the parser."""
    if not hold:
        raise NotRead


def fixed_key(number: int) -> PrivateKey:
    """Return an ES256 key that is the same in every run."""
    return PrivateKey(ec.derive_private_key(number, ec.SECP256R1()))


def pem(key: Any) -> bytes:
    """Write a private key as PKCS#8 PEM."""
    written: bytes = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return written
