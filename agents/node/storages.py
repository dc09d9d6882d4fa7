"""The stores of one node: opened by its services, committed by its shell at the end of each step.

Owns which are open and what a step has changed. Does not own what a store is (storage.py), nor where it lies:
the shell gives the place.

Rule: the shell commits before it carries out anything else of a step.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ...emulator.errors import ProgramError, Refused
from ...emulator.wire import Welcome
from ..guards.running_program import aside
from ..storage import OpenStore, Place, Store


class Shelf:
    """The stores of a node in all its incarnations; `folder`: of the run, None where it has none."""

    def __init__(self, folder: Path | None = None) -> None:
        self.folder = folder
        #: Those that lie in memory: the next incarnation finds them.
        self._in_memory: dict[str, Store] = {}

    def open(self, place: Place, open_store: OpenStore, args: tuple[Any, ...]) -> Store:
        """The store of a tenant."""
        kept = self._in_memory.get(place.tenant)
        if kept is not None:
            return kept
        store = open_store(place, *args)
        if place.folder is None:
            self._in_memory[place.tenant] = store
        return store


class Storages:
    """Those of one incarnation. `shelf`: where they lie; without one nothing is stored.

    `changes`: what the step has changed, by tenant.
    """

    def __init__(self, welcome: Welcome) -> None:
        self._welcome = welcome
        self.shelf: Shelf | None = None
        self._open: dict[str, Store] = {}
        self.changes: dict[str, list[Any]] = {}
        self._closed = False

    def opened(self, tenant: str, open_store: OpenStore, args: tuple[Any, ...]) -> Any:
        """Open the store of a tenant; what it holds. Raises ProgramError, Refused."""
        if tenant in self._open:
            raise ProgramError(f"{tenant}: its store is open already")
        store = self._at(tenant, open_store, args)
        self._open[tenant] = store
        return store.content()

    def _at(self, tenant: str, open_store: OpenStore, args: tuple[Any, ...]) -> Store:
        welcome, shelf = self._welcome, self.shelf
        if shelf is None and welcome.incarnation > 1:
            raise Refused(
                f"what {welcome.name} stored before its restart is not in the record of this incarnation: "
                "replay the whole run",
                call="storage",
            )
        shelf = shelf or Shelf()
        place = Place(
            shelf.folder,
            welcome.name,
            tenant,
            welcome.incarnation,
            welcome.hash_key,
            welcome.outside == "replay",
        )
        with aside():  # files and their locks are the shell's affair, though a step waits for them
            return shelf.open(place, open_store, args)

    def changed(self, tenant: str, change: Any) -> None:
        """To be stored at the end of the step; nothing is once the node has been killed."""
        if not self._closed:
            self.changes.setdefault(tenant, []).append(change)

    def commit(self) -> None:
        """Store what the step has changed; called by the shell. Raises InfrastructureError."""
        if not self.changes:
            return
        changes, self.changes = self.changes, {}
        for tenant, made in changes.items():
            self._open[tenant].commit(made)

    def close(self) -> None:
        """Let go of their files; what was changed since the last step is lost, as by a kill."""
        self._closed = True
        self.changes.clear()
        for store in self._open.values():
            store.close()
        self._open.clear()
