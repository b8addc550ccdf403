"""Every parser of what comes from outside: how it is called, what it may raise, good inputs, and its one spelling where it claims to have one.

``write`` gives back the bytes of what was read: equal to what was read, or the parser took a second spelling. Signed texts have one spelling by their
signature: only the text that was signed may pass.
"""

from __future__ import annotations

from base64 import b32decode, b32encode
from functools import partial
from typing import Final

from ecluse.ids import is_id, is_name
from ecluse.register import (
    RegisterMap,
    SubjectRefInvalid,
    make_subject_ref,
    parse_register,
    parse_subject_ref,
)
from tests.fuzz.files import files, requests, schedules
from tests.fuzz.parser import NotRead, Parser, must, text
from tests.fuzz.signed import log, signed
from tests.fuzz.witnessed import witnessed
from tests.invented import register_toml


# ── ids, names, numbers ──────────────────────────────────────────────────────────────────────────────────────────────────────
def _id(data: bytes) -> bytes:
    must(hold=is_id(text(data), "apt"))
    return b32decode(data[4:].upper() + b"======")


def _name(data: bytes) -> str:
    must(hold=is_name(text(data)))
    return text(data)


_SINGLE: Final = parse_register(register_toml())
_DOUBLE: Final = parse_register(register_toml().replace('key = ["numero"]', 'key = ["dep", "numero"]'))


def _ref(register: RegisterMap, data: bytes) -> tuple[RegisterMap, tuple[str, ...]]:
    return register, parse_subject_ref(text(data), register)


def _refs() -> dict[str, Parser]:
    both = {"subject_ref": (_SINGLE, b"ofii:1042"), "subject_ref of two": (_DOUBLE, b'ofii:["75","1042"]')}
    return {
        name: Parser(
            read=partial(_ref, register),
            write=lambda read: make_subject_ref(*read).encode(),
            errors=(SubjectRefInvalid, NotRead),
            seeds=(seed,),
            words=(b'["', b'","', b"\\u0037"),
        )
        for name, (register, seed) in both.items()
    }


PARSERS: Final[dict[str, Parser]] = {
    "handle": Parser(read=_id, write=lambda raw: b"apt_" + b32encode(raw).rstrip(b"=").lower(), errors=(NotRead,), seeds=(b"apt_" + b"a" * 26,)),
    "name": Parser(read=_name, write=str.encode, errors=(NotRead,), seeds=(b"family_name",)),
    **_refs(), **signed(), **log(), **witnessed(), **files(), **schedules(), **requests(),
}  # fmt: skip
"""Every parser by name."""
