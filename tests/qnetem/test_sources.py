"""What can be run: files, text and data are one topology; a class is its name."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from qnetem import Agent
from qnetem.agents.protocols.teleportation import Sender
from qnetem.emulator.errors import InputError, ProgramError, TopologyError
from qnetem.sources import program_name, read_source

TEXT = """\
name: pair
seed: 3
nodes:
  alice: {program: "./programs.py:Alice", with: {rounds: 2}}
  bob: {program: "./programs.py:Bob", memory: {t2: 1 s}}
links:
  - {between: [alice, bob], quantum: {length: 10 km}}
faults:
  - {at: 1 s, for: 1 s, cut: alice-bob}
"""
FAULT = {"at": "5 s", "for": "500 ms", "delay": "alice-bob", "by": "1 ms"}


def data(**changes: Any) -> dict[str, Any]:
    found = {
        "name": "pair",
        "seed": 3,
        "nodes": {
            "alice": {"program": "./programs.py:Alice", "with": {"rounds": 2}},
            "bob": {"program": "./programs.py:Bob", "memory": {"t2": "1 s"}},
        },
        "links": [{"between": ("alice", "bob"), "quantum": {"length": "10 km"}}],
        "faults": [{"at": "1 s", "for": "1 s", "cut": "alice-bob"}],
    }
    return {**found, **changes}


class Here(Agent):
    """Can be imported."""

    async def run(self) -> None:
        pass


def test_a_file_its_text_and_the_same_data_are_one_topology(tmp_path: Path) -> None:
    (tmp_path / "pair.yaml").write_text(TEXT, encoding="utf-8")
    sources = ["pair.yaml", Path("pair.yaml"), tmp_path / "pair.yaml", TEXT, data()]
    found = [read_source(source, folder=tmp_path).to_data() for source in sources]
    for each in found:
        each["faults"] = [{**fault, "place": None} for fault in each["faults"]]
    assert all(each == found[0] for each in found)
    assert found[0]["nodes"]["bob"]["program"] == f"{tmp_path}/programs.py:Bob"


@pytest.mark.parametrize("form", ["file", "text", "data"])
def test_faults_of_a_test_come_behind_those_of_the_topology(form: str, tmp_path: Path) -> None:
    (tmp_path / "pair.yaml").write_text(TEXT, encoding="utf-8")
    source = {"file": tmp_path / "pair.yaml", "text": TEXT, "data": data()}[form]
    topology = read_source(source, faults=[FAULT])
    assert [(fault.verb, fault.at_ns) for fault in topology.faults] == [
        ("cut", 10**9),
        ("delay", 5 * 10**9),
    ]
    without = "".join(TEXT.partition("links:")[:2]) + TEXT.partition("links:")[2].split("faults")[0]
    assert [fault.verb for fault in read_source(without, faults=[FAULT]).faults] == ["delay"]


def test_faults_of_a_test_join_a_schedule_beside_a_campaign() -> None:
    random = {"rate": "1 Hz", "kinds": ["cut"], "until": "3 s"}
    for faults in ({"random": random}, {"random": random, "schedule": data()["faults"]}):
        plain, broken = (read_source(data(faults=faults), faults=more) for more in ([], [FAULT]))
        assert broken.campaign == plain.campaign is not None
        verbs = [entry.verb for entry in broken.fault_entries]
        assert verbs == [*(entry.verb for entry in plain.fault_entries), "delay"]


def test_a_wrong_fault_of_a_test_is_named_by_its_number(tmp_path: Path) -> None:
    (tmp_path / "pair.yaml").write_text(TEXT, encoding="utf-8")
    with pytest.raises(TopologyError, match=r"pair\.yaml: faults\[1\]: unknown fault 'cat'.*'cut'"):
        read_source(tmp_path / "pair.yaml", faults=[{"at": "1 s", "cat": "alice-bob"}])
    topology = read_source(TEXT)
    assert read_source(topology) is topology
    with pytest.raises(InputError, match="this Topology is complete"):
        read_source(topology, faults=[FAULT])


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"seed": -1}, r"<data>: seed: expected at least 0"),
        ({"nodes": {"alice": {"kimd": "endpoint"}}}, r"<data>: nodes.alice: unknown key 'kimd'"),
        (
            {"nodes": {"alice": {"with": {"x": {1}}}}},
            r"nodes\.alice\.with\.x: YAML cannot say \{1\}",
        ),
        (
            {"links": [{"between": [float("nan")]}]},
            r"links\[0\]\.between\[0\]: YAML cannot say nan",
        ),
        ({"nodes": {"alice": {"with": {1: 2}}}}, r"nodes\.alice\.with: a key is text, not 1"),
        ({"seed": 2**63}, r"seed: YAML cannot say 9223372036854775808 \(int\)"),
    ],
)
def test_a_mistake_in_data_is_told_with_its_path(changes: dict[str, Any], told: str) -> None:
    with pytest.raises(InputError, match=told):
        read_source(data(**changes))


def test_what_is_no_topology_is_refused() -> None:
    with pytest.raises(InputError, match=r"expected the path of a topology.*not int"):
        read_source(7)  # type: ignore[arg-type]


def test_a_class_in_a_package_goes_by_its_module() -> None:
    assert program_name(Sender) == "qnetem.agents.protocols.teleportation:Sender"
    assert program_name(Here) == "tests.qnetem.test_sources:Here"


def test_a_class_in_a_lone_file_goes_by_its_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = "from qnetem import Agent\nclass Lone(Agent):\n    async def run(self): pass\n"
    (tmp_path / "lone_program.py").write_text(text, encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    import lone_program  # type: ignore[import-not-found]

    assert program_name(lone_program.Lone) == f"{tmp_path}/lone_program.py:Lone"
    del sys.modules["lone_program"]


def test_a_class_inside_a_function_is_refused() -> None:
    class Inner(Agent):
        async def run(self) -> None:
            pass

    with pytest.raises(ProgramError, match="Inner: a process can import only classes at the top"):
        read_source(data(nodes={"alice": {"program": Inner}}))


def test_a_script_may_run_its_own_classes(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(
        "import qnetem\n"
        "class One(qnetem.Agent):\n"
        "    async def run(self): return self.name\n"
        "if __name__ == '__main__':\n"
        "    data = {'name': 'one', 'nodes': {'a': {'program': One}}}\n"
        "    print(qnetem.run(data, in_process=True).results)\n",
        encoding="utf-8",
    )
    command = [sys.executable, str(script)]
    told = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (told.stdout, told.stderr) == ("{'a': 'a'}\n", "")


def test_overrides_are_laid_over_files_text_and_data(tmp_path: Path) -> None:
    (tmp_path / "pair.yaml").write_text(TEXT, encoding="utf-8")
    overrides = {"links.alice-bob.quantum.length": "30 km", "nodes.bob.program": Here}
    for source in ("pair.yaml", TEXT, data()):
        found = read_source(source, folder=tmp_path, overrides=overrides)
        quantum = found.links["alice-bob"].quantum
        assert quantum is not None and quantum.length_km == 30.0
        assert found.nodes["bob"].program == program_name(Here)


def test_overrides_of_a_topology_that_is_complete_are_refused() -> None:
    topology = read_source(TEXT)
    with pytest.raises(InputError, match="`overrides` go with a file"):
        read_source(topology, overrides={"seed": 3})
    with pytest.raises(InputError, match="YAML cannot say"):
        read_source(TEXT, overrides={"seed": object()})
