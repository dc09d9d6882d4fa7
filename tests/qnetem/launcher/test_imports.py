"""Which modules of ours the programs of a topology import."""

from __future__ import annotations

from pathlib import Path

from qnetem.emulator.loading import load_topology
from qnetem.launcher.imports import modules_of_programs

PROGRAM = """
from __future__ import annotations
import asyncio, qnetem.agents.protocols.cleanup
import numpy as np
from qnetem import Agent
from qnetem.agents.protocols.swapping import LongPairs
from .neighbour import thing

def late():
    from qnetem.agents.protocols.sealing import Seal

class P(Agent):
    async def run(self): ...
"""
NETWORK = """
name: some
seed: 1
nodes:
  alice: {program: "./p.py:P"}
  bob: {program: "./p.py:P", services: {link: {}}}
  carol: {program: "./broken.py:P"}
  dave: {program: "./gone.py:P"}
  erin: {program: "qnetem.agents.protocols.teleportation:Sender"}
  frank: {program: "somewhere.else:P"}
"""


def test_they_are_those_named_at_the_top_of_files_and_as_programs_and_no_others(
    tmp_path: Path,
) -> None:
    (tmp_path / "p.py").write_text(PROGRAM)
    (tmp_path / "broken.py").write_text("from qnetem.agents. import")
    (tmp_path / "some.yaml").write_text(NETWORK)
    topology = load_topology(tmp_path / "some.yaml")
    service = topology.nodes["bob"].services["link"].program.partition(":")[0]
    assert modules_of_programs(topology) == sorted([
        service,
        "qnetem.agents.protocols.cleanup",
        "qnetem.agents.protocols.swapping",
        "qnetem.agents.protocols.teleportation",
    ])  # fmt: skip
    assert service.startswith("qnetem.agents.")
