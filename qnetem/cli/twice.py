"""`qnetem run FILE --twice`: the same run in two processes that are set up differently, compared.

Owns the two commands, what is different for the second one, and the verdict. Does not own running (main.py)
nor comparing (compare/diff.py). A run depends on its topology, programs and seed. What could change it
besides is what Python does not fix: the order of a set (by the hash seed, or by the addresses of its
elements), `id()`, and where a process was started. The second run has another hash seed and another allocator
(processes/environment.py), another working directory, and its environment in another order.

Rule: the first run is as without `--twice`, so that its digest is the usual one.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any

import msgspec

from ..compare.diff import Comparison, compare
from ..emulator.errors import InputError, InternalError, Interrupted
from ..emulator.wire import UNREADABLE
from ..processes.environment import OTHERWISE_VARIABLE
from ..processes.parent_death import dies_with_parent
from ..processes.reexecution import REEXECUTED
from ..runs.recorded import open_run
from ..text.error_output import print_stderr
from .page import Page
from .pages.diff_page import as_data, print_comparison
from .terminal import print_object, reader_may_close

DIFFERENT = 1
_WHY = (
    "error: the result depends on something that the seed does not decide: most often the order of a set,",
    "id() or the default hash() of an object, or a file of the working directory",
)
LABELS = ("first", "second")
_PASSED_ON = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@dataclass(frozen=True)
class _Ended:
    """How one of the two ended: the object that its command printed."""

    exit_code: int
    data: dict[str, Any]

    @property
    def has_outcome(self) -> bool:
        """Whether there is something to compare."""
        return self.data.get("digest") is not None and self.exit_code != Interrupted.exit_code


def run_twice(file: Path, runs: Path, words: Sequence[str], *, as_json: bool) -> int:
    """Run it twice with these options, and print whether the same happened; the exit code."""
    command = [sys.executable, "-P", "-m", "qnetem", "run", str(file.resolve())]
    command += [*words, "--runs-folder", str(runs.resolve()), "--format", "json"]
    outer = _outer(os.environ)
    print_stderr(["first run"])
    ended = [_run(command, outer, None)]
    if ended[0].has_outcome:
        print_stderr(["second run: another hash seed, other addresses, another working directory"])
        with tempfile.TemporaryDirectory(prefix="qnetem-twice-") as elsewhere:
            ended.append(_run(command, _otherwise(outer), elsewhere))
    if not ended[-1].has_outcome:
        return _broken_off(ended, as_json)
    comparison = compare(*(open_run(Path(each.data["run_folder"])) for each in ended))
    with reader_may_close():
        if as_json:
            digest = comparison.a.digest if comparison.same else None
            print_object({**as_data(comparison), "digest": digest})
        else:
            _print(comparison)
    if comparison.same:
        return ended[0].exit_code
    print_stderr(_WHY)
    return DIFFERENT


def _print(comparison: Comparison) -> None:
    console = Page()
    print_comparison(comparison, console, LABELS)
    if comparison.same:
        console.print(f"twice the same digest: {comparison.a.digest}", soft_wrap=True)


def _broken_off(ended: list[_Ended], as_json: bool) -> int:
    """One of them came to no outcome; its command has printed why."""
    last = ended[-1]
    if as_json:
        with reader_may_close():
            print_object(last.data)
    if len(ended) == 2 and last.exit_code != Interrupted.exit_code:
        print_stderr(["error: the first run came to its end, the second one did not"])
        return DIFFERENT
    return last.exit_code


def _outer(environment: Mapping[str, str]) -> dict[str, str]:
    """The environment of both: absolute paths, because the second run has another working directory."""
    outer = {key: value for key, value in environment.items() if key != REEXECUTED}
    places = outer.get("PYTHONPATH", "").split(os.pathsep)
    if any(places):
        outer["PYTHONPATH"] = os.pathsep.join(os.path.abspath(place) for place in places)
    return outer


def _otherwise(outer: dict[str, str]) -> dict[str, str]:
    return {**dict(reversed(outer.items())), OTHERWISE_VARIABLE: "1"}


def _run(command: list[str], environment: dict[str, str], folder: str | None) -> _Ended:
    # A group of its own: a signal of the terminal reaches it once, passed on by this process.
    with (
        subprocess.Popen(
            dies_with_parent(command),
            env=environment,
            cwd=folder,
            stdout=subprocess.PIPE,
            stdin=subprocess.DEVNULL,
            process_group=0,
        ) as process,
        _signals_passed_on(process),
    ):
        output, _ = process.communicate()
    try:
        data = msgspec.json.decode(output, type=dict[str, Any])
    except UNREADABLE as error:
        if (
            process.returncode == 2
        ):  # the command line itself was refused, with an error already printed
            raise InputError("nothing ran") from error
        raise InternalError(
            f"a run ended with status {process.returncode} and without an outcome"
        ) from error
    return _Ended(process.returncode, data)


@contextlib.contextmanager
def _signals_passed_on(process: subprocess.Popen[bytes]) -> Iterator[None]:
    def pass_on(number: int, _: FrameType | None) -> None:
        process.send_signal(number)

    before = {number: signal.signal(number, pass_on) for number in _PASSED_ON}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
