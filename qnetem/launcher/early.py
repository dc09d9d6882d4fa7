"""Emulator and zygote, started before the launcher knows what to run.

Owns which processes those are. Their imports then run beside the launcher's own, which take as long. Does
not own what they do (launcher.py) and how they wait for it (processes/entry.py). It imports little.

Rules: who starts them ends those that no launcher has taken. From their start until a launcher has handlers
of its own, a signal that stops a run is noted, and raised as KeyboardInterrupt where it can be reported.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from ..processes.entry import PATH_VARIABLE, child_program, import_path
from ..processes.environment import environment
from ..processes.spawn import Spawned, spawn
from .programs import EMULATOR, LAUNCHER_GONE, ZYGOTE


@dataclass
class EarlyProcesses:
    """They wait, until a launcher takes them. A context manager, which ends what was not taken.

    `stopped_by`: why the run is to stop, once a signal has come.
    """

    emulator: Spawned | None = None
    zygote: Spawned | None = None
    stopped_by: str = ""
    _reporting: bool = False

    def start(self) -> None:
        """Start both; what cannot be started is left to the launcher, which says why. In the main thread."""
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            if signal.getsignal(number) != signal.SIG_IGN:  # as nohup has it
                signal.signal(number, self._on_signal)
        outer = environment({**os.environ, PATH_VARIABLE: import_path()})
        try:
            self.emulator = spawn(child_program(EMULATOR, early=True), outer)
            self.zygote = spawn(child_program(ZYGOTE, early=True), outer, LAUNCHER_GONE)
        except OSError:
            self.end()

    @contextmanager
    def interruptible(self) -> Iterator[None]:
        """From here on a signal is raised, one that came before at once."""
        self._reporting = True
        if self.stopped_by:
            raise KeyboardInterrupt(self.stopped_by)
        yield

    def _on_signal(self, number: int, frame: object) -> None:
        if self.stopped_by:  # a second time: at once
            signal.signal(number, signal.SIG_DFL)
            signal.raise_signal(number)
        self.stopped_by = f"interrupted by {signal.Signals(number).name}"
        if self._reporting:
            raise KeyboardInterrupt(self.stopped_by)

    def take_emulator(self) -> Spawned | None:
        """The emulator, if it has been started, for a launcher that ends it."""
        taken, self.emulator = self.emulator, None
        return taken

    def take_zygote(self) -> Spawned | None:
        """The zygote, in the same way."""
        taken, self.zygote = self.zygote, None
        return taken

    def end(self) -> None:
        """End those that were not taken."""
        for child in (self.take_emulator(), self.take_zygote()):
            if child is not None:
                child.end()

    def __enter__(self) -> EarlyProcesses:
        return self

    def __exit__(self, *_: object) -> None:
        self.end()
