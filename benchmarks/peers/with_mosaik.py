"""mosaik (PyPI `mosaik`): a scheduler that asks each simulator for its next step over TCP, or calls it.

Wall time of `World.run`, start of processes left out. Nothing is random. A simulator is a Python program
with one entity; it has no record, no digest and no programs in coroutines.

ring: each simulator's output is its neighbour's input in the next step, through the scheduler, which asks
for it (one step and one question a round). Simulators are processes.
lockstep: without messages, simulators are not connected. mosaik lets each run ahead then, up to what the
scheduler does for the others, so no barrier is in its figures; ours has one in each round. Simulators are
processes.
ring_inside: as ring, with simulators in the scheduler's process, by plain calls. CPU time.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import Any

from far_end import serve

META = {
    "api_version": "3.0",
    "type": "time-based",
    "models": {"Node": {"public": True, "params": [], "attrs": ["inward", "outward"]}},
}
REMOTE = {"cmd": f"%(python)s {__file__} simulator %(addr)s"}


def _simulator() -> Any:
    import mosaik_api_v3

    class Node(mosaik_api_v3.Simulator):  # type: ignore[misc,name-defined,unused-ignore]
        """One entity that counts what it is given and says how late it is."""

        def __init__(self) -> None:
            super().__init__(META)
            self.now = self.received = 0

        def create(self, num: int, model: str) -> list[dict[str, str]]:
            return [{"eid": "node", "type": model}]

        def step(self, time: int, inputs: dict[str, Any], max_advance: int) -> int:
            self.now = time
            self.received += len(inputs)
            return time + 1

        def get_data(self, outputs: Any) -> dict[str, dict[str, int]]:
            if self.received != self.now + 1:
                raise RuntimeError(f"{self.received} inputs in {self.now + 1} steps")
            return {"node": {"outward": self.now}}

    return Node


def _rounds(
    nodes: int, rounds: int, connected: bool, simulator: dict[str, Any], clock: Callable[[], float]
) -> float:
    import mosaik
    from loguru import logger

    logger.remove()
    with mosaik.World({"Node": simulator}) as world:
        entities = [world.start("Node", sim_id=f"n{number}").Node() for number in range(nodes)]
        for number, entity in enumerate(entities if connected else ()):
            neighbour = entities[(number + 1) % nodes]
            first = {"outward": -1}
            ends = ("outward", "inward")
            world.connect(entity, neighbour, ends, time_shifted=True, initial_data=first)
        began = clock()
        world.run(until=rounds, print_progress=False)
        return rounds / (clock() - began)


def ring(nodes: int, rounds: int) -> float:
    """Rounds a second, with messages."""
    return _rounds(nodes, rounds, True, REMOTE, time.perf_counter)


def lockstep(nodes: int, rounds: int) -> float:
    """Rounds a second, without."""
    return _rounds(nodes, rounds, False, REMOTE, time.perf_counter)


def ring_inside(nodes: int, rounds: int) -> float:
    """Rounds a second of CPU time, with messages, in one process."""
    return _rounds(nodes, rounds, True, {"python": "__main__:NODE"}, time.process_time)


if __name__ == "__main__":
    if sys.argv[1] == "simulator":
        import mosaik_api_v3

        sys.argv = [sys.argv[0], *sys.argv[2:]]
        mosaik_api_v3.start_simulation(_simulator()())
    else:
        NODE = _simulator()
        serve({"ring": ring, "lockstep": lockstep, "ring_inside": ring_inside})
