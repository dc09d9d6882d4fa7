"""The classical plane: when each message arrives, or why it does not.

Owns the messages in flight (never their payloads, which travel by MQTT from node to node): what happens to
them on each hop, and who may forget which payload. Does not own routes (routes.py), the state of a link
(hops.py) or what a fault decides (faults/).

Theory of operation. A report carries `Send`s. Each becomes a `Flight`, which crosses its links one after the
other: on every hop it waits for the link's transmitter (bandwidth: size * 8 / rate, first in first out per
direction), then takes the hop's latency. Hops on which nothing but latency happens are crossed at once
(stretches.py). At the last node the flight is handed over as a `Delivery` in the grant of that instant. An
eavesdropper stands where messages enter a link, at either end, as for light: it gets a copy when the message
has left, and a message that it takes goes no further. What it forges enters at the other end and takes the
whole latency: no message comes sooner by it.

Rules: a message is bound at its send instant to the incarnation of the destination then alive; if that one is
dead, replaced or finished when the message is due, it is journalled as undelivered. A link that is cut while
a message is on it loses the message. Of a link whose ends move, the latency is light's time when the message
leaves, and it carries what leaves during a contact. Programs on the way are not involved: a killed node's
switch still forwards.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator
from heapq import heapreplace
from typing import Protocol

from ..errors import InternalError
from ..faults.verdicts import Damage, Drop, Later, LinkFault, Listener, Twice
from ..kernel.conductor import GRANT, HOP, Conductor
from ..kernel.ports import Surroundings
from ..places import moving_geometry
from ..topology.model.topology import LinkSpec, Topology
from ..units import LAST_NS
from ..wire import Delivery, Forget, Send
from .flights import Flight, Sent
from .hops import Hop
from .routes import Routes
from .stretches import Stretches

#: A node that is not granted gets a frame of its own with what to forget, once there is so much of it.
FORGETS_AT_ONCE = 256


class Receivers(Protocol):
    """The nodes, as the plane sees them."""

    def receiver(self, name: str, port: str | None = None) -> int | None:
        """The incarnation that takes messages now (on that port), or None."""

    def is_background(self, name: str, port: str) -> bool:
        """Whether what a node sends on that port is a service's."""

    def listens(self, name: str) -> bool:
        """Whether a grant will ever reach the node again, in this incarnation or the next."""

    def publish(self, src: str, inc: int, seq: int, to: str) -> None:
        """Have a sender publish a payload to a node that it was not addressed to."""


class ClassicalPlane:
    """Messages in flight, between the nodes of one run."""

    def __init__(
        self,
        topology: Topology,
        conductor: Conductor,
        surroundings: Surroundings,
        nodes: Receivers,
    ) -> None:
        self._conductor = conductor
        self._journal, self._metrics = surroundings.journal, surroundings.metrics
        self._receiver, self._listens, self._publish = nodes.receiver, nodes.listens, nodes.publish
        self._is_background = nodes.is_background
        self.routes = Routes(topology.links)
        self._hops = {
            name: Hop(link, moving_geometry(topology, link))
            for name, link in sorted(topology.links.items())
        }
        #: Links that move, by the instant until which each is known to be open or closed.
        self._contacts = [(0, name) for name, hop in self._hops.items() if hop.geometry is not None]
        self._stretches = Stretches(conductor, self.routes, self._hops, self._reach)
        #: Node -> the links that it listens on, each as often as it does.
        self._listening: dict[str, list[str]] = {}
        self.deliveries: dict[str, list[Delivery]] = {}
        self.forgets: dict[str, list[Forget]] = {}
        #: Handed over: their senders keep the payloads until the granted receivers have reported.
        self._handed: list[Sent] = []
        #: Nodes that have much to forget.
        self._full: dict[str, None] = {}
        #: Sender -> its messages on their way, by (incarnation, number).
        self._sent: dict[str, dict[tuple[int, int], Sent]] = {}

    # --- from the nodes ---

    def send(self, src: str, inc: int, send: Send) -> None:
        """A node has published a message at the present instant. Raises InternalError for a number again."""
        sent_by = self._sent.setdefault(src, {})
        if (inc, send.seq) in sent_by:
            raise InternalError(f"{src} ({inc}) sends message {send.seq} twice")
        port = send.port
        service = port.partition(".")[0] if port and self._is_background(src, port) else ""
        sent = Sent(src, inc, send, self._conductor.now_ns, service)
        sent_by[inc, send.seq] = sent
        fields = [send.dst, inc, send.seq, send.kind, send.size, send.hash.hex()]
        if port or send.claims:
            fields += [send.claims, port] if port else [send.claims]
        self._journal.event(src, "sent", *fields)
        flight = Flight(sent, send.dst, send.dst, self._receiver(send.dst, port))
        if send.claims:
            self._inject(flight)
        elif src == send.dst:
            self._arrive_at(flight, self._conductor.now_ns)
        else:
            self._forward(flight, src)

    def undelivered(self, src: str, inc: int) -> dict[str, list[int]]:
        """Receiver -> numbers of what this incarnation has sent and the receiver has not been granted yet."""
        found: dict[str, dict[int, None]] = {}
        for to, deliveries in self.deliveries.items():  # of nodes that are paused
            for copy in deliveries:
                if copy.src == src and copy.inc == inc:
                    found.setdefault(to, {})[copy.seq] = None
        for sent in self._sent.get(src, {}).values():
            if sent.inc == inc:
                for flight in sent.flights:
                    if self._bound(flight):
                        found.setdefault(flight.to, {})[sent.seq] = None
        return {to: sorted(seqs) for to, seqs in sorted(found.items())}

    def in_flight(self) -> int:
        """How many messages are on their way."""
        return sum(map(len, self._sent.values()))

    def background(self) -> int:
        """How many copies of services' messages are on their way."""
        return sum(len(sent.flights) for sent in self._on_their_way() if sent.service)

    def in_flight_by_node(self) -> Counter[str]:
        """How many copies of messages are on their way to each node."""
        return Counter(flight.to for sent in self._on_their_way() for flight in sent.flights)

    def _on_their_way(self) -> Iterator[Sent]:
        for sent_by in self._sent.values():
            yield from sent_by.values()

    # --- from the faults ---

    def cut(self, link: str) -> None:
        """The link carries nothing from now on; cuts nest."""
        self._stretches.stop()
        hop = self._hops[link]
        hop.cuts += 1
        hop.cut_count += 1
        self.routes.set_down(link, True)

    def heal(self, link: str) -> None:
        """One cut less."""
        self._stretches.stop()
        hop = self._hops[link]
        hop.cuts -= 1
        if hop.cuts == 0:
            self.routes.set_down(link, False)

    def add_fault(self, link: str, fault: LinkFault) -> None:
        """Have `fault` look at each message that enters the link, after those already there."""
        self._disturb(link).faults.append(fault)
        self._hops[link].changed()

    def remove_fault(self, link: str, fault: LinkFault) -> None:
        """The fault is healed."""
        self._hops[link].faults.remove(fault)
        self._hops[link].changed()

    def limit(self, link: str, bandwidth_bps: float) -> None:
        """The link's transmitters do no more than this from now on; the lowest of several counts."""
        self._disturb(link).limits_bps.append(bandwidth_bps)
        self._hops[link].changed()

    def unlimit(self, link: str, bandwidth_bps: float) -> None:
        """That limit is gone; what waits already still waits its time."""
        self._hops[link].limits_bps.remove(bandwidth_bps)
        self._hops[link].changed()

    def listen(self, link: str, listener: Listener) -> None:
        """From now on the listener hears what enters the link, after those already there."""
        self._disturb(link).listeners.append(listener)
        self._hops[link].changed()
        self._listening.setdefault(listener.node, []).append(link)

    def unlisten(self, link: str, listener: Listener) -> None:
        """It hears nothing more; copies on their way still come."""
        self._hops[link].listeners.remove(listener)
        self._hops[link].changed()
        self._listening[listener.node].remove(link)

    def _disturb(self, link: str) -> Hop:
        """The hop, before something comes to it that messages under way must meet."""
        hop = self._hops[link]
        if hop.is_quiet:
            self._stretches.stop()
        return hop

    # --- on the way ---

    def _look_at_contacts(self) -> int:
        """Until when routes are known: they follow the contacts of links that move.

        Nothing is planned for the begin and the end of a contact.
        """
        contacts, now_ns = self._contacts, self._conductor.now_ns
        while contacts and contacts[0][0] <= now_ns:
            name = contacts[0][1]
            geometry = self._hops[name].geometry
            assert geometry is not None
            contact = geometry.contact_at(now_ns)
            self.routes.set_down(name, not contact.open, "out of sight")
            heapreplace(contacts, (contact.until_ns, name))
        return contacts[0][0] if contacts else LAST_NS

    def _forward(self, flight: Flight, at: str) -> None:
        known_until_ns = self._look_at_contacts() if self._contacts else LAST_NS
        spec = self.routes.next_link(at, flight.dst)
        if spec is None:
            self._lose(flight, f"no path from {at} to {flight.dst}")
            return
        hop = self._hops[spec.name]
        if hop.is_quiet:
            self._stretches.begin(flight, hop, at, known_until_ns)
        else:
            self._enter(flight, hop, at)

    def _enter(self, flight: Flight, hop: Hop, at: str) -> None:
        """The message leaves `at` on this link: faults look at it, then eavesdroppers."""
        # In the order in which the faults began: what is dropped by one is not looked at by the next, so
        # that this takes no number of the next one's generator.
        extra_ns = 0
        echoes_ns: list[int] = []
        for fault in hop.faults:
            verdict = fault.on_message(flight)
            if isinstance(verdict, Drop):
                self._lose(flight, f"{verdict.why} on {hop.spec.name}")
                return
            if isinstance(verdict, Later):
                extra_ns += verdict.by_ns
            elif isinstance(verdict, Twice):
                echoes_ns.append(verdict.after_ns)
            elif isinstance(verdict, Damage):
                flight.damage = (*flight.damage, *verdict.bits)
        # After all faults: a copy has the damage of its original. Before the original is transmitted: it may
        # end there, and the message with its last flight.
        echoes = [
            (Flight(flight.sent, flight.dst, flight.to, flight.to_inc, flight.damage), after_ns)
            for after_ns in echoes_ns
        ]
        self._transmit(flight, hop, at, extra_ns)
        for echo, after_ns in echoes:
            self._transmit(echo, hop, at, extra_ns + after_ns)

    def _transmit(self, flight: Flight, hop: Hop, at: str, extra_ns: int) -> None:
        leaves_ns = self._transmitted(hop, at, flight.size) + extra_ns
        latency_ns = hop.latency_ns(leaves_ns, at)
        for listener in hop.listeners:
            self._overhear(flight, listener, leaves_ns)
            if listener.takes:
                self._lose(flight, f"taken by {listener.node} on {hop.spec.name}")
                return
        self._cross(flight, hop, hop.spec.other_end(at), leaves_ns + latency_ns)

    def _transmitted(self, hop: Hop, at: str, size: int) -> int:
        """When the last bit has left `at` on this link, in ns."""
        now = self._conductor.now_ns
        bandwidth_bps = hop.bandwidth_bps
        if bandwidth_bps is None:
            return now
        start = max(now, hop.busy_until.get(at, 0))
        done = start + math.ceil(size * 8 * 1e9 / bandwidth_bps)
        hop.busy_until[at] = done
        return done

    def _cross(self, flight: Flight, hop: Hop, to: str, arrives_ns: int) -> None:
        cut_count = hop.cut_count
        phase = GRANT if to == flight.dst else HOP
        self._conductor.at(
            arrives_ns,
            (to, *flight.order),
            lambda: self._reach(flight, hop, cut_count, to),
            phase,
        )

    def _reach(self, flight: Flight, hop: Hop, cut_count: int, to: str) -> None:
        """The message comes to `to`, over a hop that had been cut so often when it was entered."""
        # Cuts are counted, not looked at: one that healed while the message was under way has lost it too.
        if hop.cut_count != cut_count:
            self._lose(flight, f"{hop.spec.name} was cut")
        elif to == flight.dst:
            self._deliver(flight)
        else:
            self._forward(flight, to)

    def last_switch_ns(self, until_ns: int) -> int:
        """When a message under way comes to a switch for the last time until then; 0 if none does."""
        return self._stretches.last_switch_ns(until_ns)

    def _arrive_at(self, flight: Flight, t_ns: int) -> None:
        order = (flight.to, *flight.order)
        self._conductor.at(t_ns, order, lambda: self._deliver(flight), GRANT)

    # --- eavesdroppers ---

    def _overhear(self, flight: Flight, listener: Listener, t_ns: int) -> None:
        """A copy goes to the eavesdropper; the sender publishes its payload there only when asked."""
        sent, node = flight.sent, listener.node
        copy = Flight(sent, flight.dst, node, self._receiver(node, ""), flight.damage)
        self._arrive_at(copy, t_ns)
        if copy.to_inc is not None:
            self._publish(sent.src, sent.inc, sent.seq, node)

    def _inject(self, flight: Flight) -> None:
        """A forgery: over the whole of the link that its sender listens on, towards its destination.

        Of several such links the first by name from which a route leads there.
        """
        for link in sorted(self._listening.get(flight.sent.src, ())):
            hop = self._hops[link]
            near = self._nearer_end(hop.spec, flight.dst)
            if near is not None and hop.spec.classical is not None:
                now_ns = self._conductor.now_ns
                arrives_ns = now_ns + hop.latency_ns(now_ns, hop.spec.other_end(near))
                self._cross(flight, hop, near, arrives_ns)
                return
        self._lose(flight, f"{flight.sent.src} listens on no link that leads to {flight.dst}")

    def _nearer_end(self, link: LinkSpec, dst: str) -> str | None:
        latencies = [
            (0 if end == dst else self.routes.latency_ns(end, dst), end) for end in link.ends
        ]
        found = sorted((ns, end) for ns, end in latencies if ns is not None)
        return found[0][1] if found else None

    # --- the end of a message ---

    def _bound(self, flight: Flight) -> bool:
        # Who overhears has it as a program, whatever the port.
        port = flight.sent.port if flight.to == flight.dst else ""
        return flight.to_inc is not None and self._receiver(flight.to, port) == flight.to_inc

    def _deliver(self, flight: Flight) -> None:
        if not self._bound(flight):
            self._lose(flight, f"{flight.to} does not take it any more")
            return
        now, sent, to = self._conductor.now_ns, flight.sent, flight.to
        damage = list(flight.damage)
        fields = [sent.src, sent.inc, sent.seq, flight.copy, *([damage] if damage else ())]
        self._journal.event(to, "delivered", *fields)
        self.deliveries.setdefault(to, []).append(
            Delivery(
                sent.src,
                sent.inc,
                sent.seq,
                flight.copy,
                sent.hash,
                sent.sent_ns,
                damage,
                sent.claims,
                "" if to == flight.dst else flight.dst,
                sent.port,
            )
        )
        self._conductor.wake(to)
        self._metrics.observe(f"{to}.message_latency_s", (now - sent.sent_ns) / 1e9)
        self._end(flight)

    def _lose(self, flight: Flight, why: str) -> None:
        sent = flight.sent
        copy = [flight.copy] if flight.copy else []
        self._journal.event(flight.to, "undelivered", sent.src, sent.inc, sent.seq, *copy, why)
        self._metrics.count("messages.lost")
        self._end(flight)

    def _end(self, flight: Flight) -> None:
        """This copy is at its end; with the last one, no grant will name the message again."""
        sent, to = flight.sent, flight.to
        sent.flights.remove(flight)
        forget = Forget(sent.src, sent.inc, sent.seq)
        if self._listens(to) and not any(other.to == to for other in sent.flights):
            self._let_forget(to, forget)
        if sent.flights:
            return
        del self._sent[sent.src][sent.inc, sent.seq]
        if sent.src != flight.dst:
            self._handed.append(sent)

    def taken(self) -> None:
        """All granted nodes have reported: their payloads will not be asked for again.

        Not before: a sender that is granted at the same instant as the receiver, and frees the payload
        at once, could not send it again if it was lost on the way. What waits for a paused node is kept.
        """
        handed, self._handed = self._handed, []
        for sent in handed:
            if self.deliveries and any(to in self.deliveries for to in sent.receivers):
                self._handed.append(sent)
            elif self._receiver(sent.src) == sent.inc:
                self._let_forget(sent.src, Forget(sent.src, sent.inc, sent.seq))

    def _let_forget(self, node: str, forget: Forget) -> None:
        waiting = self.forgets.setdefault(node, [])
        waiting.append(forget)
        if len(waiting) == FORGETS_AT_ONCE:
            self._full[node] = None

    def overdue(self) -> list[tuple[str, list[Forget]]]:
        """What nodes that are not granted have still to forget, once it has become much.

        A node that is being restarted gets it in its first grant: it may hold older payloads then.
        """
        if not self._full:
            return []
        full = [node for node in sorted(self._full) if self._receiver(node) is not None]
        self._full.clear()
        waiting = [(node, self.forgets.get(node, [])) for node in full]
        found = [(node, forgets) for node, forgets in waiting if len(forgets) >= FORGETS_AT_ONCE]
        for node, _ in found:
            del self.forgets[node]
        return found

    def forget_node(self, node: str) -> None:
        """The node is dead, or has finished: nothing can be handed to it."""
        self.deliveries.pop(node, None)
        self.forgets.pop(node, None)
