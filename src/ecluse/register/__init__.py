"""The controller's register: its mapping (``register.toml``), the references of its subjects, reading it by key, checking it.

It is not a copy and never a writer: Écluse holds no register data, and reads single rows by key with a read-only role. It knows
no contract or form: what may be disclosed, and how weakly, is decided elsewhere. What stands here is pure; the live database has
two doors of its own, so that rules load no driver: ``register.store`` (``Register``, ``SESSION_SETTINGS``), ``register.doctor``.
"""

from __future__ import annotations

from ecluse.register.errors import (
    AttributeUnmapped,
    Cause,
    Fault,
    RegisterError,
    RegisterMapInvalid,
    RegisterUnavailable,
    SubjectRefInvalid,
)
from ecluse.register.model import Attribute, AttributeType, Category, RegisterMap, Row, Sensitivity, Table, Unreadable, Value
from ecluse.register.parse import parse_register
from ecluse.register.refs import make_subject_ref, parse_subject_ref

__all__ = [
    "Attribute",
    "AttributeType",
    "AttributeUnmapped",
    "Category",
    "Cause",
    "Fault",
    "RegisterError",
    "RegisterMap",
    "RegisterMapInvalid",
    "RegisterUnavailable",
    "Row",
    "Sensitivity",
    "SubjectRefInvalid",
    "Table",
    "Unreadable",
    "Value",
    "make_subject_ref",
    "parse_register",
    "parse_subject_ref",
]
