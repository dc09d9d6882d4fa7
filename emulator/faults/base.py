"""What every fault is: a row of data, whom it fits, and an effect that begins and may heal.

Owns the shape only, and how often a fault struck (`hits`). A fault is given the world as `Breakable`: the
few things that a fault may do to it, by Protocols, so that no plane is imported here.

Rule: no physics is imported. A topology is checked, and a campaign drawn, without it.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, ClassVar, Literal, Protocol, TypeVar

from ..topology.model.faults import FaultSpec, Value
from .changes import Changes, NodeChanges
from .verdicts import HeraldFault, HeraldOutcome, LinkFault, Listener, Message, Pass, Verdict

if TYPE_CHECKING:
    from numpy.random import Generator

    from ..kernel.conductor import Entry
    from ..topology.model.topology import LinkSpec, NodeSpec, Quantum, Topology
    from ..topology.written.positions import Position

# --- a fault as data ------------------------------------------------------------------------------

#: "either": a node or a link; "groups": groups of nodes, as a partition takes them.
Aim = Literal["node", "link", "either", "groups"]
Plane = Literal["classical", "process", "quantum", "clock"]


@dataclass(frozen=True)
class Parameter:
    """A fault's parameter.

    `dimension`: as in units.py, or "word" with the allowed `words`, "count", "flag", or "node" (a name, of
    one of the kinds in `words`).
    `low`, `high`: limits in the base unit. `typical`: from where to where a random campaign draws it,
    log-uniformly, in the base unit; a time without it is drawn like a duration, all else is left out.
    """

    dimension: str
    required: bool = False
    default: float | str | None = None
    words: tuple[str, ...] = ()
    low: float = 0.0
    high: float = math.inf
    above: bool = False
    typical: tuple[float, float] | None = None


@dataclass(frozen=True)
class FaultKind:
    """What a file may write of a fault. `lasting`: takes `for` and is healed at its end.

    `random`: a campaign may draw it from its kind alone. `some`: parameters of which at least one must be
    given. `counts`: it counts what it strikes.
    """

    verb: str
    plane: Plane
    target: Aim
    lasting: bool
    parameters: dict[str, Parameter] = field(default_factory=dict)
    random: bool = True
    some: tuple[str, ...] = ()
    counts: bool = True


#: Parameters that several faults have.
CHANCE = Parameter("probability", required=True, high=1.0, typical=(0.05, 0.8))
LOSS = Parameter("loss", required=True, typical=(1.0, 30.0))

NO_PARAMETERS: Mapping[str, Value] = MappingProxyType({})


# --- the world as a fault sees it -----------------------------------------------------------------


class BreakableMessages(Protocol):
    """The classical plane: links that carry messages. Cuts and limits nest."""

    def cut(self, link: str) -> None: ...
    def heal(self, link: str) -> None: ...
    def limit(self, link: str, bandwidth_bps: float) -> None: ...
    def unlimit(self, link: str, bandwidth_bps: float) -> None: ...
    def add_fault(self, link: str, fault: LinkFault) -> None: ...
    def remove_fault(self, link: str, fault: LinkFault) -> None: ...
    def listen(self, link: str, listener: Listener) -> None: ...
    def unlisten(self, link: str, listener: Listener) -> None: ...


_C_contra = TypeVar("_C_contra", contravariant=True)


class Changeable(Protocol[_C_contra]):
    """A link or a node, whose faults are kept over time."""

    def begin(self, fault: Fault, changes: _C_contra, /) -> None: ...
    def end(self, fault: Fault, /) -> None: ...


class AllChangeable(Protocol):
    """All links and nodes, by name."""

    @property
    def links(self) -> Mapping[str, Changeable[Changes]]: ...
    @property
    def nodes(self) -> Mapping[str, Changeable[NodeChanges]]: ...


class BreakableLight(Protocol):
    """The quantum plane: light, heralds and memories."""

    @property
    def fault_histories(self) -> AllChangeable: ...
    def cut(self, link: str) -> None: ...
    def heal(self, link: str) -> None: ...
    def begin_herald_fault(self, link: str, fault: HeraldFault) -> None: ...
    def end_herald_fault(self, link: str, fault: HeraldFault) -> None: ...
    def reset_memory(self, node: str) -> int: ...
    def stored_in(self, node: str) -> int: ...


class Breakable(Protocol):
    """The world, as a fault sees it."""

    @property
    def classical(self) -> BreakableMessages: ...
    @property
    def quantum(self) -> BreakableLight: ...

    def kill(self, node: str, restart_ns: int | None) -> None:
        """Settle, SIGKILL, and start again `restart_ns` later (None: never)."""

    def restart(self, node: str, after_ns: int) -> None:
        """Start a dead node `after_ns` later; kill a living one first."""

    def pause(self, node: str, signal: bool) -> int:
        """Freeze the node in virtual time, and its process too (`signal`); the incarnation it strikes.

        Pauses nest. Killing the node ends them.
        """

    def resume(self, node: str, incarnation: int) -> None:
        """One pause of that incarnation less; harmless when it is gone."""

    def tap(self, link: str, key: str, node: str) -> None:
        """The node takes what the link's ends send to each other, before any node that did so already."""

    def untap(self, link: str, key: str) -> None:
        """What `key` names is over."""

    def skew(self, node: str, key: str, offset_ns: int, rate_ppb: int) -> None:
        """The node's clock goes wrong from now on; skews of several keys add up."""

    def unskew(self, node: str, key: str) -> None:
        """That skew is gone: the clock jumps back."""

    def after(self, delay_ns: int, key: str, action: Callable[[], None]) -> Entry:
        """Have a fault's next step done so much later, after the faults that begin or heal then.

        Steps of one instant happen in the order of their keys: one fault, one key.
        """

    def note(self, entity: str, kind: str, *fields: object) -> None:
        """Journal a step of a fault; its begin and its end are journalled already."""


# --- faults ---------------------------------------------------------------------------------------


class Fault(ABC):
    """One fault. `rng` is its own generator; `spec.parameters` are checked already."""

    kind: ClassVar[FaultKind]

    def __init__(self, spec: FaultSpec, rng: Generator) -> None:
        self.spec = spec
        self.rng = rng
        #: How many messages, photons, pairs ... it has struck so far.
        self.hits = 0

    @classmethod
    def misfit(
        cls, topology: Topology, target: str, parameters: Mapping[str, Value] = NO_PARAMETERS
    ) -> str | None:
        """Why it cannot happen to the node or link of that name, or None. A link needs the fault's plane."""
        link = topology.links.get(target)
        return None if link is None else missing_plane(link, cls.kind.plane)

    @classmethod
    def wrong_with(cls, topology: Topology, spec: FaultSpec) -> tuple[str, Position] | None:
        """Why a single fault cannot happen as it stands, and which value is to blame; None if it can."""
        problem = cls.misfit(topology, spec.target, spec.parameters)
        if problem is None:
            return None
        return f"{spec.verb}: {problem}", spec.place_of(f"{spec.verb}:{spec.target}", spec.verb)

    @property
    def target(self) -> str:
        """The node or link it happens to."""
        return self.spec.target

    def number(self, name: str) -> float:
        """A numeric parameter; 0 if it was not given and has no default."""
        value: Value = self.spec.parameters.get(name)
        return float(value or 0.0)

    def time_ns(self, name: str) -> int:
        """A parameter that is a time, in ns; 0 if it was not given."""
        value = self.spec.parameters.get(name)
        return int(value or 0)

    def strikes(self) -> bool:
        """Whether this one is of the share `probability`; one draw."""
        return self.rng.random() < self.number("probability")

    @abstractmethod
    def begin(self, world: Breakable) -> None:
        """Break it."""

    def heal(self, world: Breakable) -> None:  # noqa: B027 -- optional: a kill has nothing to mend
        """Mend it; called once, at the end of `for` or of the run."""


class MessageFault(Fault, LinkFault):
    """A fault that looks at each message on its link and gives a verdict.

    Rule: it draws the same numbers for each message whatever the verdict, so that one message's verdict
    shifts no other's. Messages of services have generators of their own, spawned by the service's name.
    """

    def __init__(self, spec: FaultSpec, rng: Generator) -> None:
        super().__init__(spec, rng)
        self._of_services: dict[str, Generator] = {}

    def begin(self, world: Breakable) -> None:
        world.classical.add_fault(self.target, self)

    def heal(self, world: Breakable) -> None:
        world.classical.remove_fault(self.target, self)

    def on_message(self, flight: Message) -> Verdict:
        if flight.service:
            verdict = self._strike_service(flight)
        else:
            verdict = self.strike(flight)
        if not isinstance(verdict, Pass):
            self.hits += 1
        return verdict

    def _strike_service(self, flight: Message) -> Verdict:
        """As `strike`, with a service's own numbers: its messages shift no program's draws."""
        from ..kernel.streams import spawned

        programs = self.rng
        if flight.service not in self._of_services:
            self._of_services[flight.service] = spawned(programs, flight.service)
        self.rng = self._of_services[flight.service]
        try:
            return self.strike(flight)
        finally:
            self.rng = programs

    @abstractmethod
    def strike(self, flight: Message) -> Verdict:
        """What becomes of this message."""


class LinkChange(Fault):
    """A fault that changes what light meets on a link, or what heralds pairs there. It draws nothing.

    Photons and pulses meet it that leave while it lasts, and pairs that are emitted.
    """

    @classmethod
    def misfit(
        cls, topology: Topology, target: str, parameters: Mapping[str, Value] = NO_PARAMETERS
    ) -> str | None:
        missing = super().misfit(topology, target, parameters)
        quantum = topology.links[target].quantum
        if missing is not None or quantum is None:
            return missing
        return cls.misfit_of_light(topology, target, quantum)

    @classmethod
    def misfit_of_light(cls, topology: Topology, link: str, quantum: Quantum) -> str | None:
        """Why it cannot happen to that link's light, or None."""
        del topology, link, quantum
        return None

    @abstractmethod
    def changes(self) -> Changes:
        """What is different while it lasts."""

    def begin(self, world: Breakable) -> None:
        world.quantum.fault_histories.links[self.target].begin(self, self.changes())

    def heal(self, world: Breakable) -> None:
        world.quantum.fault_histories.links[self.target].end(self)


class DeviceChange(Fault):
    """A fault of the devices of a node, or of a link's heralding. It draws nothing."""

    @classmethod
    def misfit(
        cls, topology: Topology, target: str, parameters: Mapping[str, Value] = NO_PARAMETERS
    ) -> str | None:
        node = topology.nodes.get(target)
        if node is not None:
            return cls.missing_device(node)
        return super().misfit(topology, target, parameters) or no_heralds(topology.links[target])

    @classmethod
    @abstractmethod
    def missing_device(cls, node: NodeSpec) -> str | None:
        """Which device the node would need, as the end of an error; None if it has it."""

    @abstractmethod
    def link_changes(self) -> Changes:
        """What is different about the link while it lasts."""

    @abstractmethod
    def node_changes(self) -> NodeChanges:
        """What is different about the node while it lasts."""

    def begin(self, world: Breakable) -> None:
        histories = world.quantum.fault_histories
        if self.target in histories.nodes:
            histories.nodes[self.target].begin(self, self.node_changes())
        else:
            histories.links[self.target].begin(self, self.link_changes())

    def heal(self, world: Breakable) -> None:
        histories = world.quantum.fault_histories
        if self.target in histories.nodes:
            histories.nodes[self.target].end(self)
        else:
            histories.links[self.target].end(self)


class HeraldStrike(Fault):
    """A fault that looks at each success of a heralded link that is emitted while it lasts.

    Rule: as for messages, it draws the same numbers for each whatever the outcome.
    """

    @classmethod
    def misfit(
        cls, topology: Topology, target: str, parameters: Mapping[str, Value] = NO_PARAMETERS
    ) -> str | None:
        return super().misfit(topology, target, parameters) or no_heralds(topology.links[target])

    def begin(self, world: Breakable) -> None:
        world.quantum.begin_herald_fault(self.target, self)

    def heal(self, world: Breakable) -> None:
        world.quantum.end_herald_fault(self.target, self)

    def strikes(self) -> bool:
        struck = super().strikes()
        self.hits += struck
        return struck

    @abstractmethod
    def on_success(self, ends: tuple[str, str]) -> HeraldOutcome:
        """What becomes of this one; `ends` are the link's."""


# --- whom faults fit ------------------------------------------------------------------------------


def missing_plane(link: LinkSpec, plane: Plane | Value) -> str | None:
    """Why a fault of that plane cannot happen to the link, or None."""
    if plane == "classical" and link.classical is None:
        return f"{link.name} has no classical side"
    if plane == "quantum" and link.quantum is None:
        return f"{link.name} has no quantum side"
    return None


def no_heralds(link: LinkSpec) -> str | None:
    """Why a fault of heralds cannot happen to the link, or None."""
    if link.quantum is None or link.quantum.entangle is None:
        return f"nothing heralds pairs on {link.name}: expected 'entangle' there"
    return None


def no_detectors(node: NodeSpec) -> str | None:
    """Why a fault of detectors cannot happen to the node, or None."""
    if node.detector is None:
        return f"{node.name} has no detectors: expected a 'detector' there, or a link with heralds"
    return None
