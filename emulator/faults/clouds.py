"""clouds: a link's light is attenuated now and again, for as long as a cloud takes to pass."""

from __future__ import annotations

from numpy.random import Generator

from ..kernel.conductor import Entry
from ..quantum.links.link_changes import Changes
from ..topology.model.faults import FaultSpec
from ..units import LAST_NS
from .base import Breakable, Fault


class Clouds(Fault):
    """`{at: 1 s, for: 60 s, clouds: sat-ogs, loss: 20 dB, cover: 0.4, passage: 500 ms}`.

    Cloudy and clear stretches alternate, exponentially distributed: cloudy ones last `passage` on average,
    clear ones as long as leaves the share `cover` of the time cloudy. It begins cloudy with that probability,
    so that all times are alike. One draw for the beginning, and one a stretch.
    """

    def __init__(self, spec: FaultSpec, rng: Generator) -> None:
        super().__init__(spec, rng)
        self._cloudy = False
        self._next: Entry | None = None

    def begin(self, world: Breakable) -> None:
        self._become(world, self.rng.random() < self.number("cover"))

    def heal(self, world: Breakable) -> None:
        if self._next is not None:
            self._next.cancel()
        world.quantum.fault_histories.links[self.target].end(self)

    def _become(self, world: Breakable, cloudy: bool) -> None:
        """A stretch begins."""
        disturbed = world.quantum.fault_histories.links[self.target]
        if cloudy:
            disturbed.begin(self, Changes(loss_db=self.number("loss")))
        else:
            disturbed.end(self)
        world.note(self.target, "clouds", self.spec.id, cloudy)
        mean_ns, cover = self.number("passage"), self.number("cover")
        if cover in (0.0, 1.0):
            return  # it is always clear, or never
        if not cloudy:
            mean_ns *= (1 - cover) / cover
        lasts_ns = max(1, round(min(self.rng.exponential(mean_ns), LAST_NS)))
        self._next = world.after(lasts_ns, self.spec.id, lambda: self._become(world, not cloudy))
