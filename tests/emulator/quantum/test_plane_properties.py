"""What must hold whatever nodes ask for and whatever breaks, in any interleaving."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from qnetem.emulator.topology.model.entangle import DetectionSpec, EntangleSpec
from qnetem.emulator.topology.model.topology import Gates, Measurement, Memory, Quantum
from qnetem.emulator.wire import (
    Allocate,
    Apply,
    BellMeasure,
    Discard,
    Entangle,
    Join,
    Measure,
    Reset,
    Transmit,
)

from .plane_lab import X_AXIS, Lab, heralding, link, node

NAMES = ("alice", "bob", "carol")
LINKS = ("alice-bob", "bob-carol")

#: (what, node, two numbers to choose qubits, peers or operations with, how far to run on in ns)
Deed = tuple[str, str, int, int, int]
WORDS = (
    *("entangle", "allocate", "measure", "withdraw") * 3,
    *("discard", "apply", "join", "transmit", "reset", "bell", "keep", "die", "cut", "heal"),
)
deeds: st.SearchStrategy[list[Deed]] = st.lists(
    st.tuples(
        st.sampled_from(WORDS),
        st.sampled_from(NAMES),
        st.integers(0, 50),
        st.integers(0, 50),
        st.sampled_from([0, 0, 1, 100, 1000, 5000]),
    ),
    max_size=60,
)


def _aside(quantum: Quantum, multiplexing: int) -> Quantum:
    """The link with clicks at a station near one end: the ends hear of a pair at different times."""
    entangle = EntangleSpec(
        kind="double_click",
        station=0.1,
        detection=DetectionSpec(first=0.8, second=0.8),
        multiplexing=multiplexing,
    )
    return quantum.model_copy(update={"entangle": entangle})


class Story:
    """Plays deeds on a bench and checks the invariants after each."""

    def __init__(
        self, slots: int, multiplexing: int, single_ns: int, cutoff_ns: int | None
    ) -> None:
        gates = Gates(single_ns=single_ns, two_ns=2 * single_ns)
        measurement = Measurement(duration_ns=3 * single_ns, error=0.1)
        memory = Memory(
            slots=slots,
            t2_ns=50_000,
            initialisation_ns=2 * single_ns,
            initialisation_error=0.1,
            cutoff_ns=cutoff_ns,
        )
        noisy = Quantum(
            length_km=0.2,
            insertion_loss_db=1.0,
            depolarising=0.1,
            entangle=heralding(0.3, 0.9, multiplexing=multiplexing).entangle,
        )
        links = [link("alice", "bob", noisy), link("bob", "carol", _aside(noisy, multiplexing))]
        self.lab = Lab([node(name, memory, gates, measurement) for name in NAMES], links, seed=3)
        self.issued: list[tuple[str, int, int]] = []
        self.excused: dict[tuple[str, int, int], None] = {}
        self.cuts = dict.fromkeys(LINKS, 0)

    def play(self, story: list[Deed]) -> Story:
        for word, name, first, second, wait_ns in story:
            self._do(word, name, first, second)
            self.check()
            self.lab.run(until_ns=self.lab.clock.now_ns + wait_ns)
            self.check()
        return self

    def finish(self) -> Story:
        """Heal all, let what can end do so, withdraw the rest: everything is accounted for."""
        for name, count in self.cuts.items():
            for _ in range(count):
                self.lab.plane.heal(name)
        self.lab.run()
        for name in NAMES:
            for number, _ in self.lab.plane.pending(name):
                self._withdraw(name, number)
        self.check()
        self.lab.run()
        self.check()
        for key in self.issued:
            results = self.lab.outcomes.get(key, [])
            assert len(results) == (0 if key in self.excused else 1), (key, results)
        return self

    def check(self) -> None:
        plane = self.lab.plane
        in_slots = 0
        for name in NAMES:
            devices = plane.devices[name]
            held = plane.registry.held_by(name)
            opened = sum(pending.has_slot for pending in devices.pending.values())
            assert devices.slots.used == len(held) + opened <= devices.slots.count
            assert not devices.waiting or devices.slots.free == 0
            assert set(devices.busy) <= set(held)
            in_slots += len(held)
        flying = sum(len(link._flying) for link in plane.photon_links.by_name.values())
        assert len(plane.registry) == in_slots + flying

    def _do(self, word: str, name: str, first: int, second: int) -> None:
        held = self.lab.plane.registry.held_by(name) or ["nothing"]
        one, two = held[first % len(held)], held[second % len(held)]
        peer = NAMES[first % 3]
        acts: dict[str, Callable[[], Any]] = {
            "entangle": lambda: self._issue(name, Entangle, peer),
            "allocate": lambda: self._issue(name, Allocate),
            "measure": lambda: self._issue(name, Measure, one, X_AXIS),
            "keep": lambda: self._issue(name, Measure, one, X_AXIS, True),
            "discard": lambda: self._issue(name, Discard, [one]),
            "apply": lambda: self._issue(name, Apply, "cx", [one, two]),
            "join": lambda: self._issue(name, Join, one, two),
            "bell": lambda: self._issue(name, BellMeasure, one, two),
            "reset": lambda: self._issue(name, Reset, one),
            "transmit": lambda: self._issue(name, Transmit, one, peer),
            "withdraw": lambda: self._withdraw_some(name, first),
            "die": lambda: self._die(name),
            "cut": lambda: self._cut(LINKS[first % 2], 1),
            "heal": lambda: self._cut(LINKS[first % 2], -1),
        }
        acts[word]()

    def _issue(self, name: str, kind: Callable[..., Any], *arguments: Any) -> None:
        incarnation = self.lab.incarnations[name]
        number = self.lab.issue(name, kind, *arguments)
        self.issued.append((name, incarnation, number))

    def _withdraw_some(self, name: str, choice: int) -> None:
        under_way = self.lab.plane.pending(name)
        if under_way:
            self._withdraw(name, under_way[choice % len(under_way)][0])

    def _withdraw(self, name: str, number: int) -> None:
        self.excused[name, self.lab.incarnations[name], number] = None
        self.lab.plane.withdraw(name, number)

    def _die(self, name: str) -> None:
        for number, _ in self.lab.plane.pending(name):
            self.excused[name, self.lab.incarnations[name], number] = None
        self.lab.kill(name)
        self.lab.join(name)

    def _cut(self, name: str, change: int) -> None:
        if self.cuts[name] + change < 0:
            return
        self.cuts[name] += change
        (self.lab.plane.cut if change > 0 else self.lab.plane.heal)(name)


#: A cut-off just above the age that halves have at their herald, or none.
worlds = st.tuples(
    st.integers(1, 4), st.integers(1, 3), st.sampled_from([0, 7]), st.sampled_from([None, 1900])
)


@settings(max_examples=120, deadline=None)
@given(world=worlds, story=deeds)
def test_slots_qubits_and_results_always_add_up(
    world: tuple[int, int, int, int | None], story: list[Deed]
) -> None:
    Story(*world).play(story).finish()


@settings(max_examples=25, deadline=None)
@given(world=worlds, story=deeds)
def test_the_same_seed_and_the_same_story_give_the_same_digest(
    world: tuple[int, int, int, int | None], story: list[Deed]
) -> None:
    first, second = (Story(*world).play(story).finish() for _ in range(2))
    assert first.lab.journal.digest() == second.lab.journal.digest()
    assert first.lab.outcomes == second.lab.outcomes
