"""The references are true: what they show is accepted, word for word, and runs."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import msgspec
import pytest

import qnetem
from qnetem.agents.node.program import load_program
from qnetem.agents.options.fitting import fit_options
from qnetem.emulator.faults.kinds import FAULT_KINDS
from qnetem.emulator.loading import parse_topology
from qnetem.sweeps.worker import as_data, run_task

from .qnetem.sweeps.runs import in_place

DOCS = Path(__file__).parent.parent / "docs"
PAGE = DOCS / "topology.md"


def test_the_topology_reference_is_one_valid_topology() -> None:
    blocks = re.findall(r"```yaml\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    head, nodes, links, faults, expect = blocks
    nodes += "  r1: {kind: repeater}\n  bob: {}\n"
    links = links.replace("name: backbone ", "name: alice-r1 ")
    links += "  - {between: [r1, bob], quantum: {length: 1 km}}\n"
    topology = parse_topology("".join([head, nodes, links, faults, expect]))
    assert topology.nodes["alice"].gates.two_ns == 10_000
    assert topology.links["alice-r1"].quantum is not None
    assert [fault.verb for fault in topology.faults] == ["cut", "kill", "loss", "delay"]
    assert list(topology.expect) == ["bob.qber", "bob.teleported.fidelity"]


def test_every_fault_has_a_row_that_names_its_parameters_and_its_examples_are_valid() -> None:
    page = (PAGE.parent / "faults.md").read_text(encoding="utf-8")
    table = page.partition("## The verbs")[2].partition("\n## ")[0]
    rows = dict(re.findall(r"^\| `(\w+)` \|(.*)\|$", table, re.MULTILINE))
    assert set(rows) == set(FAULT_KINDS)
    for verb, kind in FAULT_KINDS.items():
        target, parameters = rows[verb].split("|")[:2]
        aim = "node, link" if kind.target == "either" else kind.target
        assert target.strip() == aim
        named = {name.strip("[]` ").split(":")[0] for name in re.findall(r"`[^`]+`", parameters)}
        assert named == set(kind.parameters)
    net = (
        "name: x\nnodes: {alice: , r1: }\n"
        "links: [{between: [alice, r1], quantum: {length: 1 km}, classical: {latency: 1 ms}}]\n"
    )
    for block in re.findall(r"```yaml\n(faults:.*?)```", page, re.DOTALL):
        assert parse_topology(net + block).faults


def test_the_options_of_the_programs_page_are_taken(tmp_path: Path) -> None:
    page = (DOCS / "programs.md").read_text(encoding="utf-8")
    (program,) = re.findall(r"## Options.*?```python\n(.*?)```", page, re.DOTALL)
    (tmp_path / "planned.py").write_text(program, encoding="utf-8")
    found = fit_options(
        load_program("./planned.py:Alice", tmp_path),
        {"plan": {"table": "./table.csv", "pause": "3 ms"}},
        tmp_path,
    )
    assert (found["plan"].table, found["plan"].pause) == (tmp_path / "table.csv", 0.003)


def test_the_session_of_the_programs_page_survives_what_it_says(tmp_path: Path) -> None:
    page = (DOCS / "programs.md").read_text(encoding="utf-8")
    (program,) = re.findall(r"## Sessions.*?```python\n(.*?)```", page, re.DOTALL)
    (tmp_path / "sums.py").write_text(program, encoding="utf-8")
    ends = {
        name: {"program": f"./sums.py:{name.title()}", "with": {"timeout": "5 ms"}}
        for name in ("alice", "bob")
    }
    links = [{"between": ["alice", "bob"], "quantum": "none", "classical": {"latency": "1 ms"}}]
    (tmp_path / "sums.json").write_text(
        json.dumps({"name": "sums", "nodes": ends, "links": links}), encoding="utf-8"
    )
    faults = [
        {"at": "0 ms", "for": "8 ms", "cut": "alice-bob"},
        {"at": "12 ms", "kill": "bob", "restart": "1 ms"},
    ]
    run = qnetem.run(
        tmp_path / "sums.json", faults=faults, in_process=True, runs_folder=tmp_path / "runs"
    )
    run.assert_ok()
    assert run.results["alice"] == run.results["bob"]
    assert (run.results["bob"]["value"], run.results["bob"]["status"]) == (6, "confirmed")


def test_the_sweep_of_the_sweeps_page_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    readme = (DOCS.parent / "README.md").read_text(encoding="utf-8")
    for language, name in (("python", "coin.py"), ("yaml", "coin.yaml")):
        block = re.findall(rf"```{language}\n(.*?)```", readme, re.DOTALL)[0]
        (tmp_path / name).write_text(block, encoding="utf-8")

    def here(request: dict[str, Any]) -> list[dict[str, Any]]:
        found = as_data(request)
        return [msgspec.to_builtins(run_task(found.job, task)) for task in found.tasks]

    monkeypatch.chdir(tmp_path)
    in_place(monkeypatch, here)
    page = (DOCS / "sweeps.md").read_text(encoding="utf-8")
    (program,) = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    exec(program, {"__name__": "page"})
    assert capsys.readouterr().out.splitlines() == [
        f"{length} km 20.0 0.0 4" for length in (10, 20, 40)
    ]
    assert len((tmp_path / "out.csv").read_text().splitlines()) == 13
