"""The nodes of a run: which incarnation of each is alive, and in which state.

Owns the nodes' states, the Welcome of each and who takes messages. Does not own processes (the launcher's) or
time.

    starting -> running -> finished | failed
    running -> serving (its program has ended, its services have not)
    starting | running | serving | finished | failed -> killed (a fault) -> starting (its restart)
    anything -> lost (its process died unplanned; ends the run)
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from ..kernel.streams import entropy, hash_key
from ..places import planned_contacts, planned_sunlight
from ..quantum.links.heralding_facts import heralding_facts
from ..quantum.pulses.sending import mean_photon_numbers, several_photons
from ..topology.model.topology import LinkSpec, NodeSpec, Topology
from ..wire import Heralding, JoinFacts, LinkInfo, Optics, Resend, ServiceInfo, Skew, Welcome
from ..wire.control import NodeState

#: The states in which anything on a node still runs, so that it takes grants.
RUNS = ("running", "serving")


class NodeStatus:
    """The state of one node."""

    __slots__ = (
        "awaited",
        "begun",
        "broken",
        "ended",
        "ended_ns",
        "frozen",
        "granted_ns",
        "grants",
        "incarnation",
        "inputs",
        "missed",
        "name",
        "openings",
        "paused",
        "pid",
        "result",
        "spec",
        "started",
        "state",
        "unread",
        "worked_s",
    )

    def __init__(self, spec: NodeSpec) -> None:
        self.name = spec.name
        self.spec = spec
        #: The incarnation that counts, or the next one; and the last one that a process was started for.
        self.incarnation = self.started = 1
        self.state = "starting"
        #: When its program ended, or when it died; and how its program ended: finished or failed.
        self.ended_ns: int | None = None
        self.ended = ""
        #: When each of its services failed.
        self.broken: dict[str, int] = {}
        self.pid = 0
        self.result: Any = None
        #: Whether its report is awaited.
        self.awaited = False
        #: How many faults pause it; whether its process is stopped; and whether something is due to it.
        self.paused = 0
        self.frozen = self.missed = False
        #: When it last ran; and the messages left in its inbox when its program ended, by kind.
        self.granted_ns: int | None = None
        #: How often it is open to the outside; and how much came from there, to all its incarnations.
        self.openings = self.inputs = 0
        self.unread: dict[str, int] = {}
        #: What the wall clock charges it with (kernel/wall_clock.py).
        self.grants = self.begun = 0
        self.worked_s = 0.0

    @property
    def alive(self) -> bool:
        """Whether it has a process that can be sent frames."""
        return self.state in ("running", "serving", "finished", "failed")

    @property
    def runs(self) -> bool:
        """Whether anything on it still runs, so that it takes grants."""
        return self.state in RUNS

    @property
    def program_state(self) -> str:
        """The state of its program."""
        return self.ended if self.state == "serving" else self.state

    def is_service(self, port: str) -> bool:
        """Whether a service of the node owns the port."""
        return bool(port) and port.partition(".")[0] in self.spec.services

    def end_program(self, how: str, now_ns: int) -> None:
        """Its program has ended: finished or failed. Its services, if it has any, have not."""
        self.ended, self.ended_ns = how, now_ns
        self.state = "serving" if self.spec.services else how

    def begin_anew(self) -> None:
        """Another incarnation has started: what became of the last one is not this one's."""
        self.result, self.ended = None, ""
        self.broken.clear()


class Nodes:
    """All nodes of a run, in the order of their names."""

    def __init__(self, topology: Topology, outbox: list[tuple[str, msgspec.Struct]]) -> None:
        self._topology, self._outbox = topology, outbox
        self._facts: dict[str, Heralding | None] = {}
        self.statuses = {name: NodeStatus(topology.nodes[name]) for name in sorted(topology.nodes)}
        self._names = list(self.statuses)
        #: Node -> its links, in the order of their names.
        self._links_of: dict[str, list[LinkSpec]] = {}
        for _, link in sorted(topology.links.items()):
            for end in link.ends:
                self._links_of.setdefault(end, []).append(link)
        self._has_programs = any(not status.spec.service for status in self.statuses.values())
        #: The node that `busy` found at work last: most likely it still is; and where it looks on.
        self.found_busy: NodeStatus | None = None
        self._in_order, self._at = list(self.statuses.values()), 0

    def __getitem__(self, name: str) -> NodeStatus:
        return self.statuses[name]

    def receiver(self, name: str, port: str | None = None) -> int | None:
        """The incarnation that takes messages and qubits now (on a port), or None (dead, finished, unknown).

        A node whose program has ended takes what is for its services.
        """
        status = self.statuses.get(name)
        if status is None:
            return None
        if status.state == "running":
            return status.incarnation
        serves = status.state == "serving" and (port is None or status.is_service(port))
        return status.incarnation if serves else None

    def is_background(self, name: str, port: str) -> bool:
        """Whether what a node sends on that port is a service's."""
        status = self.statuses.get(name)
        return status is not None and status.is_service(port)

    def listens(self, name: str) -> bool:
        """Whether a grant will ever reach the node again, in this incarnation or the next."""
        status = self.statuses.get(name)
        return status is not None and (status.runs or status.state == "starting")

    def publish(self, src: str, inc: int, seq: int, to: str) -> None:
        """Have a sender publish a payload to a node that it was not addressed to."""
        if self.statuses[src].alive:
            self._outbox.append((src, Resend(src, inc, [seq], to)))

    def unfinished(self) -> list[NodeStatus]:
        """Programs the run still waits for: not services, not ended, or about to come back."""
        return [status for status in self.statuses.values() if _at_work(status)]

    def busy(self) -> bool:
        """Whether any program is unfinished. Asked at every instant, so it looks at one node, not at all."""
        if self.found_busy is None or not _at_work(self.found_busy):
            self.found_busy = self._next_at_work()
        return self.found_busy is not None

    def _next_at_work(self) -> NodeStatus | None:
        """Round and round from the one before: not over all that have ended, each time that one ends."""
        for _ in self._in_order:
            status = self._in_order[self._at]
            if _at_work(status):
                return status
            self._at = (self._at + 1) % len(self._in_order)
        return None

    def services(self) -> list[NodeStatus]:
        """Nodes on which a service runs, or a program that is one."""
        return [
            each
            for each in self.statuses.values()
            if each.runs and (each.spec.service or each.spec.services)
        ]

    def over(self) -> bool:
        """Whether there were programs, and all have ended. Services alone are never over."""
        return self._has_programs and not self.busy()

    def states(self) -> dict[str, NodeState]:
        """The state of every node, for the summary."""
        return {
            each.name: NodeState(each.pid, each.started, each.program_state)
            for each in self.statuses.values()
        }

    def results(self) -> dict[str, Any]:
        """What every node's `run()` returned (None for those that have not)."""
        return {each.name: each.result for each in self.statuses.values()}

    def welcome(
        self,
        status: NodeStatus,
        seed: int,
        t_ns: int,
        clock: Sequence[Skew] = (),
        outside: str = "",
    ) -> Welcome:
        """Everything this incarnation knows at its start."""
        topology, spec = self._topology, status.spec
        links = [
            _link_info(topology, link, status.name, self._heralding(link))
            for link in self._links_of.get(status.name, ())
        ]
        return Welcome(
            name=status.name,
            incarnation=status.incarnation,
            kind=spec.kind,
            program=spec.program or "",
            options=dict(spec.options),
            service=spec.service,
            entropy=entropy(seed, "node", status.name, status.incarnation),
            nodes=self._names,
            links=links,
            slots=spec.own_slots,
            t_ns=t_ns,
            record=topology.record,
            optics=_optics(spec),
            clock=list(clock),
            folder=topology.folder,
            outside=outside,
            hash_key=hash_key(seed),
            epoch_ns=topology.time.epoch_ns,
            services=[_service_info(name, spec) for name in spec.services_in_order()],
            communication=spec.memory.communication,
            cutoff_ns=spec.memory.cutoff_ns or 0,
            joins=_join_facts(spec),
        )

    def _heralding(self, link: LinkSpec) -> Heralding | None:
        """Worked out once, for both ends and all their incarnations."""
        if link.name not in self._facts:
            self._facts[link.name] = heralding_facts(self._topology, link)
        return self._facts[link.name]


def _at_work(status: NodeStatus) -> bool:
    return status.state in ("running", "starting") and not status.spec.service


def _join_facts(spec: NodeSpec) -> JoinFacts:
    """A flipped outcome turns the sign of two correlations of three, depolarisation shrinks all."""
    kept, told = 1 - spec.gates.two_error, 1 - 2 * spec.measurement.error
    duration_ns = spec.gates.two_ns + spec.measurement.duration_ns
    success = spec.bell_measurement.success
    return JoinFacts(success, kept * told, kept * told, kept * told**2, duration_ns)


def _service_info(name: str, spec: NodeSpec) -> ServiceInfo:
    service = spec.services[name]
    return ServiceInfo(name, service.program, dict(service.options), service.slots)


def _link_info(
    topology: Topology, link: LinkSpec, node: str, heralding: Heralding | None
) -> LinkInfo:
    sunlit, sun_deg = planned_sunlight(topology, link) or (None, None)
    return LinkInfo(
        name=link.name,
        peer=link.other_end(node),
        quantum=link.quantum is not None,
        entangle=link.quantum is not None and link.quantum.entangle is not None,
        length_km=link.length_km,
        latency_ns=link.classical.latency_ns if link.classical is not None else 0,
        delay_ns=link.delay_ns,
        heralding=heralding,
        end=link.ends.index(node),
        contacts=planned_contacts(topology, link),
        sunlit=sunlit,
        sun_deg=sun_deg,
        light_only=link.classical is not None and link.classical.moving,
    )


def _optics(spec: NodeSpec) -> Optics:
    """What the node knows of its own source and detectors."""
    source, detector = spec.source, spec.detector
    detects = "" if detector is None else "active" if detector.splitting is None else "passive"
    if source is None:
        return Optics(detects=detects)
    shares = source.probabilities or [1 / source.settings] * source.settings
    tunable = source.kind == "weak_coherent"
    means, several = mean_photon_numbers(source), several_photons(source)
    return Optics(source.period_ps, means, shares, tunable, detects, several)
