"""Exposure: what a compromise could reach, did reach, and would reach under other terms.

What it is: a number with its side ("212", or "at most 400") for a processor, an agent, a client or the controller's scheduler, from contracts, schedule,
budgets, holds and gate, as the door itself would decide. What it is not: a forecast of what a thief *does*, or of what is photographed off a screen.
"""

from ecluse.exposure.model import Attribute, Binding, Count, Held, Holder, Reach, Scope, Span

__all__ = ["Attribute", "Binding", "Count", "Held", "Holder", "Reach", "Scope", "Span"]
