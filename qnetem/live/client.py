"""Requests to a run under way: faults by hand, and its present state.

Owns the client: one request, one answer. Does not own the answers (emulator/world/live.py) nor their layout
(cli/pages/live_page.py). Rule: a request takes no longer than ANSWER_S of real time, and a run that is over
is an InputError that says so.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from ..emulator import wire
from ..emulator.errors import InfrastructureError, InputError
from ..emulator.wire import control
from ..emulator.wire.control import FaultRecord, LiveAnswer, LiveRequest, RunView
from ..emulator.wire.framing import FrameSplitter, short_path
from .address import live_address

#: A node that keeps the processor for so long delays the answer, too.
ANSWER_S = 30.0
_NUMBER = 1


class RunIsOver(InputError):
    """The run answers no more requests."""


class LiveClient:
    """Requests to one run, from a coroutine: every method waits for the answer, in real time.

    All raise RunIsOver (an InputError) when the run is over, InputError for what is refused, with the
    reason, and InfrastructureError when no answer comes.
    """

    def __init__(self, run_folder: Path) -> None:
        self._run_folder = run_folder

    async def fault(self, entry: str | Mapping[str, Any]) -> list[FaultRecord]:
        """Begin a fault now: `"{cut: alice-bob, for: 1 s}"`, or the same as a mapping."""
        return _faults(await self._ask(add_fault(entry)))

    async def heal(self, *ids: str) -> list[FaultRecord]:
        """Heal these faults now; "all" whatever is active."""
        return _faults(await self._ask(heal_faults(ids)))

    async def faults(self) -> list[FaultRecord]:
        """All faults so far, those of the plan and those added."""
        return _faults(await self._ask(control.ListFaults(_NUMBER)))

    async def inspect(self) -> RunView:
        """The run's present state."""
        return _view(await self._ask(control.Inspect(_NUMBER)))

    async def _ask(self, request: LiveRequest) -> LiveAnswer:
        return await asyncio.to_thread(ask, self._run_folder, request)


def inspect(run_folder: Path) -> RunView:
    """A run's present state, blocking. Raises as `LiveClient` does."""
    return _view(ask(run_folder, control.Inspect(_NUMBER)))


def list_faults(run_folder: Path) -> list[FaultRecord]:
    """All faults of a run so far, blocking. Raises as `LiveClient` does."""
    return _faults(ask(run_folder, control.ListFaults(_NUMBER)))


def change_faults(
    run_folder: Path, request: control.AddFault | control.HealFaults
) -> list[FaultRecord]:
    """Add or heal faults of a run, blocking; those that are concerned. Raises as `LiveClient` does."""
    return _faults(ask(run_folder, request))


def add_fault(entry: str | Mapping[str, Any]) -> control.AddFault:
    """The request for a fault. JSON is YAML, so a mapping needs no more than that."""
    text = entry if isinstance(entry, str) else msgspec.json.encode(entry).decode()
    return control.AddFault(_NUMBER, text)


def heal_faults(ids: tuple[str, ...]) -> control.HealFaults:
    """The request to heal. Raises InputError for none."""
    if not ids:
        raise InputError("heal: expected the id of a fault, or all")
    return control.HealFaults(_NUMBER, list(ids))


def ask(run_folder: Path, request: LiveRequest) -> LiveAnswer:
    """One request, and its answer. Raises as `LiveClient` does."""
    path = live_address(run_folder)
    if path is None:
        raise RunIsOver(f"{run_folder}: the run is over")
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.settimeout(ANSWER_S)
            with short_path(path) as reachable:
                connection.connect(reachable)
            connection.sendall(wire.frame(request))
            answer = _receive(connection)
    except TimeoutError as error:
        problem = f"{run_folder}: the run gives no answer in {ANSWER_S:g} s"
        raise InfrastructureError(problem) from error
    except OSError as error:  # it ended meanwhile, or was killed and left its address behind
        raise RunIsOver(f"{run_folder}: the run is over: {error.strerror or error}") from error
    if answer is None:
        raise RunIsOver(f"{run_folder}: the run is over")
    return answer


def _receive(connection: socket.socket) -> LiveAnswer | None:
    splitter = FrameSplitter()
    while data := connection.recv(1 << 16):
        for body in splitter.feed(data):
            return control.decode_live_answer(body)
    return None


def _refused(answer: LiveAnswer) -> Exception:
    assert isinstance(answer, control.Refused), answer
    return RunIsOver(answer.problem) if answer.over else InputError(answer.problem)


def _faults(answer: LiveAnswer) -> list[FaultRecord]:
    if isinstance(answer, control.FaultList):
        return answer.faults
    raise _refused(answer)


def _view(answer: LiveAnswer) -> RunView:
    if isinstance(answer, RunView):
        return answer
    raise _refused(answer)
