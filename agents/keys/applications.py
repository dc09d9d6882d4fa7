"""Applications: who may have keys, at which site it is, and how many it may have.

Owns the options of an application and its quota. Does not own certificates (server.py), nor keys.

Rule: a quota is counted in windows of calendar time, and what was counted is stored, so a restart gives no
application more.
"""

from __future__ import annotations

from dataclasses import dataclass

from ..options.values import Seconds


@dataclass
class Application:
    """An application (SAE) at a site. `quota`: bits of key that it may have as a master in each `per`."""

    site: str
    quota: int | None = None
    per: Seconds = 3600.0


@dataclass
class Usage:
    """What an application has had in a window: the number of the window, and bits."""

    window: int = -1
    bits: int = 0

    def left(self, application: Application, now_ns: int) -> int | None:
        """Bits of the quota that are left; None where there is no quota."""
        if application.quota is None:
            return None
        used = self.bits if self.window == self.window_at(application, now_ns) else 0
        return application.quota - used

    def add(self, application: Application, now_ns: int, bits: int) -> None:
        """It has had so many more."""
        window = self.window_at(application, now_ns)
        if window != self.window:
            self.window, self.bits = window, 0
        self.bits += bits

    def give_back(self, application: Application, now_ns: int, bits: int) -> None:
        """It has not had them after all; nothing to do where another window has begun."""
        if self.window == self.window_at(application, now_ns):
            self.bits = max(0, self.bits - bits)

    @staticmethod
    def window_at(application: Application, now_ns: int) -> int:
        """The number of the window of an instant."""
        return now_ns // max(1, round(application.per * 1e9))
