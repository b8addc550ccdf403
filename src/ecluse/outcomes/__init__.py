"""How an appointment ended, as its processor says: recorded, corrected, handed to the controller by pull and by signed webhook, kept 30 days.

It is no disclosure and opens none: nothing about a person leaves by it, so no entry is sealed; what is on its way comes from the processor and goes to the
controller. Who may say it is decided from the same facts as a disclosure, read by the same statement, under the same lock (docs/outcomes.md).
"""

from __future__ import annotations

from ecluse.outcomes.model import Attendance, Level, Outcome, Recorded, Unrecorded

__all__ = ["Attendance", "Level", "Outcome", "Recorded", "Unrecorded"]
