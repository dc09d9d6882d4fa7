"""Trouble in topologies and programs, as a user meets it: the real command, with processes and without."""

from __future__ import annotations

import json
import re
import resource
import subprocess
from pathlib import Path

import pytest

from qnetem.runs.node_record import NodeRecord
from tests.harness import content

from .trouble import SILENT_S, Told, both_ways, command, in_process, typed, typed_here, written

pytestmark = [pytest.mark.processes, pytest.mark.usefixtures("mosquitto")]


# --- what is wrong before anything starts ---------------------------------------------------------

WRONG_INPUT = [
    ("length: 10 km", "lenght: 10 km", "8:5: links[0]: unknown key 'lenght'; did you mean 'length'?"),
    ("10 km", "10 kg", "8:13: links[0].length: '10 kg': unknown unit 'kg', expected a length (m, km)"),
    ("10 km", "10", "8:13: links[0].length: 10 has no unit: expected a length (m, km)"),
    ("[alice, bob]", "[alice, bib]", "7:22: links[0].between: unknown node 'bib'; did you mean 'bob'?"),
    ("  bob:", "  alice:", "5:3: 'alice' stands twice in one mapping; first in line 4"),
    ("bob: {kind: endpoint, ", "bob: {kind: endpiont, ", "5:15: nodes.bob.kind: 'endpiont'"),
    ("programs.py:Good", "nowhere.py:Good", "there is no file"),
    ("programs.py:Good", "programs.py:Goood", "it has no 'Goood'; did you mean 'Good'?"),
    ("programs.py:Good", "broken.py:Any", "SyntaxError: "),
    ("programs.py:Good", "broken.py:Any", "broken.py, line 3)"),
    ("programs.py:Good", "needs.py:Any", "ModuleNotFoundError: No module named 'no_such_module'"),
    ("programs.py:Good", "leaves.py:Any", "importing it raised SystemExit: 4"),
    ('Good"}', 'Good", with: {round: 3}}', "Good.run() takes no 'round'; did you mean 'rounds'?"),
    ('Good"}', 'Good", with: {rounds: x}}', "Good.run(rounds: int) does not take 'x'"),
]  # fmt: skip


def spoiled(folder: Path) -> list[str]:
    """One topology for each mistake in WRONG_INPUT."""
    good = written(folder).read_text()
    (folder / "broken.py").write_text("\n\ndef broken(:\n")
    (folder / "needs.py").write_text("import no_such_module\n")
    (folder / "leaves.py").write_text("import sys\nsys.exit(4)\n")
    names = [f"wrong{number}.yaml" for number in range(len(WRONG_INPUT))]
    for name, (old, new, _) in zip(names, WRONG_INPUT, strict=True):
        assert old in good
        (folder / name).write_text(good.replace(old, new, 1))
    return names


def test_wrong_input_is_one_line_each_with_its_place(tmp_path: Path) -> None:
    names = spoiled(tmp_path)
    told = typed_here(tmp_path, "validate", *names)
    assert (told.code, told.stdout) == (2, "")
    # What else is wrong with a file stands below its first mistake, further in.
    lines = [line for line in told.stderr.splitlines() if not line.startswith("  ")]
    for line, name, (_, _, problem) in zip(lines, names, WRONG_INPUT, strict=True):
        assert line.startswith(f"error: {name}:") and problem in line
        _, line_number, column = line.split(": ")[1].split(":")
        assert int(line_number) > 0 and int(column) > 0


@pytest.mark.parametrize("number", [4, 8])
def test_wrong_input_starts_nothing(tmp_path: Path, number: int) -> None:
    name = spoiled(tmp_path)[number]
    for told in both_ways(tmp_path, name):
        assert told.code == 2
        text = told.data["problem"]["text"]
        assert told.stderr == f"error: {text}\n" and text.splitlines()[0] == told.error
        assert told.error.startswith(f"{name}:") and WRONG_INPUT[number][2] in told.error
        assert told.data["run_folder"] is None
        assert not (tmp_path / "runs").exists()


HALF = "expected ',' or ']', but got '<stream end>' (while parsing a flow sequence)"


def test_a_file_that_is_no_topology_is_told_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "folder.yaml").mkdir()
    (tmp_path / "empty.yaml").touch()
    (tmp_path / "half.yaml").write_text("nodes: [1\n")
    told = typed_here(tmp_path, "validate", "none.yaml", "folder.yaml", "empty.yaml", "half.yaml")
    assert told.code == 2
    assert told.stderr.splitlines() == [
        "error: none.yaml: there is no such file",
        "error: folder.yaml: the file cannot be read: Is a directory",
        "error: empty.yaml:1:1: the file is empty: expected a topology",
        "error: half.yaml:2:1: this is not YAML: " + HALF,
    ]
    run = typed_here(tmp_path, "run", "none.yaml", "--format", "json")
    assert (run.code, run.error) == (2, "none.yaml: there is no such file")
    assert run.data["problem"]["text"] == run.error


@pytest.mark.parametrize(("way", "runs"), [("", "a-file"), ("--in-process", "/proc/nowhere")])
def test_a_runs_folder_that_cannot_be_written_is_named(tmp_path: Path, way: str, runs: str) -> None:
    written(tmp_path)
    (tmp_path / "a-file").touch()
    told = typed(tmp_path, "run", "trouble.yaml", "--runs", runs, *way.split())
    assert told.code == 2
    assert told.error.startswith("no run folder can be written in ")
    assert runs in told.error and told.error.endswith(
        "; name another one with --runs-folder DIR (runs_folder= in Python)"
    )
    assert told.stdout == ""


# --- what goes wrong in a program: the same both ways ---------------------------------------------

REFUSED = (
    "alice raised at 0 ns: Refused: socket.socket() is not possible inside a program: nodes talk with "
    "self.send() and self.receive()"
)
SPINS = (
    "node alice: task 'spinner' spins: 200000 callbacks ran in one step at 3 ms and no virtual time "
    "passes; wait for something, or sleep for more than 0"
)
NOT_HELD = (
    "alice raised at 1 ms: QubitError: qubit alice#1 is not held by alice (sent to bob at 0 ns)"
)
MEASURED = "alice raised at 4 ms: QubitError: qubit alice#1 is not held by alice (measured at 2 ms)"
RUBBISH = "alice raised at 0 ns: MessageError: body has the key 1: keys must be strings (what run() returned)"
SILENT = "node alice does not report at 3 ms; where it stands is told above"

#: program of alice and of bob, exit code, kind, virtual time in microseconds, message
BOTH_WAYS = [
    ("Raises", "Good", 1, "ProgramFailed", 2000, "alice raised at 2 ms: ValueError: no good"),
    ("SendsAway", "Takes", 1, "ProgramFailed", 1000, NOT_HELD),
    ("Connects", "Good", 1, "ProgramFailed", 0, REFUSED),
    ("Spins", "Good", 3, "Spinning", 3000, SPINS),
    ("Burns", "Good", 3, "NodeSilent", 3000, SILENT),
]
#: What a process of its own cannot change: the words are made in the cores.
IN_PROCESS = [
    ("GroupRaises", 1000, "alice raised at 1 ms: KeyError: 'gone' (in a group of tasks)"),
    ("Exits", 1000, "alice raised at 1 ms: SystemExit: enough"),
    ("MeasuresTwice", 4000, MEASURED),
]


def see(folder: Path, told: Told, code: int, kind: str, time_us: int, message: str) -> None:
    """The trouble is told in full, on both streams, and without what is ours."""
    problem = told.data["problem"]
    assert (told.code, told.error) == (code, message)
    assert (problem["kind"], problem["node"]) == (kind, "alice")
    assert problem["time_s"] == pytest.approx(time_us / 1e6)
    assert message.endswith(problem["text"])
    assert told.run_folder.is_dir() and str(told.run_folder) == told.data["run_folder"]
    assert "reproduce:  qnetem run trouble.yaml --seed 7" in told.stderr
    assert str(folder / "programs.py") in problem["traceback"]
    assert "qnetem/agents" not in problem["traceback"]
    assert "qnetem/zygote" not in problem["traceback"]
    frames = problem["traceback"].rstrip().removesuffix(problem["text"])
    assert frames.rpartition("\n")[0] in told.stderr  # the last line is the error's own


@pytest.mark.parametrize("case", BOTH_WAYS, ids=[case[0] for case in BOTH_WAYS])
def test_trouble_in_a_program_is_told_the_same_both_ways(
    tmp_path: Path, case: tuple[str, str, int, str, int, str]
) -> None:
    alice, bob, *expected = case
    written(tmp_path, alice, bob)
    digests = set()
    # Only where it is the point: on a busy machine others may be silent for a while, too.
    environment = {"QNETEM_SILENT_S": SILENT_S} if alice == "Burns" else {}
    for told in both_ways(tmp_path, "trouble.yaml", **environment):
        see(tmp_path, told, *expected)
        digests.add(told.data["digest"])
    assert len(digests) == 1


@pytest.mark.parametrize("case", IN_PROCESS, ids=[case[0] for case in IN_PROCESS])
def test_trouble_in_a_program_is_told_by_what_it_is(
    tmp_path: Path, case: tuple[str, int, str]
) -> None:
    alice, time_us, message = case
    written(tmp_path, alice)
    told = in_process(tmp_path, "trouble.yaml")
    see(tmp_path, told, 1, "ProgramFailed", time_us, message)


def test_a_result_that_is_no_json_is_told_without_lines_that_are_not_to_blame(
    tmp_path: Path,
) -> None:
    written(tmp_path, "ReturnsRubbish")
    told = in_process(tmp_path, "trouble.yaml")
    assert (told.code, told.error) == (1, RUBBISH)
    assert told.data["problem"]["traceback"] is None and "Traceback" not in told.stderr


def test_the_traceback_of_a_program_begins_and_ends_in_the_program(tmp_path: Path) -> None:
    written(tmp_path, "Raises")
    told = typed_here(tmp_path, "run", "trouble.yaml", "--in-process")
    file = tmp_path / "programs.py"
    lines = told.stderr.splitlines()
    assert lines[1:6] == [
        "Traceback (most recent call last):",
        f'  File "{file}", line 15, in run',
        "    self.helper()",
        f'  File "{file}", line 18, in helper',
        '    raise ValueError("no good")',
    ]
    assert re.fullmatch(r"error: alice raised at .+: ValueError: no good", lines[6])


def test_a_run_with_nothing_left_to_do_says_who_waits_for_what_since_when(tmp_path: Path) -> None:
    written(tmp_path, "Waits")
    for told in both_ways(tmp_path, "trouble.yaml"):
        assert told.code == 3
        problem = told.data["problem"]
        assert problem["kind"] == "StuckError" and problem["time_s"] == pytest.approx(0.006)
        head, *lines = problem["text"].splitlines()
        assert head == "nothing is left to happen at 6 ms, but:"
        assert lines == [
            "  alice waits for TaskGroup.__aexit__() (programs.py:67) since 5 ms",
            (
                "  alice, task 'listener', waits for a message of kind 'answer' from bob "
                "(started at programs.py:68) since 5 ms; bob has finished at 1 ms"
            ),
            (
                "  alice, task 'entangler', waits for entangle with bob "
                "(started at programs.py:69) since 5 ms; bob has finished at 1 ms"
            ),
            "  alice, task 'queue', waits for Queue.get() (programs.py:74) since 6 ms",
            "  alice has asked for a pair with bob: bob has not asked for one on alice-bob",
        ]
        assert problem["text"] in told.stderr


def test_a_process_that_a_program_ends_behind_our_back_is_lost_by_name(tmp_path: Path) -> None:
    written(tmp_path, "ExitsHard")
    told = typed(tmp_path, "run", "trouble.yaml", "--format", "json")
    assert told.code == 3
    assert told.error == "node alice was lost at 2 ms: its process exited with 7"
    assert told.data["problem"]["kind"] == "NodeLost"


# --- standard output ------------------------------------------------------------------------------


def test_what_programs_print_is_kept_out_of_the_object_and_in_the_logs(tmp_path: Path) -> None:
    written(tmp_path)
    for told in both_ways(tmp_path, "trouble.yaml"):
        assert (told.code, told.stderr) == (0, "")
        assert told.data["results"] == {"alice": {"rounds": 3}, "bob": {"rounds": 3}}
        log = Path(told.data["run_folder"], "logs", "alice.1.log")
        assert log.read_text() == "a program prints\n"


def piped(folder: Path, line: str) -> tuple[list[int], str]:
    """A pipeline in a shell that tells each exit status, and standard error."""
    shown = subprocess.run(
        ["bash", "-c", f"{line}; echo ${{PIPESTATUS[@]}}"],
        capture_output=True,
        text=True,
        cwd=folder,
        timeout=60,
        check=True,
    )
    return [int(word) for word in shown.stdout.split("\n")[-2].split()], shown.stderr


@pytest.mark.parametrize(("form", "reader"), [("text", "true"), ("json", "head -1")])
def test_a_reader_that_leaves_early_changes_neither_exit_code_nor_errors(
    tmp_path: Path, form: str, reader: str
) -> None:
    line = " ".join(command("run", "trouble.yaml", "--in-process", "--format", form))
    written(tmp_path)
    assert piped(tmp_path, f"{line} | {reader}") == ([0, 0], "")
    written(tmp_path, "Raises")
    codes, stderr = piped(tmp_path, f"{line} | {reader}")
    assert codes == [1, 0]
    assert "error: alice raised at 2 ms: ValueError: no good\n" in stderr
    assert "BrokenPipe" not in stderr


def test_graph_and_schema_may_be_cut_short(tmp_path: Path) -> None:
    written(tmp_path)
    for words in (["graph", "trouble.yaml"], ["schema"], ["validate", "trouble.yaml"]):
        assert piped(tmp_path, f"{' '.join(command(*words))} | true") == ([0, 0], "")


def test_a_standard_output_that_takes_nothing_is_named(tmp_path: Path) -> None:
    written(tmp_path)
    line = " ".join(command("run", "trouble.yaml", "--in-process"))
    codes, stderr = piped(tmp_path, f"{line} > /dev/full")
    assert codes == [3]
    assert stderr.startswith("error: standard output cannot be written: No space left on device\n")
    assert piped(tmp_path, f"{line} >&-") == ([0], "")


# --- the disk -------------------------------------------------------------------------------------


def small_files() -> None:
    """In the child: a file larger than this is refused to it and its children, as on a full disk."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))


@pytest.mark.parametrize("way", ["", "--in-process"])
def test_a_disk_that_is_full_ends_the_run_by_the_name_of_the_file(tmp_path: Path, way: str) -> None:
    written(tmp_path, "Talks", "Talks")
    words = ["run", "trouble.yaml", "--format", "json", *way.split()]
    told = typed(tmp_path, *words, check=small_files)
    assert told.code == 3
    assert told.data["problem"]["kind"] == "InfrastructureError"
    assert told.error.endswith(" cannot be written: File too large")
    assert str(told.run_folder) in told.error
    assert "Traceback" not in told.stderr
    see_whole_lines_and_records(told.run_folder)


def see_whole_lines_and_records(folder: Path) -> None:
    """Nothing is half written."""
    journal = content(folder / "journal.jsonl.gz")
    assert len(journal) > 20_000 and journal.endswith(b"\n")
    assert all(json.loads(line) for line in journal.splitlines())
    # Beside them may be tails, which are read with them.
    for path in (folder / "nodes").glob("*.bin.gz"):
        record = NodeRecord(path)
        assert len(list(record.records())) > 100
        assert not record.cut
    assert json.loads((folder / "outcome.json").read_bytes())["problem"] is not None


def test_the_topology_of_these_tests_is_a_good_one(tmp_path: Path) -> None:
    """Otherwise the mistakes above would be others than they claim."""
    told = typed_here(tmp_path, "validate", written(tmp_path).name)
    assert (told.code, told.stderr) == (0, "")
