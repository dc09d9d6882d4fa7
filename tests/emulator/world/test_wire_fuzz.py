"""Frames of any bytes: read, or refused by an error that is known; never a hang, never anything else."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from qnetem.emulator import wire
from qnetem.emulator.errors import InfrastructureError
from qnetem.emulator.wire import control
from qnetem.emulator.wire.framing import FrameSplitter

DECODERS: list[Callable[[bytes], Any]] = [
    wire.decode_to_emulator,
    wire.decode_to_node,
    control.decode_from_launcher,
    control.decode_from_emulator,
    control.decode_live_request,
]
MESSAGES: list[msgspec.Struct] = [
    wire.Hello("alice", 1, "0" * 32, 7),
    wire.Report(
        5, 0, 9, [wire.Send("bob", 1, "k", 3, b"12345678")], [wire.Measure(1, "q", (0.0, 0.0, 1.0))]
    ),
    wire.Grant(5, 0, [wire.Delivery("bob", 1, 1, 0, b"12345678", 4, [3])], clock=[]),
    wire.Resend("bob", 1, [1, 2]),
    control.Supervise("/t", "/r", "00"),
    control.Exited("alice", 1, -9),
]
SETTINGS = settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
#: A thousand lists in each other, and one that says it has four billion items.
DEEP, VAST = b"\x91" * 100_000, b"\xdd\xff\xff\xff\xff"

plain = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats()
    | st.text(max_size=9),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=12,
)


@st.composite
def damaged(draw: st.DrawFn) -> bytes:
    """A real message with some bytes changed, cut off, or added."""
    body = bytearray(msgspec.msgpack.encode(draw(st.sampled_from(MESSAGES))))
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, len(body)))
        body[at : at + draw(st.integers(0, 3))] = draw(st.binary(max_size=3))
    return bytes(body)


@st.composite
def tagged(draw: st.DrawFn) -> bytes:
    """The right name, and anything behind it."""
    name = type(draw(st.sampled_from(MESSAGES))).__name__
    return msgspec.msgpack.encode([name, *draw(st.lists(plain, max_size=12))])


bodies = st.binary(max_size=60) | damaged() | tagged() | plain.map(msgspec.msgpack.encode)


@pytest.mark.parametrize("decode", DECODERS, ids=lambda decode: "")
@given(body=bodies)
@example(body=DEEP)
@example(body=VAST)
@example(body=b"")
@SETTINGS
def test_bytes_are_a_message_or_unreadable(decode: Callable[[bytes], Any], body: bytes) -> None:
    try:
        message = decode(body)
    except wire.UNREADABLE:
        return
    assert isinstance(message, msgspec.Struct)


@given(st.lists(st.binary(max_size=40), max_size=6), st.data())
@SETTINGS
def test_frames_come_out_as_they_went_in_however_they_are_cut(
    frames: list[bytes], data: st.DataObject
) -> None:
    stream = b"".join(wire.HEADER.pack(len(body)) + body for body in frames)
    splitter, found = FrameSplitter(), list[bytes]()
    while stream:
        size = data.draw(st.integers(1, len(stream)))
        found += [bytes(body) for body in splitter.feed(stream[:size])]
        stream = stream[size:]
    assert found == frames


@given(st.binary(max_size=80))
@SETTINGS
def test_a_stream_of_any_bytes_is_frames_or_refused(stream: bytes) -> None:
    splitter = FrameSplitter()
    try:
        bodies = [bytes(body) for body in splitter.feed(stream)]
    except InfrastructureError:
        return
    assert sum(map(len, bodies)) + wire.HEADER.size * len(bodies) <= len(stream)
