"""What a service keeps beyond its life: changes that are committed at the end of each step.

Owns what a service says (`Storage`), and what the shell's half of it has to do (`Store`). Does not own what
is stored, nor where (keys/database.py is one such store; node/storages.py has those of a node).

Rules. A store is read once, when it is opened, and its content is an input of the run like any other. What a
step changes is handed to the store at its end, as a whole: before the emulator learns of the step, before a
message of it leaves, and before a reply does. So a node that is killed between two steps has stored all that
it has done, and a process that dies in a step has stored nothing of it and said nothing of it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol


@dataclass(frozen=True)
class Place:
    """Where a store may lie, and what is known of the run.

    `folder`: the run's, None where it has none: then the store lies in memory, and lives as long as the run.
    `repeats`: the run is a replay, so that what others have stored must stay as it is.
    """

    folder: Path | None
    node: str
    tenant: str
    incarnation: int
    hash_key: bytes
    repeats: bool


class Store(Protocol):
    """The shell's half: plain calls, on the thread of the node."""

    def content(self) -> Any:
        """What is stored."""

    def commit(self, changes: Sequence[Any]) -> None:
        """Store the changes of one step, all or none. Raises InfrastructureError."""

    def close(self) -> None:
        """Let go of files; of one that lies in memory nothing is lost."""


OpenStore = Callable[..., Store]


class Storages(Protocol):
    """What a storage asks of its node."""

    def opened(self, tenant: str, open_store: OpenStore, args: tuple[Any, ...]) -> Any:
        """Open the store of a tenant; what it holds."""

    def changed(self, tenant: str, change: Any) -> None:
        """To be stored at the end of the step."""


class Storage:
    """A store as its service sees it: `content`, and `change`."""

    __slots__ = ("_node", "_tenant", "content")

    def __init__(
        self, node: Storages, tenant: str, open_store: OpenStore, args: tuple[Any, ...]
    ) -> None:
        self._node, self._tenant = node, tenant
        self.content = node.opened(tenant, open_store, args)

    def change(self, change: Any) -> None:
        """Have this stored at the end of the step."""
        self._node.changed(self._tenant, change)
