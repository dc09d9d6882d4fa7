"""A keyed mailbox: what lies under a key is found by it, and nothing else is looked at."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from qnetem.agents.loop.virtual_loop import VirtualLoop
from qnetem.agents.mailbox import Mailbox


class Keyed:
    """Items are words; each lies under its letters. Takers ask for letters, or for anything."""

    def __init__(self) -> None:
        self.loop = VirtualLoop("alice")
        self.box: Mailbox[str] = Mailbox()
        self.box.index(list)
        self.taken: dict[str, str] = {}
        self.looked = 0

    def taker(self, name: str, keys: Sequence[str] = ()) -> asyncio.Task[None]:
        def fits(_: str) -> bool:
            self.looked += 1
            return True

        async def take() -> None:
            self.taken[name] = await self.box.take(fits, self.loop.create_future, keys)

        task: asyncio.Task[None] = self.loop.create_task(take(), name=name)
        self.loop.step(0)
        return task

    def offer(self, *words: str, cancel: Sequence[asyncio.Task[None]] = ()) -> None:
        def inputs() -> None:
            for word in words:
                self.box.offer(word)
            for task in cancel:
                task.cancel()

        self.loop.step(0, inputs)


def test_a_waiter_is_found_by_its_key_and_no_other_is_asked() -> None:
    keyed = Keyed()
    for letter in "bcdefgh":
        keyed.taker(letter, letter)
    keyed.offer("xh")
    assert keyed.taken == {"h": "xh"} and keyed.looked == 1


def test_an_item_is_found_by_its_key_and_no_other_is_looked_at() -> None:
    keyed = Keyed()
    keyed.offer(*(f"{letter}1" for letter in "bcdefgh"), "hx")
    keyed.taker("first", "h")
    keyed.taker("second", "hx")
    assert keyed.taken == {"first": "h1", "second": "hx"} and keyed.looked == 2
    assert list(keyed.box) == ["b1", "c1", "d1", "e1", "f1", "g1"]


def test_takers_with_and_without_keys_are_served_in_one_order() -> None:
    keyed = Keyed()
    keyed.taker("any")
    keyed.taker("named", "a")
    keyed.taker("later")
    keyed.offer("a1", "a2", "b3")
    assert keyed.taken == {"any": "a1", "named": "a2", "later": "b3"}


def test_what_waits_already_is_filed_when_keys_are_given() -> None:
    keyed = Keyed()
    keyed.box = Mailbox()
    keyed.offer("ab", "cd")
    keyed.box.index(list)
    keyed.taker("named", "c")
    assert keyed.taken == {"named": "cd"} and keyed.looked == 1


@given(
    st.lists(st.sampled_from(["ab", "b", "c", "take a", "take b", "take", "cancel"]), max_size=25)
)
def test_keys_change_who_is_asked_and_never_who_is_served(moves: list[str]) -> None:
    """The same moves on a box without keys, whose takers look at everything."""
    keyed, plain = Keyed(), Keyed()
    plain.box = Mailbox()
    tasks: list[tuple[asyncio.Task[None], asyncio.Task[None]]] = []
    for number, move in enumerate(moves):
        if move.startswith("take"):
            wanted = move[5:]
            tasks.append((keyed.taker(str(number), wanted), _looks(plain, str(number), wanted)))
        elif move == "cancel":
            waiting = [both for both in tasks if not both[0].done()][:1]
            keyed.offer(cancel=[both[0] for both in waiting])
            plain.offer(cancel=[both[1] for both in waiting])
        else:
            keyed.offer(move)
            plain.offer(move)
    assert keyed.taken == plain.taken
    assert list(keyed.box) == list(plain.box)
    left = [both for both in tasks if not both[0].done()]
    assert sum(map(len, keyed.box._waiters_by_key.values())) + len(keyed.box._waiters) == len(left)


def _looks(plain: Keyed, name: str, wanted: str) -> asyncio.Task[None]:
    async def take() -> None:
        plain.taken[name] = await plain.box.take(
            lambda word: not wanted or wanted in word, plain.loop.create_future
        )

    task: asyncio.Task[None] = plain.loop.create_task(take(), name=name)
    plain.loop.step(0)
    return task


def test_who_is_told_hears_of_the_first_item_and_takes_all() -> None:
    box: Mailbox[int] = Mailbox()
    heard: list[int] = []
    box.notify = lambda: heard.append(len(box))
    for item in (1, 2):
        box.offer(item)
    assert (heard, box.take_all(), len(box)) == ([1], [1, 2], 0)
    box.offer(3)
    assert (heard, box.take_all()) == ([1, 1], [3])
