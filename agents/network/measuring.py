"""Requests whose pairs both ends measure at once: by the link layer on a direct link, else pair by pair.

Owns the tables of outcomes at both ends, and which rows both have. Does not own the pairs.

Theory of operation. Where a link leads to the peer and reaches the fidelity, the link layer measures. Over
repeaters each end measures a pair of the request as soon as it has it, along axes that the set-up carries.
When the request is over, its source tells the far end (`Finished`) which pairs it does not have, and what is
left are the same rows at both ends.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from ...emulator.errors import ServiceError
from ...emulator.units import unsigned_zero
from ...emulator.wire import Measure
from ..frames import turned
from ..network_words import NetworkOutcomes, NetworkPair
from ..node.waiting import NamedFuture
from ..protocols.cleanup import first_of
from ..qubits import Axis, bloch
from .circuits.circuit import LEFT
from .circuits.stream import Future
from .control import Finished
from .errors import FidelityImpossible, NetworkError, Unreachable
from .link_layer import LinkLayer
from .link_messages import indices_of, shares_of
from .path_requests import running_loop
from .requests import LinkOutcomes
from .serving import Want

if TYPE_CHECKING:
    from .circuits.tail import Tail
    from .network_layer import Network

#: Tables that no program has taken yet; the oldest are dropped first.
_MOST_TABLES = 64


@dataclass
class _Rows:
    """Of one request at its far end. `open`: measurements under way."""

    peer: str
    purpose: str
    rows: dict[str, tuple[int, int]] = field(default_factory=dict)
    measured: int = 0
    open: int = 0
    finished: Finished | None = None


class Measuring:
    """Of one node."""

    def __init__(self, service: Network) -> None:
        self._service = service
        self._rows: dict[str, _Rows] = {}
        self._tables: dict[tuple[str, str], deque[NetworkOutcomes]] = {}
        self._waiters: dict[tuple[str, str], deque[Any]] = {}

    # --- the source ---

    async def ask(
        self,
        peer: str,
        count: int,
        want: Want,
        limit_s: float | None,
        axes: Sequence[Axis],
        weights: Sequence[float] | None,
        bases: Sequence[int] | None,
        peer_bases: Sequence[int] | None,
    ) -> NetworkOutcomes:
        """The outcomes here of a request."""
        self._service.check_peer(peer)
        link = self._direct(peer, want.fidelity)
        if link is not None:
            asked = self._of_link(peer, count, want, limit_s, axes, weights)
            if bases is None and peer_bases is None:
                try:
                    return _of_link(await asked(link.outcomes), want.purpose)
                except NetworkError as error:
                    if type(error) is not NetworkError:  # blocks need a formalism that has them
                        raise
            table = await asked(link.measured, bases=bases, peer_bases=peer_bases)
            return _of_link(table, want.purpose)
        vectors = [bloch(axis) for axis in axes]
        shares = shares_of(weights, len(vectors))
        own, theirs = indices_of(bases, len(vectors)), indices_of(peer_bases, len(vectors))
        want = replace(want, axes=tuple(vectors), weights=shares, bases=tuple(theirs))
        names: list[str] = []
        found: list[tuple[int, int]] = []
        taker, request = self._service.tenant, ""
        async for pair in self._service.stream(peer, count, want, limit_s, taker):
            basis = self._basis(len(found), own, len(vectors), shares)
            found.append((basis, await pair.measure(vectors[basis])))
            names.append(pair.id)
            request = pair.request
        return _table(request, want.purpose, names, found)

    def _of_link(
        self,
        peer: str,
        count: int,
        want: Want,
        limit_s: float | None,
        axes: Sequence[Axis],
        weights: Sequence[float] | None,
    ) -> Callable[..., Awaitable[LinkOutcomes]]:
        """A word of the link layer with what both of its words for outcomes take."""
        options: dict[str, Any] = {
            "axes": axes,
            "weights": weights,
            "min_fidelity": want.fidelity,
            "deadline": limit_s,
            "priority": want.priority,
            "purpose": self._purpose(want.purpose),
        }
        return lambda word, **more: word(peer, count, **options, **more)

    def _direct(self, peer: str, fidelity: float) -> LinkLayer | None:
        """The link layer, if one link to the peer reaches the fidelity."""
        if sum(info.peer == peer for info in self._service.knowledge.links.values()) != 1:
            return None
        try:
            link = self._service.service(LinkLayer)
            link.facts(peer, min_fidelity=fidelity)
        except (ServiceError, FidelityImpossible, Unreachable):
            return None
        return link

    def _purpose(self, purpose: str) -> str:
        """What the link layer knows it by: apart from what programs ask of that themselves."""
        return f"{self._service.tenant}.{purpose}"

    def _basis(
        self, number: int, given: Sequence[int], axes: int, shares: list[float] | None
    ) -> int:
        if number < len(given):
            return given[number]
        return 0 if axes == 1 else int(self._service.rng.choice(axes, p=shares))

    # --- the far end ---

    async def next(self, peer: str, purpose: str) -> NetworkOutcomes:
        """The next table of a peer's requests; waits for it."""
        link = self._direct(peer, 0.0)
        if link is None:
            return await self._next(peer, purpose)
        table, own = await first_of(
            link.measured_by(peer, purpose=self._purpose(purpose)), self._next(peer, purpose)
        )
        return own if table is None else _of_link(table, purpose)

    async def _next(self, peer: str, purpose: str) -> NetworkOutcomes:
        key = peer, purpose
        while not self._tables.get(key):
            waiter = NamedFuture(running_loop(), f"outcomes that {peer} asks for", peer)
            waiters = self._waiters.setdefault(key, deque())
            waiters.append(waiter)
            try:
                await waiter
            finally:
                if waiter in waiters:
                    waiters.remove(waiter)
        return self._tables[key].popleft()

    def measure(self, circuit: Tail, pair: NetworkPair) -> None:
        """A pair has come to its end here."""
        setup, service = circuit.setup, self._service
        rows = self._rows.setdefault(setup.request, _Rows(setup.path[0], setup.purpose))
        basis = self._basis(rows.measured, setup.bases, len(setup.axes), setup.weights)
        rows.measured += 1
        rows.open += 1
        x, y, z = turned(setup.axes[basis], pair.frame)
        along = unsigned_zero(x), unsigned_zero(y), unsigned_zero(z)
        name = pair.qubit.name
        future: Any = service.node.operate(lambda serial: Measure(serial, name, along, False))
        future.add_done_callback(partial(self._measured, circuit, pair.id, basis))

    def _measured(self, circuit: Tail, name: str, basis: int, future: Future) -> None:
        circuit.stream(LEFT).release()
        rows = self._rows.get(circuit.setup.request)
        if rows is None:
            return
        rows.open -= 1
        if not future.cancelled() and future.exception() is None:
            rows.rows[name] = basis, int(future.result())
        self._publish(circuit.setup.request, rows)

    def finished(self, peer: str, finished: Finished) -> None:
        """The source has said that its request is over."""
        rows = self._rows.get(finished.request)
        if rows is not None and rows.peer == peer:
            rows.finished = finished
            self._publish(finished.request, rows)

    def _publish(self, request: str, rows: _Rows) -> None:
        if rows.finished is None or rows.open:
            return
        del self._rows[request]
        if not rows.finished.done:
            return
        for name in rows.finished.unconfirmed:
            rows.rows.pop(name, None)
        key = rows.peer, rows.purpose
        table = _table(request, rows.purpose, list(rows.rows), list(rows.rows.values()))
        self._tables.setdefault(key, deque(maxlen=_MOST_TABLES)).append(table)
        for waiter in self._waiters.get(key, ()):
            if not waiter.done():
                waiter.set_result(None)
                return


def _of_link(table: LinkOutcomes, purpose: str) -> NetworkOutcomes:
    names = [f"{table.request}#{number}" for number in table.numbers]
    return NetworkOutcomes(table.request, purpose, names, table.bases, table.bits)


def _table(
    request: str, purpose: str, names: list[str], rows: list[tuple[int, int]]
) -> NetworkOutcomes:
    """Its rows in the order of circuits and numbers, which is the same at both ends."""
    order = sorted(range(len(names)), key=lambda row: _place(names[row]))
    bases = np.array([rows[row][0] for row in order], dtype=np.uint8)
    bits = np.array([rows[row][1] for row in order], dtype=np.uint8)
    return NetworkOutcomes(request, purpose, [names[row] for row in order], bases, bits)


def _place(name: str) -> tuple[int, int]:
    circuit, _, number = name.rpartition("#")
    return int(circuit.rpartition(".")[2]), int(number)
