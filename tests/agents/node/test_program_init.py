"""A program's `__init__` is checked before anything runs: its arguments, and what it uses."""

from __future__ import annotations

from pathlib import Path

import pytest

import qnetem
from qnetem.agents.node.program import load_program
from qnetem.emulator.errors import ProgramError, TopologyError

HEAD = "from dataclasses import dataclass\nfrom qnetem import Agent\n"
RUN = "    async def run(self): return vars(self).get('rounds')\n"


def load(tmp_path: Path, text: str) -> type[qnetem.Agent]:
    (tmp_path / "mine.py").write_text(HEAD + text + RUN)
    return load_program("./mine.py:Alice", tmp_path)


@pytest.mark.parametrize(
    ("text", "line", "why"),
    [
        (
            "class Alice(Agent):\n    def __init__(self):\n        self.rounds = 3\n",
            4,
            "takes nothing",
        ),
        (
            (
                "class Alice(Agent):\n    def __init__(self, node, rounds):\n"
                "        super().__init__(node)\n"
            ),
            4,
            r"takes node, rounds, but is called with the node alone",
        ),
        (
            "class Alice(Agent):\n    def __init__(self, node):\n        self.rounds = 3\n",
            4,
            r"never calls super\(\).__init__\(node\): options are arguments of run",
        ),
        ("@dataclass\nclass Alice(Agent):\n    rounds: int = 3\n", 3, "never calls super"),
        (
            (
                "class Alice(Agent):\n    def __init__(self, node):\n        self.rounds = 1\n"
                "        self.bits = self.rng.integers(2)\n        super().__init__(node)\n"
            ),
            6,
            r"uses self.rng before super\(\).__init__",
        ),
        (
            (
                "class Base(Agent):\n    def __init__(self, node):\n        pass\n"
                "class Alice(Base):\n    def __init__(self, node):\n        super().__init__(node)\n"
            ),
            4,
            r"Base.__init__ never calls super",
        ),
    ],
)
def test_an_init_that_cannot_work_is_refused_with_class_file_and_line(
    tmp_path: Path, text: str, line: int, why: str
) -> None:
    with pytest.raises(ProgramError, match=why) as raised:
        load(tmp_path, text)
    assert str(raised.value).endswith(f"({tmp_path / 'mine.py'}, line {line})")


@pytest.mark.parametrize(
    "text",
    [
        "class Alice(Agent):\n    pass\n",
        (
            "class Alice(Agent):\n    def __init__(self, node):\n        self.rounds = 3\n"
            "        super().__init__(node)\n        self.bit = self.rng.integers(2)\n"
        ),
        (
            "class Alice(Agent):\n    def __init__(self, *args, **kwargs):\n"
            "        Agent.__init__(self, *args, **kwargs)\n        self.rounds = len(self.links)\n"
        ),
        (
            "class Alice(Agent):\n    def __init__(self, node, rounds=3):\n        later = lambda: self.rng\n"
            "        super().__init__(node)\n        self.rounds = rounds\n        later()\n"
        ),
        (
            "class Mixin:\n    def __init__(self, *rest):\n        super().__init__(*rest)\n"
            "class Alice(Mixin, Agent):\n    pass\n"
        ),
    ],
)
def test_an_init_that_works_is_taken(tmp_path: Path, text: str) -> None:
    load(tmp_path, text)
    file = tmp_path / "one.yaml"
    file.write_text('{name: one, nodes: {alice: {program: "./mine.py:Alice"}}}')
    run = qnetem.run(file, in_process=True, runs_folder=tmp_path / "runs")
    run.assert_ok()


def test_a_file_with_such_a_program_is_refused_at_its_place(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(
        HEAD + "class Alice(Agent):\n    def __init__(self): ...\n" + RUN
    )
    (tmp_path / "net.yaml").write_text('name: net\nnodes:\n  alice: {program: "./mine.py:Alice"}\n')
    with pytest.raises(
        TopologyError, match=r"net.yaml:3:20: node alice: Alice.__init__ takes nothing"
    ):
        qnetem.run(tmp_path / "net.yaml", in_process=True, runs_folder=tmp_path / "runs")
