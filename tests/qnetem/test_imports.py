"""What each process of a run imports: a new package here costs every run, so it is named and decided."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

#: Prints the top-level modules that the statements have imported and the standard library does not have.
_FOUND = """
import json, sys
before = set(sys.modules)
{statements}
tops = {{name.partition(".")[0] for name in set(sys.modules) - before}}
print(json.dumps(sorted(tops - set(sys.stdlib_module_names) - {{"qnetem"}})))
"""
#: What has no name in common with the package that brings it: compiled parts of numpy, Python's own table.
_PARTS = ("_cython_", "cython_runtime", "_sysconfigdata_")
_PYDANTIC = {
    "pydantic",
    "pydantic_core",
    "annotated_types",
    "typing_extensions",
    "typing_inspection",
}
_TYPER = {"typer", "shellingham", "annotated_doc", "click"}
_NODE = {"aiomqtt", "paho", "msgspec", "numpy", "typing_extensions"}
#: Pays for itself within a second of frames and messages; imported once for all nodes, and beside the broker.
_LOOP = {"uvloop"}
#: Who -> how it imports, and the packages that it may load.
BUDGETS: dict[str, tuple[str, set[str]]] = {
    "the command before its children": (
        "import qnetem.cli.start, qnetem.launcher.early, qnetem.processes.reexecution, qnetem.version",
        set(),
    ),
    "the command line": ("import qnetem.cli.main", _TYPER),
    "the launcher": (
        "import qnetem.cli.main, qnetem.cli.progress, qnetem.api, qnetem.launcher.launcher",
        {"msgspec", "numpy", "yaml"} | _PYDANTIC | _TYPER,
    ),
    "the emulator": (
        "from qnetem.emulator.service import server; server.preload()",
        {"msgspec", "numpy", "stim"} | _PYDANTIC | _LOOP,
    ),
    "a key service that serves no clients": ("import qnetem.agents.keys.key_service", _NODE),
    "the zygote": ("from qnetem.launcher import zygote; zygote.preload()", _NODE | _LOOP),
}


@pytest.mark.parametrize("who", BUDGETS)
def test_a_process_imports_what_its_budget_lists_and_nothing_else(who: str) -> None:
    """To load another package everywhere, put it into the list above and say why it is worth its time."""
    statements, budget = BUDGETS[who]
    done = subprocess.run(
        [sys.executable, "-c", _FOUND.format(statements=statements)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found = {name for name in json.loads(done.stdout) if not name.startswith(_PARTS)}
    assert found <= budget, f"{who} imports {sorted(found - budget)}, which is not in its budget"
