"""The census: which incarnation of each node lives, and in which state.

Owns the nodes' states and the Welcome each gets. Does not own processes (the launcher's) or time.

    starting -> running -> finished | failed
    starting | running | finished | failed -> killed (a fault) -> starting (its restart)
    anything -> lost (its process died unplanned; ends the run)
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ..kernel.streams import entropy
from ..quantum.pulses.devices import mean_photon_numbers
from ..topology.model.topology import LinkSpec, NodeSpec, Topology
from ..wire import LinkInfo, Optics, Skew, Welcome
from ..wire.control import NodeState


class Citizen:
    """One node as the world knows it."""

    __slots__ = (
        "awaited",
        "ended_ns",
        "frozen",
        "granted_ns",
        "incarnation",
        "missed",
        "name",
        "paused",
        "pid",
        "result",
        "spec",
        "started",
        "state",
        "unread",
    )

    def __init__(self, spec: NodeSpec) -> None:
        self.name = spec.name
        self.spec = spec
        #: The one that counts, or that would come next; and the last one that a process was started for.
        self.incarnation = self.started = 1
        self.state = "starting"
        #: When its program ended, or when it died.
        self.ended_ns: int | None = None
        self.pid = 0
        self.result: Any = None
        #: Whether its report is being waited for.
        self.awaited = False
        #: How many faults pause it; whether its process is stopped; and whether something is due to it.
        self.paused = 0
        self.frozen = self.missed = False
        #: When it last ran; and what lay unread in its inbox when its program had ended, by kind.
        self.granted_ns: int | None = None
        self.unread: dict[str, int] = {}

    @property
    def alive(self) -> bool:
        """Whether a process stands behind it that can be spoken to."""
        return self.state in ("running", "finished", "failed")


class Census:
    """All nodes of a run, in the order of their names."""

    def __init__(self, topology: Topology) -> None:
        self._topology = topology
        self.citizens = {name: Citizen(topology.nodes[name]) for name in sorted(topology.nodes)}
        self._has_programs = any(not citizen.spec.service for citizen in self.citizens.values())
        #: The last one that `busy` found at work: most likely it still is.
        self._witness: Citizen | None = None

    def __getitem__(self, name: str) -> Citizen:
        return self.citizens[name]

    def receiver(self, name: str) -> int | None:
        """The incarnation that takes messages and qubits now, or None (dead, finished, unknown)."""
        citizen = self.citizens.get(name)
        return citizen.incarnation if citizen is not None and citizen.state == "running" else None

    def listens(self, name: str) -> bool:
        """Whether a grant will ever reach the node again, in this incarnation or the next."""
        citizen = self.citizens.get(name)
        return citizen is not None and citizen.state in ("starting", "running")

    def unfinished(self) -> list[Citizen]:
        """Programs the run still waits for: not services, not ended, or about to come back."""
        return [citizen for citizen in self.citizens.values() if _at_work(citizen)]

    def busy(self) -> bool:
        """Whether anybody is unfinished. Asked at every instant, so it looks at one node, not at all."""
        if self._witness is None or not _at_work(self._witness):
            self._witness = next(filter(_at_work, self.citizens.values()), None)
        return self._witness is not None

    def services(self) -> list[Citizen]:
        """Services that are running."""
        return [c for c in self.citizens.values() if c.spec.service and c.state == "running"]

    def over(self) -> bool:
        """Whether there were programs, and all have ended. Services alone are never over."""
        return self._has_programs and not self.busy()

    def states(self) -> dict[str, NodeState]:
        """How every node stands, for the summary."""
        return {c.name: NodeState(c.pid, c.started, c.state) for c in self.citizens.values()}

    def results(self) -> dict[str, Any]:
        """What every node's `run()` returned (None for those that have not)."""
        return {c.name: c.result for c in self.citizens.values()}

    def welcome(
        self, citizen: Citizen, seed: int, t_ns: int, clock: Sequence[Skew] = ()
    ) -> Welcome:
        """Everything this incarnation is told at its birth."""
        topology, spec = self._topology, citizen.spec
        links = [
            _link_info(link, citizen.name)
            for _, link in sorted(topology.links.items())
            if citizen.name in link.ends
        ]
        return Welcome(
            name=citizen.name,
            incarnation=citizen.incarnation,
            kind=spec.kind,
            program=_absolute(spec.program or "", topology.source),
            options=dict(spec.options),
            service=spec.service,
            entropy=entropy(seed, "node", citizen.name, citizen.incarnation),
            peers=[name for name in self.citizens if name != citizen.name],
            links=links,
            slots=spec.memory.slots,
            t_ns=t_ns,
            record=topology.record,
            optics=_optics(spec),
            clock=list(clock),
            folder=topology.folder,
        )


def _at_work(citizen: Citizen) -> bool:
    return citizen.state in ("running", "starting") and not citizen.spec.service


def _link_info(link: LinkSpec, node: str) -> LinkInfo:
    return LinkInfo(
        name=link.name,
        peer=link.other_end(node),
        quantum=link.quantum is not None,
        entangle=link.quantum is not None and link.quantum.entangle is not None,
        length_km=link.length_km,
        latency_ns=link.classical.latency_ns if link.classical is not None else 0,
        delay_ns=link.delay_ns,
    )


def _optics(spec: NodeSpec) -> Optics:
    """What the node knows of its own source and detectors."""
    source, detector = spec.source, spec.detector
    detects = "" if detector is None else "active" if detector.splitting is None else "passive"
    if source is None:
        return Optics(detects=detects)
    shares = source.probabilities or [1 / source.settings] * source.settings
    tunable = source.kind == "weak_coherent"
    return Optics(source.period_ps, mean_photon_numbers(source), shares, tunable, detects)


def _absolute(program: str, source: Path | None) -> str:
    """A program file is named relative to the topology's own place."""
    path, _, name = program.rpartition(":")
    if not path.endswith(".py") or source is None:
        return program
    return f"{(source.parent / path).resolve()}:{name}"
