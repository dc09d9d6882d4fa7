"""Which program's code runs on this thread, if any does, and at which virtual time.

Owns that question, for guards.py and clocks.py. A program's code runs inside a step (the thread's running
loop is a VirtualLoop), and while its modules are imported (`loading`), which is at 0 of virtual time.

Rule: an installed library may do at its own import whatever it does there, wherever that import happens:
libraries ask for the machine, seed generators, start a tool. So a refusal looks for the innermost module
that is being executed; an answer (a clock) is the same for all, and looks for nothing.
"""

from __future__ import annotations

import contextlib
import os
import site
import sysconfig
from _thread import get_ident
from asyncio import _get_running_loop, _set_running_loop
from collections.abc import Iterator
from types import FrameType

from ..loop.virtual_loop import VirtualLoop

#: By thread: the loop that stands for time 0 while a program is imported, and its package if it is a module.
_loading: dict[int, tuple[VirtualLoop, str]] = {}
#: What runs a program's code; no module frame outside of it counts.
_RUNNERS = frozenset(("qnetem.agents.loop.virtual_loop", "qnetem.agents.node.program"))


def _library_folders() -> tuple[str, ...]:
    """As they are named and as they are; ours under both of its names."""
    paths = [sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib")]
    paths += [*site.getsitepackages(), site.getusersitepackages(), os.path.dirname(os.__file__)]
    ours = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    packages = [ours, os.path.dirname(ours)]
    folders = {each for path in paths + packages for each in (path, os.path.realpath(path))}
    return tuple(sorted(os.path.join(folder, "") for folder in folders))


_LIBRARIES = _library_folders()


def current() -> VirtualLoop | None:
    """The loop whose time this thread's program is at; None when no program's code runs here.

    Outside of programs the answer comes first: the ordinary loop asks for the time at every turn.
    """
    loop = _get_running_loop()
    if isinstance(loop, VirtualLoop):
        return loop
    if _loading:
        found = _loading.get(get_ident())
        return found[0] if found is not None else None
    return None


@contextlib.contextmanager
def loading(module: str = "", epoch_ns: int = 0) -> Iterator[None]:
    """While a program is imported; `module` is the dotted name of one that is no file's."""
    thread = get_ident()
    before = _loading.get(thread)
    loop = VirtualLoop("localhost")
    loop.epoch_ns = epoch_ns
    _loading[thread] = loop, module.partition(".")[0]
    try:
        yield
    finally:
        if before is None:
            del _loading[thread]
        else:
            _loading[thread] = before


@contextlib.contextmanager
def aside() -> Iterator[None]:
    """While a signal handler of ours runs: it may come in the middle of a step, and is no program's code."""
    loop, thread = _get_running_loop(), get_ident()
    imported = _loading.pop(thread, None)
    _set_running_loop(None)
    try:
        yield
    finally:
        _set_running_loop(loop)
        if imported is not None:
            _loading[thread] = imported


def guarded(frame: FrameType | None) -> VirtualLoop | None:
    """As `current`, but None while a library is imported; `frame` is where the call comes from."""
    loop = current()
    if loop is None:
        return None
    while frame is not None:
        module = frame.f_globals.get("__name__", "")
        if module in _RUNNERS:
            return loop
        file = frame.f_code.co_filename
        if frame.f_code.co_name == "<module>" and not file.startswith("<"):
            return None if is_library(file) and not _is_programs(module) else loop
        frame = frame.f_back
    return loop


def is_library(file: str) -> bool:
    """Whether a source file is of the standard library, installed, or ours; so is what names no file."""
    return file.startswith(_LIBRARIES) or not os.path.isabs(file)


def _is_programs(module: str) -> bool:
    """Whether a module is of the package whose program is being imported."""
    found = _loading.get(get_ident())
    return found is not None and found[1] == module.partition(".")[0] != "qnetem"
