"""The largest flow through a network of ceilings, the slow and obvious way (Edmonds-Karp), and along which paths it goes."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Hashable, Iterator


class Network:
    """Edges with room, from ``"from"`` to ``"to"``."""

    def __init__(self) -> None:
        """Begin without edges."""
        self.room: dict[tuple[Hashable, Hashable], int] = defaultdict(int)
        self.given: dict[tuple[Hashable, Hashable], int] = {}
        self._neighbours: dict[Hashable, set[Hashable]] = defaultdict(set)

    def edge(self, left: Hashable, right: Hashable, room: int) -> None:
        """Put an edge, once however often it is said."""
        self.given[left, right] = self.room[left, right] = room
        self._neighbours[left].add(right)
        self._neighbours[right].add(left)

    def fill(self) -> int:
        """Send as much as goes; return how much that is."""
        arrived = 0
        while path := self._path():
            least = min(self.room[edge] for edge in path)
            for left, right in path:
                self.room[left, right] -= least
                self.room[right, left] += least
            arrived += least
        return arrived

    def flows(self) -> Iterator[tuple[Hashable, Hashable]]:
        """Yield each edge that something goes through."""
        return (edge for edge, room in self.given.items() if self.room[edge] < room)

    def _path(self) -> list[tuple[Hashable, Hashable]]:
        """Find a shortest way with room."""
        came: dict[Hashable, Hashable] = {}
        queue: deque[Hashable] = deque(["from"])
        while queue:
            here = queue.popleft()
            for there in self._neighbours[here]:
                if there not in came and there != "from" and self.room[here, there] > 0:
                    came[there] = here
                    queue.append(there)
            if "to" in came:
                break
        path: list[tuple[Hashable, Hashable]] = []
        here = "to"
        while here in came:
            path.append((came[here], here))
            here = came[here]
        return path
