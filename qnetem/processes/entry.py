"""The start of our Python processes: `python -P entry.py MODULE ...` imports MODULE and calls its `main`.

Owns where they find modules. Rule: our code finds this very qnetem, the standard library and what is
installed; what else the launcher can import comes after, so that no `queue.py` of a user stands for the
library's. The working directory is not on the path (`-P`). `PYTHONPATH`, which would come first, is not set:
the launcher's path is in a variable of ours. Runs as a script and imports only the standard library by
itself.
"""

from __future__ import annotations

import importlib.util
import json
import os
import sys
from collections.abc import Mapping

#: The launcher's `sys.path` as JSON.
PATH_VARIABLE = "QNETEM_IMPORT_PATH"


def child_program(module: str) -> tuple[str, ...]:
    """The arguments after `python` that start a module of ours."""
    return "-P", os.path.abspath(__file__), module


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


def main(arguments: list[str]) -> int:
    """Run the `main` of the module that is named first, with the other arguments."""
    _import_ours()
    sys.path += [place for place in launchers_path(os.environ) if place not in sys.path]
    status: int = importlib.import_module(arguments[0]).main(arguments[1:])
    return status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
