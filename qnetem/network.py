"""A network under way: `async with qnetem.launch("metro.yaml") as network:`.

Owns the life of a run inside a program that does other things meanwhile, such as a test. Does not own the run
itself (launcher/launcher.py, inprocess/cooperative.py). Rule: everything that was started is ended when the
block is left, by return or by exception; the caller's signals stay the caller's.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Unpack

from .api import Plan, RunKeywords, plan
from .emulator.wire.control import FaultRecord, RunView
from .ended import Run
from .launcher.launcher import Launcher
from .live.client import LiveClient

if TYPE_CHECKING:
    from .emulator.loading import Topology
    from .inprocess.cooperative import CooperativeRun
    from .sources import Source


class Network:
    """A planned run; `async with` starts and ends it. Belongs to one event loop.

    Attributes:
        topology: as it is run.
        run: what `finished()` gives; None before.
    """

    def __init__(self, planned: Plan) -> None:
        self.topology: Topology = planned.topology
        self._plan = planned
        self._driver: Launcher | CooperativeRun | None = None
        self.run: Run | None = None

    def __repr__(self) -> str:
        state = "not started" if self._driver is None else "over" if self.run else "started"
        return f"<Network {self.topology.name!r} seed {self.topology.seed}, {state}>"

    async def __aenter__(self) -> Network:
        """Raises InputError (no run folder, no such broker) and InfrastructureError."""
        self._driver = self._create_driver()
        with self._driver.folder.in_errors():
            try:
                await self._driver.start()
            except BaseException:
                await self._driver.stop()
                raise
        return self

    def _create_driver(self) -> Launcher | CooperativeRun:
        if not self._plan.in_process:
            return Launcher(self.topology, self._plan.options)
        # Here, because it brings the physics, which a launcher of processes does not need.
        from .inprocess.cooperative import CooperativeRun

        return CooperativeRun(self.topology, self._plan.options.runs_folder, self._plan.share)

    async def __aexit__(self, *_: object) -> None:
        await self._started.stop()

    async def finished(self) -> Run:
        """The run, when it is over. Its problem, if any, is in `run.problem`, as with `qnetem.run`.

        Real time. Raises InfrastructureError and InternalError, with `run_folder`.
        """
        if self.run is None:
            driver = self._started
            with driver.folder.in_errors():
                outcome = await driver.wait()
                await driver.stop()  # only then are logs and journal complete
                self.run = self._plan.judged(driver.folder.conclude(outcome))
        return self.run

    async def fault(self, entry: str | Mapping[str, Any]) -> list[FaultRecord]:
        """Begin a fault now: `"{cut: alice-bob, for: 1 s}"`, or the same as a mapping.

        Its records, one for each target, once it has begun. Real time. Raises InputError for what is
        refused and, as RunIsOver, when the run is over.
        """
        return await self._live.fault(entry)

    async def heal(self, *ids: str) -> list[FaultRecord]:
        """Heal these faults now, "all" whatever is active. As `fault`."""
        return await self._live.heal(*ids)

    async def faults(self) -> list[FaultRecord]:
        """All faults so far: those of the topology and those added. Raises RunIsOver."""
        return await self._live.faults()

    async def inspect(self) -> RunView:
        """The present state: what each node waits for, slots, messages, faults. Raises RunIsOver."""
        return await self._live.inspect()

    @property
    def _live(self) -> LiveClient:
        return LiveClient(self.run_folder)

    @property
    def started(self) -> bool:
        """Whether the network has been entered, so that there is a run folder."""
        return self._driver is not None

    @property
    def run_folder(self) -> Path:
        """Where the run is recorded."""
        return self._started.folder.path

    @property
    def pids(self) -> Mapping[str, int]:
        """The process of each living node that has one; in one process none has."""
        return self._started.pids

    @property
    def _started(self) -> Launcher | CooperativeRun:
        if self._driver is None:
            raise RuntimeError("the network is not running: enter it with `async with`")
        return self._driver


def launch(source: Source, **keywords: Unpack[RunKeywords]) -> Network:
    """A network to start with `async with`; the arguments are those of `qnetem.run`.

    Raises InputError for anything wrong with the topology, its programs or its expectations.
    """
    return Network(plan(source, **keywords))
