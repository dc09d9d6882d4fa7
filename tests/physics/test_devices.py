"""Gates and measurements take the time and make the errors their node's devices say, and no other."""

from __future__ import annotations

import pytest

from qnetem.agents.agent import Agent

from .bench import Ran, assert_frequency, play, program

FLIPS = 1200


class Stopwatch(Agent):
    """How long each thing takes, in ns."""

    async def run(self) -> dict[str, int]:
        took = {}

        async def time(name: str, awaitable: object) -> object:
            started_ns = self.now_ns
            result = await awaitable  # type: ignore[misc]
            took[name] = self.now_ns - started_ns
            return result

        await time("qubit", self.qubit())
        first, second = await self.qubit(), await self.qubit()
        await time("h", first.h())
        await time("rz", first.rz(0.3))
        await time("cx", first.cx(second))
        await time("swap", first.swap(second))
        await time("probe", self.probe("pair", [first, second], [1, 0, 0, 0]))
        await time("keep", first.measure("X", keep=True))
        await time("reset", first.reset())
        await time("measure", first.measure())
        await time("discard", second.discard())
        third, fourth = await self.qubit(), await self.qubit()
        await time("bell", self.bell_measure(third, fourth))
        await time("compute", self.compute("17 us"))
        return took


class Flipper(Agent):
    """Measures |0> and |1> over and over."""

    async def run(self, times: int) -> dict[str, int]:
        wrong = {"0": 0, "1": 0}
        for _ in range(times):
            zero = await self.qubit()
            wrong["0"] += await zero.measure()
            one = await self.qubit()
            await one.x()
            wrong["1"] += 1 - await one.measure()
        return wrong


class Repeated(Agent):
    """How pure |0> still is after so many gates that do nothing but err."""

    async def run(self, single: int, two: int) -> None:
        first, second = await self.qubit(), await self.qubit()
        for _ in range(single):
            await first.rz(0.0)
        await self.probe("single", first, [1, 0])
        await first.reset()
        for _ in range(two):
            await first.cz(second)
        await self.probe("two", [first, second], [1, 0, 0, 0])
        await self.probe("one_of_two", first, [1, 0])
        await self.memory.discard(first, second)


class Fresh(Agent):
    """How pure |0> is when it has just been prepared."""

    async def run(self) -> None:
        qubit = await self.qubit()
        await self.probe("fresh", qubit, [1, 0])
        await qubit.h()
        await qubit.reset()
        await self.probe("reset", qubit, [1, 0])
        await qubit.discard()


def alone(kind: type[Agent], devices: str, **options: int) -> Ran:
    return play(f"""
nodes:
  alice: {{program: "{program(kind)}", with: {options}, {devices}}}
""")


def test_durations_are_exact() -> None:
    ran = alone(
        Stopwatch,
        "gates: {single: 20 ns, two: 300 ns}, measurement: {duration: 1500 ns}, "
        "memory: {initialisation: 700 ns}",
    )
    assert ran.results["alice"] == {
        "qubit": 700,
        "h": 20,
        "rz": 20,
        "cx": 300,
        "swap": 300,
        "probe": 0,
        "keep": 1500,
        "reset": 700,
        "measure": 1500,
        "discard": 0,
        "bell": 1800,
        "compute": 17_000,
    }
    assert ran.left_in_slots() == {"alice": ["alice#1"]}


def test_initialisation_errors_depolarise_what_is_fresh_or_reset() -> None:
    ran = alone(Fresh, "memory: {initialisation: 2 us, initialisation_error: 0.02, t1: 10 us}")
    for name in ("fresh", "reset"):  # as it was prepared: what decays, decays after that
        assert ran.exact(f"alice.{name}.fidelity") == pytest.approx(1 - 0.02 / 2, abs=1e-12)


def test_ideal_devices_take_no_time() -> None:
    took = alone(Stopwatch, "gates: {}").results["alice"]
    assert {name for name, ns in took.items() if ns} == {"compute"}


@pytest.mark.parametrize("error", [0.0, 0.02, 0.3])
def test_measurements_flip_as_often_as_they_should(error: float) -> None:
    wrong = alone(Flipper, f"measurement: {{error: {error}}}", times=FLIPS).results["alice"]
    for count in wrong.values():
        assert_frequency(count, FLIPS, error)


def test_gate_errors_depolarise_once_a_gate() -> None:
    ran = alone(Repeated, "gates: {single_error: 0.02, two_error: 0.03}", single=7, two=5)
    assert ran.exact("alice.single.fidelity") == pytest.approx((1 + 0.98**7) / 2)
    assert ran.exact("alice.two.fidelity") == pytest.approx((1 + 3 * 0.97**5) / 4)
    assert ran.exact("alice.one_of_two.fidelity") == pytest.approx((1 + 0.97**5) / 2)
