"""Our Python processes find what is ours, whatever lies where they are started or on the launcher's path."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from qnetem.processes.entry import PATH_VARIABLE, child_program, import_path, launchers_path
from qnetem.processes.environment import environment

#: Each of them would be imported by one of our processes.
TRAPS = ("queue", "random", "typing", "numpy", "msgspec", "asyncio", "json", "qnetem", "emulator")
#: A module as a child is started with: it says what it has found.
FOUND = """
import json, queue, sys, random
import qnetem, only_here
def main(arguments):
    files = [module.__file__ for module in (queue, random, qnetem, only_here)]
    print(json.dumps([arguments, files, sys.path]))
    return 3
"""


@pytest.fixture
def traps(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory, which is also on the launcher's path, full of files with other modules' names."""
    for name in TRAPS:
        (tmp_path / f"{name}.py").write_text("raise SystemExit('an experiment, not a library')")
    (tmp_path / "only_here.py").write_text("")
    (tmp_path / "found_here.py").write_text(FOUND)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_child_finds_ours_first_and_the_launchers_modules_after(traps: Path) -> None:
    outer = environment(os.environ | {PATH_VARIABLE: json.dumps([str(traps)])})
    command = [sys.executable, *child_program("found_here"), "5"]
    done = subprocess.run(command, env=outer, capture_output=True, text=True, check=False)
    assert done.returncode == 3, done.stderr
    arguments, files, path = json.loads(done.stdout)
    assert arguments == ["5"]
    assert [Path(file).parent == traps for file in files] == [False, False, False, True]
    assert path[-1] == str(traps)


@pytest.mark.parametrize("arguments", [["--version"], ["validate", "sub/t.yaml"]])
def test_the_command_is_the_same_in_any_working_directory(
    traps: Path, arguments: list[str]
) -> None:
    """`python -m qnetem`: Python looks into the working directory for that name, but for no other."""
    (traps / "qnetem.py").unlink()
    (traps / "sub").mkdir()
    (traps / "sub" / "p.py").write_text(
        "import helper\nfrom qnetem import Agent\n"
        "class A(Agent):\n    async def run(self):\n        return helper.WHO\n"
    )
    (traps / "sub" / "helper.py").write_text("WHO = 1\n")
    nodes = "alice: {program: './p.py:A'}\n  bob: {program: './p.py:A'}"
    text = f"name: t\nnodes:\n  {nodes}\nlinks:\n  - {{between: [alice, bob]}}\n"
    (traps / "sub" / "t.yaml").write_text(text)
    command = [sys.executable, "-m", "qnetem", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_the_launchers_path_is_handed_on_without_the_working_directory(
    traps: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An entry that means "where we are" is what it means now, whatever its name holds."""
    monkeypatch.setattr(sys, "path", ["", "/a:b", "/not\udcffutf-8"])
    found = launchers_path({PATH_VARIABLE: import_path()})
    assert found == [str(traps), "/a:b", "/not\udcffutf-8"]
