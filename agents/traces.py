"""A program's exception as its author wants to see it: in one line, and as a traceback.

Owns the wording and which frames are shown. The machinery between a program and its loop (everything in
agents/ that is not itself a program) says nothing about the program's mistake, so its frames are left out;
roles and protocols are programs, and stay.
"""

from __future__ import annotations

import os
import traceback
from collections.abc import Iterator
from types import FrameType

from ..emulator.errors import QnetemError

_HERE = os.path.dirname(os.path.abspath(__file__)) + os.sep
_PROGRAMS = tuple(_HERE + folder + os.sep for folder in ("roles", "protocols"))
#: A group with more failures than this is told in part.
_MOST = 3
#: Where a process stands that is not inside a program: its last frames.
_LAST_FRAMES = 8


def is_machinery(file: str) -> bool:
    """Whether a source file is part of what carries programs."""
    return file.startswith(_HERE) and not file.startswith(_PROGRAMS)


def headline(error: BaseException) -> str:
    """`ValueError: no good`; of a group, what is in it."""
    if not isinstance(error, BaseExceptionGroup):
        text = str(error)
        return f"{type(error).__name__}{': ' + text if text else ''}"
    leaves = [headline(leaf) for leaf in _leaves(error)]
    if len(leaves) == 1:
        return f"{leaves[0]} (in a group of tasks)"
    more = f"; and {len(leaves) - _MOST} more" if len(leaves) > _MOST else ""
    return f"{type(error).__name__} of {len(leaves)}: {'; '.join(leaves[:_MOST])}{more}"


def program_traceback(error: BaseException) -> str:
    """The traceback, its causes included, without the frames of the machinery.

    Those below the program stay when the machinery did not raise on purpose: they show a bug of ours.
    """
    told = traceback.TracebackException.from_exception(error)
    _strip(told, error)
    return "".join(told.format())


def program_stack(current: FrameType | None) -> str:
    """Where the process is, from the program's own outermost frame on."""
    frames = list(traceback.extract_stack(current))
    ours = [at for at, frame in enumerate(frames) if is_machinery(frame.filename)]
    inside = frames[ours[-1] + 1 :] if ours else []
    # No machinery above the frame, or nothing below it: no program is running.
    return "".join(traceback.format_list(inside or frames[-_LAST_FRAMES:]))


def _leaves(group: BaseExceptionGroup[BaseException]) -> Iterator[BaseException]:
    for error in group.exceptions:
        if isinstance(error, BaseExceptionGroup):
            yield from _leaves(error)
        else:
            yield error


def _strip(told: traceback.TracebackException, error: BaseException) -> None:
    kept = [frame for frame in told.stack if not is_machinery(frame.filename)]
    if kept and not isinstance(error, QnetemError):
        kept = told.stack[told.stack.index(kept[0]) :]
    if kept:
        told.stack[:] = kept
    if told.__cause__ is not None and error.__cause__ is not None:
        _strip(told.__cause__, error.__cause__)
    if told.__context__ is not None and error.__context__ is not None:
        _strip(told.__context__, error.__context__)
    if isinstance(error, BaseExceptionGroup):
        for inner, each in zip(told.exceptions or (), error.exceptions, strict=False):
            _strip(inner, each)
