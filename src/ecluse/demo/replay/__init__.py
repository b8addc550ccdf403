"""Attackers as code, against a running gate and against the three usual ways to give a contractor access, on the same invented people.

What it is: each attack asks the exposure engine for its bound first, then attacks over HTTP, then compares what it got with the bound and with the ledger's
own openings. The alternatives (a copy, a read account, row-level security, a token API) are built for real in the register's database. What it is not: a
proof that nobody can do better. An attacker here knows the schedule, never tires and holds the credentials named, and nothing else.

Imports: model <- plan, terms <- timeline, thief, stage <- attack and its kinds <- alternatives, history <- run <- ``cli/replay.py``.
"""
