"""Tracebacks and headlines: the program's own lines, and ours only where they show a bug of ours."""

from __future__ import annotations

import asyncio
import inspect
import json
from collections.abc import Callable

import pytest

from qnetem.agents import messages
from qnetem.agents.messages import encode_body
from qnetem.agents.protocols import teleportation
from qnetem.agents.tracebacks import headline, is_machinery, program_stack, program_traceback
from qnetem.emulator.errors import MessageError


def raised(call: Callable[[], object]) -> BaseException:
    try:
        call()
    except BaseException as error:  # noqa: BLE001 - whatever it is, it is what the test looks at
        return error
    pytest.fail("it did not raise")


def test_protocols_and_roles_are_programs_and_the_rest_is_not() -> None:
    assert is_machinery(messages.__file__)
    assert not is_machinery(teleportation.__file__)
    assert not is_machinery(__file__)


def test_an_error_raised_on_purpose_ends_at_the_line_of_the_program() -> None:
    shown = program_traceback(raised(lambda: encode_body({1: 2})))
    assert "MessageError: body has the key 1" in shown
    assert __file__ in shown and "messages.py" not in shown


def test_an_error_of_ours_keeps_our_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(messages, "_check", None)
    shown = program_traceback(raised(lambda: encode_body(1)))
    assert "TypeError" in shown and "messages.py" in shown


def test_the_causes_of_an_error_are_stripped_as_well() -> None:
    def fail() -> None:
        try:
            encode_body({1: 2})
        except MessageError as error:
            raise ValueError("no good") from error

    shown = program_traceback(raised(fail))
    assert "direct cause" in shown and "ValueError: no good" in shown
    assert "messages.py" not in shown


def test_frames_of_libraries_are_left_out() -> None:
    shown = program_traceback(raised(lambda: json.loads("{")))
    assert __file__ in shown and "decoder.py" not in shown and "json/__init__.py" not in shown


def test_an_error_without_a_frame_of_the_program_shows_what_there_is() -> None:
    shown = program_traceback(raised(json.loads))  # type: ignore[arg-type]
    assert "TypeError" in shown and "File" in shown


def test_a_group_of_one_is_shown_as_that_one() -> None:
    async def divide() -> float:
        return 1 / 0

    async def run() -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(divide())

    shown = program_traceback(raised(lambda: asyncio.run(run())))
    assert "Group" not in shown.replace("asyncio.TaskGroup()", "") and "taskgroups.py" not in shown
    assert shown.index("in run") < shown.index("in divide")
    assert shown.endswith("ZeroDivisionError: division by zero\n")


def test_a_group_of_several_shows_each() -> None:
    async def fail(text: str) -> None:
        raise ValueError(text)

    async def run() -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(fail("one"))
            group.create_task(fail("two"))

    shown = program_traceback(raised(lambda: asyncio.run(run())))
    assert "ValueError: one" in shown and "ValueError: two" in shown
    assert "taskgroups.py" not in shown


def test_groups_are_told_by_what_is_in_them() -> None:
    errors = [ValueError("one"), KeyError("two"), OSError("three"), RuntimeError()]
    assert headline(errors[0]) == "ValueError: one"
    assert headline(errors[3]) == "RuntimeError"
    nested = ExceptionGroup("", [ExceptionGroup("", errors[:1])])
    assert headline(nested) == "ValueError: one (in a group of tasks)"
    assert headline(ExceptionGroup("", [nested, *errors[1:]])) == (
        "ExceptionGroup of 4: ValueError: one; KeyError: 'two'; OSError: three; and 1 more"
    )


def test_a_stack_without_machinery_is_shown_by_its_end() -> None:
    shown = program_stack(inspect.currentframe())
    assert "program_stack(inspect.currentframe())" in shown
    assert shown.count("  File ") <= 8
