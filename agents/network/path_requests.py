"""A request for end-to-end pairs at its source, and its measures.

Owns the pairs that wait to be handed over, what the request ends with, and the figures that are recorded of
it. Does not own the circuits that serve it.

The figures have the names of QNetBench where it has one.
"""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from ..network_words import NetworkPair
from ..node.waiting import NamedFuture
from ..protocols.cleanup import discard_held
from ..qubits import Pair
from .errors import NetworkError

if TYPE_CHECKING:
    from ..interface import NodeInterface
    from .circuits.circuit import Circuit
    from .circuits.head import Head
    from .circuits.tail import Tail


@dataclass
class Figures:
    """What is measured of a request, in ns where it is a time."""

    begun_ns: int
    circuits: int = 0
    blocked: int = 0
    set_up_ns: list[int] = field(default_factory=list)
    waits_ns: list[int] = field(default_factory=list)
    ages_ns: list[int] = field(default_factory=list)
    fidelities: list[float] = field(default_factory=list)
    attempts: int = 0


def pair_of(circuit: Circuit, number: int, half: Pair, fidelity: float, peer: str) -> NetworkPair:
    """The pair of that number of a circuit, as a program gets it."""
    setup = circuit.setup
    name = f"{circuit.id}#{number}"
    return NetworkPair(half, name, peer, setup.request, number, setup.purpose, fidelity)


class PathRequest:
    """What the source knows of a request."""

    def __init__(self, node: NodeInterface, id: str, peer: str, count: int) -> None:
        self._node, self.id, self.peer, self.count = node, id, peer, count
        self.handed = 0
        #: Halves that wait to be handed over, and the circuit whose slot each uses.
        self.ready: deque[tuple[Head, NetworkPair]] = deque()
        self.failure: NetworkError | None = None
        self.figures = Figures(node.now_ns)
        self._last_ns = node.now_ns
        #: Names of pairs of which the other end may have its half, while this one has none.
        self.unconfirmed: list[str] = []
        self.state = "a path"
        self._waiter: asyncio.Future[None] | None = None

    @property
    def lacking(self) -> int:
        """How many pairs are still to come."""
        return self.count - self.handed - len(self.ready)

    @property
    def is_over(self) -> bool:
        """Whether nothing more is to come."""
        return self.failure is not None or self.lacking <= 0

    def add(self, circuit: Head, number: int, half: Pair, fidelity: float) -> None:
        """A pair has come from end to end."""
        now_ns, figures = self._node.now_ns, self.figures
        figures.waits_ns.append(now_ns - self._last_ns)
        figures.fidelities.append(fidelity)
        self._last_ns = now_ns
        self.ready.append((circuit, pair_of(circuit, number, half, fidelity, self.peer)))
        self.wake()

    def fail(self, error: NetworkError) -> None:
        """It ends with this."""
        if self.failure is None:
            self.failure = error
            self.wake()

    def wake(self) -> None:
        """Something has changed."""
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    async def next(self) -> tuple[Head, NetworkPair]:
        """The next pair; waits for it. Raises what the request has failed with."""
        while not self.ready:
            if self.failure is not None:
                raise self.failure
            what = f"pair {self.handed + 1} of {self.count} with {self.peer}: {self.state}"
            self._waiter = NamedFuture(running_loop(), what, self.peer)
            await self._waiter
        return self.ready.popleft()

    async def discard(self) -> None:
        """Give back what was not handed over."""
        ready = [pair for _, pair in self.ready]
        self.ready.clear()
        self.unconfirmed += [pair.id for pair in ready]
        await discard_held(*ready)

    def summary(self) -> dict[str, float]:
        """The figures, by the names that they are recorded under."""
        figures, had = self.figures, self.handed
        lasted_s = (self._node.now_ns - figures.begun_ns) * 1e-9
        found: dict[str, float] = {
            "request_success_probability": 1.0 if had == self.count else 0.0,
            "pairs": had,
            "blocked": figures.blocked,
            "circuits": figures.circuits,
        }
        if figures.set_up_ns:
            found["set_up_s"] = float(np.mean(figures.set_up_ns)) * 1e-9
        if had:
            waits = np.array(figures.waits_ns) * 1e-9
            found["latency_mean_s"] = float(waits.mean())
            found["latency_median_s"] = float(np.median(waits))
            found["latency_p95_s"] = float(np.quantile(waits, 0.95))
            found["fidelity_mean"] = float(np.mean(figures.fidelities))
            found["fidelity_median"] = float(np.median(figures.fidelities))
            found["age_at_use_mean_s"] = float(np.mean(figures.ages_ns)) * 1e-9
            if lasted_s > 0:
                found["throughput_success_per_s"] = had / lasted_s
            found["attempts_per_success"] = figures.attempts / had
        if self.unconfirmed:
            found["unconfirmed"] = len(self.unconfirmed)
        return found


class PathInbox:
    """Pairs of one purpose that a node asks for with this one, until the program here takes them."""

    def __init__(self, peer: str) -> None:
        self._peer = peer
        self.pairs: deque[tuple[Tail, NetworkPair]] = deque()
        self._waiters: deque[asyncio.Future[None]] = deque()

    def add(self, circuit: Tail, pair: NetworkPair) -> None:
        """A pair has come from end to end."""
        self.pairs.append((circuit, pair))
        while self._waiters:
            waiter = self._waiters.popleft()
            if not waiter.done():
                waiter.set_result(None)
                return

    async def next(self) -> tuple[Tail, NetworkPair]:
        """The next pair; waits for it."""
        while not self.pairs:
            waiter = NamedFuture(running_loop(), f"a pair that {self._peer} asks for", self._peer)
            self._waiters.append(waiter)
            try:
                await waiter
            finally:
                if waiter in self._waiters:
                    self._waiters.remove(waiter)
        return self.pairs.popleft()


def running_loop() -> Any:
    """The loop of this node."""
    return asyncio.get_running_loop()
