"""What a program makes is limited where it makes it."""

from __future__ import annotations

import math
from typing import Any

import pytest

from qnetem import Agent
from qnetem.agents.messages import LARGEST_VALUE, LONGEST_NAME, encode_body, plain_name
from qnetem.agents.node.limits import EACH_BYTES, MOST_BYTES, MOST_NAMES, Allowance
from qnetem.agents.qubits import Qubit
from qnetem.emulator.errors import MessageError, OperationError
from qnetem.emulator.wire import MAX_FRAME, Discard, Pulses

from ..bench import Bench


def test_a_step_fits_into_a_frame() -> None:
    """A report with one result of full size, beside all that a step may make."""
    assert LARGEST_VALUE + 2 * MOST_BYTES < MAX_FRAME


def test_a_value_of_the_largest_size_passes_and_the_next_does_not() -> None:
    assert len(encode_body("x" * (LARGEST_VALUE - 2))) == LARGEST_VALUE
    with pytest.raises(MessageError, match=r"16,777,217 bytes as JSON .* at most 16,777,216"):
        encode_body("x" * (LARGEST_VALUE - 1))


def test_a_step_makes_so_many_messages_and_the_next_step_as_many_again() -> None:
    allowance, most = Allowance(), MOST_BYTES // (EACH_BYTES + 4)
    for _ in range(2):
        for _ in range(most):
            allowance.message(4)
        allowance.left = MOST_BYTES
    for _ in range(most):
        allowance.message(4)
    with pytest.raises(MessageError, match=r"more than 33,554,432 bytes .* virtual time pass"):
        allowance.message(4)


def test_columns_of_pulses_count_with_their_bytes() -> None:
    allowance, block = Allowance(), bytes(MOST_BYTES // 3)
    allowance.operation(Pulses(1, "bob", None, 0, 1, True, block, block, b""))
    allowance.operation(Discard(2, ["q"]))
    with pytest.raises(OperationError, match="33,554,432"):
        allowance.operation(Pulses(3, "bob", None, 0, 1, True, block, block, b""))


def test_a_node_records_under_so_many_names() -> None:
    allowance = Allowance()
    for number in range(MOST_NAMES):
        allowance.record(f"x{number}", 1)
        allowance.left = MOST_BYTES
    allowance.record("x0", 1)
    with pytest.raises(MessageError, match="at most 10,000 different names"):
        allowance.record("another", 1)


@pytest.mark.parametrize(
    ("name", "why"),
    [
        (5, "a kind is a str, not 5"),
        (b"x", "a kind is a str, not b'x'"),
        ("x" * (LONGEST_NAME + 1), "a kind has 257 characters: at most 256"),
        ("a\udc80", r"a kind is 'a\udc80', which no encoding carries"),
    ],
)
def test_a_name_is_short_and_can_be_encoded(name: Any, why: str) -> None:
    with pytest.raises(MessageError) as raised:
        plain_name(name, "a kind")
    assert str(raised.value) == why


@pytest.mark.parametrize("name", ["", ".", "\n", "\x1b", "é", "\u202e", "x" * LONGEST_NAME])
def test_any_other_text_is_a_name(name: str) -> None:
    assert plain_name(name, "a kind") == name


async def _odd_angle(me: Agent) -> None:
    await (await me.qubit()).rz(math.inf)


async def _odd_qubit(me: Agent) -> None:
    await Qubit(me._node, "\udc80").discard()


async def _odd_target(me: Agent) -> None:
    await me.probe("x", Qubit(me._node, "q"), [math.nan, 1])


@pytest.mark.parametrize(
    ("program", "why"),
    [
        (_odd_angle, "OperationError: rz: inf is no angle"),
        (_odd_qubit, "MessageError: a qubit is"),
        (_odd_target, "OperationError: probe: the target's amplitudes must be finite"),
    ],
)
def test_what_the_wire_cannot_carry_is_refused_at_the_call(program: Any, why: str) -> None:
    bench = Bench(program)
    report = bench.ran()
    if report.operations:
        from qnetem.emulator.wire import Result

        report = bench.ran(1, results=[Result(1, "q")])
    assert report.failed is not None and report.failed.problem.startswith(why)
