"""Programs: from `module:Class` or `./file.py:Class` to a class, and `with` to the arguments of `run()`.

Owns importing and fitting. Runs in the front door (to refuse before anything starts) and in each node.

Rule: a program file is imported under a name made from its path, once per run, with its folder on
`sys.path` as a script's would be; programs keep no module state, because in-process runs share modules.
"""

from __future__ import annotations

import difflib
import hashlib
import importlib
import importlib.util
import inspect
import sys
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, get_type_hints

import msgspec

from ..emulator.errors import ProgramError
from .traces import headline

if TYPE_CHECKING:
    from .agent import Agent

#: An error lists so many names of what there is.
_MOST_NAMES = 8
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
        raise ProgramError(f"program {spec!r}: it has no {name!r}{_instead(name, known)}")
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


def fit_options(program: type[Agent], options: dict[str, Any]) -> dict[str, Any]:
    """`options` (YAML `with`) as keyword arguments of `program.run`, converted by its annotations.

    Raises ProgramError that names the option, what was expected and what stands there.
    """
    parameters = _parameters(program)
    anything = any(p.kind is inspect.Parameter.VAR_KEYWORD for p in parameters.values())
    names = [n for n, p in parameters.items() if p.kind is not inspect.Parameter.VAR_KEYWORD]
    for name in options:
        if name not in names and not anything:
            instead = _instead(name, names, "it takes")
            raise ProgramError(f"{program.__name__}.run() takes no {name!r}{instead}")
    for name in names:
        if parameters[name].default is inspect.Parameter.empty and name not in options:
            raise ProgramError(f"{program.__name__}.run() needs {name!r}")
    hints = _hints(program)
    return {name: _convert(program, name, value, hints) for name, value in options.items()}


def _parameters(program: type[Agent]) -> dict[str, inspect.Parameter]:
    parameters = dict(inspect.signature(program.run).parameters)
    parameters.pop("self", None)
    return parameters


def _hints(program: type[Agent]) -> dict[str, Any]:
    try:
        return get_type_hints(program.run)
    except (NameError, TypeError, AttributeError) as error:
        raise ProgramError(f"the annotations of {program.__name__}.run(): {error}") from error


def _convert(program: type[Agent], name: str, value: Any, hints: dict[str, Any]) -> Any:
    hint = hints.get(name)
    if hint is None:
        return value
    try:
        return msgspec.convert(value, hint)
    except (msgspec.ValidationError, TypeError) as error:
        shown = getattr(hint, "__name__", str(hint))
        raise ProgramError(
            f"{program.__name__}.run({name}: {shown}) does not take {value!r}: {error}"
        ) from error


def _is_agent(item: object, root: type[Agent]) -> bool:
    return isinstance(item, type) and issubclass(item, root) and item is not root


def _instead(name: str, known: list[str], has: str = "it has") -> str:
    """`; did you mean 'Bob'?`, or what there is."""
    near = difflib.get_close_matches(name, known, 1)
    if near:
        return f"; did you mean {near[0]!r}?"
    more = f" and {len(known) - _MOST_NAMES} more" if len(known) > _MOST_NAMES else ""
    return f" ({has} {', '.join(known[:_MOST_NAMES]) or 'none'}{more})"


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
