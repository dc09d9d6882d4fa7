from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from qnetem.agents.node.storages import Shelf, Storages
from qnetem.agents.storage import Place, Storage
from qnetem.emulator.errors import ProgramError, Refused
from qnetem.emulator.wire import Welcome


class Steps:
    """A store of whatever is changed, step by step."""

    def __init__(self, place: Place) -> None:
        self.place, self.steps, self.closed = place, list[Any](), False

    def content(self) -> list[Any]:
        return list(self.steps)

    def commit(self, changes: Sequence[Any]) -> None:
        self.steps.append(list(changes))

    def close(self) -> None:
        self.closed = True


def storages_of(incarnation: int, shelf: Shelf | None, outside: str = "") -> Storages:
    welcome = Welcome("bob", incarnation, "endpoint", "p", {}, False, [1], [], [], 4, 0)
    welcome.outside = outside
    found = Storages(welcome)
    found.shelf = shelf
    return found


def test_what_steps_have_changed_is_found_by_the_next_incarnation() -> None:
    shelf = Shelf()
    first = storages_of(1, shelf)
    keys = Storage(first, "keys", Steps, ())
    assert keys.content == []
    keys.change("a")
    keys.change("b")
    first.commit()
    first.commit()  # nothing has changed
    keys.change("c")
    first.commit()
    keys.change("of a step that did not end")
    first.close()
    keys.change("of a coroutine that is closed with the node")
    first.commit()
    assert Storage(storages_of(2, shelf), "keys", Steps, ()).content == [["a", "b"], ["c"]]
    assert Storage(storages_of(2, shelf), "other", Steps, ()).content == []


def test_a_store_knows_its_place_and_is_opened_anew_where_the_run_has_a_folder(
    tmp_path: Path,
) -> None:
    opened: list[Steps] = []

    def open_store(place: Place, name: str) -> Steps:
        opened.append(Steps(place))
        assert name == "mine"
        return opened[-1]

    shelf = Shelf(tmp_path)
    for incarnation in (1, 2):
        storages = storages_of(incarnation, shelf, "replay")
        Storage(storages, "keys", open_store, ("mine",))
        storages.close()
    assert [each.place.incarnation for each in opened] == [1, 2]
    assert all(each.closed and each.place.repeats for each in opened)
    assert opened[0].place.folder == tmp_path


def test_one_store_for_each_service_and_none_for_an_incarnation_without_the_ones_before() -> None:
    storages = storages_of(1, None)
    assert Storage(storages, "keys", Steps, ()).content == []
    with pytest.raises(ProgramError, match="open already"):
        Storage(storages, "keys", Steps, ())
    with pytest.raises(Refused, match="replay the whole run"):
        Storage(storages_of(2, None), "keys", Steps, ())
