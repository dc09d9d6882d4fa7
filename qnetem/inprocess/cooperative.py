"""A run in one process that shares its thread with an event loop; the counterpart of `Launcher`.

Owns the task that carries the network's batches, a slice of real time at a time. Does not own what a batch
does (network.py). Rule: between two slices no program is in the middle of a step, so other tasks of the loop
see the network after an instant or a part of one, and change no digest.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator
from pathlib import Path

from ..emulator.loading import Topology
from ..emulator.service.live_socket import PolledLiveSocket
from ..emulator.wire.control import Outcome
from ..runs.run_folder import RunFolder
from .network import InProcessNetwork, recorded
from .turns import Share
from .watchdog import watched


class CooperativeRun:
    """A run in this process, on the event loop it was made on. Methods as those of `Launcher`."""

    def __init__(self, topology: Topology, runs_folder: Path, share: Share | None = None) -> None:
        """Raises InputError when no run folder can be made."""
        self.topology = topology
        self._share = share
        self.folder = RunFolder.create(runs_folder, topology.name)
        self.pids: dict[str, int] = {}
        self._records = contextlib.ExitStack()
        self._network: InProcessNetwork | None = None
        self._task: asyncio.Task[Outcome] | None = None
        #: Real time mode: set when a pause must not last until the next instant.
        self._wake = asyncio.Event()

    async def start(self) -> None:
        """Begin. Raises InputError when the run folder cannot be written."""
        self._network = self._records.enter_context(
            recorded(self.folder, self.topology, share=self._share)
        )
        self._task = asyncio.create_task(self._run(self._network), name=f"run {self.topology.name}")

    async def wait(self) -> Outcome:
        """The outcome, once the run is over. Raises InternalError."""
        assert self._task is not None, "not started"
        return await asyncio.shield(self._task)

    async def stop(self) -> None:
        """End the run after the part of an instant it is in, and close its files. May be called again."""
        try:
            if self._network is not None and self._task is not None and not self._task.done():
                self._network.interrupt("left before its end")
                self._wake.set()
                await asyncio.wait([self._task])
        finally:
            self._records.close()

    async def _run(self, network: InProcessNetwork) -> Outcome:
        batches = network.batches()
        pause_s = self._slice(network, batches)
        while pause_s is not None:
            await self._pause(network, pause_s)
            pause_s = self._slice(network, batches)
        return network.ended()

    async def _pause(self, network: InProcessNetwork, pause_s: float) -> None:
        """Let the event loop run, for so long at most: a request or the end of the run ends a pause."""
        if (
            not pause_s
            or network.live_socket is None
            or (door := network.live_socket.fileno()) is None
        ):
            await asyncio.sleep(pause_s)
            return
        loop = asyncio.get_running_loop()
        loop.add_reader(door, self._on_door, network.live_socket)
        try:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(pause_s):
                    await self._wake.wait()
        finally:
            loop.remove_reader(door)
            self._wake.clear()

    def _on_door(self, door: PolledLiveSocket) -> None:
        door.on_readable()
        self._wake.set()

    @staticmethod
    def _slice(network: InProcessNetwork, batches: Iterator[float]) -> float | None:
        """Carry batches for a while; how long to wait then (s), or None at the end."""
        with watched(network):
            return network.carry(batches)
