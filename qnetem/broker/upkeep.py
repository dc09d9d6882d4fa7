"""Keeping a run's broker up: started, started again when it dies, and announced to watchers.

Owns when the broker is started again and when that is given up. Does not own the broker (broker.py) nor the
file for watchers (observer.py). Rule: nodes find the broker at the same socket after a restart, so no result
can show it; watchers get a new password, and the run continues where that cannot be written.
"""

from __future__ import annotations

import asyncio
import contextlib
from pathlib import Path

from ..emulator.errors import InfrastructureError
from . import observer
from .broker import Broker

#: A broker that dies so often in a row, each time within STEADY_S, stays dead.
RESTARTS = 5
STEADY_S = 5.0
PAUSE_S = 0.1


class Upkeep:
    """The broker of the run in `run_folder`, from its start to its end. All times are real."""

    def __init__(self, broker: Broker, run_folder: Path) -> None:
        self._broker, self._run_folder = broker, run_folder

    async def start(self) -> None:
        """Start the broker and announce it. Raises InfrastructureError."""
        await self._broker.start()
        self._announce()

    async def keep(self) -> str:
        """Start the broker again whenever it dies; returns, with the reason, when it does not stay up."""
        loop, broker = asyncio.get_running_loop(), self._broker
        failures, why = 0, ""
        while True:
            up_since = loop.time()
            await broker.wait()
            failures = 1 if loop.time() - up_since > STEADY_S else failures + 1
            while failures <= RESTARTS:
                try:
                    await broker.restart()
                except InfrastructureError as error:
                    failures, why = failures + 1, f"; at last: {error}"
                    await asyncio.sleep(PAUSE_S)
                else:
                    with contextlib.suppress(InfrastructureError):
                        self._announce()
                    break
            else:
                times = f"died {failures} times in a row, each time soon after its start"
                what = f"the broker ({broker.kind}, {broker.where})"
                return f"{what} {times}; it wrote {broker.log_path}{why}"

    async def stop(self) -> None:
        """Say that the run is over, and end the broker."""
        observer.dismiss(self._run_folder)
        await self._broker.stop()

    def _announce(self) -> None:
        observer.admit(self._run_folder, self._broker.observer_address())
