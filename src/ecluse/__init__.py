"""Écluse: a lock between a register of personal data and the contractors who must work with it.

One person, just in time, the fewest fields in the weakest form; every decision sealed in a ledger before a byte leaves.
"""

__version__ = "0.1.0"
