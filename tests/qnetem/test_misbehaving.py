"""Whatever a program does, it is data: the run has an end, and the other nodes their results."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import qnetem
from qnetem.cli.pages.summary import as_data
from qnetem.text.error_output import problem_lines

from ..counts import count
from .misbehaving.programs import ENDS_ITS_PROCESS, GROUPS

NETWORKS = [group for group in GROUPS if group != "process"]
_HERE = __name__.rpartition(".")[0] + ".misbehaving.programs"
#: These do nothing that a run must refuse.
_HARMLESS = {
    "overflowing", "odd-names", "escapes", "unread-kinds", "without-end", "binary", "print-surrogates",
    "replaces-stdout", "many-lines", "recursion-limit", "task-factory", "hooks", "other-name",
    "gives-itself-no-memory-back", "never-lets-go", "spawns-while-cancelled", "shows-itself", "many-bits",
    "numpy-array",
}  # fmt: skip


def network(group: str) -> dict[str, Any]:
    """The ten of a group around one honest node."""
    options = {"group": group}
    nodes: dict[str, Any] = {
        how: {"program": f"{_HERE}:Misbehaves", "with": options | {"how": how}}
        for how in GROUPS[group]
    }
    nodes["honest"] = {"program": f"{_HERE}:Honest"}
    links = [{"between": [how, "honest"], "length": "1 km"} for how in GROUPS[group]]
    return {"name": "misbehaving", "on_error": "continue", "nodes": nodes, "links": links}


def run(group: str, runs: Path, **how: Any) -> qnetem.Run:
    return qnetem.run(network(group), runs_folder=runs, **how)


def test_there_are_a_hundred_of_them() -> None:
    assert [len(GROUPS[group]) for group in NETWORKS] == [10] * 10


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """What the honest node returns when nothing disturbs it."""
    data = {"name": "misbehaving", "nodes": {"honest": {"program": f"{_HERE}:Honest"}}}
    runs = tmp_path_factory.mktemp("alone")
    return qnetem.run(data, in_process=True, runs_folder=runs).results["honest"]


def judge(done: qnetem.Run, group: str, alone: Any) -> None:
    """The promises: a named end, the honest node's own result, nothing that cannot be shown."""
    assert done.exit_code in (0, 1), done.problem
    assert done.results["honest"] == alone
    states = {name: node.state for name, node in done.outcome.nodes.items()}
    well = {how for how in GROUPS[group] if states[how] == "finished"}
    assert well == _HARMLESS & GROUPS[group].keys()
    if done.exit_code:
        assert done.problem is not None and done.problem.node in states
        assert len("\n".join(problem_lines(done.problem))) < 100_000
    json.dumps(as_data(done), allow_nan=False).encode()


@pytest.mark.parametrize("group", NETWORKS)
def test_programs_that_misbehave_end_no_run(group: str, alone: Any, tmp_path: Path) -> None:
    judge(run(group, tmp_path, in_process=True), group, alone)


def compare(group: str, alone: Any, runs: Path) -> None:
    """As processes the same happens as in one process."""
    apart, together = run(group, runs), run(group, runs, in_process=True)
    judge(apart, group, alone)
    assert apart.digest == together.digest
    assert apart.results == together.results
    assert apart.metrics == together.metrics
    assert _problem(apart) == _problem(together)


def _problem(done: qnetem.Run) -> Any:
    problem = done.problem
    return problem and (
        problem.kind,
        problem.node,
        problem.time_ns,
        problem.text,
        problem.traceback,
    )


@pytest.mark.processes
def test_they_do_the_same_as_processes(alone: Any, tmp_path: Path) -> None:
    compare("background", alone, tmp_path)


@pytest.mark.processes
@pytest.mark.campaign
@pytest.mark.parametrize("group", NETWORKS[: count(10)])
def test_every_one_of_them_does_the_same_as_a_process(
    group: str, alone: Any, tmp_path: Path
) -> None:
    compare(group, alone, tmp_path)


@pytest.mark.processes
def test_of_nodes_that_die_in_one_instant_the_first_by_name_is_named(tmp_path: Path) -> None:
    """They die in any real order; what the others did in the instant counts."""
    done = run("process", tmp_path)
    assert done.problem is not None
    assert (done.problem.kind, done.problem.node) == ("NodeLost", min(ENDS_ITS_PROCESS))
    assert done.exit_code == 3 and done.problem.time_ns == 0
    states = {name: node.state for name, node in done.outcome.nodes.items()}
    assert states == dict.fromkeys(ENDS_ITS_PROCESS, "lost") | {"honest": "running"}
