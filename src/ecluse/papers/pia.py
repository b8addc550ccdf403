"""The impact assessment as a file for the CNIL's PIA tool, which imports it as a draft: answers filled in, nothing evaluated or validated.

The structure is the tool's own export: an object with ``pia``, ``answers``, ``measures``, ``evaluations``, ``comments``. Read in its public source
(github.com/LINCnil/pia, commit 44dd3138, ``src/app/services/pia.service.ts`` and ``src/app/models/``; the questions in
``src/assets/files/pia_architecture.json``): ``reference_to`` is the number of a question; ``data`` holds ``text`` (HTML), ``gauge`` (1 to 4), ``list``; a list
of measures names them by title. The tool itself is not run here. Pure.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final, TypeAlias

from ecluse.clock import wire_text
from ecluse.papers.text import Items, Paragraph, Section, Text, plain, to_html

if TYPE_CHECKING:
    from datetime import datetime

Answer: TypeAlias = dict[str, object]

TEXTS: Final = (111, 112, 113, 121, 122, 123, 211, 212, 213, 214, 215, 221, 222, 223, 224, 225, 226, 227)
LISTS: Final = (321, 322, 323, 324, 331, 332, 333, 334, 341, 342, 343, 344)
GAUGES: Final = (325, 326, 335, 336, 345, 346)
"""The tool's questions by the kind of their answer."""

_GAUGE: Final = re.compile(r"([1-4]) / 4")


def pia_file(dpia: Text, at: datetime) -> bytes:
    """Write a filled impact assessment as the tool's file. The same text at the same instant gives the same bytes."""
    stamp = wire_text(at)
    body = {
        "pia": {
            "id": 1, "status": 0, "name": dpia.title, "category": "Écluse", "author_name": "", "evaluator_name": "", "validator_name": "", "dpo_status": None,
            "dpo_opinion": "", "dpos_names": "", "concerned_people_opinion": "", "concerned_people_status": None, "concerned_people_searched_opinion": None,
            "concerned_people_searched_content": "", "people_names": "", "rejection_reason": "", "applied_adjustments": "", "structure_id": None,
            "structure_name": "", "structure_sector_name": "", "structure_data": None, "is_example": 0, "is_archive": 0,
            "created_at": stamp, "updated_at": stamp,
        },
        "answers": [
            {"id": n, "pia_id": 1, "reference_to": question, "data": data, "created_at": stamp, "updated_at": stamp}
            for n, (question, data) in enumerate(_answers(dpia), 1)
        ],
        "measures": [
            {"id": n, "pia_id": 1, "title": each.title, "content": to_html(each.blocks), "placeholder": "", "created_at": stamp, "updated_at": stamp}
            for n, each in enumerate(dpia.under("measures"), 1)
        ],
        "evaluations": [],
        "comments": [],
    }  # fmt: skip
    return (json.dumps(body, ensure_ascii=False, indent=2) + "\n").encode()


def _answers(dpia: Text) -> Iterator[tuple[int, Answer]]:
    """Yield the answer to each question, in the tool's order."""
    for question in TEXTS:
        yield question, {"text": to_html(_asked(dpia, question).blocks), "gauge": None, "list": []}
    for question in LISTS:
        lines = [plain(line) for block in _asked(dpia, question).blocks if isinstance(block, Items) for line in block.lines]
        yield question, {"text": None, "gauge": None, "list": lines}
    for question in GAUGES:
        section = _asked(dpia, question)
        yield question, {"text": to_html(section.blocks), "gauge": gauge_of(section), "list": []}


def _asked(dpia: Text, question: int) -> Section:
    """Return the section that answers a question; our own text has all of them."""
    section = dpia.section(str(question))
    if section is None:
        raise AssertionError(f"impossible: question {question} is not answered")
    return section


def gauge_of(section: Section) -> int:
    """Return the estimate that a section proposes: its first paragraph begins with one, in strong letters."""
    first = section.blocks[0]
    found = _GAUGE.fullmatch(first.line[0].text) if isinstance(first, Paragraph) else None
    if found is None:
        raise AssertionError("impossible: an estimate without a figure")
    return int(found[1])
