"""pause: a node freezes; messages, results and timers wait, and come in their order when it resumes."""

from __future__ import annotations

from ...base import Breakable, Fault, FaultKind, Parameter


class Pause(Fault):
    """`{at: 1 s, for: 200 ms, pause: r1}`; with `signal: true` its process is stopped too (SIGSTOP)."""

    kind = FaultKind(
        "pause",
        "process",
        "node",
        lasting=True,
        parameters={"signal": Parameter("flag", default=0)},
    )

    _incarnation = 0

    def begin(self, world: Breakable) -> None:
        self.hits += 1
        self._incarnation = world.pause(self.target, bool(self.number("signal")))

    def heal(self, world: Breakable) -> None:
        world.resume(self.target, self._incarnation)
