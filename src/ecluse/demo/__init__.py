"""A synthetic agency: a register of invented people, its processors with their contracts, a real gateway, and one working day.

`run_demo` makes all of it in one folder and checks it as it goes: each step of the day has one expected outcome (``expected.py``), and what the
processors counted is compared with what the ledger holds. At its end four gates let nothing through, each for one reason: the account says why, the mend
and who was told (``governance.py``), by mails that a real server took (``mailroom.py``). So the demo is an acceptance test that people can watch.
Nobody in it exists.

It is no installation to build on: both sides' keys lie in one folder, and ``ecluse demo`` makes the folder anew each time.
"""

from __future__ import annotations

from ecluse.demo.options import DemoOptions

__all__ = ["DemoOptions"]
