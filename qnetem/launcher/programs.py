"""The modules that emulator and zygote start with, and the signal by which the zygote learns of an end."""

from __future__ import annotations

import signal

EMULATOR = "qnetem.emulator.service.server"
ZYGOTE = "qnetem.launcher.zygote"
#: The signal that the zygote gets at the launcher's death.
LAUNCHER_GONE = signal.SIGUSR2
