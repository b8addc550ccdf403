"""A directory of suppliers as plain CSV (RFC 4180): contact points and services of each, direct and below.

Evidence for point 5.2 of the annex of Implementing Regulation (EU) 2024/2690, which asks for such a directory.
UTF-8 with a byte order mark, so that spreadsheets read it right; no cell can become a formula (``cells.py``). Pure.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from typing import Final

from ecluse.papers.cells import guard, legible
from ecluse.papers.model import Facts, ProcessorFacts, SubProcessorFacts

COLUMNS: Final = (
    "supplier", "supplies", "direct", "name", "country", "registration", "address", "contact_person", "contact_point", "services", "contract",
    "starts_on", "ends_on", "gate",
)  # fmt: skip
"""``supplies``: whom it works for: the controller, or the processor that engaged it."""


def supplier_directory(facts: Facts) -> bytes:
    """Write the directory: each processor, then its sub-processors."""
    out = io.StringIO(newline="")
    out.write("\ufeff")
    writer = csv.DictWriter(out, COLUMNS)
    writer.writeheader()
    for processor in facts.processors:
        for row in _rows(facts, processor):
            writer.writerow({name: guard(legible(text)) for name, text in row.items()})
    return out.getvalue().encode()


def _rows(facts: Facts, processor: ProcessorFacts) -> Iterator[dict[str, str]]:
    """Yield a processor and those below it."""
    body, contract = processor.body, processor.contract
    bound = {"contract": contract.reference, "starts_on": str(contract.starts_on), "ends_on": str(contract.ends_on)}
    yield {
        "supplier": processor.id, "supplies": facts.controller.name, "direct": "yes", "name": body.name, "country": body.country,
        "registration": body.registration, "address": body.address, "contact_person": body.contact, "contact_point": body.reach,
        "services": "; ".join(dict.fromkeys(purpose.label for purpose in contract.purposes.values())), **bound, "gate": str(processor.gate.state),
    }  # fmt: skip
    yield from (_below(processor, sub) for sub in processor.sub_processors)


def _below(processor: ProcessorFacts, sub: SubProcessorFacts) -> dict[str, str]:
    """Say a sub-processor: its contract is with the processor, so none of ours is named."""
    return {
        "supplier": "", "supplies": processor.id, "direct": "no", "name": sub.name, "country": sub.country, "registration": "", "address": sub.address,
        "contact_person": sub.contact, "contact_point": "", "services": sub.role, "contract": "", "starts_on": "", "ends_on": "", "gate": "",
    }  # fmt: skip
