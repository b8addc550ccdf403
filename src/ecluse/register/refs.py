"""A subject's reference, ``register-id:key``, in its one canonical spelling (docs/decisions/0001-formats.md, "Ids").

The key is the register's own key as text, or, when the key has several columns, the RFC 8785 JSON array of their texts in the
order of ``key`` in ``register.toml``: ``ofii:1042``, ``ofii:["75","1042"]``. One person has one spelling, or budgets that count
distinct persons and holds on a person could be walked around: what is not canonical is refused here, and the read compares the
column's own text with the key.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Final

import rfc8785

from ecluse.ids import SubjectRef
from ecluse.register.errors import SubjectRefInvalid
from ecluse.register.model import MAX_REF_CHARACTERS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ecluse.register.model import RegisterMap

_UNFIT: Final = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff]")  # control characters and lone surrogates


def make_subject_ref(register: RegisterMap, keys: Sequence[str]) -> SubjectRef:
    """Write the reference of the subject whose key columns have these texts; raises ``SubjectRefInvalid``."""
    _check_keys(register, keys)
    key = keys[0] if len(keys) == 1 else rfc8785.dumps(list(keys)).decode("utf-8")
    ref = f"{register.id}:{key}"
    if len(ref) > MAX_REF_CHARACTERS:
        raise SubjectRefInvalid(f"longer than {MAX_REF_CHARACTERS} characters")
    return SubjectRef(ref)


def parse_subject_ref(ref: str, register: RegisterMap) -> tuple[str, ...]:
    """Return the key texts of a reference, one a key column; raises ``SubjectRefInvalid`` for any other spelling."""
    if len(ref) > MAX_REF_CHARACTERS:
        raise SubjectRefInvalid(f"longer than {MAX_REF_CHARACTERS} characters")
    register_id, colon, key = ref.partition(":")
    if not colon or register_id != register.id:
        raise SubjectRefInvalid("not of this register")
    if len(register.subject.key) == 1:
        keys: tuple[str, ...] = (key,)
        _check_keys(register, keys)
        return keys
    keys = _read_array(key)
    _check_keys(register, keys)
    if rfc8785.dumps(list(keys)).decode("utf-8") != key:
        raise SubjectRefInvalid("the key is not canonical JSON")
    return keys


def _read_array(key: str) -> tuple[str, ...]:
    """Read a JSON array of texts."""
    try:
        parts = json.loads(key)
    except (ValueError, RecursionError):
        raise SubjectRefInvalid("the key is not JSON") from None
    if not isinstance(parts, list) or not all(isinstance(part, str) for part in parts):
        raise SubjectRefInvalid("the key is not an array of texts")
    return tuple(parts)


def _check_keys(register: RegisterMap, keys: Sequence[str]) -> None:
    """Refuse the wrong number of key texts, an empty one, and characters that no key has."""
    if len(keys) != len(register.subject.key):
        raise SubjectRefInvalid(f"the key has {len(register.subject.key)} parts")
    for key in keys:
        if not key:
            raise SubjectRefInvalid("a part of the key is empty")
        if _UNFIT.search(key):
            raise SubjectRefInvalid("a part of the key has control characters")
