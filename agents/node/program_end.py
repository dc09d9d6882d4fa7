"""How a program ended: its result, or the exception that it failed with.

Owns which exceptions fail a node: that of `run()`, and those in tasks and callbacks that no await
retrieves. Does not own the report in which they leave (node.py).
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from ...emulator.errors import InternalError, MessageError, QnetemError
from ...emulator.wire import Finished
from ..loop.virtual_loop import VirtualLoop
from ..messages import Message, as_json, quoted
from ..tracebacks import headline, program_traceback

#: Of messages that were not received so many kinds are named.
_MOST_KINDS, _OTHER_KINDS = 100, "(other kinds)"
_IN_CALLBACK = " in a callback"


class ProgramRaised(Exception):
    """The program's own exception, ready to be reported."""

    def __init__(self, error: BaseException, where: str = "") -> None:
        self.problem = headline(error) + where
        self.traceback = program_traceback(error)
        super().__init__(self.problem)


def failure_of_step(loop: VirtualLoop, owner: str) -> ProgramRaised | None:
    """What of an owner's failed in this step beside `run()`, which has not ended."""
    for name, error in loop.lost(owner):
        return ProgramRaised(error, _in_task(name))
    return _failure_of_callback(loop, owner)


def raised_by(main: asyncio.Task[Any], dismissed: bool) -> ProgramRaised | None:
    """What `run()` of a service has ended with, if that is an exception.

    `dismissed`: the node cancelled it, because the run is over.
    """
    if not main.done():
        return None
    if main.cancelled():
        return None if dismissed else ProgramRaised(_cancelled_from_within())
    error = main.exception()
    return ProgramRaised(error) if error is not None else None


def finish(
    main: asyncio.Task[Any],
    loop: VirtualLoop,
    mail: Mapping[str, Iterable[Message]],
    dismissed: bool,
) -> Finished:
    """The result of `run()`, whose task has ended. Raises ProgramRaised when the program failed.

    `mail`: what has come for it and was not received, by port.
    """
    raised = raised_by(main, dismissed)
    if raised is not None:
        raise raised
    for name, unretrieved in loop.unretrieved(""):
        raise ProgramRaised(unretrieved, _in_task(name))
    failure = _failure_of_callback(loop, "")
    if failure is not None:
        raise failure
    try:
        value = as_json(None if main.cancelled() else main.result(), loop.hash_key)
    except MessageError as error:
        failure = ProgramRaised(error, " (what run() returned)")
        failure.traceback = ""  # the program has ended: no line of it is to blame
        raise failure from error
    return Finished(value, {} if dismissed else _unread(mail))


def _cancelled_from_within() -> asyncio.CancelledError:
    return asyncio.CancelledError("run() was cancelled from within")


def _failure_of_callback(loop: VirtualLoop, owner: str) -> ProgramRaised | None:
    for message, broken in loop.unhandled_of(owner):
        return ProgramRaised(broken or InternalError(message), _IN_CALLBACK)
    return None


def _in_task(name: str) -> str:
    return f" in task {quoted(name)}, and it was not retrieved"


def _unread(mail: Mapping[str, Iterable[Message]]) -> dict[str, int]:
    """Messages that came and were not received, by kind, and by port where the kind does not tell it."""
    counted = Counter(_label(message) for box in mail.values() for message in box)
    kinds = sorted(counted.items())
    shown, rest = dict(kinds[:_MOST_KINDS]), kinds[_MOST_KINDS:]
    return shown | ({_OTHER_KINDS: sum(number for _, number in rest)} if rest else {})


def _label(message: Message) -> str:
    kind, port = message.kind, message.port
    return kind if kind.startswith(port) else f"{kind} on port {port}".lstrip()


def cause_of(error: QnetemError) -> str:
    """The traceback of the user's exception behind one of ours; "" without."""
    cause = error.__cause__
    return program_traceback(cause) if cause is not None else ""
