"""Reports of a node that is broken: whatever they hold, the run continues or ends with its name."""

from __future__ import annotations

import types
import typing
from typing import Any

import msgspec
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from qnetem.emulator import wire

from .stage import Stage

names = st.sampled_from(
    ["alice", "bob", "alice-bob", "alice#1", "alice-bob#1@alice", "h", "cx", ""]
) | st.text(max_size=3)
integers = st.sampled_from([-(2**63), 2**63, 10**6]) | st.integers(-2, 5)
PLAIN: dict[Any, st.SearchStrategy[Any]] = {
    int: integers,
    float: st.floats(),
    str: names,
    bool: st.booleans(),
    bytes: st.binary(max_size=9),
    types.NoneType: st.none(),
    Any: st.none() | integers | names | st.lists(integers, max_size=2),
}


def valued(kind: Any) -> st.SearchStrategy[Any]:
    """Values of a type as the structs of the wire name it."""
    if kind in PLAIN:
        return PLAIN[kind]
    parts = typing.get_args(kind)
    match typing.get_origin(kind):
        case typing.Union | types.UnionType:
            return st.one_of([valued(part) for part in parts])
        case origin if origin is list:
            return st.lists(valued(parts[0]), max_size=3)
        case origin if origin is tuple:
            return st.tuples(*map(valued, parts))
        case origin if origin is dict:
            return st.dictionaries(*map(valued, parts), max_size=2)
    assert issubclass(kind, msgspec.Struct), kind
    hints = typing.get_type_hints(kind)
    return st.builds(kind, **{name: valued(hints[name]) for name in kind.__struct_fields__})


reports = st.lists(valued(wire.Report), min_size=1, max_size=3)
SETTINGS = settings(max_examples=200, deadline=None, suppress_health_check=list(HealthCheck))


@given(reports, st.booleans())
@SETTINGS
def test_a_report_of_anything_is_carried_out_or_ends_the_run_by_a_named_problem(
    said: list[wire.Report], numbered: bool
) -> None:
    stage, count = Stage(), 0
    for report in said:
        clock = stage.world.conductor
        report.t_ns, report.m = clock.now_ns, clock.m
        for operation in report.operations if numbered else ():  # else that is what is told first
            count += 1
            operation.number = count
        stage.say("alice", wire.decode_to_emulator(wire.frame(report)[wire.HEADER.size :]))
        stage.report("bob")
    if stage.world.over:
        problem = stage.problem
        assert (
            problem is None
            or problem.node == "alice"
            or "alice" in problem.text
            or "bob" in problem.text
        )


@given(valued(wire.ToEmulator), st.booleans())
@SETTINGS
def test_any_message_at_any_time_is_taken_or_ends_the_run_by_a_named_problem(
    said: wire.ToEmulator, granted: bool
) -> None:
    stage = Stage()
    if not granted:
        stage.report("alice")
    stage.say("alice", wire.decode_to_emulator(wire.frame(said)[wire.HEADER.size :]))
    if stage.world.over and stage.problem is not None:
        assert stage.problem.kind and stage.problem.exit_code


def test_a_message_whose_number_is_still_on_its_way_is_no_other_message() -> None:
    stage = Stage()
    send = wire.Send("bob", 1, "", 1, b"12345678")
    stage.report("alice", sends=[send, send])
    stage.report("bob")
    assert stage.problem.kind == "InternalError"
    assert stage.problem.text == "alice (1) sends message 1 twice"
