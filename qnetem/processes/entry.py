"""The start of our Python processes: `python -P entry.py MODULE ...` imports MODULE and calls its `main`.

A MODULE with much to import does that in its `preload`. `python -P entry.py early MODULE CHANNEL_FD` waits
after that for the frame `Begin` (spawn.py) with the other arguments.

Owns where they find modules. Rule: our code finds this very qnetem, the standard library and what is
installed; what else the launcher can import comes after, so that no `queue.py` of a user stands for the
library's. The working directory is not on the path (`-P`). `PYTHONPATH`, which would come first, is not set:
the launcher's path is in a variable of ours. Runs as a script and imports only the standard library by
itself.
"""

from __future__ import annotations

import gc
import importlib.util
import json
import os
import sys
from collections.abc import Mapping

#: The launcher's `sys.path` as JSON.
PATH_VARIABLE = "QNETEM_IMPORT_PATH"
EARLY = "early"


def child_program(module: str, early: bool = False) -> tuple[str, ...]:
    """The arguments after `python` that start a module of ours; `early`: it waits for `Begin`."""
    return "-P", os.path.abspath(__file__), *([EARLY] if early else []), module


def import_path() -> str:
    """What this process can import, for `PATH_VARIABLE`: its nodes import their programs along it."""
    return json.dumps([os.path.abspath(place) for place in sys.path])


def launchers_path(environment: Mapping[str, str]) -> list[str]:
    """The `sys.path` of the launcher; our own, where a process has been started without it."""
    found = environment.get(PATH_VARIABLE)
    return sys.path[:] if found is None else json.loads(found)


def _import_ours() -> None:
    """Import the package that this file is in, whatever else has its name."""
    home = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    init = os.path.join(home, "__init__.py")
    spec = importlib.util.spec_from_file_location("qnetem", init, submodule_search_locations=[home])
    assert spec is not None and spec.loader is not None
    module = sys.modules["qnetem"] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)


def _add_launchers_path() -> None:
    sys.path += [place for place in launchers_path(os.environ) if place not in sys.path]


def _begun(number: str) -> list[str] | None:
    """The arguments of a child that was started early; None if it is not needed."""
    import socket

    from qnetem.processes.spawn import receive_begin

    with socket.socket(fileno=int(number)) as stream:
        begin = receive_begin(stream)
        stream.detach()
    if begin is None:
        return None
    os.environ[PATH_VARIABLE], words = begin
    _add_launchers_path()
    return [number, *words]


def main(arguments: list[str]) -> int:
    """Run the `main` of the module that is named first, with the other arguments."""
    early = arguments[0] == EARLY
    name, *words = arguments[1:] if early else arguments
    _import_ours()
    _add_launchers_path()
    gc.disable()  # imports make no garbage worth a collection
    module = importlib.import_module(name)
    getattr(module, "preload", lambda: None)()
    if early:
        begun = _begun(*words)
        if begun is None:
            return 0
        words = begun
    gc.enable()
    status: int = module.main(words)
    return status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
