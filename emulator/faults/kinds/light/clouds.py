"""clouds: a link's light is attenuated now and again, for as long as a cloud takes to pass."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ....units import LAST_NS
from ...base import LOSS, Breakable, Fault, FaultKind, Parameter
from ...changes import Changes

if TYPE_CHECKING:
    from numpy.random import Generator

    from ....kernel.conductor import Entry
    from ....topology.model.faults import FaultSpec
    from ....topology.model.topology import Topology
    from ....topology.written.positions import Position


#: Clouds that come and go more often are a mistake in a unit.
MOST_CHANGES = 10_000


class Clouds(Fault):
    """`{at: 1 s, for: 60 s, clouds: sat-ogs, loss: 20 dB, cover: 0.4, passage: 500 ms}`.

    Cloudy and clear stretches alternate, exponentially distributed: cloudy ones last `passage` on average,
    clear ones as long as leaves the share `cover` of the time cloudy. It begins cloudy with that probability,
    so that all times are alike. One draw for the beginning, and one a stretch.
    """

    kind = FaultKind(
        "clouds",
        "quantum",
        "link",
        lasting=True,
        parameters={
            "loss": LOSS,
            "cover": Parameter("probability", required=True, high=1.0, typical=(0.1, 0.9)),
            "passage": Parameter("time", required=True, above=True),
        },
    )

    def __init__(self, spec: FaultSpec, rng: Generator) -> None:
        super().__init__(spec, rng)
        self._cloudy = False
        self._next: Entry | None = None

    @classmethod
    def wrong_with(cls, topology: Topology, spec: FaultSpec) -> tuple[str, Position] | None:
        """Also: clouds that never end, or pass so fast that the run would do nothing else."""
        wrong = super().wrong_with(topology, spec)
        if wrong is not None:
            return wrong
        until_ns = topology.time.until_ns
        left_ns = None if until_ns is None else until_ns - spec.at_ns
        ends = [each for each in (spec.for_ns, left_ns) if each]
        if not ends:
            problem = "clouds come and go for ever: expected 'for', or 'until' under time"
            return problem, spec.place_of(f"clouds:{spec.target}", "clouds")
        cover, passage_ns = (float(spec.parameters[name] or 0) for name in ("cover", "passage"))
        changes = 2 * min(ends) * cover / passage_ns if cover < 1 else 0
        if changes <= MOST_CHANGES:
            return None
        problem = f"clouds: {changes:.3g} changes are to be expected, at most {MOST_CHANGES}"
        return problem, spec.place_of("passage", "clouds")

    def begin(self, world: Breakable) -> None:
        self._become(world, self.rng.random() < self.number("cover"))

    def heal(self, world: Breakable) -> None:
        if self._next is not None:
            self._next.cancel()
        world.quantum.fault_histories.links[self.target].end(self)

    def _become(self, world: Breakable, cloudy: bool) -> None:
        """A stretch begins."""
        history = world.quantum.fault_histories.links[self.target]
        if cloudy:
            history.begin(self, Changes(loss_db=self.number("loss")))
        else:
            history.end(self)
        world.note(self.target, "clouds", self.spec.id, cloudy)
        mean_ns, cover = self.number("passage"), self.number("cover")
        if cover in (0.0, 1.0):
            return  # it is always clear, or never
        if not cloudy:
            mean_ns *= (1 - cover) / cover
        lasts_ns = max(1, round(min(self.rng.exponential(mean_ns), LAST_NS)))
        self._next = world.after(lasts_ns, self.spec.id, lambda: self._become(world, not cloudy))
