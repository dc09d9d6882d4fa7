"""The command line, as a user types it. What a run itself does is put in its place by fakes."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

import qnetem
from qnetem.cli import main as cli
from qnetem.cli.schedule_command import write_frozen
from qnetem.emulator.errors import InfrastructureError, InternalError
from qnetem.emulator.fixed_environment import FIXED_ENVIRONMENT as FIXED
from qnetem.emulator.loading import load_topology
from qnetem.emulator.wire.control import FaultRecord, Outcome, Problem
from qnetem.inprocess import network as inprocess
from qnetem.launcher import launcher
from qnetem.launcher.launcher import RunResult
from qnetem.processes.reexecution import REEXECUTED
from qnetem.text.error_output import reproduce

from ..front_door import ended, written

PROGRAMS = """\
from qnetem import Agent


class Alice(Agent):
    async def run(self, rounds: int = 3):
        return {"rounds": rounds}
"""

PAIR = """\
name: pair
seed: 7
nodes:
  alice: {kind: endpoint, program: "./programs.py:Alice", with: {rounds: 5}}
  bob: {kind: endpoint, program: "./programs.py:Alice"}
links:
  - {between: [alice, bob], length: 10 km, quantum: {entangle: {success: 0.1, fidelity: 0.9, attempt: 1 ms}}}
expect:
  alice.rounds: "== 5"
"""


@pytest.fixture
def pair(tmp_path: Path) -> Path:
    (tmp_path / "programs.py").write_text(PROGRAMS)
    return written(tmp_path, PAIR, "pair.yaml")


@pytest.fixture
def fixed(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if the process had already been replaced by one with a fixed environment."""
    for name, value in FIXED.items():
        monkeypatch.setenv(name, value)


def typed(*words: str | Path) -> Result:
    return CliRunner().invoke(cli.app, [str(word) for word in words])


def in_a_process(*words: str | Path, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "qnetem", *map(str, words)],
        capture_output=True,
        text=True,
        timeout=60,
        env={**os.environ, **environment},
        check=False,
    )


Faked = Callable[..., list[Any]]


@pytest.fixture
def faked(monkeypatch: pytest.MonkeyPatch) -> Faked:
    """Put an outcome, or an exception, in the place of the run; gives what it was called with."""

    def fake(prints: str = "", raises: BaseException | None = None, **outcome: Any) -> list[Any]:
        calls: list[Any] = []

        def run(topology: Any, options: Any, on_progress: Any, *_: Any) -> RunResult:
            calls.append((topology, options))
            if prints:
                sys.stdout.write(prints)
            if raises is not None:
                raise raises
            done: Outcome = ended(topology, **outcome).outcome
            code = done.problem.exit_code if done.problem else 0
            return RunResult(done, Path("runs/x"), code)

        async def run_processes(*arguments: Any, **_: Any) -> RunResult:
            return run(*arguments)

        monkeypatch.setattr(launcher, "run_processes", run_processes)
        monkeypatch.setattr(inprocess, "run_in_process", run, raising=False)
        return calls

    return fake


# --- run ---


def test_a_good_run_ends_with_the_page_and_zero(pair: Path, faked: Faked) -> None:
    faked(results={"alice": {"rounds": 5}})
    result = typed("run", pair)
    assert result.exit_code == 0
    assert result.stdout.startswith("pair  seed 7  digest ")
    assert result.stderr == ""


def test_json_is_one_object_and_nothing_else(pair: Path, faked: Faked) -> None:
    faked(prints="a program prints\n", results={"alice": {"rounds": 5}})
    result = typed("run", pair, "--format", "json")
    data = json.loads(result.stdout)
    assert result.stdout.count("\n") == 1
    assert data["results"] == {"alice": {"rounds": 5}}
    assert data["expect"][0]["ok"] is True and data["problem"] is None
    assert data["virtual_time_s"] == pytest.approx(12.3456789)
    assert result.stderr == "a program prints\n"


def test_options_reach_the_run(pair: Path, faked: Faked, tmp_path: Path) -> None:
    calls = faked(results={"alice": {"rounds": 5}})
    words = ["--seed", "99", "--until", "2 s", "--broker", "h:1", "--broker-port", "1884"]
    typed("run", pair, *words, "--runs", tmp_path / "elsewhere")
    [(topology, options)] = calls
    assert (topology.seed, topology.time.until_ns) == (99, 2_000_000_000)
    assert (options.broker, options.broker_port) == ("h:1", 1884)
    assert options.runs_folder == tmp_path / "elsewhere"


def test_in_process_runs_the_other_way(pair: Path, faked: Faked, fixed: None) -> None:
    calls = faked(results={"alice": {"rounds": 5}})
    assert typed("run", pair, "--in-process").exit_code == 0
    assert len(calls) == 1


def test_a_failed_expectation_is_one(pair: Path, faked: Faked) -> None:
    faked(results={"alice": {"rounds": 4}})
    result = typed("run", pair)
    assert result.exit_code == 1
    assert "error: expected alice.rounds == 5, measured 4 (not equal)" in result.stderr
    assert f"reproduce:  qnetem run {pair} --seed 7" in result.stderr


def test_a_raising_program_is_told_with_its_own_traceback(pair: Path, faked: Faked) -> None:
    own = 'Traceback (most recent call last):\n  File "programs.py", line 6\nValueError: no\n'
    faked(problem=Problem("ProgramFailed", "ValueError: no", 1, "alice", 1_500_000, own))
    result = typed("run", pair)
    assert result.exit_code == 1
    lines = [line for line in result.stderr.splitlines() if line]
    assert lines[0] == "Traceback (most recent call last):"
    assert lines[2] == "error: alice raised at 1.5 ms: ValueError: no"
    assert lines[3:] == [
        "run folder: runs/x",
        f"reproduce:  qnetem run {pair} --seed 7",
        "replay:     qnetem replay runs/x",
    ]


@pytest.mark.parametrize("asked", [True, False])
def test_a_run_with_faults_by_hand_is_reproduced_by_a_replay(
    pair: Path, faked: Faked, asked: bool
) -> None:
    name = "random.1" if asked else "live.1"
    by_hand = FaultRecord(name, "cut", "alice-bob", {}, 5, None, 5, 9, 0, True, asked)
    faked(problem=Problem("StuckError", "nothing is left", 3, "", 5), faults=[by_hand])
    result = typed("run", pair)
    assert result.stderr.endswith("run folder: runs/x\nreproduce:  qnetem replay runs/x\n")


def test_what_programs_made_steers_no_terminal(pair: Path, faked: Faked) -> None:
    odd = "\x1b[31m\u202e\x9b"
    own = f"Traceback (most recent call last):\n\t{odd}\nValueError: {odd}\n"
    metrics = {f"alice.{odd}": {"count": 2}}
    problem = Problem("ProgramFailed", f"ValueError: {odd}", 1, "alice", 5, own)
    faked(problem=problem, results={"alice": {odd: [odd]}, "bob": odd}, metrics=metrics)
    page = typed("run", pair)
    told = page.stdout + page.stderr
    assert told.count(r"\x1b[31m\u202e\x9b") >= 5
    assert all(line.isprintable() for line in told.splitlines())
    data = typed("run", pair, "--format", "json").stdout
    assert data.isascii() and json.loads(data)["results"]["bob"] == odd


def test_a_stuck_run_is_three(pair: Path, faked: Faked) -> None:
    faked(problem=Problem("StuckError", "nothing is left to happen at 5 ns, but:", 3, "", 5))
    result = typed("run", pair, "--format", "json")
    assert result.exit_code == 3
    assert json.loads(result.stdout)["problem"]["kind"] == "StuckError"
    assert "error: nothing is left to happen at 5 ns, but:\n" in result.stderr


def test_trouble_before_an_outcome_is_told_the_same_way(pair: Path, faked: Faked) -> None:
    faked(raises=InfrastructureError("no broker: install mosquitto"))
    result = typed("run", pair, "--format", "json")
    assert result.exit_code == 3
    assert json.loads(result.stdout)["problem"]["text"] == "no broker: install mosquitto"
    assert result.stderr.startswith("error: no broker: install mosquitto\nreproduce:")


@pytest.mark.parametrize("error", [ZeroDivisionError("oops"), InternalError("oops")])
def test_our_own_bug_is_seventy_and_asks_for_a_report(
    pair: Path, faked: Faked, error: Exception
) -> None:
    faked(raises=error)
    result = typed("run", pair, "--seed", "5")
    assert result.exit_code == 70
    assert "Traceback (most recent call last)" in result.stderr
    assert "please report" in result.stderr and "seed 5" in result.stderr


def test_an_interrupt_is_130(pair: Path, faked: Faked) -> None:
    faked(raises=KeyboardInterrupt())
    result = typed("run", pair)
    assert (result.exit_code, result.stderr) == (130, "interrupted\n")
    faked(problem=Problem("Interrupted", "interrupted by SIGINT", 130, "", 2_000_000_000))
    result = typed("run", pair)
    assert (result.exit_code, result.stderr.strip()) == (130, "interrupted at 2 s")


def test_a_wrong_expectation_is_found_before_anything_starts(tmp_path: Path, faked: Faked) -> None:
    (tmp_path / "programs.py").write_text(PROGRAMS)
    path = written(tmp_path, PAIR.replace("== 5", "~ pare('alice-bob')"))
    calls = faked()
    result = typed("run", path)
    assert result.exit_code == 2 and not calls
    assert f"error: {path}:9:20:" in result.stderr and "did you mean 'pair'" in result.stderr


@pytest.mark.parametrize("until", ["soon", "0 s", "-1 s", "3"])
def test_a_wrong_until_is_wrong_input(pair: Path, faked: Faked, until: str) -> None:
    calls = faked()
    result = typed("run", pair, "--until", until)
    assert result.exit_code == 2 and not calls
    assert result.stderr.startswith("error: until: ")


def test_a_missing_file_is_wrong_input_in_both_formats(tmp_path: Path) -> None:
    result = typed("run", tmp_path / "none.yaml", "--format", "json")
    assert result.exit_code == 2
    assert json.loads(result.stdout)["problem"]["kind"] == "TopologyError"
    assert result.stderr == f"error: {tmp_path}/none.yaml: there is no such file\n"


def test_the_command_that_reproduces_a_run_can_be_pasted() -> None:
    command = reproduce("my net.yaml", 3, in_process=True, until="10 s", broker="amqtt")
    assert command == "qnetem run 'my net.yaml' --seed 3 --in-process --until '10 s'"
    assert reproduce("n.yaml", 3, broker="amqtt") == "qnetem run n.yaml --seed 3 --broker amqtt"


def test_in_process_starts_anew_with_a_fixed_environment(
    pair: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The replaced process is seen from inside: the program reports the environment it is run in."""
    seen = (
        "import os, sys\n"
        + PROGRAMS
        + (
            "\nsys.stderr.write(f\"{os.environ.get('PYTHONHASHSEED')} {os.getcwd()} {hash('x')}\\n\")\n"
        )
    )
    (pair.parent / "programs.py").write_text(seen)
    monkeypatch.chdir(pair.parent)
    for name in [*FIXED, REEXECUTED]:
        monkeypatch.delenv(name, raising=False)
    bad = ["--until", "1 s"]
    lines = [
        in_a_process("run", pair.name, "--in-process", *bad, PYTHONHASHSEED=seed).stderr.split(
            "\n"
        )[0]
        for seed in ("1", "random")
    ]
    assert lines[0] == lines[1]
    assert lines[0].startswith(f"0 {pair.parent} ")


# --- a real run, with a broker, an emulator and two nodes ---


@pytest.mark.processes
def test_a_real_run_repeats_itself_and_reports_in_json(pair: Path, tmp_path: Path) -> None:
    words = ["run", pair, "--format", "json", "--runs", tmp_path / "runs"]
    first, second = (in_a_process(*words) for _ in range(2))
    assert (first.returncode, first.stderr) == (0, "")
    data, again = json.loads(first.stdout), json.loads(second.stdout)
    assert data["results"] == {"alice": {"rounds": 5}, "bob": {"rounds": 3}}
    assert data["digest"] and data["digest"] == again["digest"]
    assert Path(data["run_folder"]).is_dir() and data["run_folder"] != again["run_folder"]
    assert {node["state"] for node in data["nodes"].values()} == {"finished"}


@pytest.mark.processes
def test_a_real_program_that_raises_is_shown_with_its_line(pair: Path, tmp_path: Path) -> None:
    programs = pair.parent / "programs.py"
    programs.write_text(
        PROGRAMS.replace('return {"rounds": rounds}', 'raise ValueError("no good")')
    )
    done = in_a_process("run", pair, "--runs", tmp_path / "runs")
    assert done.returncode == 1
    assert f'File "{programs}", line 6, in run' in done.stderr
    assert "error: alice raised at 0 ns: ValueError: no good\n" in done.stderr
    assert f"reproduce:  qnetem run {pair} --seed 7\n" in done.stderr


# --- the other commands ---


def test_validate_counts_what_it_found(pair: Path) -> None:
    result = typed("validate", pair)
    assert result.exit_code == 0
    assert result.stdout == f"ok: {pair}: pair, 2 nodes, 1 link, 0 faults, 1 expectation\n"
    assert result.stderr == ""


@pytest.mark.parametrize(
    ("old", "new", "place", "problem"),
    [
        ("rounds: 5", "rounds: many", "4:", "rounds"),
        ("rounds: 5", "turns: 5", "4:", "takes no 'turns'"),
        ('programs.py:Alice"}', 'programs.py:Alicia"}', "5:", "has no 'Alicia'"),
        ('programs.py:Alice"}', 'nowhere.py:Alice"}', "5:", "there is no file"),
        ("== 5", "about 5", "9:", "expected '< 0.1'"),
        ("[alice, bob]", "[alice, bib]", "7:", "'bob'"),
    ],
)
def test_validate_names_the_place_of_a_mistake(
    pair: Path, old: str, new: str, place: str, problem: str
) -> None:
    assert old in PAIR
    pair.write_text(PAIR.replace(old, new))
    result = typed("validate", pair)
    assert result.exit_code == 2
    assert result.stderr.startswith(f"error: {pair}:{place}")
    assert problem in result.stderr and "Traceback" not in result.stderr


def test_validate_says_where_a_program_cannot_be_imported(pair: Path) -> None:
    programs = pair.parent / "programs.py"
    programs.write_text(PROGRAMS + "\n\nundefined_name\n")
    result = typed("validate", pair)
    assert result.exit_code == 2
    assert f"({programs}, line 9)" in result.stderr
    programs.write_text("def broken(:\n")
    assert f"({programs}, line 1)" in typed("validate", pair).stderr


def test_validate_continues_after_a_wrong_file(pair: Path, tmp_path: Path) -> None:
    result = typed("validate", tmp_path / "none.yaml", pair)
    assert result.exit_code == 2
    assert "no such file" in result.stderr and result.stdout.startswith("ok: ")


def test_validate_warns_of_nodes_that_cannot_talk(pair: Path) -> None:
    pair.write_text(PAIR.replace("length: 10 km,", "length: 10 km, classical: none,"))
    result = typed("validate", pair)
    assert result.exit_code == 0
    assert result.stderr.startswith(f"warning: {pair}: no classical path")
    assert result.stderr.rstrip().endswith("alice; bob")


def test_validate_warns_of_messages_that_are_faster_than_light(pair: Path) -> None:
    pair.write_text(PAIR.replace("length: 10 km,", "length: 10 km, classical: {latency: 48 us},"))
    result = typed("validate", pair)
    assert result.exit_code == 0
    assert result.stderr == (
        f"warning: {pair}: messages between alice and bob take 48 us, and light 48.967 us: "
        "they are faster than light\n"
    )
    pair.write_text(PAIR.replace("length: 10 km,", "length: 10 km, classical: {latency: auto},"))
    assert typed("validate", pair).stderr == ""


def test_graph_draws_on_standard_output(pair: Path) -> None:
    result = typed("graph", pair)
    assert result.exit_code == 0 and result.stderr == ""
    assert "  alice === bob\n" in result.stdout
    assert "programs.py:Alice" in result.stdout
    assert typed("graph", pair, "--format", "dot").stdout.startswith('graph "pair" {')


@pytest.mark.parametrize("mode", [0o600, 0o644])
def test_a_frozen_file_is_as_private_as_the_file_it_comes_from(
    pair: Path, tmp_path: Path, mode: int
) -> None:
    pair.chmod(mode)
    write_frozen(load_topology(pair), tmp_path / "frozen.yaml")
    assert stat.S_IMODE((tmp_path / "frozen.yaml").stat().st_mode) == mode & ~umask()


def umask() -> int:
    found = os.umask(0)
    os.umask(found)
    return found


def test_schema_is_json(tmp_path: Path) -> None:
    result = in_a_process("schema")
    assert result.returncode == 0
    assert "nodes" in json.loads(result.stdout)["properties"]


def test_the_version_is_the_package_s() -> None:
    result = in_a_process("--version")
    assert result.returncode == 0
    assert result.stdout == f"qnetem {cli.package_version()}\n"


@pytest.mark.parametrize("words", [["rum"], ["run"], ["run", "--sed", "1"], ["graph", "a", "b"]])
def test_a_wrong_command_is_wrong_input(words: list[str]) -> None:
    result = typed(*words)
    assert result.exit_code == 2
    assert "Error:" in result.stderr and result.stdout == ""
    assert "Traceback" not in result.stderr and "╭" not in result.stderr


def test_a_wrong_command_ends_its_process_with_two() -> None:
    result = in_a_process("run", "--sed", "1")
    assert (result.returncode, result.stdout) == (2, "")
    assert "Error:" in result.stderr and "Traceback" not in result.stderr


def test_a_terminal_without_unicode_is_no_crash(pair: Path) -> None:
    result = in_a_process("validate", pair.parent / "ünknown.yaml", PYTHONIOENCODING="ascii")
    assert result.returncode == 2
    assert "nknown.yaml: there is no such file" in result.stderr


# --- the package ---


def test_an_agent_is_imported_without_what_only_the_front_door_needs() -> None:
    code = "import sys; from qnetem import Agent; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = done.stdout.split()
    assert "qnetem.agents.agent" in loaded
    assert not {"pydantic", "qutip", "scipy", "typer", "rich", "yaml"} & set(loaded)


def test_a_launcher_of_processes_does_not_import_the_physics(
    mosquitto: str, tmp_path: Path
) -> None:
    topology = Path(__file__).parents[3] / "topologies" / "two-nodes.yaml"
    code = (
        "import sys, asyncio, qnetem, qnetem.cli\n"
        f"assert qnetem.run({str(topology)!r}, until='1 ms', runs_folder={str(tmp_path)!r}).digest\n"
        "async def main():\n"
        f"    async with qnetem.launch({str(topology)!r}, runs_folder={str(tmp_path)!r}): pass\n"
        "asyncio.run(main())\n"
        "print(*sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = done.stdout.split()
    assert "qnetem.launcher.launcher" in loaded
    assert not {"qutip", "scipy", "stim"} & set(loaded)


def test_public_names_are_there_and_others_are_not() -> None:
    assert {name for name in qnetem.__all__ if getattr(qnetem, name) is None} == set()
    assert set(qnetem.__all__) <= set(dir(qnetem))
    with pytest.raises(AttributeError, match="no attribute 'Agnt'"):
        qnetem.Agnt  # noqa: B018  # reading it is the test


def test_run_from_python_gives_the_run(pair: Path, faked: Faked) -> None:
    faked(results={"alice": {"rounds": 4}}, metrics={"m": {"count": 1}})
    done = qnetem.run(pair, seed=3)
    assert (done.ok, done.exit_code, done.topology.seed) == (False, 1, 3)
    assert done.results["alice"] == {"rounds": 4} and done.metrics == {"m": {"count": 1}}
    assert [verdict.quantity for verdict in done.failed] == ["alice.rounds"]


def test_an_in_process_run_takes_no_broker(pair: Path, fixed: None) -> None:
    run = typed("run", str(pair), "--in-process", "--broker", "mosquitto")
    assert run.exit_code == 2
    assert "leave --broker and --broker-port out" in run.stderr
