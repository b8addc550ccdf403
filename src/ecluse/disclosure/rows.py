"""How a request is written for the seal: its entries, or a mere count. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from ecluse.disclosure.model import Plan, Request
from ecluse.ledger.store import SealRow


def counted_row(request: Request) -> SealRow:
    """Write a refusal that is counted and not sealed by itself: it spends its proof and leaves nothing else."""
    ask = request.asks[0]
    return SealRow(
        kind="count",
        slot=request.proven.slot,
        proof=request.proven.digest,
        client=request.proven.client,
        endpoint=request.endpoint,
        body_hash=request.body_hash,
        processor=ask.processor,
        handle=ask.appointment,
        agent=ask.agent,
    )


def rows_of(request: Request, plans: Sequence[Plan]) -> list[SealRow]:
    """Write a request's plans as the seal takes them.

    The proof rides on the first row. The idempotency key rides on the first row that releases something and counts the rows from there on.
    """
    keyed = next((rank for rank, plan in enumerate(plans) if plan.kind != "refuse"), -1)
    rows = []
    for rank, plan in enumerate(plans):
        granted, first = plan.granted, rank == 0
        rows.append(
            SealRow(
                kind=plan.kind,
                valid_from=granted.valid_from if granted else None,
                valid_until=granted.valid_until if granted else None,
                slot=request.proven.slot if first else None,
                proof=request.proven.digest if first else None,
                client=request.proven.client,
                endpoint=request.endpoint,
                key=request.key if rank == keyed else None,
                body_hash=request.body_hash,
                entries=len(plans) - rank,
                index=plan.index if plan.kind == "redeliver" else None,
                processor=plan.ask.processor,
                handle=plan.ask.appointment,
                max_reads=plan.max_reads,
                subject=plan.place.subject_ref if plan.place else None,
                agent=plan.ask.agent,
                disclosure=plan.disclosure,
                event=plan.event,
                committed=plan.committed,
                spends=tuple((budget.unit, budget.scope, budget.limit) for budget in plan.budgets),
            )
        )
    return rows
