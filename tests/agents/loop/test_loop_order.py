"""The same order in every process, and the order that asyncio's rules give."""

from __future__ import annotations

import asyncio
import heapq
import os
import subprocess
import sys
from collections import deque
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from qnetem.agents.loop.virtual_loop import VirtualLoop

from .order_program import digest
from .virtual import drain

ROOT = Path(__file__).parents[3]


def printed_digest(hash_seed: str, *arguments: str) -> str:
    return subprocess.run(
        [sys.executable, "-m", "tests.agents.loop.order_program", *arguments],
        env={**os.environ, "PYTHONHASHSEED": hash_seed},
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    ).stdout.strip()


def test_every_process_sees_the_same_order() -> None:
    digests = [
        printed_digest("0"),
        printed_digest("1"),
        printed_digest("4242", "--crowd"),
        printed_digest("random"),
    ]
    assert digests == [digest(crowd=0)] * 4


# --- a reference model ----------------------------------------------------------------------------

Sleep = tuple[str, int]
Script = list[Sleep]
Event = tuple[int, int, str]

_ops = st.one_of(
    st.tuples(st.just("sleep"), st.integers(0, 4)),
    st.tuples(st.just("cancel"), st.integers(0, 4)),
)
_scripts = st.lists(st.lists(_ops, max_size=6), min_size=1, max_size=5)


def observed(scripts: list[Script]) -> list[Event]:
    loop, log = VirtualLoop(), []
    tasks: list[asyncio.Task[None]] = []

    async def worker(me: int) -> None:
        try:
            for step, (verb, argument) in enumerate(scripts[me]):
                log.append((loop.now_ns, me, f"{verb} {step}"))
                if verb == "sleep":
                    await asyncio.sleep(argument * 1e-9)
                elif argument < len(tasks):
                    tasks[argument].cancel()
            log.append((loop.now_ns, me, "end"))
        except asyncio.CancelledError:
            log.append((loop.now_ns, me, "cancelled"))

    tasks.extend(loop.create_task(worker(i)) for i in range(len(scripts)))
    drain(loop)
    return log


class Model:
    """Sleeps and cancels by asyncio's rules, in plain words: no futures, no handles."""

    def __init__(self, scripts: list[Script]) -> None:
        self.scripts, self.now_ns, self.timers_made = scripts, 0, 0
        self.log: list[Event] = []
        count = len(scripts)
        self.position, self.started = [0] * count, [False] * count
        #: what a worker is doing: ready (its turn is queued), asleep, or ended
        self.state = ["ready"] * count
        self.doomed = [False] * count
        self.ready: deque[tuple[str, int, int]] = deque(("turn", i, 0) for i in range(count))
        self.timers: list[tuple[int, int, int]] = []
        self.asleep_on = [-1] * count

    def run(self) -> list[Event]:
        while True:
            while self.ready:
                what, who, number = self.ready.popleft()
                if what == "turn":
                    self.turn(who)
                elif self.state[who] == "asleep" and self.asleep_on[who] == number:
                    self.wake(who)
            live = [t for t in self.timers if self.asleep_on[t[2]] == t[1]]
            if not live:
                return self.log
            self.timers = live
            heapq.heapify(self.timers)
            self.now_ns = self.timers[0][0]
            while self.timers and self.timers[0][0] == self.now_ns:
                _, number, who = heapq.heappop(self.timers)
                self.ready.append(("timer", who, number))

    def wake(self, who: int) -> None:
        self.state[who], self.asleep_on[who] = "ready", -1
        self.ready.append(("turn", who, 0))

    def turn(self, who: int) -> None:
        if self.doomed[who]:
            self.state[who] = "ended"
            if self.started[who]:
                self.log.append((self.now_ns, who, "cancelled"))
            return
        self.started[who] = True
        while self.position[who] < len(self.scripts[who]):
            step = self.position[who]
            verb, argument = self.scripts[who][step]
            self.position[who] += 1
            self.log.append((self.now_ns, who, f"{verb} {step}"))
            if verb == "sleep":
                self.sleep(who, argument)
                return
            if argument < len(self.scripts):
                self.cancel(argument)
        self.log.append((self.now_ns, who, "end"))
        self.state[who] = "ended"

    def sleep(self, who: int, duration_ns: int) -> None:
        if duration_ns == 0 or self.doomed[who]:  # a doomed worker's sleep is over as it begins
            self.ready.append(("turn", who, 0))
            return
        self.timers_made += 1
        heapq.heappush(self.timers, (self.now_ns + duration_ns, self.timers_made, who))
        self.state[who], self.asleep_on[who] = "asleep", self.timers_made

    def cancel(self, who: int) -> None:
        if self.state[who] == "ended":
            return
        self.doomed[who] = True
        if self.state[who] == "asleep":
            self.wake(who)


@settings(max_examples=300, deadline=None)
@given(_scripts)
def test_random_programs_run_in_the_order_of_the_reference_model(scripts: list[Script]) -> None:
    assert observed(scripts) == Model(scripts).run()
