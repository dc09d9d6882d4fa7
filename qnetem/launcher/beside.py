"""A run as processes for a caller whose thread has an event loop that is running, as in a notebook's cell.

Owns the thread in which the launcher has a loop of its own. The caller waits for it, and takes progress and
signals meanwhile, as if it ran the launcher itself. Rule: however the caller stops waiting, the run ends
first, and with it the thread: the kernel ends processes with the thread that has started them.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import threading
from collections import deque
from queue import SimpleQueue
from typing import TYPE_CHECKING

from ..processes.signals import RunSignals, because_of
from .launcher import EXIT_INTERRUPTED, Launcher, OnProgress, RunOptions, run_processes

if TYPE_CHECKING:
    from ..emulator.loading import Topology
    from ..emulator.wire.control import Progress
    from ..runs.run_folder import RunResult


def run_beside_loop(
    topology: Topology, options: RunOptions, on_progress: OnProgress | None = None
) -> RunResult:
    """As `run_processes`, blocking. `on_progress` is called in the caller's thread."""
    run = _Run(topology, options)
    with RunSignals(lambda number: run.interrupt(because_of(number))) as signals:
        run.start()
        try:
            while (progress := run.heard.get()) is not None:
                if on_progress is not None:
                    on_progress(progress)
        except (
            BaseException
        ):  # of `on_progress`, or of a handler of the caller's, such as a timeout
            run.interrupt("its caller raised an exception")
            raise
        finally:
            run.join()
    result = run.result()
    return dataclasses.replace(result, signal=signals.came[0]) if signals.came else result


class _Run:
    """One run in its thread. `heard`: progress, and None when the run is over."""

    def __init__(self, topology: Topology, options: RunOptions) -> None:
        self.heard: SimpleQueue[Progress | None] = SimpleQueue()
        self._topology, self._options = topology, options
        self._thread = threading.Thread(target=self._work, name="qnetem run")
        self._reasons: deque[str] = deque()
        self._launcher: tuple[asyncio.AbstractEventLoop, Launcher] | None = None
        self._result: RunResult | None = None
        self._error: BaseException | None = None

    def start(self) -> None:
        self._thread.start()

    def join(self) -> None:
        self._thread.join()

    def result(self) -> RunResult:
        """What the run came to, or raises its exception."""
        if self._error is not None:
            raise self._error
        assert self._result is not None
        return self._result

    def interrupt(self, reason: str) -> None:
        """As `Launcher.interrupt`, from the caller's thread; also before there is a launcher."""
        self._reasons.append(reason)
        if self._launcher is not None:
            loop, _ = self._launcher
            with contextlib.suppress(RuntimeError):  # it is closed: the run is over
                loop.call_soon_threadsafe(self._carry_out)

    def _carry_out(self) -> None:
        """Hand over each reason once: in the loop's thread only."""
        assert self._launcher is not None
        while self._reasons:
            self._launcher[1].interrupt(self._reasons.popleft(), EXIT_INTERRUPTED)

    def _on_launcher(self, launcher: Launcher) -> None:
        self._launcher = asyncio.get_running_loop(), launcher
        self._carry_out()

    def _work(self) -> None:
        running = run_processes(
            self._topology, self._options, self.heard.put, on_launcher=self._on_launcher
        )
        try:
            with asyncio.Runner() as runner:
                self._result = runner.run(running)
        except BaseException as error:  # noqa: BLE001 the caller's thread raises it
            self._error = error
        finally:
            self.heard.put(None)
