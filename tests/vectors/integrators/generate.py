"""Writes the vectors of this folder: ``python -m tests.vectors.integrators.generate``. Nothing is drawn by chance: the same files on every machine.

``jose.py`` makes keys, proofs and assertions, ``receipts.py`` the receipts, ``receipt_files.py`` their files; ``SOURCES.md`` says what each file holds.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Final

from tests.vectors.integrators import jose, receipt_files, receipts

HERE: Final = Path(__file__).parent


def files() -> dict[str, jose.Row]:
    """Return what each file holds."""
    told = {"server": jose.SERVER, "at": jose.AT, "epoch": jose.EPOCH, "client_id": jose.CLIENT}
    keys = (jose.CLIENT_KEY, jose.NEXT_KEY, jose.STRANGER, jose.TOKEN_KEY)
    return {
        "keys.json": {
            "note": "Made for these vectors and published: never use them for anything else.",
            "keys": {key.name: key.described() for key in keys},
        },
        "proofs.json": told
        | {"token": jose.TOKEN, "ath": jose.ATH, "accepted": jose.accepted_proofs(), "refused": jose.refused_proofs()},
        "assertions.json": told | {"registered": [jose.CLIENT_KEY.name, jose.NEXT_KEY.name], **jose.assertions()},
        "receipts.json": receipts.vectors(),
        "receipt-files.json": receipt_files.vectors(),
    }


def written(content: jose.Row) -> str:
    """Write a file's text."""
    return json.dumps(content, indent=1, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    for name, content in files().items():
        (HERE / name).write_text(written(content), encoding="utf-8")
