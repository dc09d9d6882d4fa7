"""The outside half: it runs in real time, gets its replies, and can neither flood a run nor outlive it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from qnetem.agents.outside import Close, Open, Reply, encode_item
from qnetem.agents.process import outside as room
from qnetem.agents.process.outside import Inside, OutsideHalves
from qnetem.emulator.errors import MessageError, OutsideError
from qnetem.emulator.wire import Input

PATIENCE_S = 20.0


class Node:
    """What the halves poke; `asked(n)` waits until the n-th input has come."""

    def __init__(self) -> None:
        self.inputs: list[Input] = []
        self.halves = OutsideHalves("bob", self._poke)
        self._news = asyncio.Event()
        self.opening = 0

    def _poke(self, item: Input) -> None:
        self.inputs.append(item)
        self._news.set()

    async def asked(self, number: int) -> Input:
        async with asyncio.timeout(PATIENCE_S):
            while len(self.inputs) < number:
                self._news.clear()
                await self._news.wait()
        return self.inputs[number - 1]

    def open(
        self,
        half: Callable[..., Awaitable[Any]],
        *args: Any,
        largest: int = 64,
        unanswered: int = 2,
    ) -> int:
        self.opening += 1
        self.halves.carry_out([Open(self.opening, half, args, largest, unanswered)])
        return self.opening

    def reply(self, number: int, value: Any, opening: int = 1) -> None:
        self.halves.carry_out([Reply(opening, number, *encode_item(value))])


async def turn() -> None:
    """Let what is ready on the loop run: nothing here waits for more."""
    for _ in range(5):
        await asyncio.sleep(0)


async def test_items_go_in_as_bytes_or_json_and_replies_come_back_to_their_puts() -> None:
    node, got = Node(), []

    async def half(inside: Inside, word: str) -> None:
        got.extend(await asyncio.gather(inside.put({"a": word}), inside.put(b"\xff")))

    node.open(half, "x")
    await node.asked(2)
    assert node.inputs == [Input(1, 1, "json", b'{"a":"x"}'), Input(1, 2, "bytes", b"\xff")]
    node.reply(2, [1, 2])
    node.reply(1, b"\x00")
    assert await node.asked(3) == Input(1, 3, "ended", b"")
    assert got == [b"\x00", [1, 2]]
    await node.halves.close()


async def test_what_is_too_large_or_no_json_is_for_the_client_and_never_comes_inside() -> None:
    node, refused = Node(), []

    async def half(inside: Inside) -> None:
        for item in ("x" * 63, b"x" * 65, float("nan"), {1: 2}):
            try:
                await inside.put(item)
            except MessageError as error:
                refused.append(str(error))
        await inside.put(b"x" * 64)

    node.open(half)
    assert await node.asked(1) == Input(1, 1, "bytes", b"x" * 64)
    assert len(refused) == 4 and "65 bytes: at most 64" in refused[0] and "65 bytes" in refused[1]
    await node.halves.close()


async def test_an_item_keeps_its_room_until_it_is_answered_also_when_its_client_has_left() -> None:
    node, puts, holder = Node(), [], []

    async def half(inside: Inside) -> None:
        holder.append(inside)
        puts.extend(asyncio.create_task(inside.put(number)) for number in range(4))
        await asyncio.wait(puts)

    node.open(half)
    await node.asked(2)
    await turn()
    assert len(node.inputs) == 2 and holder[0].unanswered == 2
    puts[0].cancel()  # the client leaves, its item does not
    await turn()
    assert len(node.inputs) == 2
    node.reply(1, "too late")
    assert (await node.asked(3)).data == b"2"
    puts[3].cancel()  # one that waits for room has put nothing
    node.reply(2, None)
    node.reply(3, None)
    assert (await node.asked(4)).kind == "ended"
    assert [put.cancelled() for put in puts] == [True, False, False, True]
    await node.halves.close()


async def test_a_half_that_raises_is_an_input_with_its_last_line_and_traceback(
    capsys: pytest.CaptureFixture[str],
) -> None:
    node = Node()

    async def half(inside: Inside) -> None:
        raise OSError("port 80 is taken")

    node.open(half)
    failed = await node.asked(1)
    headline, _, trace = failed.data.decode().partition("\n")
    assert failed.kind == "failed" and headline == "OSError: port 80 is taken"
    assert 'raise OSError("port 80 is taken")' in trace and 'process/outside.py", line' not in trace
    assert trace in capsys.readouterr().err
    await node.halves.close()


@pytest.mark.parametrize("ending", [asyncio.CancelledError, SystemExit])
async def test_a_half_that_ends_itself_in_another_way_has_failed_too(
    ending: type[BaseException],
) -> None:
    node = Node()

    async def half(inside: Inside) -> None:
        raise ending

    node.open(half)
    assert (await node.asked(1)).data.decode().startswith(ending.__name__)
    await node.halves.close()


async def test_when_the_inside_leaves_every_put_hears_it_and_the_half_may_clean_up() -> None:
    node, heard = Node(), []

    async def half(inside: Inside) -> None:
        async def client(number: int) -> None:
            try:
                await inside.put(number)
            except OutsideError as error:
                heard.append((number, str(error)))

        clients = [asyncio.create_task(client(number)) for number in range(4)]
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.wait(clients)
            await client(4)
            heard.append((5, str(inside.closed)))

    opening = node.open(half)
    await node.asked(2)
    node.halves.carry_out([Close(opening)])
    await node.halves.close()
    assert sorted(number for number, _ in heard) == [0, 1, 2, 3, 4, 5] and heard[-1] == (5, "True")
    assert "bob has left this outside()" in heard[0][1] and len(node.inputs) == 2


async def test_an_opening_begins_when_the_halves_before_it_have_let_go() -> None:
    node, steps = Node(), []
    let_go = asyncio.Event()

    async def first(inside: Inside) -> None:
        try:
            await inside.put("first")
        finally:
            await let_go.wait()
            steps.append("the port is free")

    async def second(inside: Inside) -> None:
        steps.append("the port is taken")
        await inside.put("second")

    opening = node.open(first)
    await node.asked(1)
    node.halves.carry_out([Close(opening)])
    node.open(second)
    await turn()
    assert steps == []
    let_go.set()
    await node.asked(2)
    assert steps == ["the port is free", "the port is taken"]
    await node.halves.close()


async def test_a_half_that_does_not_end_is_left_behind_by_name(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(room, "GRACE_S", 0.01)
    node, end = Node(), asyncio.Event()

    async def clings(inside: Inside) -> None:
        try:
            await inside.put(1)
        except BaseException:
            await end.wait()
            raise

    node.open(clings)
    await node.asked(1)
    await node.halves.close()
    assert "outside 1 does not end within 0.01 s" in capsys.readouterr().err
    end.set()
    await turn()


async def test_an_exception_in_a_callback_of_a_half_is_told_from_one_of_ours() -> None:
    node, seen = Node(), []
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda _, context: seen.append(room.is_of_outside(context)))

    async def half(inside: Inside) -> None:
        asyncio.get_running_loop().call_soon(lambda: 1 / 0)
        await inside.put(1)

    node.open(half)
    await node.asked(1)
    loop.call_soon(lambda: 1 / 0)
    await turn()
    assert seen == [True, False]
    await node.halves.close()
