"""Programs: from `module:Class` or `./file.py:Class` to a class; and the log that one writes.

Owns naming and finding; what `with` gives a program is in options/, what `import` means in a program file in
emulator/program_modules.py. Runs in qnetem/checks.py (to refuse before anything starts) and in each node.

Rules. A program file and its neighbours are imported anew for each run; a "module:Class" is what Python
finds along `sys.path`, once a process. What is executed at import is guarded like a step (guards.py).
Programs keep no module state, because the nodes of an in-process run share their modules.
"""

from __future__ import annotations

import importlib
import inspect
import logging
import sys
import traceback
from pathlib import Path
from types import ModuleType
from typing import IO, TYPE_CHECKING

from ...emulator.errors import ProgramError
from ...emulator.program_modules import ProgramModules, plainly
from ...emulator.units import format_ns
from ..guards import guards
from ..guards.running_program import is_library, loading
from ..loop.virtual_loop import VirtualLoop
from ..options.suggestions import instead
from ..tracebacks import headline, is_machinery
from .program_init import check_init

if TYPE_CHECKING:
    from ..agent import Agent


def load_program(
    spec: str,
    base: Path | None = None,
    modules: ProgramModules | None = None,
    epoch_ns: int = 0,
) -> type[Agent]:
    """The Agent subclass that `spec` names; file paths are relative to `base`.

    `modules`: those of the run (None: of nothing but this call); `epoch_ns`: what clocks show while it is
    imported. Raises ProgramError when there is no such module, file or class, it is no Agent, or its
    `__init__` cannot be called; with file and line where the user's code raised.
    """
    from ..service import Service

    found = _load(spec, base, modules, epoch_ns)
    if _is_agent(found, Service) or found is Service:
        name = spec.rpartition(":")[2]
        raise ProgramError(
            f"program {spec!r}: {name} is a Service: name it under `services:`, beside a program"
        )
    return found


def load_service(
    spec: str,
    base: Path | None = None,
    modules: ProgramModules | None = None,
    epoch_ns: int = 0,
) -> type[Agent]:
    """The Service subclass that `spec` names. Raises ProgramError as `load_program` does."""
    from ..service import Service

    found = _load(spec, base, modules, epoch_ns)
    if not _is_agent(found, Service):
        name = spec.rpartition(":")[2]
        raise ProgramError(f"service {spec!r}: {name} is not a subclass of qnetem.Service")
    return found


def _load(
    spec: str, base: Path | None, modules: ProgramModules | None, epoch_ns: int
) -> type[Agent]:
    from ..agent import Agent

    place, _, name = spec.rpartition(":")
    if not place or not name:
        raise ProgramError(f'program {spec!r}: expected "module:Class" or "./file.py:Class"')
    guards.install()
    if place.endswith(".py"):
        module = _load_file(spec, place, base, modules or ProgramModules(), epoch_ns)
    else:
        module = _load_module(spec, place, epoch_ns)
    found = getattr(module, name, None)
    if found is None:
        known = [key for key, item in vars(module).items() if _is_agent(item, Agent)]
        raise ProgramError(f"program {spec!r}: it has no {name!r}{instead(name, known)}")
    if not _is_agent(found, Agent):
        raise ProgramError(f"program {spec!r}: {name} is not a subclass of qnetem.Agent")
    if not inspect.iscoroutinefunction(found.run):
        raise ProgramError(f"program {spec!r}: {name}.run must be `async def`")
    check_init(found, Agent)
    program: type[Agent] = found
    return program


def _is_agent(item: object, root: type[Agent]) -> bool:
    return isinstance(item, type) and issubclass(item, root) and item is not root


def _not_imported(spec: str, error: BaseException) -> ProgramError:
    what = f"SyntaxError: {error.msg}" if isinstance(error, SyntaxError) else headline(error)
    return ProgramError(f"program {spec!r}: importing it raised {plainly(what)}{_raised_at(error)}")


def _raised_at(error: BaseException) -> str:
    """` (FILE, line N)`: where the user's code kept a module from being imported, if it did."""
    if isinstance(error, SyntaxError) and error.filename:
        return f" ({error.filename}, line {error.lineno})"
    frames = [f for f in traceback.extract_tb(error.__traceback__) if not _is_importing(f.filename)]
    users = [frame for frame in frames if not is_library(frame.filename)] or frames
    return f" ({users[-1].filename}, line {users[-1].lineno})" if users else ""


def _is_importing(file: str) -> bool:
    """Whether a frame is of what imports: ours, or the import system's."""
    return is_machinery(file) or file.startswith("<frozen ") or file == importlib.__file__


def _load_module(spec: str, name: str, epoch_ns: int) -> ModuleType:
    try:
        with loading(name, epoch_ns):
            return importlib.import_module(name)
    except ModuleNotFoundError as error:
        raise ProgramError(f"program {spec!r}: {error}{_raised_at(error)}") from error
    except (Exception, SystemExit) as error:  # whatever the user's module raises when imported
        raise _not_imported(spec, error) from error


def _load_file(
    spec: str, place: str, base: Path | None, modules: ProgramModules, epoch_ns: int
) -> ModuleType:
    path = (base / place if base is not None else Path(place)).resolve()
    if not path.is_file():
        raise ProgramError(f"program {spec!r}: there is no file {path}")
    try:
        with loading(epoch_ns=epoch_ns):
            return modules.load(path)
    except (Exception, SystemExit) as error:  # whatever the user's file raises when imported
        raise _not_imported(spec, error) from error


def program_logger(name: str, loop: VirtualLoop, stream: IO[str] | None) -> logging.Logger:
    """A logger of its own (not in the process-wide tree); virtual time comes first on each line."""
    logger = logging.Logger(name)  # noqa: LOG001 no other part of the process shares it
    handler = logging.StreamHandler(stream if stream is not None else sys.stderr)

    def stamp(record: logging.LogRecord) -> bool:
        record.virtual = format_ns(loop.now_ns)
        return True

    handler.addFilter(stamp)
    handler.setFormatter(logging.Formatter("%(virtual)s %(name)s %(levelname)s %(message)s"))
    logger.addHandler(handler)
    return logger
