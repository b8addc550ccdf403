"""The flow map as data: register, purposes, processors, sub-processors, and what goes between them. Pure and deterministic; ``draw.py`` draws it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

import msgspec

from ecluse.flows.model import Declared, Observed
from ecluse.register import Sensitivity


class Node(msgspec.Struct, frozen=True, kw_only=True):
    """One box. ``persons``: distinct ones of the period, None where Écluse can't see; ``note``: role and country of a sub-processor.

    ``sensitivity``: of its most sensitive attribute; ``declared``: a contract in force names it.
    """

    id: str
    column: str
    label: str
    note: str
    persons: int | None
    sensitivity: Sensitivity
    declared: bool


class Band(msgspec.Struct, frozen=True, kw_only=True):
    """What goes from one box to another. ``persons`` 0: declared and not seen; ``attributes``: those given, or those declared where nothing was."""

    source: str
    target: str
    persons: int
    disclosures: int
    attributes: tuple[str, ...]
    sensitivity: Sensitivity


class Picture(msgspec.Struct, frozen=True, kw_only=True):
    """The map of the days ``[since, until)``."""

    since: str
    until: str
    persons: int
    nodes: tuple[Node, ...]
    bands: tuple[Band, ...]


class Named(msgspec.Struct, frozen=True, kw_only=True):
    """What boxes are called. ``sub_processors``: of each processor, names with ``role, country``."""

    register: str
    purposes: Mapping[str, str]
    processors: Mapping[str, str]
    sub_processors: Mapping[str, tuple[tuple[str, str], ...]]


def picture(observed: Observed, declared: Iterable[Declared], sensitivity: Mapping[str, Sensitivity], named: Named) -> Picture:
    """Bring what was seen and what is declared together. ``sensitivity``: by attribute; one that the register does not map counts as the highest."""
    flows: dict[tuple[str, str], set[str]] = defaultdict(set)
    for flow in declared:
        flows[flow.purpose, flow.processor].add(flow.attribute)
    bands = _bands(observed, flows, sensitivity)
    purposes = _column("purpose", bands, named.purposes, observed.by_purpose, {purpose for purpose, _ in flows})
    purposes.sort(key=lambda node: (-(node.persons or 0), node.id))
    rank = {node.id: at for at, node in enumerate(purposes)}
    processors = _column("processor", bands, named.processors, observed.by_processor, {processor for _, processor in flows})
    first = {node.id: min(rank[band.source] for band in bands if band.target == node.id) for node in processors}
    processors.sort(key=lambda node: (first[node.id], -(node.persons or 0), node.id))
    at = {node.id: place for place, node in enumerate(processors)}
    bands.sort(key=lambda band: (rank[band.source], at[band.target]))
    subs, onward = _onward(processors, named)
    register = Node(
        id="register", column="register", label=named.register, note="", persons=observed.persons, declared=True,
        sensitivity=_worst(node.sensitivity for node in purposes),
    )  # fmt: skip
    return Picture(
        since=observed.since.isoformat(),
        until=observed.until.isoformat(),
        persons=observed.persons,
        nodes=(register, *purposes, *processors, *subs),
        bands=(*(_from_register(node, bands) for node in purposes), *bands, *onward),
    )


def _worst(some: Iterable[Sensitivity]) -> Sensitivity:
    """Return the highest sensitivity."""
    return max(some, key=list(Sensitivity).index, default=Sensitivity.ORDINARY)


def _bands(observed: Observed, flows: Mapping[tuple[str, str], set[str]], sensitivity: Mapping[str, Sensitivity]) -> list[Band]:
    """Return what goes from purposes to processors."""
    given: dict[tuple[str, str], set[str]] = defaultdict(set)
    for field in observed.fields:
        given[field.purpose, field.processor].add(field.attribute)
    seen = {(one.purpose, one.processor): one for one in observed.recipients}
    bands = []
    for key in sorted(flows.keys() | seen.keys()):
        one, names = seen.get(key), given.get(key) or flows.get(key, set())
        bands.append(
            Band(
                source=f"purpose:{key[0]}",
                target=f"processor:{key[1]}",
                persons=one.persons if one else 0,
                disclosures=one.disclosures if one else 0,
                attributes=tuple(sorted(names)),
                sensitivity=_worst(sensitivity.get(name, Sensitivity.SPECIAL) for name in names),
            )
        )
    return bands


def _column(
    column: str, bands: Sequence[Band], labels: Mapping[str, str], persons: Mapping[str, int], declared: set[str]
) -> list[Node]:
    """Return the boxes of a column that bands begin or end at."""
    found: dict[str, list[Band]] = defaultdict(list)
    for band in bands:
        found[band.source if column == "purpose" else band.target].append(band)
    return [
        Node(
            id=name, column=column, label=labels.get(key, key), note="", persons=persons.get(key, 0), declared=key in declared,
            sensitivity=_worst(band.sensitivity for band in some),
        )
        for name, some in found.items()
        for key in (name.partition(":")[2],)
    ]  # fmt: skip


def _from_register(node: Node, bands: Sequence[Band]) -> Band:
    """Return what goes from the register to a purpose."""
    mine = [band for band in bands if band.source == node.id]
    return Band(
        source="register",
        target=node.id,
        persons=node.persons or 0,
        disclosures=sum(band.disclosures for band in mine),
        attributes=tuple(sorted({name for band in mine for name in band.attributes})),
        sensitivity=node.sensitivity,
    )


def _onward(processors: Sequence[Node], named: Named) -> tuple[list[Node], list[Band]]:
    """Return the sub-processors, and what is declared to go on to them: Écluse does not see it."""
    nodes: dict[str, Node] = {}
    bands = []
    for processor in processors:
        for name, note in named.sub_processors.get(processor.id.partition(":")[2], ()):
            before = nodes.get(name)
            worst = _worst([processor.sensitivity, *([before.sensitivity] if before else [])])
            nodes[name] = Node(
                id=f"sub:{name}", column="sub-processor", label=name, note=before.note if before else note, persons=None, sensitivity=worst, declared=True
            )  # fmt: skip
            bands.append(
                Band(
                    source=processor.id,
                    target=f"sub:{name}",
                    persons=0,
                    disclosures=0,
                    attributes=(),
                    sensitivity=processor.sensitivity,
                )
            )
    return list(nodes.values()), bands
