"""The classical plane: when each message arrives, or why it does not.

Owns the messages in flight (never their payloads, which travel by MQTT from node to node): hops,
latency, bandwidth, cuts, the faults on a link, and who may forget which payload. Does not own routes
(routes.py) or what a fault decides (faults/).

Theory of operation. A report carries `Send`s. Each becomes a `Flight`, which crosses its links one
after the other: on every hop it waits for the link's transmitter (bandwidth: size * 8 / rate, first in
first out per direction), then takes the hop's latency. At the last node it is handed over as a
`Delivery` in the grant of that instant.

Rules: a message is bound at its send instant to the incarnation of the destination then alive; if that
one is dead, replaced or finished when the message is due, it is journalled as undelivered. A link that
is cut while a message is on it loses the message. Programs on the way are not involved: a killed
node's switch still forwards.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from ..conductor import GRANT, HOP, Conductor
from ..record.journal import Journal
from ..record.metrics import Metrics
from ..topology.model import LinkSpec, Topology
from ..wire import Delivery, Forget, Send
from .routes import Routes


@dataclass(frozen=True, slots=True)
class Pass:
    """The fault does nothing to this message."""


@dataclass(frozen=True, slots=True)
class Later:
    """The message takes `by_ns` longer on this hop."""

    by_ns: int


@dataclass(frozen=True, slots=True)
class Drop:
    """The message is lost on this hop; `why` goes to the journal."""

    why: str


Verdict = Pass | Later | Drop


#: A node that is not granted is told what to forget when there is so much of it.
FORGETS_AT_ONCE = 256


class Flight:
    """One message on its way."""

    __slots__ = ("src", "inc", "seq", "dst", "dst_inc", "kind", "size", "hash", "sent_ns")

    def __init__(self, src: str, inc: int, send: Send, dst_inc: int | None, sent_ns: int) -> None:
        self.src, self.inc, self.seq = src, inc, send.seq
        self.dst, self.dst_inc = send.dst, dst_inc
        self.kind, self.size, self.hash = send.kind, send.size, send.hash
        self.sent_ns = sent_ns


class LinkFault(Protocol):
    """A fault that looks at each message on a link."""

    def on_message(self, flight: Flight) -> Verdict: ...


class _Hop:
    """The live state of one link's classical side."""

    __slots__ = ("spec", "cuts", "cut_count", "busy_until", "faults")

    def __init__(self, spec: LinkSpec) -> None:
        self.spec = spec
        self.cuts = 0
        self.cut_count = 0
        self.busy_until: dict[str, int] = {}
        self.faults: list[LinkFault] = []


class ClassicalPlane:
    """Messages in flight.

    `receiver(node)` tells the incarnation that would take a message, or None; `listens(node)` whether a
    grant will ever reach the node again.
    """

    def __init__(
        self,
        topology: Topology,
        conductor: Conductor,
        journal: Journal,
        metrics: Metrics,
        receiver: Callable[[str], int | None],
        listens: Callable[[str], bool],
    ) -> None:
        self._conductor, self._journal, self._metrics = conductor, journal, metrics
        self._receiver, self._listens = receiver, listens
        self.routes = Routes(topology.links)
        self._hops = {name: _Hop(link) for name, link in sorted(topology.links.items())}
        self.deliveries: dict[str, list[Delivery]] = {}
        self.forgets: dict[str, list[Forget]] = {}
        #: Handed over at this instant: their senders keep them until the receivers have reported.
        self._handed: list[Forget] = []
        self._most_forgets = 0
        self._flights: dict[tuple[str, int, int], Flight] = {}

    # --- from the nodes ---

    def send(self, src: str, inc: int, send: Send) -> None:
        """A node has published a message at the present instant."""
        flight = Flight(src, inc, send, self._receiver(send.dst), self._conductor.now_ns)
        self._flights[src, inc, send.seq] = flight
        self._journal.event(
            src, "sent", send.dst, inc, send.seq, send.kind, send.size, send.hash.hex()
        )
        if src == send.dst:
            self._arrive_at(flight, self._conductor.now_ns)
        else:
            self._forward(flight, src)

    def undelivered(self, src: str, inc: int) -> dict[str, list[int]]:
        """Destination -> sequence numbers that this incarnation has sent and that are in flight."""
        found: dict[str, list[int]] = {}
        for flight in self._flights.values():
            if flight.src == src and flight.inc == inc and self._bound(flight):
                found.setdefault(flight.dst, []).append(flight.seq)
        return {dst: sorted(seqs) for dst, seqs in sorted(found.items())}

    def in_flight(self) -> int:
        """How many messages are on their way."""
        return len(self._flights)

    # --- from the faults ---

    def cut(self, link: str) -> None:
        """The link carries nothing from now on; cuts nest."""
        hop = self._hops[link]
        hop.cuts += 1
        hop.cut_count += 1
        self.routes.set_down(link, True)

    def heal(self, link: str) -> None:
        """One cut less."""
        hop = self._hops[link]
        hop.cuts -= 1
        if hop.cuts == 0:
            self.routes.set_down(link, False)

    def add_fault(self, link: str, fault: LinkFault) -> None:
        """Have `fault` look at each message that enters the link, after those already there."""
        self._hops[link].faults.append(fault)

    def remove_fault(self, link: str, fault: LinkFault) -> None:
        """The fault is healed."""
        self._hops[link].faults.remove(fault)

    # --- on the way ---

    def _forward(self, flight: Flight, at: str) -> None:
        spec = self.routes.next_link(at, flight.dst)
        if spec is None or spec.classical is None:
            self._lose(flight, f"no path from {at} to {flight.dst}")
            return
        hop = self._hops[spec.name]
        extra_ns = 0
        for fault in hop.faults:
            verdict = fault.on_message(flight)
            if isinstance(verdict, Drop):
                self._lose(flight, f"{verdict.why} on {spec.name}")
                return
            if isinstance(verdict, Later):
                extra_ns += verdict.by_ns
        leaves_ns = self._transmitted(hop, at, flight.size)
        arrives_ns = leaves_ns + spec.classical.latency_ns + extra_ns
        self._cross(flight, hop, spec.other_end(at), arrives_ns)

    def _transmitted(self, hop: _Hop, at: str, size: int) -> int:
        """When the last bit has left `at` on this link, in ns."""
        now = self._conductor.now_ns
        classical = hop.spec.classical
        if classical is None or classical.bandwidth_bps is None:
            return now
        start = max(now, hop.busy_until.get(at, 0))
        done = start + math.ceil(size * 8 * 1e9 / classical.bandwidth_bps)
        hop.busy_until[at] = done
        return done

    def _cross(self, flight: Flight, hop: _Hop, to: str, arrives_ns: int) -> None:
        cut_count = hop.cut_count

        def reach() -> None:
            if hop.cut_count != cut_count:
                self._lose(flight, f"{hop.spec.name} was cut")
            elif to == flight.dst:
                self._deliver(flight)
            else:
                self._forward(flight, to)

        order = (to, flight.src, flight.inc, flight.seq, 0)
        phase = GRANT if to == flight.dst else HOP
        self._conductor.at(arrives_ns, order, reach, phase)

    def _arrive_at(self, flight: Flight, t_ns: int) -> None:
        order = (flight.dst, flight.src, flight.inc, flight.seq, 0)
        self._conductor.at(t_ns, order, lambda: self._deliver(flight), GRANT)

    # --- the end of a message ---

    def _bound(self, flight: Flight) -> bool:
        return flight.dst_inc is not None and self._receiver(flight.dst) == flight.dst_inc

    def _deliver(self, flight: Flight) -> None:
        if not self._bound(flight):
            self._lose(flight, f"{flight.dst} does not take it any more")
            return
        now = self._conductor.now_ns
        self._journal.event(flight.dst, "delivered", flight.src, flight.inc, flight.seq, 0)
        self.deliveries.setdefault(flight.dst, []).append(
            Delivery(flight.src, flight.inc, flight.seq, 0, flight.hash, flight.sent_ns)
        )
        self._conductor.wake(flight.dst)
        self._metrics.observe(f"{flight.dst}.message_latency_s", (now - flight.sent_ns) / 1e9)
        self._end(flight)

    def _lose(self, flight: Flight, why: str) -> None:
        self._journal.event(flight.dst, "undelivered", flight.src, flight.inc, flight.seq, why)
        self._metrics.count("messages.lost")
        self._end(flight)

    def _end(self, flight: Flight) -> None:
        """No grant will name the message again: its receiver may forget it."""
        del self._flights[flight.src, flight.inc, flight.seq]
        forget = Forget(flight.src, flight.inc, flight.seq)
        if self._listens(flight.dst):
            self._let_forget(flight.dst, forget)
        if flight.src != flight.dst:
            self._handed.append(forget)

    def taken(self) -> None:
        """All nodes that were granted have reported: nobody will ask their senders for payloads again.

        Not before: a sender that is granted at the same instant as the receiver, and frees the payload
        at once, could not send it again if it was lost on the way.
        """
        for forget in self._handed:
            if self._receiver(forget.src) == forget.inc:
                self._let_forget(forget.src, forget)
        self._handed.clear()

    def _let_forget(self, node: str, forget: Forget) -> None:
        waiting = self.forgets.setdefault(node, [])
        waiting.append(forget)
        self._most_forgets = max(self._most_forgets, len(waiting))

    def overdue(self) -> list[tuple[str, list[Forget]]]:
        """What nodes that are not granted have still to forget, once it has become much."""
        if self._most_forgets < FORGETS_AT_ONCE:
            return []
        self._most_forgets = 0
        full = [node for node in sorted(self.forgets) if len(self.forgets[node]) >= FORGETS_AT_ONCE]
        return [(node, self.forgets.pop(node)) for node in full]

    def forget_node(self, node: str) -> None:
        """The node is dead, or has finished: nothing can be handed to it."""
        self.deliveries.pop(node, None)
        self.forgets.pop(node, None)
