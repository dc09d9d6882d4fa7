"""Bodies, envelopes, and the box that messages wait in."""

from __future__ import annotations

import asyncio
import enum
import math
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from qnetem.agents.loop.virtual_loop import VirtualLoop
from qnetem.agents.mailbox import Mailbox
from qnetem.agents.messages import Message, as_json, body_hash, encode_body, seal, unseal
from qnetem.agents.secret import Secret
from qnetem.emulator.errors import MessageError


class Bases(msgspec.Struct):
    bits: bytes
    places: list[int] = []


@dataclass
class Pulse:
    mu: float
    means: list[float]
    extra: dict[Any, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Inner:
    data: bytes


class Colour(enum.Enum):
    RED = "red"


class Level(enum.IntEnum):
    LOW = 1


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"]), max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text("ab", max_size=2), inner, max_size=3)
    ),
    max_leaves=8,
)


@given(json_values)
def test_what_json_can_say_arrives_as_it_was_sent(body: Any) -> None:
    payload = seal(1, 1, "k", encode_body(body))
    message = Message("alice", "k", 1, 0, bytes(unseal(payload).body))
    assert message.read().body == body
    assert as_json(body) == body


@pytest.mark.parametrize(
    ("body", "place"),
    [
        (math.nan, "body is nan"),
        ({"a": [1.0, math.inf]}, r"body\['a'\]\[1\] is inf"),
        ({1: "x"}, "body has the key 1"),
        ([{"a": {None: 1}}], r"body\[0\]\['a'\] has the key None"),
        (b"raw", "body is bytes"),
        ([bytearray(b"raw")], r"body\[0\] is bytes"),
        ({"a": memoryview(b"raw")}, r"body\['a'\] is bytes"),
        ((1, np.float64(math.nan)), r"body\[1\] is nan"),
        ([np.float32(-math.inf)], r"body\[0\] is -inf"),
        ({"a": np.array([[0.0, 1.0], [math.nan, 2.0]])}, r"body\['a'\]\[1\]\[0\] is nan"),
        ([np.complex128(1j)], r"body\[0\] is .*: JSON has no complex numbers"),
        (np.array([1j]), "body is an array of complex128"),
        (np.array([object()]), "body is an array of object"),
        ([np.longdouble(1)], r"body\[0\] is .*which JSON cannot carry"),
        (np.zeros(3, np.longdouble), "body is an array of"),
        (np.datetime64(3, "s"), "which JSON cannot carry"),
        (np.ma.masked_array([1, 2]), "body is a numpy.ma"),
        (np.zeros(9_000_000, np.uint8), "9,000,000 numbers, which are too many"),
        (Pulse(0.1, [math.nan]), r"body.means\[0\] is nan"),
        ([Pulse(0.1, [], {1: 2})], r"body\[0\].extra has the key 1"),
        (Pulse, "body is a builtins.type"),
        ({1, 2}, "body is a builtins.set"),
        (object(), "body is a builtins.object"),
        (Bases(b"x", [math.nan]), r"body.places\[0\] is nan"),  # type: ignore[list-item]
        (OrderedDict(a=1), "body is a collections.OrderedDict"),
        ([2**64], r"body\[0\] is 18446744073709551616, which does not fit into 64 bits"),
        ({"a": -(2**63) - 1}, r"body\['a'\] is -9223372036854775809"),
        ("\ud800", "must be JSON"),
    ],
)
def test_what_json_would_change_or_lose_is_refused_with_its_place(body: Any, place: str) -> None:
    with pytest.raises(MessageError, match=place):
        encode_body(body)


@pytest.mark.parametrize(
    ("body", "arrives"),
    [
        (np.int64(-3), -3),
        (np.uint64(2**64 - 1), 2**64 - 1),
        (np.float64(0.5), 0.5),
        (np.float32(0.1), 0.10000000149011612),
        (np.bool_(True), True),
        (np.str_("Z"), "Z"),
        ({"a": [np.int8(1), (np.float16(0.5),)]}, {"a": [1, [0.5]]}),
        (np.array([[1, 2], [3, 4]], np.uint8), [[1, 2], [3, 4]]),
        (np.array([True, False]), [True, False]),
        (np.array(0.25), 0.25),
        (np.array(["X", "Z"]), ["X", "Z"]),
        (np.zeros((2, 0)), [[], []]),
    ],
)
def test_numbers_and_arrays_of_numpy_travel_as_numbers_and_lists(body: Any, arrives: Any) -> None:
    found = as_json(body)
    assert found == arrives and type(found) is type(arrives)
    assert as_json(found) == found, "what has arrived can be sent on"


def test_a_dataclass_comes_back_as_its_type_or_as_a_mapping() -> None:
    body = Pulse(np.float64(0.5), [1, np.int64(2)], {"raw": Inner(b"\xff")})
    message = Message("alice", "k", 1, 0, encode_body(body))
    assert message.read(Pulse).body == Pulse(0.5, [1, 2], {"raw": {"data": "/w=="}})
    assert message.read().body == {"mu": 0.5, "means": [1, 2], "extra": {"raw": {"data": "/w=="}}}
    assert Message("alice", "k", 1, 0, encode_body(Inner(b"\xff"))).read(Inner).body.data == b"\xff"


def test_a_struct_with_bytes_comes_back_as_its_type() -> None:
    body = Bases(b"\x00\xff", [1, 2])
    message = Message("alice", "k", 1, 0, encode_body(body))
    assert message.read(Bases).body == body
    assert message.read().body == {"bits": "AP8=", "places": [1, 2]}


def test_enum_members_travel_as_their_values() -> None:
    assert as_json({"level": Level.LOW}) == {"level": 1}
    with pytest.raises(MessageError, match="Colour"):
        encode_body(Colour.RED)


def test_tuples_and_structs_are_lists_and_dicts_once_they_have_travelled() -> None:
    assert as_json((1, (2,), Bases(b"", [3]))) == [1, [2], {"bits": "", "places": [3]}]


def test_a_body_that_is_not_of_the_type_is_a_named_error() -> None:
    message = Message("alice", "bases", 1, 0, encode_body({"bits": 3}))
    with pytest.raises(MessageError, match=r"message 'bases' from alice is not a .*Bases"):
        message.read(Bases)


def test_a_damaged_message_yields_its_raw_bytes() -> None:
    message = Message("alice", "k", 1, 0, b"\xff\x00", damaged=True)
    assert message.read(Bases).body == b"\xff\x00"


@pytest.mark.parametrize("payload", [b"", b"{", b"[1,2]", b'{"seq":"x"}', b"\xff", b'{"seq":1}'])
def test_what_is_no_envelope_is_told_apart(payload: bytes) -> None:
    with pytest.raises(MessageError, match="not an envelope"):
        unseal(payload)


def test_the_hash_is_of_the_body_and_nothing_else() -> None:
    body = encode_body({"b": 1, "a": 2})
    assert body_hash(bytes(unseal(seal(1, 1, "x", body)).body)) == body_hash(body)
    assert body_hash(body) != body_hash(encode_body({"a": 2, "b": 1}))


def test_a_body_is_decoded_once_for_each_type_however_many_ask() -> None:
    class Counted(msgspec.Struct):
        n: int

    message = Message("alice", "", 1, 0, encode_body({"n": 1}))
    assert message.decoded(Counted) is message.read(Counted).body
    assert message.decoded() is message.read().body == {"n": 1}
    for _ in range(2):
        with pytest.raises(MessageError, match="is not a"):
            message.decoded(list[int])


def test_a_port_is_in_the_envelope_where_there_is_one() -> None:
    body = encode_body(1)
    assert b"port" not in seal(1, 1, "x", body)
    assert unseal(seal(1, 1, "x", body, "ticker")).port == "ticker"


# --- the mailbox ----------------------------------------------------------------------------------


class Box:
    """A mailbox on a virtual loop: takers are tasks, items are offered in between."""

    def __init__(self) -> None:
        self.loop = VirtualLoop("alice")
        self.box: Mailbox[int] = Mailbox()
        self.taken: dict[str, int] = {}

    def taker(self, name: str, lowest: int = 0) -> asyncio.Task[None]:
        async def take() -> None:
            item = await self.box.take(lambda item: item >= lowest, self.loop.create_future)
            self.taken[name] = item

        task: asyncio.Task[None] = self.loop.create_task(take(), name=name)
        self.loop.step(0)
        return task

    def step(self, *items: int, cancel: tuple[asyncio.Task[None], ...] = ()) -> None:
        """One step in which items are offered, and then tasks cancelled."""

        def inputs() -> None:
            for item in items:
                self.box.offer(item)
            for task in cancel:
                task.cancel()

        self.loop.step(0, inputs)


def test_items_are_taken_in_the_order_they_came() -> None:
    box = Box()
    box.step(1, 2, 3)
    for name in "abc":
        box.taker(name)
    assert box.taken == {"a": 1, "b": 2, "c": 3}


def test_takers_are_served_in_the_order_they_asked_if_the_item_fits() -> None:
    box = Box()
    box.taker("picky", lowest=5)
    box.taker("first")
    box.taker("second")
    box.step(1, 7, 2, 3)
    assert box.taken == {"first": 1, "picky": 7, "second": 2}
    assert len(box.box) == 1


def test_a_taker_that_is_cancelled_while_it_waits_takes_nothing() -> None:
    box = Box()
    gone = box.taker("gone")
    box.taker("next")
    gone.cancel()
    box.step(1)
    assert box.taken == {"next": 1}


def test_an_item_given_to_a_taker_cancelled_in_the_same_step_goes_to_the_next() -> None:
    box = Box()
    gone = box.taker("gone")
    box.taker("next")
    box.step(1, cancel=(gone,))
    assert gone.cancelled() and box.taken == {"next": 1}


def test_an_item_put_back_takes_its_old_place_in_the_line() -> None:
    box = Box()
    gone = [box.taker("a"), box.taker("b")]
    box.step(1, 2, 3, cancel=(gone[0], gone[1]))
    for name in "xyz":
        box.taker(name)
    assert box.taken == {"x": 1, "y": 2, "z": 3}


@given(st.lists(st.sampled_from(["offer", "take", "cancel", "both"]), max_size=25))
def test_no_item_is_ever_lost_taken_twice_or_out_of_order(moves: list[str]) -> None:
    box, tasks, offered = Box(), list[asyncio.Task[None]](), 0
    for move in moves:
        waiting = [task for task in tasks if not task.done()]
        if move == "take":
            tasks.append(box.taker(f"t{len(tasks)}"))
        elif move == "offer":
            offered += 1
            box.step(offered)
        elif move == "cancel" and waiting:
            box.step(cancel=(waiting[0],))
        elif move == "both":
            offered += 2
            box.step(offered - 1, offered, cancel=tuple(waiting[:1]))
    kept = list(box.box)
    assert sorted([*box.taken.values(), *kept]) == list(range(1, offered + 1))
    assert kept == sorted(kept)
    waiting = [task for task in tasks if not task.done()]
    assert not (kept and waiting)
    assert len(box.box._waiters) == len(waiting)


def test_a_secret_beside_numbers_of_numpy_stands_in_its_short_form() -> None:
    value = {"key": Secret(b"abc", label="x"), "rate": np.float64(0.5), "counts": np.array([1, 2])}
    found = as_json(value, b"key")
    assert found["rate"] == 0.5 and found["counts"] == [1, 2]
    assert set(found["key"]) == {"id", "bits", "check"}
