"""The frame splitter: any portions in, whole frames out."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from qnetem.emulator.errors import InfrastructureError
from qnetem.emulator.wire import HEADER, MAX_FRAME
from qnetem.emulator.wire.control import Outcome, decode_from_emulator
from qnetem.emulator.wire.framing import FrameSplitter


def framed(body: bytes) -> bytes:
    return HEADER.pack(len(body)) + body


@given(st.lists(st.binary(max_size=50), max_size=8), st.lists(st.integers(1, 40), max_size=30))
def test_frames_come_out_whole_and_in_order_however_the_stream_is_cut(
    bodies: list[bytes], cuts: list[int]
) -> None:
    stream = b"".join(map(framed, bodies))
    splitter = FrameSplitter()
    found: list[bytes] = []
    for cut in cuts:
        portion, stream = stream[:cut], stream[cut:]
        found += splitter.feed(portion)
    found += splitter.feed(stream)
    assert found == bodies
    assert splitter.held == 0


def test_an_unfinished_frame_is_held_until_its_last_byte() -> None:
    splitter = FrameSplitter()
    assert splitter.feed(framed(b"abc")[:-1]) == []
    assert splitter.held == 6
    assert splitter.feed(b"c") == [b"abc"]


@pytest.mark.parametrize("more", [b"", b"xyz"])
def test_a_frame_over_the_limit_is_refused_at_its_header(more: bytes) -> None:
    with pytest.raises(InfrastructureError, match=str(MAX_FRAME + 1)):
        FrameSplitter().feed(HEADER.pack(MAX_FRAME + 1) + more)


def test_a_whole_frame_over_a_smaller_limit_is_refused_too() -> None:
    with pytest.raises(InfrastructureError, match="limit is 2"):
        FrameSplitter(limit=2).feed(framed(b"abc"))


def test_a_count_stays_a_whole_number_on_the_wire() -> None:
    metrics: dict[str, dict[str, int | float]] = {"bob.x": {"count": 3, "mean": 3.0}}
    sent = Outcome("chain", 7, "", 0, 0.0, 1, {}, {"bob": {"n": 3, "x": 3.0}}, metrics)
    came = decode_from_emulator(msgspec.msgpack.encode(sent))
    assert isinstance(came, Outcome)
    assert repr(came.metrics) == repr(sent.metrics) and repr(came.results) == repr(sent.results)
