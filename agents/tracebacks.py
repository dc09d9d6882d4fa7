"""A program's exception as its author wants to see it: in one line, and as a traceback.

Owns the wording and which frames are shown. The machinery between a program and its loop (everything in
agents/ that is not itself a program) says nothing about the program's mistake, so its frames are left out;
roles and protocols are programs, and stay.

Rule: this never fails. A program's exception may raise when it is asked for its text, its class or its
notes, and its message may be of any length: then the text has as much as can be had.
"""

from __future__ import annotations

import os
import sys
import sysconfig
import traceback
from collections.abc import Iterator
from types import FrameType
from typing import Any

from ..emulator.errors import QnetemError
from ..emulator.plain_text import encodable, shortened
from .asyncio_times import time_hint

_HERE = os.path.dirname(os.path.abspath(__file__)) + os.sep
_PROGRAMS = tuple(_HERE + folder + os.sep for folder in ("roles", "protocols"))
#: The frame above which nothing is a program's.
_STEP = (_HERE + os.path.join("loop", "virtual_loop.py"), "step")
_LIBRARIES = (
    os.path.dirname(_HERE.rstrip(os.sep)) + os.sep,
    *{sysconfig.get_path(name) + os.sep for name in ("stdlib", "purelib", "platlib")},
    "<frozen ",
)
#: A group with more failures than this is shown in part.
_MOST = 3
#: Where a process stands that is not inside a program: its last frames.
_LAST_FRAMES = 8
#: Characters of a message in one line, and of a traceback.
LONGEST_HEADLINE, LONGEST_TRACEBACK = 2_000, 50_000


def is_machinery(file: str) -> bool:
    """Whether a source file is part of what carries programs."""
    return file.startswith(_HERE) and not file.startswith(_PROGRAMS)


def is_library(file: str) -> bool:
    """Whether a source file belongs to no user: of this package, of Python, of an installed package."""
    return file.startswith(_LIBRARIES)


def users_line() -> tuple[str, int] | None:
    """The file and line of the innermost frame that is a user's own, of those inside the present step."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None and (frame.f_code.co_filename, frame.f_code.co_name) != _STEP:
        if not is_library(frame.f_code.co_filename):
            return frame.f_code.co_filename, frame.f_lineno
        frame = frame.f_back
    return None


def headline(error: BaseException) -> str:
    """`ValueError: no good`; of a group, what is in it."""
    try:
        text = _headline(error) if _is_group(error) else _line(error)
    except BaseException:  # noqa: BLE001 a group may raise when it is asked what is in it
        text = _line(error)
    return encodable(shortened(text, LONGEST_HEADLINE))


def class_name(error: BaseException) -> str:
    """The name of its class, whatever its metaclass says."""
    return encodable(shortened(type.__dict__["__name__"].__get__(type(error)), 200))


def text_of(value: object) -> str:
    """`str(value)`, or which exception that raised."""
    try:
        return encodable(str(value))
    except BaseException as error:  # noqa: BLE001 it is the program's, and not what is reported here
        return f"(its text cannot be had: {class_name(error)})"


def _line(error: BaseException) -> str:
    text = text_of(error)
    return f"{class_name(error)}{': ' + text if text else ''}{_hint(error)}"


def _hint(error: BaseException) -> str:
    try:
        return time_hint(error)
    except BaseException:  # noqa: BLE001 a program's exception may refuse to show its traceback
        return ""


def _is_group(error: BaseException) -> bool:
    return issubclass(type(error), BaseExceptionGroup)  # `isinstance` would ask its `__class__`


def _headline(error: Any) -> str:
    leaves = [_line(leaf) for leaf in _leaves(error)]
    if len(leaves) == 1:
        return f"{leaves[0]} (in a group of tasks)"
    more = f"; and {len(leaves) - _MOST} more" if len(leaves) > _MOST else ""
    return f"{class_name(error)} of {len(leaves)}: {'; '.join(leaves[:_MOST])}{more}"


def program_traceback(error: BaseException) -> str:
    """The traceback, its causes included, without the frames of the machinery.

    Those below the program stay when the machinery did not raise on purpose: they show a bug of ours.
    """
    try:
        report = traceback.TracebackException.from_exception(error)
        _strip(report, error)
        text = "".join(report.format())
    except BaseException:  # noqa: BLE001 causes, notes and groups may raise when they are asked
        text = f"{''.join(_frames(error))}{_line(error)}\n"
    return encodable(shortened(text, LONGEST_TRACEBACK))


def program_stack(current: FrameType | None) -> str:
    """Where the process is, from the program's own outermost frame on."""
    frames = list(traceback.extract_stack(current))
    ours = [at for at, frame in enumerate(frames) if is_machinery(frame.filename)]
    inside = frames[ours[-1] + 1 :] if ours else []
    # No machinery above the frame, or nothing below it: no program is running.
    return "".join(traceback.format_list(inside or frames[-_LAST_FRAMES:]))


def _frames(error: BaseException) -> list[str]:
    """The frames alone."""
    trace = BaseException.__dict__["__traceback__"].__get__(error)
    kept = [frame for frame in traceback.extract_tb(trace) if not is_machinery(frame.filename)]
    return traceback.format_list(kept)


def _leaves(group: BaseExceptionGroup[BaseException]) -> Iterator[BaseException]:
    for error in group.exceptions:
        if _is_group(error):
            yield from _leaves(error)  # type: ignore[arg-type]
        else:
            yield error


def _strip(report: traceback.TracebackException, error: BaseException) -> None:
    kept = [frame for frame in report.stack if not is_machinery(frame.filename)]
    if kept and not issubclass(type(error), QnetemError):
        kept = report.stack[report.stack.index(kept[0]) :]
    if kept:
        report.stack[:] = kept
    if report.__cause__ is not None and error.__cause__ is not None:
        _strip(report.__cause__, error.__cause__)
    if report.__context__ is not None and error.__context__ is not None:
        _strip(report.__context__, error.__context__)
    if _is_group(error):
        for inner, each in zip(report.exceptions or (), error.exceptions, strict=False):  # type: ignore[attr-defined]
            _strip(inner, each)
