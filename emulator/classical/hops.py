"""The live state of each link's classical side: cuts, faults, limits, listeners, and how long it takes.

Owns the state of a hop and whether a message crosses it undisturbed. Does not own what a fault decides
(faults/), nor which messages are on it (plane.py).
"""

from __future__ import annotations

from ..faults.verdicts import LinkFault, Listener
from ..space.contacts import Geometry
from ..topology.model.topology import LinkSpec


class Hop:
    """One link's classical side. Changes are followed by `changed`."""

    __slots__ = (
        "busy_until",
        "cut_count",
        "cuts",
        "faults",
        "geometry",
        "is_quiet",
        "limits_bps",
        "listeners",
        "nominal_ns",
        "spec",
    )

    def __init__(self, spec: LinkSpec, geometry: Geometry | None = None) -> None:
        self.spec, self.geometry = spec, geometry
        #: Its latency, of a link that does not move.
        self.nominal_ns = spec.classical.latency_ns if spec.classical is not None else 0
        self.cuts = 0
        #: How often it was cut: a message that is on it then is lost, also when the cut has healed meanwhile.
        self.cut_count = 0
        self.busy_until: dict[str, int] = {}
        self.faults: list[LinkFault] = []
        self.limits_bps: list[float] = []
        self.listeners: list[Listener] = []
        #: Whether all that happens to a message on it is that its latency passes.
        self.is_quiet = False
        self.changed()

    @property
    def bandwidth_bps(self) -> float | None:
        """What the transmitter does now; None: it takes no time."""
        nominal = self.spec.classical.bandwidth_bps if self.spec.classical else None
        limits = self.limits_bps if nominal is None else [nominal, *self.limits_bps]
        return min(limits) if limits else None

    def latency_ns(self, t_ns: int, source: str) -> int:
        """How long what leaves an end at `t_ns` takes: as light does, of a link that moves."""
        if self.geometry is None:
            return self.nominal_ns
        return self.geometry.delay_ns(t_ns, source != self.spec.ends[0])

    def changed(self) -> None:
        """Faults, limits or listeners have changed."""
        self.is_quiet = self._has_latency_alone()

    def _has_latency_alone(self) -> bool:
        # A hop without latency takes a microstep of its own.
        if not self.nominal_ns or self.geometry is not None:
            return False
        return not (self.faults or self.listeners) and self.bandwidth_bps is None
