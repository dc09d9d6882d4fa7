"""Programs: from `module:Class` or `./file.py:Class` to a class.

Owns importing; what `with` gives a program is in options.py. Runs in the front door (to refuse before
anything starts) and in each node.

Rule: a program file is imported under a name made from its path, once per run, with its folder on
`sys.path` as a script's would be; programs keep no module state, because in-process runs share modules.
"""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
import inspect
import sys
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

from ..emulator.errors import ProgramError
from .suggestions import instead
from .traces import headline

if TYPE_CHECKING:
    from .agent import Agent

#: The modules made from program files for the present run.
_present: set[str] = set()


def load_program(spec: str, base: Path | None = None) -> type[Agent]:
    """The Agent subclass that `spec` names; file paths are relative to `base`.

    Raises ProgramError when there is no such module, file or class, or it is no Agent.
    """
    from .agent import Agent

    place, _, name = spec.rpartition(":")
    if not place or not name:
        raise ProgramError(f'program {spec!r}: expected "module:Class" or "./file.py:Class"')
    module = _load_file(spec, place, base) if place.endswith(".py") else _load_module(spec, place)
    found = getattr(module, name, None)
    if found is None:
        known = [key for key, item in vars(module).items() if _is_agent(item, Agent)]
        raise ProgramError(f"program {spec!r}: it has no {name!r}{instead(name, known)}")
    if not _is_agent(found, Agent):
        raise ProgramError(f"program {spec!r}: {name} is not a subclass of qnetem.Agent")
    if not inspect.iscoroutinefunction(found.run):
        raise ProgramError(f"program {spec!r}: {name}.run must be `async def`")
    program: type[Agent] = found
    return program


def forget_program_files() -> None:
    """Have every program file imported anew when it is named next: runs share no state of it.

    Until then the module stays: a run that is not over may look its types up in it. Modules that the
    file imports stay, as does a program named "module:Class".
    """
    _present.clear()


def _is_agent(item: object, root: type[Agent]) -> bool:
    return isinstance(item, type) and issubclass(item, root) and item is not root


def _not_imported(spec: str, error: BaseException) -> ProgramError:
    what = f"SyntaxError: {error.msg}" if isinstance(error, SyntaxError) else headline(error)
    return ProgramError(f"program {spec!r}: importing it raised {what}")


def _load_module(spec: str, name: str) -> ModuleType:
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        raise ProgramError(f"program {spec!r}: {error}") from error
    except (Exception, SystemExit) as error:  # whatever the user's module raises when imported
        raise _not_imported(spec, error) from error


def _load_file(spec: str, place: str, base: Path | None) -> ModuleType:
    path = (base / place if base is not None else Path(place)).resolve()
    name = f"qnetem_program_{path.stem}_{hashlib.blake2b(str(path).encode()).hexdigest()[:8]}"
    if name in _present:
        return sys.modules[name]
    if not path.is_file():
        raise ProgramError(f"program {spec!r}: there is no file {path}")
    loader_spec = importlib.util.spec_from_file_location(name, path)
    if loader_spec is None or loader_spec.loader is None:
        raise ProgramError(f"program {spec!r}: {path} is not a Python file")
    module = importlib.util.module_from_spec(loader_spec)
    sys.modules[name] = module
    if str(path.parent) not in sys.path:
        sys.path.append(str(path.parent))
    try:
        loader_spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:  # whatever the user's file raises when imported
        del sys.modules[name]
        raise _not_imported(spec, error) from error
    _present.add(name)
    return module
