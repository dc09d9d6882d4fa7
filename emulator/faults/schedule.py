"""The faults of a run: which begins and heals at which instant, and what each has done.

Owns putting each on the agenda, faults that are added while the run is under way, and the list of all. Does
not own the plan (topology/faults/) nor what a fault does (kinds/).

Rules. Faults of one instant happen in the order of the plan. A fault's numbers come from its own generator,
named after its place in the plan, so that a fault added at the end shifts no other's draws. A fault that is
added, and a heal by hand, are journalled with all it takes to have them happen again. Every lasting fault
ends healed: after its `for`, by hand, or at the end of the run.
"""

from __future__ import annotations

from collections.abc import Sequence

from ..errors import InputError
from ..kernel.conductor import FAULT, Conductor, Entry
from ..kernel.streams import Streams
from ..record.journal import Journal, rounded
from ..topology.model.faults import LIVE, FaultSpec
from ..wire.control import FaultRecord
from .base import Breakable, Fault
from .kinds import FAULTS

#: Live faults come after all that were planned for the same instant.
_LIVE_ORDER = 1 << 32


class _Planned:
    """A fault on the agenda. `began_ns` and `healed_ns` are None until it has."""

    __slots__ = ("asked", "began_ns", "due_ns", "fault", "heal_entry", "healed_ns", "order", "spec")

    def __init__(self, fault: Fault, order: int) -> None:
        self.fault, self.spec, self.order = fault, fault.spec, order
        self.began_ns: int | None = None
        self.healed_ns: int | None = None
        self.heal_entry: Entry | None = None
        #: When it is to heal (None: at the end of the run), and whether that was asked for by hand.
        self.due_ns: int | None = None
        self.asked = False

    @property
    def active(self) -> bool:
        """It lasts at this moment."""
        return self.fault.kind.lasting and self.began_ns is not None and self.healed_ns is None


class Faults:
    """All faults of a run, in the order of the plan."""

    def __init__(
        self, world: Breakable, conductor: Conductor, journal: Journal, streams: Streams
    ) -> None:
        self._world, self._conductor, self._journal = world, conductor, journal
        self._streams = streams
        self._planned: dict[str, _Planned] = {}
        self._live = 0

    def schedule(self, specs: Sequence[FaultSpec]) -> None:
        """Put the faults of the plan on the agenda; before the run begins."""
        for number, spec in enumerate(specs):
            named = spec if spec.id else spec.model_copy(update={"id": str(number)})
            order = number
            if named.id.startswith(LIVE):  # of a run that is repeated
                count = int(named.id.removeprefix(LIVE))
                self._live = max(self._live, count)
                order = _LIVE_ORDER + count
            self._plan(named, order)

    @property
    def next_name(self) -> str:
        """How the next fault that is added will be called."""
        return f"{LIVE}{self._live + 1}"

    def add(self, spec: FaultSpec, not_before_ns: int = 0) -> str:
        """One more, while the run is under way: 1 ns after now, or later. Returns its id.

        Numbers in it count as they are journalled, rounded: so a replay has the same ones.
        """
        name = self.next_name
        self._live += 1
        at_ns = max(self._conductor.now_ns + 1, not_before_ns)
        parameters = rounded(dict(spec.parameters))
        update = {"id": name, "at_ns": at_ns, "parameters": parameters}
        self._plan(spec.model_copy(update=update), _LIVE_ORDER + self._live)
        return name

    def end(self, name: str, not_before_ns: int = 0) -> int:
        """Heal a fault, 1 ns after now or later; when. Raises InputError for one that does not last now."""
        planned = self._planned.get(name)
        if planned is None or not planned.active:
            active = ", ".join(self.active()) or "none"
            raise InputError(f"no fault {name!r} is active; active: {active}")
        return self._end_early(planned, max(self._conductor.now_ns + 1, not_before_ns))

    def active(self) -> list[str]:
        """The faults that last at this moment, in the order of the plan."""
        return [name for name, planned in self._planned.items() if planned.active]

    def will_restart(self, node: str) -> bool:
        """Whether a fault that has yet to begin starts this node again."""
        return any(
            planned.spec.verb == "restart"
            and planned.spec.target == node
            and planned.began_ns is None
            for planned in self._planned.values()
        )

    def heal_all(self) -> None:
        """Heal whatever lasts at this moment: the run is at its end."""
        for planned in self._planned.values():
            if planned.active:
                if planned.heal_entry is not None:
                    planned.heal_entry.cancel()
                planned.asked = False
                self._heal(planned)

    def records(self) -> list[FaultRecord]:
        """Every fault with when it began and healed and how often it struck."""
        return [
            FaultRecord(
                id=planned.spec.id,
                verb=planned.spec.verb,
                target=planned.spec.target,
                parameters=dict(planned.spec.parameters),
                at_ns=planned.spec.at_ns,
                for_ns=planned.spec.for_ns,
                began_ns=planned.began_ns,
                healed_ns=planned.healed_ns,
                hits=planned.fault.hits,
                lasts=planned.fault.kind.lasting,
                asked=planned.asked and planned.healed_ns is not None,
            )
            for planned in self._planned.values()
        ]

    # --- the agenda ---

    def _plan(self, spec: FaultSpec, order: int) -> None:
        rng = self._streams.of("fault", f"{spec.id}:{spec.verb}:{spec.target}")
        planned = _Planned(FAULTS[spec.verb](spec, rng), order)
        self._planned[spec.id] = planned
        conductor = self._conductor

        def begin() -> None:
            self._begin(planned)

        if conductor.instants or spec.at_ns:
            conductor.at(spec.at_ns, (order, 0), begin, FAULT)
        else:
            conductor.at_start((order, 0), begin, FAULT)

    def _begin(self, planned: _Planned) -> None:
        spec, now_ns = planned.spec, self._conductor.now_ns
        planned.began_ns = now_ns
        parameters = {key: value for key, value in spec.parameters.items() if value is not None}
        self._journal.event(
            "faults", "begin", spec.id, spec.verb, spec.target, rounded(parameters), spec.for_ns
        )
        if spec.for_ns is not None:
            self._heal_at(planned, now_ns + spec.for_ns)
        if spec.healed_ns is not None:
            self._end_early(planned, spec.healed_ns)
        planned.fault.begin(self._world)

    def _end_early(self, planned: _Planned, t_ns: int) -> int:
        """Heal it at `t_ns`, as asked by hand, unless it heals by itself until then; when."""
        if planned.due_ns is not None and planned.due_ns <= t_ns:
            return planned.due_ns
        if planned.heal_entry is not None:
            planned.heal_entry.cancel()
        planned.asked = True
        self._heal_at(planned, t_ns)
        return t_ns

    def _heal_at(self, planned: _Planned, t_ns: int) -> None:
        planned.due_ns = t_ns
        order = (planned.order, 1)
        planned.heal_entry = self._conductor.at(t_ns, order, lambda: self._heal(planned), FAULT)

    def _heal(self, planned: _Planned) -> None:
        spec = planned.spec
        planned.healed_ns = self._conductor.now_ns
        asked = ("asked",) if planned.asked else ()
        self._journal.event("faults", "heal", spec.id, spec.verb, spec.target, *asked)
        planned.fault.heal(self._world)
