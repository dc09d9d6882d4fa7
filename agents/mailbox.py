"""A box of items, and tasks that wait for one of them.

Owns the order on both sides, and the keys by which items and takers find each other. Does not know what an
item is or where it comes from.

Rules. Items are taken in the order in which they came, and waiting takers are served first-in first-out; a
taker that is cancelled never loses an item. In a keyed box an item lies under each of its keys, and a taker
that names keys is shown only what lies under one of them: neither looks at the others.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Generic, TypeVar

from .tracebacks import headline

T = TypeVar("T")


class _Waiter(Generic[T]):
    __slots__ = ("future", "item_number", "keys", "matches", "number")

    def __init__(
        self,
        number: int,
        future: asyncio.Future[T],
        matches: Callable[[T], bool],
        keys: Sequence[str],
    ) -> None:
        self.number, self.future, self.matches, self.keys = number, future, matches, keys
        #: Of the item it was given: its place in the order, should it go back.
        self.item_number = 0


class Mailbox(Generic[T]):
    """Items in the order they came, and waiting takers in the order they asked."""

    def __init__(self) -> None:
        self._items: dict[int, T] = {}
        self._waiters: dict[int, _Waiter[T]] = {}
        self._count = self._asked = 0
        #: Called when an item is kept and was alone; None: tasks take items by themselves.
        self.notify: Callable[[], object] | None = None
        self._keys: Callable[[T], Iterable[str]] | None = None
        self._keys_of: dict[int, Sequence[str]] = {}
        self._items_by_key: dict[str, dict[int, T]] = {}
        self._waiters_by_key: dict[str, dict[int, _Waiter[T]]] = {}

    def index(self, keys: Callable[[T], Iterable[str]]) -> None:
        """Keep items under keys from now on, also those that have come already."""
        self._keys = keys
        self._keys_of.clear()
        self._items_by_key.clear()
        for number, item in self._items.items():
            self._file(number, item, list(dict.fromkeys(keys(item))))

    @property
    def is_indexed(self) -> bool:
        """Whether items have keys."""
        return self._keys is not None

    def offer(self, item: T) -> None:
        """An item has come: the longest waiting taker it fits gets it, else it is kept."""
        self._count += 1
        self._place(self._count, item)

    def _place(self, number: int, item: T) -> None:
        keys: Sequence[str] = ()
        takers: Iterable[_Waiter[T]] = self._waiters.values()
        if self._keys is not None:
            keys = list(dict.fromkeys(self._keys(item)))
            takers = self._takers(keys)
        for waiter in takers:
            if not waiter.future.done() and self._suits(waiter, item):
                self._forget_waiter(waiter)
                waiter.item_number = number
                waiter.future.set_result(item)
                return
        items = self._items
        last = next(reversed(items)) if items else 0
        items[number] = item
        if last > number:
            self._items = dict(sorted(items.items()))
        if keys:
            self._file(number, item, keys)
        if self.notify is not None and not last:
            self.notify()

    def _takers(self, keys: Sequence[str]) -> list[_Waiter[T]]:
        """The takers that an item with these keys is shown to, the longest waiting first."""
        takers = list(self._waiters.values())
        named = [self._waiters_by_key[key] for key in keys if key in self._waiters_by_key]
        if not named:
            return takers
        found = {waiter.number: waiter for waiters in named for waiter in waiters.values()}
        return sorted([*takers, *found.values()], key=lambda waiter: waiter.number)

    def _file(self, number: int, item: T, keys: Sequence[str]) -> None:
        self._keys_of[number] = keys
        for key in keys:
            self._items_by_key.setdefault(key, {})[number] = item

    def _remove(self, number: int) -> T:
        if self._keys_of:
            for key in self._keys_of.pop(number, ()):
                under = self._items_by_key[key]
                del under[number]
                if not under:
                    del self._items_by_key[key]
        return self._items.pop(number)

    @staticmethod
    def _suits(waiter: _Waiter[T], item: T) -> bool:
        """Whether the taker wants the item; a condition that raises raises where the taker waits."""
        try:
            return waiter.matches(item)
        except (KeyboardInterrupt, SystemExit):
            raise
        except StopIteration as error:  # no future takes it
            waiter.future.set_exception(RuntimeError(f"the condition raised {headline(error)}"))
        except BaseException as error:  # noqa: BLE001 it is the program's own, and goes to the program
            waiter.future.set_exception(error)
        return False

    def take_all(self) -> list[T]:
        """All items, in their order; none is left."""
        return [self._remove(number) for number in list(self._items)]

    def drop(self, unwanted: Callable[[T], bool]) -> None:
        """Remove waiting items: no receiver gets them."""
        for number in [number for number, item in self._items.items() if unwanted(item)]:
            self._remove(number)

    async def take(
        self,
        matches: Callable[[T], bool],
        new_future: Callable[[], asyncio.Future[T]],
        keys: Sequence[str] = (),
    ) -> T:
        """The first item that matches; waits for one. Cancelled: the item stays in the box.

        `keys`: only what lies under one of these, in an indexed box.
        """
        for number, item in self._shown(keys) if self._items else ():
            if matches(item):
                return self._remove(number)
        self._asked += 1
        waiter = _Waiter(self._asked, new_future(), matches, keys)
        if keys:
            for key in keys:
                self._waiters_by_key.setdefault(key, {})[waiter.number] = waiter
        else:
            self._waiters[waiter.number] = waiter
        try:
            return await waiter.future
        except BaseException:
            self._withdraw(waiter)
            raise

    def _shown(self, keys: Sequence[str]) -> Iterable[tuple[int, T]]:
        """The items a taker is shown, in their order."""
        if not keys:
            return self._items.items()
        found = [self._items_by_key[key] for key in keys if key in self._items_by_key]
        if len(found) <= 1:
            return found[0].items() if found else ()
        merged = {number: item for under in found for number, item in under.items()}
        return sorted(merged.items(), key=lambda entry: entry[0])

    def _forget_waiter(self, waiter: _Waiter[T]) -> None:
        if not waiter.keys:
            self._waiters.pop(waiter.number, None)
            return
        for key in waiter.keys:
            under = self._waiters_by_key.get(key, {})
            if under.pop(waiter.number, None) is not None and not under:
                del self._waiters_by_key[key]

    def _withdraw(self, waiter: _Waiter[T]) -> None:
        future = waiter.future
        if waiter.item_number:
            if future.done() and not future.cancelled():
                self._place(waiter.item_number, future.result())  # back to where it was in the line
        else:
            self._forget_waiter(waiter)

    def __iter__(self) -> Iterator[T]:
        return iter(self._items.values())

    def __len__(self) -> int:
        return len(self._items)
