"""What can be run: a topology file, the same as text or as data, or a `Topology`.

Owns telling them apart, and a program given as a class. Does not own what a topology says
(emulator/topology). Rule: a class is only a way to write its name, because the process of a node imports
its program anew: from the file of the class, or by the name of its module where that is in a package.
"""

from __future__ import annotations

import inspect
import math
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from .agents.agent import Agent
from .agents.secret import Secret
from .emulator.errors import InputError, ProgramError
from .emulator.loading import Topology, build_topology, load_topology, parse_topology
from .emulator.loading.loader import MoreFaults
from .emulator.topology.written.overrides import Overrides
from .emulator.topology.written.problems import dotted

#: A path, a YAML text (it has more than one line), the same as data, or what `load_topology` gives.
Source = str | Path | Mapping[str, Any] | Topology

_INTEGERS = range(-(2**63), 2**63)


def read_source(
    source: Source,
    *,
    folder: Path | None = None,
    faults: MoreFaults = (),
    overrides: Overrides = (),
) -> Topology:
    """The topology that `source` is, with `overrides` of its values and more `faults` than it has.

    `folder`: where a relative path, and "./file.py:Class" in text or data, is looked for (None: the
    current folder). In data, a program may be a subclass of Agent. Raises TopologyError, ProgramError
    for a class that has no name to be imported by, InputError.
    """
    if isinstance(overrides, Mapping):
        overrides = plain_data(overrides, ("overrides",))
    extra = [plain_data(entry, ("faults", index)) for index, entry in enumerate(faults)]
    if isinstance(source, Topology):
        for what, given in (("faults", extra), ("overrides", overrides)):
            if given:
                complete = "a file, a text or data; this Topology is complete"
                raise InputError(f"`{what}` go with {complete}")
        return source
    if isinstance(source, Mapping):
        return build_topology(plain_data(source), folder=folder, faults=extra, overrides=overrides)
    if isinstance(source, str) and "\n" in source:
        return parse_topology(source, folder=folder, faults=extra, overrides=overrides)
    if isinstance(source, (str, Path)):
        return load_topology(source if folder is None else folder / source, extra, overrides)
    raise InputError(
        "expected the path of a topology, its text, a mapping or a Topology, "
        f"not {type(source).__name__}"
    )


def program_name(program: type[Agent]) -> str:
    """By which name every process can import `program`. Raises ProgramError if there is none."""
    module = sys.modules.get(program.__module__)
    shown = f"program {program.__module__}.{program.__qualname__}"
    if module is None or getattr(module, program.__name__, None) is not program:
        raise ProgramError(f"{shown}: a process can import only classes at the top of a module")
    spec = module.__spec__
    package = sys.modules.get(spec.parent or "") if spec is not None else None
    if spec is not None and getattr(package, "__file__", None):
        return f"{spec.name}:{program.__name__}"
    file = inspect.getsourcefile(program) if getattr(module, "__file__", None) else None
    if file is None:
        raise ProgramError(f"{shown}: its module has no file to import it from")
    return f"{Path(file).resolve()}:{program.__name__}"


def plain_data(value: Any, path: tuple[str | int, ...] = ()) -> Any:
    """`value` as a YAML file could say it. Raises InputError with the path of what it cannot say."""
    if isinstance(value, Mapping):
        return {_key(key, path): plain_data(item, (*path, str(key))) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain_data(item, (*path, index)) for index, item in enumerate(value)]
    if isinstance(value, type) and issubclass(value, Agent):
        return program_name(value)
    if value is None or isinstance(value, (str, bool)):
        return value
    if isinstance(value, int) and value in _INTEGERS:
        return value
    if isinstance(value, float) and math.isfinite(value):
        return value
    if isinstance(value, Secret):
        problem = "a Secret is not copied into a topology, which is recorded as it is written"
        raise InputError(f"<data>: {dotted(path)}: {problem}: make it in the program")
    if isinstance(value, datetime):  # as text; one without a zone stays one without a zone
        return (value if value.tzinfo is None else value.astimezone(UTC)).isoformat()
    raise InputError(f"<data>: {dotted(path)}: YAML cannot say {value!r} ({type(value).__name__})")


def _key(key: object, path: tuple[str | int, ...]) -> str:
    if not isinstance(key, str):
        raise InputError(f"<data>: {dotted(path)}: a key is text, not {key!r}")
    return key
