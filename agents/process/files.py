"""The files of one incarnation: its log, its stacks, its journal of what it received and did.

Owns how they are opened and written; what is in them comes from process.py. Everything is private to
the user (mode 0600): a payload may be a key.
"""

from __future__ import annotations

import contextlib
import faulthandler
import io
import os
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType
from typing import Any

import msgspec

from ...emulator.errors import InfrastructureError
from ...emulator.wire import HEADER, UNDER_A_DEBUGGER, Failed, Grant, Release, Report, Welcome
from ...emulator.wire.compressed import CompressedMembers, TailedFile
from ..guards.running_program import aside
from ..tracebacks import program_stack

#: So many records are written at once, if `flush` is not called before.
_MOST_RECORDS = 1_000
#: Characters gather in the text layer above: the bytes below it need no room of their own.
_LOG_BYTES = 512
_length = HEADER.pack
_encode = msgspec.msgpack.Encoder().encode


class Payload(msgspec.Struct, array_like=True, tag=True):
    """One MQTT message as it came in: a record of the journal."""

    source: str
    data: bytes


JournalRecord = Welcome | Grant | Release | Payload | Report | Failed


class Gathered:
    """`size`: bytes of all records that journals of one process hold in memory."""

    __slots__ = ("size",)

    def __init__(self) -> None:
        self.size = 0


class NodeJournal:
    """Appends what a node received and did, framed as on the wire, in the order in which it happened.

    Welcome comes first; then Grants, Releases and Payloads as they came in, and after each step the
    Report (or Failed) that it ended with. Nothing in it is secret to the run: a Hello, which holds the
    token, is neither. Gathered in memory until `flush`, which a shell calls before the emulator can know
    of a step: so the file of a killed process holds every step that counts. A replay reads it with
    `decode_record`. Raises InfrastructureError when the disk does not take it.

    `gathered`: of journals that share a process, in which none keeps its file open; None: it is alone.
    """

    def __init__(self, path: Path, gathered: Gathered | None = None) -> None:
        self._path = path
        self._frames: list[bytes] = []
        self._gathered = gathered
        self._file: TailedFile | CompressedMembers
        with self._named():
            path.parent.mkdir(exist_ok=True)
            self._file = TailedFile(path) if gathered is None else CompressedMembers(path)

    def body(self, body: bytes) -> None:
        """A frame of the emulator, whose body came."""
        self._frames.append(_length(len(body)) + body)

    def frame(self, frame: bytes) -> None:
        """A frame to the emulator, as it goes out."""
        self._frames.append(frame)

    def payload(self, source: str, data: bytes) -> None:
        """A message of the broker."""
        self.body(_encode(Payload(source, data)))

    def record(self, record: JournalRecord) -> None:
        """Whatever the record is; written to the file whenever there are many."""
        frames, gathered = self._frames, self._gathered
        self.body(_encode(record))
        if gathered is not None:
            gathered.size += len(frames[-1])
        if len(frames) > _MOST_RECORDS:
            self.flush()

    def flush(self) -> None:
        """Hand everything to the operating system: it outlives this process from now on."""
        frames = self._frames
        if not frames:
            return
        self._frames = []
        if self._file.closed:  # it has been given up
            return
        if self._gathered is not None:
            self._gathered.size -= sum(map(len, frames))
        try:
            self._file.append(b"".join(frames))
        except OSError as error:
            raise _refused(self._path, error) from error

    def close(self) -> None:
        """Flush and close; may be called again."""
        if self._file.closed:
            return
        try:
            self.flush()
        finally:
            with self._named():
                self._file.close()

    @contextlib.contextmanager
    def _named(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise _refused(self._path, error) from error


decode_record: Callable[[bytes], JournalRecord] = msgspec.msgpack.Decoder(JournalRecord).decode


class _LogFile(io.FileIO):
    """A file whose `write` never fails: `trouble` is why something is missing in it."""

    def __init__(self, file: int, path: Path) -> None:
        super().__init__(file, "w", closefd=False)
        self._path = path
        self.trouble: InfrastructureError | None = None

    def write(self, data: Any) -> int:
        try:
            return super().write(data)
        except OSError as error:
            self.trouble = self.trouble or _refused(self._path, error)
            return memoryview(data).nbytes


class UnheldLogFile(io.RawIOBase):
    """The same for one of thousands of logs: it is opened for each write, and holds no descriptor.

    `troubles`: where it says so too. The logs of a process share it: none is looked at after each step.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self.trouble: InfrastructureError | None = None
        self.troubles: list[InfrastructureError] = []
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600))

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        try:
            with open(self._path, "ab", buffering=0) as file:
                return file.write(data)
        except OSError as error:
            self.trouble = self.trouble or _refused(self._path, error)
            self.troubles.append(self.trouble)
            return memoryview(data).nbytes


class Log(io.TextIOWrapper):
    """What programs print to. On a full disk the run ends, by its shell; no `print` in a program fails.

    `file`: a path, which is opened for each write, or a descriptor that is open already; `by_line`: written
    out after every line; `trouble`: why the descriptor is not that of the file. Raises OSError when the file
    cannot be opened.
    """

    def __init__(
        self,
        file: Path | int,
        path: Path,
        by_line: bool = False,
        trouble: InfrastructureError | None = None,
    ) -> None:
        self.file = _LogFile(file, path) if isinstance(file, int) else UnheldLogFile(file)
        self.file.trouble = trouble
        file_buffer = io.BufferedWriter(self.file, _LOG_BYTES)
        super().__init__(file_buffer, "utf-8", "backslashreplace", line_buffering=by_line)

    @property
    def trouble(self) -> InfrastructureError | None:
        """Why something is missing in it, if something is."""
        return self.file.trouble


def redirect_output(path: Path) -> list[Log]:
    """Have stdout and stderr of this process go to the file, line by line, and stdin be empty.

    Where there can be no such file what is printed is lost, and the logs say why (`trouble`).
    """
    trouble = None
    try:
        log = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    except OSError as error:
        log = os.open(os.devnull, os.O_WRONLY)
        trouble = InfrastructureError(f"{path} cannot be written: {error.strerror or error}")
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.dup2(log, 1)
    os.dup2(log, 2)
    os.close(nothing)
    os.close(log)
    sys.stdout, sys.stderr = logs = Log(1, path, True, trouble), Log(2, path, True, trouble)
    return list(logs)


def answer_stack_signal(path: Path, stacks: Callable[[], str]) -> None:
    """From now on SIGUSR1 writes `stacks()` and the running Python frame to the file.

    Works while the program spins in Python. If it spins in C, the handler of the interpreter cannot
    run; then the C-level one still writes the frames to the log (stderr). The file appears complete
    or not at all.
    """

    @aside()
    def write(number: int, current: FrameType | None) -> None:
        head = f"{UNDER_A_DEBUGGER}\n" if debugged() else ""
        running = program_stack(current)
        unfinished = path.with_suffix(".unfinished")
        with open(unfinished, "w", -1, "utf-8", "backslashreplace", opener=_private) as file:
            file.write(f"{head}{stacks()}the process is at:\n{running}")
        os.replace(unfinished, path)

    signal.signal(signal.SIGUSR1, write)
    faulthandler.register(signal.SIGUSR1, file=2, all_threads=False, chain=True)


def debugged() -> bool:
    """Whether a debugger traces this thread, by the old interface or by that of Python 3.12."""
    if sys.gettrace() is not None:
        return True
    monitoring = getattr(sys, "monitoring", None)
    return monitoring is not None and monitoring.get_tool(monitoring.DEBUGGER_ID) is not None


def _refused(path: Path, error: OSError) -> InfrastructureError:
    return InfrastructureError(f"{path} cannot be written: {error.strerror or error}")


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)
