"""Which interface a path belongs to.

Owns the list of interfaces, by the name that a request carries inside. Each is a module with `PATHS` (what
its paths begin with), `call_of` (a request of HTTP as a call of the key service), `answered` and `refused`
(replies). Another edition of a standard is another module.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from ...secret import Secret
from ..denied import Denied
from . import etsi014, skip


class Facade(Protocol):
    """One interface."""

    PATHS: Sequence[str]

    def call_of(
        self, method: str, path: str, query: list[tuple[str, str]], body: bytes
    ) -> dict[str, Any]:
        """The call that a request is: `call` and `arguments`. Raises Unknown, Denied."""

    def answered(self, value: dict[str, Any] | list[Secret]) -> dict[str, Any]:
        """The reply to a call that was served: `status` and `body`."""

    def refused(self, denied: Denied) -> dict[str, Any]:
        """The reply to one that was not."""


FACADES: dict[str, Facade] = {"etsi014": etsi014, "skip": skip}


def facade_of(path: str) -> str:
    """The name of the interface; that of ETSI GS QKD 014 for paths of none."""
    for name, facade in FACADES.items():
        if any(path == each or path.startswith(f"{each}/") for each in facade.PATHS):
            return name
    return "etsi014"
