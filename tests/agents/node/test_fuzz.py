"""Payloads of any bytes at a node: an envelope, or nothing; what it waits for still comes."""

from __future__ import annotations

import io
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from qnetem import Agent
from qnetem.agents.messages import DEEPEST, body_hash, encode_body, seal, unseal
from qnetem.agents.node.node import Node
from qnetem.emulator.errors import MessageError
from qnetem.emulator.wire import Delivery, Grant, Report, Welcome

SETTINGS = settings(max_examples=250, deadline=None, suppress_health_check=[HealthCheck.too_slow])
DEEP = b'{"seq":1,"inc":1,"kind":"k","body":' + b"[" * 100_000 + b"]" * 100_000 + b"}"

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=10,
)


@st.composite
def envelopes(draw: st.DrawFn) -> bytes:
    """The right keys with anything behind them, as JSON, perhaps with a byte changed."""
    fields = {key: draw(values) for key in ("seq", "inc", "kind", "body") if draw(st.booleans())}
    text = bytearray(msgspec.json.encode(fields))
    if draw(st.booleans()):
        at = draw(st.integers(0, len(text)))
        text[at : at + 1] = draw(st.binary(max_size=2))
    return bytes(text)


payloads = st.binary(max_size=80) | envelopes()


class Waits(Agent):
    async def run(self) -> Any:
        return (await self.receive("bob")).body


def born() -> Node:
    welcome = Welcome(
        name="alice",
        incarnation=1,
        kind="endpoint",
        program=f"{__name__}:Waits",
        options={},
        service=False,
        entropy=[1, 2, 3, 4],
        nodes=["bob"],
        links=[],
        slots=1,
        t_ns=0,
    )
    return Node(welcome, io.StringIO())


@given(payloads)
@example(DEEP)
@SETTINGS
def test_a_payload_is_an_envelope_or_a_message_error(payload: bytes) -> None:
    try:
        envelope = unseal(payload)
    except MessageError:
        return
    assert isinstance(envelope.seq, int) and isinstance(envelope.kind, str)


@given(st.lists(st.tuples(st.sampled_from(["bob", "mallory", ""]), payloads), max_size=8))
@example([("bob", DEEP)])
@SETTINGS
def test_no_payload_hurts_a_node_or_keeps_from_it_what_it_was_granted(
    noise: list[tuple[str, bytes]],
) -> None:
    node, body = born(), encode_body({"word": 7})
    node.receive(Grant(0, 0))
    node.receive(Grant(5, 0, [Delivery("bob", 1, 1, 0, body_hash(body), 4)]))
    node.outbox.clear()
    for source, payload in noise:
        node.payload(source, payload)
    node.payload("bob", seal(1, 1, "k", body))
    (report,) = [each for each in node.outbox if isinstance(each, Report)]
    assert report.finished is not None and report.finished.value == {"word": 7}


@given(values)
@SETTINGS
def test_a_body_is_carried_as_it_is_or_refused(body: Any) -> None:
    try:
        encoded = encode_body(body)
    except MessageError:
        return
    assert msgspec.json.decode(encoded) == body


def test_a_body_deeper_than_its_readers_can_follow_is_refused_where_it_is_sent_on() -> None:
    body: Any = 1
    for _ in range(DEEPEST):
        body = [body]
    assert msgspec.json.decode(encode_body(body)) == body
    with pytest.raises(MessageError, match=f"at most {DEEPEST} levels"):
        encode_body([body])
