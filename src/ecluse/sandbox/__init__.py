"""The sandbox: a processor with invented people who are in no register, for contractors to try their software on, through the same door.

Nothing of the gate is different for it: contract, schedule, budgets, holds and ledger are those of any processor. Only where a person is read is another
place, chosen by the *processor* of the ask; so its machines can't reach a real person, and nobody else an invented one, whatever a row may say. The schema
refuses such rows besides (``enrolment_sandbox_ck``, ``appointment_sandbox_ck``). It is no demonstration agency: that is ``demo``.
"""

from __future__ import annotations

from ecluse.sandbox.model import NEIGHBOUR, PROCESSOR, PROCESSORS, SYSTEM
from ecluse.sandbox.store import read_people

__all__ = ["NEIGHBOUR", "PROCESSOR", "PROCESSORS", "SYSTEM", "read_people"]
