"""Questionnaires: read from public libraries or our own, answered by a processor behind a link or in a workbook, scored with the reasons.

Not here: what an accepted questionnaire does to a gate (`ecluse.contracts`), nor the keeping of documents and findings (`ecluse.evidence`), through whose use
cases a named person accepts a response and confirms what it proposes.
"""

from __future__ import annotations
