"""Photons: qubits that nodes send along links.

Owns the photons in flight on one link. Does not own what a link does to light (channels.py,
optics/) or where a qubit lies at rest (node/registry.py).

Rules: whether a photon survives is drawn when it leaves, with exactly one number per photon, cut or
not; a receiver's gate is part of that. The channel is asked once, for the time at which the photon leaves:
loss, delay and noise are those of that time, with what faults do to them. A photon is lost if its link is
cut when it leaves or at any time of its flight. What arrives takes a free slot of a node that is alive, else
it is lost. The receiver never hears of a lost one. An eavesdropper on the link stands where light enters it:
what an end sends comes to her at once and unharmed, and what she sends crosses the whole link as if that end
had sent it.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from ...faults.changes import Changes
from ...kernel.ports import PHOTON, Entry, Surroundings
from ...states.pauli import Superoperator
from ...wire import Arrival
from ..node.node_devices import NodeDevices
from ..node.registry import Registry
from .channels import FaultedChannel


class Photon:
    """A qubit in flight; `noise` is what the link does to it, None if nothing. `port`: whom it is for."""

    __slots__ = ("destination", "entry", "noise", "number", "port", "qubit", "source")

    def __init__(
        self,
        number: int,
        qubit: str,
        source: str,
        destination: NodeDevices,
        noise: Superoperator | None,
        port: str,
    ) -> None:
        self.number, self.qubit, self.source, self.port = number, qubit, source, port
        self.destination, self.noise = destination, noise
        self.entry: Entry | None = None


class PhotonLink:
    """One link's light, both ways. `on_arrival(node, arrival)` is called for what gets through."""

    def __init__(
        self,
        name: str,
        ends: tuple[str, str],
        faulted: FaultedChannel,
        around: Surroundings,
        registry: Registry,
        on_arrival: Callable[[str, Arrival], None],
    ) -> None:
        self.name, self.ends, self.faulted = name, ends, faulted
        #: The node that stands on the link and takes what its ends send.
        self.eavesdropper: NodeDevices | None = None
        self._registry, self._streams, self._clock = registry, around.streams, around.clock
        self._journal, self._metrics = around.journal, around.metrics
        self._on_arrival = on_arrival
        self._flying: dict[int, Photon] = {}
        self._launched = 0
        self._cuts = 0

    def launch(self, qubit: str, source: str, destination: NodeDevices, port: str = "") -> None:
        """The qubit leaves `source`, which holds it, now; `port` as in `Transmit`."""
        clock, now = self._clock, self._clock.now_ns
        if self.eavesdropper is not None and source != self.eavesdropper.name:
            self._seize(qubit, source, self.eavesdropper, port)
            return
        if (
            source not in self.ends
        ):  # an eavesdropper's light passes for that of the end she stands at
            source = self.ends[1] if destination.name == self.ends[0] else self.ends[0]
        channel, interval = self.faulted.at(now)
        transit = channel.at(now, source)
        interval.count_hits(_on_light)
        survival = transit.survival * channel.fade(now, source)
        survives = self._draw(source, destination.name) < survival
        self._launched += 1
        self._metrics.count(f"links.{self.name}.photons_sent")
        self._registry.lift(qubit, now, f"sent to {destination.name}")
        if not survives or self._cuts:
            self._lose(qubit, f"lost in {self.name}")
            return
        photon = Photon(self._launched, qubit, source, destination, transit.noise, port)
        self._flying[photon.number] = photon
        order = (self.name, PHOTON, photon.number)
        photon.entry = clock.at(now + transit.delay_ns, order, partial(self._arrive, photon))

    def _seize(self, qubit: str, source: str, eavesdropper: NodeDevices, port: str) -> None:
        """The qubit comes to the eavesdropper at the entrance of the link: at once, and nothing is drawn."""
        now = self._clock.now_ns
        self._launched += 1
        self._metrics.count(f"links.{self.name}.photons_seized")
        self._registry.lift(qubit, now, f"sent on {self.name}")
        photon = Photon(self._launched, qubit, source, eavesdropper, None, port)
        self._flying[photon.number] = photon
        order = (self.name, PHOTON, photon.number)
        photon.entry = self._clock.at(now, order, partial(self._arrive, photon))

    def cut(self) -> None:
        """What is in flight is lost, and what leaves until all cuts are healed."""
        self._cuts += 1
        flying, self._flying = self._flying, {}
        for photon in flying.values():
            if photon.entry is not None:
                photon.entry.cancel()
            self._lose(photon.qubit, f"lost in {self.name}")

    def heal(self) -> None:
        """One cut less."""
        self._cuts -= 1

    def _draw(self, source: str, destination: str) -> float:
        return self._streams.of("photon", f"{self.name}:{source}>{destination}").random()

    def _arrive(self, photon: Photon) -> None:
        del self._flying[photon.number]
        now, node, qubit = self._clock.now_ns, photon.destination, photon.qubit
        owner = photon.port.partition(".")[0]
        owner = owner if owner in node.services and node is not self.eavesdropper else ""
        if not node.alive or not node.take_for(qubit, owner):
            why = "no free slot" if node.alive else "not alive"
            self._lose(qubit, f"lost at {node.name}, {why},")
            return
        if photon.noise is not None:
            self._registry.apply_map(photon.noise, [qubit], now)
        node.hold(qubit, owner)
        self._registry.land(qubit, node.name, now)
        self._journal.event(node.name, "arrival", photon.source, self.name, qubit)
        self._on_arrival(
            node.name, Arrival(photon.source, self.name, qubit, now, photon.port, owner)
        )

    def _lose(self, qubit: str, why: str) -> None:
        self._registry.discard([qubit], why, self._clock.now_ns)
        self._journal.event(self.name, "lost", qubit, why)
        self._metrics.count(f"links.{self.name}.photons_lost")

    def __repr__(self) -> str:
        return f"<PhotonLink {self.name}: {len(self._flying)} in flight, {self._launched} launched>"


def _on_light(changes: Changes) -> bool:
    return changes.on_light
