"""Speed of the gate as ratios of one run: a governed disclosure against a bare read of the same row (``make bench``).

What it is: the real gate, the real register, real proofs, a durable seal for each answer, and every answer checked. What it is not: a
test; nothing here passes or fails a build. docs/benchmarks.md says what is measured, and what was found.
"""
