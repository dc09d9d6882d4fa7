"""Whose turn it is on a link: the requests of one link, and which of them is served next.

Owns the order. Does not own what a request is, nor whether it can be served now (link_end.py). No I/O.

Rules. A request of a higher priority is served before all of a lower one. Among those of one priority,
`first_come` serves the oldest until it has all its pairs; `weighted` serves the purposes in turns, each in
proportion to its weight (start-time fair queueing), and the requests of one purpose first come, first served.
A purpose that was idle gains nothing by that.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Literal

Policy = Literal["weighted", "first_come"]


class Scheduler:
    """The requests of one link by their ids, in the order in which they came."""

    def __init__(self, policy: Policy, weights: Mapping[str, float]) -> None:
        self._policy, self._weights = policy, weights
        #: Id -> (purpose, priority).
        self._requests: dict[str, tuple[str, int]] = {}
        #: Purpose -> how much it has been served, by its weight.
        self._served: dict[str, float] = {}

    def add(self, request: str, purpose: str, priority: int) -> None:
        """A request has come."""
        busy = [self._served[other] for other, _ in self._requests.values()]
        if busy and purpose not in dict(self._requests.values()):
            self._served[purpose] = max(self._served.get(purpose, 0.0), min(busy))
        self._served.setdefault(purpose, 0.0)
        self._requests[request] = purpose, priority

    def remove(self, request: str) -> None:
        """The request is no more; harmless if it never was."""
        self._requests.pop(request, None)
        if not self._requests:
            self._served.clear()

    def next(self, can_be_served: Callable[[str], bool]) -> str | None:
        """The request whose turn it is, of those that can be served; None without one."""
        able = [request for request in self._requests if can_be_served(request)]
        if not able:
            return None
        highest = max(self._requests[request][1] for request in able)
        first = [request for request in able if self._requests[request][1] == highest]
        if self._policy == "first_come":
            return first[0]
        return min(first, key=lambda request: self._served[self._requests[request][0]])

    def charge(self, request: str, pairs: int) -> None:
        """The request gets so many pairs in this turn."""
        purpose, _ = self._requests[request]
        self._served[purpose] += pairs / self._weights.get(purpose, 1.0)

    def __len__(self) -> int:
        return len(self._requests)
