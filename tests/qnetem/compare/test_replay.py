"""Running a recorded run again: the whole of it, and one node alone with another program."""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import qnetem
from qnetem.api import Run
from qnetem.compare.node_replay import NodeReplay, replay_node
from qnetem.compare.replay import Replay, changed_since, replay, topology_to_replay
from qnetem.emulator.errors import InputError, NodeSilent, ProgramError
from qnetem.emulator.wire import HEADER, Grant, control, frame
from qnetem.launcher.launcher import RunOptions
from qnetem.runs.node_record import NodeRecord
from qnetem.runs.recorded import open_run
from tests.harness import content

#: Alice and Bob measure pairs; Bob tells Alice how many; a counter beside them is killed and comes back.
PROGRAMS = """\
import asyncio

from qnetem import Agent


class Alice(Agent):
    async def run(self, rounds: int = 6):
        bits = []
        for _ in range(rounds):
            pair = await self.entangle("bob")
            bits.append(await pair.measure("X"))
            async with asyncio.timeout(0.5):
                await self.receive("bob", kind="next")
        return {"bits": bits}


class Bob(Agent):
    async def run(self, rounds: int = 6):
        bits = []
        for _ in range(rounds):
            pair = await self.entangle("alice")
            bits.append(await pair.measure("X"))
            await self.send("alice", {"done": len(bits)}, kind="next")
        return {"bits": bits}


class Counter(Agent):
    async def run(self):
        n = 0
        while True:
            await self.compute("7 ms")
            n += 1
            self.record("n", n + int(self.rng.integers(100)))
"""
TOPOLOGY = """\
name: pair
seed: 7
nodes:
  alice: {program: "./programs.py:Alice"}
  bob: {program: "./programs.py:Bob"}
  carol: {program: "./programs.py:Counter", service: true}
links:
  - between: [alice, bob]
    quantum: {length: 10 km, entangle: {success: 0.1, fidelity: 0.95, attempt: 1 ms}}
  - {between: [bob, carol], classical: {latency: 1 ms}}
faults:
  - {at: 20 ms, kill: carol, restart: 5 ms}
"""


@pytest.fixture
def topology(tmp_path: Path) -> Path:
    (tmp_path / "programs.py").write_text(PROGRAMS)
    path = tmp_path / "pair.yaml"
    path.write_text(TOPOLOGY)
    return path


def recorded_run(topology: Path, *, in_process: bool = True, **settings: str) -> Run:
    runs = topology.parent / "runs"
    return qnetem.run(topology, in_process=in_process, runs_folder=runs, **settings)


@pytest.fixture
def run(topology: Path) -> Run:
    return recorded_run(topology)


def replayed(run: Run | Path, *, in_process: bool = True) -> Replay:
    folder = run if isinstance(run, Path) else run.run_folder
    options = RunOptions(runs_folder=folder.parent / "replays")
    return replay(open_run(folder), options, in_process=in_process)


def changed(run: Run, old: str, new: str, name: str) -> str:
    """The programs with one thing changed, in a file of their own: a process imports a file once."""
    assert old in PROGRAMS
    folder = run.run_folder.parent.parent
    path = folder / f"changed_{len(list(folder.glob('changed_*')))}.py"
    path.write_text(PROGRAMS.replace(old, new))
    return f"{path}:{name}"


def as_an_older_version_left_it(run: Run) -> Path:
    """Without the hashes by which a changed file is found."""
    path = run.run_folder / "outcome.json"
    outcome = json.loads(path.read_text())
    del outcome["files"]
    path.write_text(json.dumps(outcome))
    return run.run_folder


def alone(run: Run, node: str, program: str | None = None, incarnation: int = 1) -> NodeReplay:
    return replay_node(open_run(run.run_folder), node, program=program, incarnation=incarnation)


# --- the whole run --------------------------------------------------------------------------------


def test_a_replay_has_the_digest_of_the_record(run: Run) -> None:
    done = replayed(run)
    assert done.same and done.problem is None
    assert done.comparison.b.digest == run.digest
    assert done.comparison.events > 0 and done.comparison.settings == []


def test_seed_and_until_are_those_of_the_run_and_not_of_the_file(topology: Path) -> None:
    run = recorded_run(topology, seed=8, until="30 ms")  # type: ignore[arg-type]
    topology.write_text("gone")
    done = replayed(run)
    assert done.same and done.recorded.seed == 8
    assert done.comparison.b.topology["time"]["until_ns"] == 30_000_000


@pytest.mark.processes
def test_a_run_of_processes_is_replayed_in_either_way_and_so_is_each_life_of_each_node(
    topology: Path,
) -> None:
    run = recorded_run(topology, in_process=False)
    assert replayed(run, in_process=False).same
    in_one = replayed(run)
    assert in_one.same
    names = ["alice.1.bin.gz", "bob.1.bin.gz", "carol.1.bin.gz", "carol.2.bin.gz"]
    for folder in (run.run_folder, in_one.comparison.b.path):
        assert sorted(path.name for path in (folder / "nodes").iterdir()) == names
    for name in names:
        node, incarnation, *_ = name.split(".")
        there = alone(run, node, incarnation=int(incarnation))
        again = replay_node(open_run(in_one.comparison.b.path), node, incarnation=int(incarnation))
        assert there.same and there.steps == again.steps > 1
    killed = alone(run, "carol", incarnation=1)
    assert (killed.t_ns, killed.ended) == (14_000_000, False)  # all that it did before 20 ms


def test_a_changed_program_is_found_out_and_named(run: Run) -> None:
    before = open_run(run.run_folder)
    assert changed_since(before) == []
    (run.run_folder.parent.parent / "programs.py").write_text(PROGRAMS + "\n# changed\n")
    found = changed_since(before)
    assert [(each.kind, Path(each.name).name) for each in found] == [("program", "programs.py")]


def test_another_result_is_told_as_the_first_event_that_differs(run: Run) -> None:
    data = json.loads((run.run_folder / "topology.json").read_text())
    data["nodes"]["alice"]["program"] = changed(run, 'measure("X")', 'measure("Z")', "Alice")
    (as_an_older_version_left_it(run) / "topology.json").write_text(json.dumps(data))
    first = replayed(run).comparison.first
    assert first is not None and first.a is not None
    assert (first.entity, first.a.kind, first.a.fields[1]) == ("alice", "operation", "measure")


def test_a_failing_run_is_replayed_to_the_same_failure(topology: Path) -> None:
    programs = topology.with_name("programs.py")
    programs.write_text(PROGRAMS.replace('return {"bits": bits}', "raise ValueError", 1))
    run = recorded_run(topology)
    assert run.exit_code == 1
    done = replayed(run)
    assert done.same and done.problem is None


def test_real_time_is_replayed_in_virtual_time(topology: Path) -> None:
    text = TOPOLOGY.replace("seed: 7", "seed: 7\ntime: {mode: real, speed: 10}")
    topology.write_text(text)
    run = recorded_run(topology)
    assert topology_to_replay(open_run(run.run_folder)).time.mode == "virtual"
    assert replayed(run).same


def cut_short(run: Run, lines: int) -> Path:
    """The run as if something had ended it after so many events."""
    (run.run_folder / "outcome.json").unlink()
    journal = run.run_folder / "journal.jsonl.gz"
    kept = content(journal).splitlines(keepends=True)[:lines]
    journal.write_bytes(b"".join(kept) + b'[99999999999,0,"al')
    return run.run_folder


def test_a_run_that_was_broken_off_is_replayed_as_far_as_it_went(run: Run) -> None:
    done = replayed(cut_short(run, 11))
    assert done.same and not done.comparison.same
    assert done.comparison.events == 11
    assert "ends within a line" in done.comparison.notes[0]


def test_a_broken_off_run_that_went_otherwise_is_no_beginning(run: Run) -> None:
    folder = cut_short(run, 11)
    journal = folder / "journal.jsonl.gz"
    journal.write_bytes(journal.read_bytes().replace(b'"operation"', b'"result"', 1))
    assert not replayed(folder).same


def test_a_program_that_never_comes_back_is_named(
    topology: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = recorded_run(topology)
    topology.with_name("endless.py").write_text(
        PROGRAMS.replace('return {"bits": bits}', "\n        while True: pass")
    )
    monkeypatch.setenv("QNETEM_SILENT_S", "0.5")
    with pytest.raises(NodeSilent) as found:
        alone(run, "alice", program=f"{topology.with_name('endless.py')}:Alice")
    told = str(found.value)
    assert told.startswith("node alice does not come back at ") and "while True: pass" in told


def test_a_program_that_cannot_be_imported_is_told_with_its_line(topology: Path) -> None:
    run = recorded_run(topology)
    topology.with_name("broken.py").write_text("\n\nclass Alice(:\n")
    with pytest.raises(ProgramError, match=r"SyntaxError: .* \(.*broken\.py, line 3\)"):
        alone(run, "alice", program=f"{topology.with_name('broken.py')}:Alice")


def test_a_run_with_hashes_is_replayed_by_its_digest(topology: Path) -> None:
    topology.write_text(TOPOLOGY.replace("seed: 7", "seed: 7\nrecord: hashes"))
    run = recorded_run(topology)
    done = replayed(run)
    assert done.same and not done.comparison.compared_events
    with pytest.raises(InputError, match=r"no record of what alice received: .* keeps none"):
        alone(run, "alice")
    (run.run_folder / "outcome.json").unlink()
    with pytest.raises(InputError, match="nothing to compare a replay with"):
        replayed(run)


def test_a_program_that_is_gone_is_named_before_anything_starts(run: Run) -> None:
    data = json.loads((run.run_folder / "topology.json").read_text())
    data["nodes"]["alice"]["program"] = "/nowhere/at_all.py:Alice"
    (as_an_older_version_left_it(run) / "topology.json").write_text(json.dumps(data))
    with pytest.raises(InputError, match=r"there is no file /nowhere/at_all\.py"):
        replayed(run)


# --- one node alone -------------------------------------------------------------------------------


def test_the_recorded_program_does_the_same_to_the_end(run: Run) -> None:
    for node in ("alice", "bob"):
        found = alone(run, node)
        assert found.same and found.ended and found.steps > 6
    first, second = (alone(run, "carol", incarnation=number) for number in (1, 2))
    assert first.same and second.same and not first.ended
    assert first.t_ns < 20_000_000 and second.t_ns > 25_000_000


def heralds(run: Run, end: str) -> list[int]:
    """When the pairs came, in ns."""
    lines = content(run.run_folder / "journal.jsonl.gz").splitlines(keepends=True)
    events = [json.loads(line) for line in lines]
    return [e[0] for e in events if e[2:4] == [end, "result"] and str(e[5]).endswith(f"@{end}")]


def test_another_message_is_found_at_its_instant_with_both_bodies(run: Run) -> None:
    program = changed(run, '{"done": len(bits)}', '{"done": len(bits) % 4}', "Bob")
    found = alone(run, "bob", program).divergence
    assert found is not None and found.granted is not None
    assert found.t_ns == heralds(run, "bob")[3]
    (deed,) = found.deeds
    assert (deed.what, deed.then_body, deed.now_body) == ("message 1", '{"done":4}', '{"done":0}')


def test_a_message_more_is_found(run: Run) -> None:
    old = 'kind="next")\n        return'
    program = changed(
        run, old, f'kind="next")\n        await self.send("carol", 1)\n{old[13:]}', "Bob"
    )
    found = alone(run, "bob", program).divergence
    assert found is not None
    assert [deed.what for deed in found.deeds if deed.then is None] == ["message 2"]
    assert found.t_ns == heralds(run, "bob")[-1]


@pytest.mark.parametrize(
    ("node", "old", "new", "what"),
    [
        ("alice", 'measure("X")', 'measure("X" if len(bits) < 2 else "Z")', "operation 1"),
        ("alice", "timeout(0.5)", "timeout(0.6)", "next timer"),
        ("alice", '{"bits": bits}', '{"bits": bits[::-1] + [2]}', "end"),
        ("carol", "n += 1", "n += 2", "note 1"),
        ("carol", "while True", "while n < 1", "end"),
    ],
)
def test_whatever_a_node_does_otherwise_is_found(
    run: Run, node: str, old: str, new: str, what: str
) -> None:
    name = {"alice": "Alice", "carol": "Counter"}[node]
    found = alone(run, node, changed(run, old, new, name)).divergence
    assert found is not None and [deed.what for deed in found.deeds] == [what]
    if what == "operation 1":
        assert found.t_ns == heralds(run, "alice")[2]


def test_a_withdrawal_is_found(run: Run) -> None:
    new = """\
pair = await self.entangle("bob")
            if len(bits) == 1:
                with __import__("contextlib").suppress(TimeoutError):
                    async with asyncio.timeout(0):
                        await pair.measure("X")
"""
    program = changed(run, 'pair = await self.entangle("bob")\n', new, "Alice")
    found = alone(run, "alice", program).divergence
    assert found is not None
    assert "withdrawal of operation 1" in [deed.what for deed in found.deeds]


def test_an_exception_is_a_difference_and_its_wording_is_none(run: Run, topology: Path) -> None:
    raising = changed(run, "bits = []", "raise KeyError(1)", "Alice")
    found = alone(run, "alice", raising).divergence
    assert found is not None and found.deeds[-1].now.problem.startswith("KeyError")
    raising = changed(run, 'return {"bits": bits}', "raise KeyError(1)", "Alice")
    topology.write_text(TOPOLOGY.replace("./programs.py:Alice", raising))
    failed = recorded_run(topology)
    assert failed.exit_code == 1
    other = changed(run, 'return {"bits": bits}', 'raise KeyError("in other words")', "Alice")
    assert alone(failed, "alice", other).same


def test_a_program_that_does_not_fit_is_the_users_mistake(run: Run) -> None:
    with pytest.raises(ProgramError, match="it has no 'Missing'"):
        alone(run, "alice", "./programs.py:Missing".replace(".", str(run.run_folder.parents[1]), 1))
    needy = changed(run, "rounds: int = 6", "rounds: int", "Alice")
    with pytest.raises(ProgramError, match=r"run\(\) needs 'rounds'"):
        alone(run, "alice", needy)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="looks into /proc")
def test_a_record_is_closed_though_the_error_is_kept(run: Run) -> None:
    needy = changed(run, "rounds: int = 6", "rounds: int", "Alice")
    with pytest.raises(ProgramError) as kept:
        alone(run, "alice", needy)
    opened = [
        os.readlink(entry) for entry in Path("/proc/self/fd").glob("[0-9]*") if entry.is_symlink()
    ]
    assert not [path for path in opened if ".bin" in path], kept.value


def test_an_unknown_node_or_life_is_told_with_those_that_are_known(run: Run) -> None:
    with pytest.raises(InputError, match="no node 'alcie'; did you mean 'alice'"):
        alone(run, "alcie")
    with pytest.raises(
        InputError, match="carol has no incarnation 3 on record: expected one of 1, 2"
    ):
        alone(run, "carol", incarnation=3)


# --- records that are not as the run left them ----------------------------------------------------


def append_a_line(path: Path) -> None:
    path.write_bytes(path.read_bytes() + b" \n")


def cut_in_half(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


CHANGES = pytest.mark.parametrize("change", [append_a_line, cut_in_half, Path.unlink])
FILES = ["topology.json", "run.json", "versions.json", "programs.json", "journal.jsonl.gz"]


@CHANGES
@pytest.mark.parametrize("name", FILES)
def test_a_run_with_a_changed_file_is_not_replayed(
    run: Run, name: str, change: Callable[[Path], None]
) -> None:
    change(run.run_folder / name)
    told = ["has been changed since", "cannot be read", "expected a JSON object", "it has no "]
    with pytest.raises(InputError, match=name) as caught:
        replayed(run)
    assert any(words in str(caught.value) for words in told)


@CHANGES
def test_a_node_with_a_changed_record_is_not_replayed(
    run: Run, change: Callable[[Path], None]
) -> None:
    alone(run, "carol", incarnation=2)
    change(run.run_folder / "nodes" / "carol.2.bin.gz")
    told = r"carol\.2\.bin\.gz has been changed since|no incarnation 2 on record"
    with pytest.raises(InputError, match=told):
        alone(run, "carol", incarnation=2)
    assert alone(run, "alice").same


def test_the_record_of_another_node_is_told_by_its_name(run: Run) -> None:
    folder = run.run_folder / "nodes"
    shutil.copy(folder / "bob.1.bin.gz", folder / "alice.1.bin.gz")
    with pytest.raises(InputError, match=r"alice\.1\.bin\.gz has been changed since"):
        alone(run, "alice")
    shutil.copy(folder / "bob.1.bin.gz", folder / "alice.2.bin.gz")
    with pytest.raises(InputError, match=r"alice\.2\.bin\.gz is not of this run"):
        alone(run, "alice", incarnation=2)
    as_an_older_version_left_it(run)
    with pytest.raises(InputError, match=r"alice\.1\.bin\.gz is the record of bob\.1"):
        alone(run, "alice")


def test_a_run_of_an_older_version_is_replayed_unchecked_and_says_so(run: Run) -> None:
    assert open_run(run.run_folder).unchecked is None
    found = open_run(as_an_older_version_left_it(run))
    assert "holds no hashes" in str(found.unchecked)
    assert replayed(run).same
    assert alone(run, "alice").same


# --- records that are not whole -------------------------------------------------------------------


def record_of(run: Run, node: str) -> Path:
    """A record as a version left it that did not compress."""
    path = as_an_older_version_left_it(run) / "nodes" / f"{node}.1.bin.gz"
    plain = path.with_suffix("")
    plain.write_bytes(content(path))
    path.unlink()
    return plain


def test_a_record_that_ends_anywhere_is_replayed_up_to_there(run: Run) -> None:
    path = record_of(run, "alice")
    whole = path.read_bytes()
    steps = alone(run, "alice").steps
    seen = set()
    welcome = HEADER.size + HEADER.unpack_from(whole)[0]  # without it there is no record
    for length in range(welcome, len(whole), 97):
        path.write_bytes(whole[:length])
        found = alone(run, "alice")
        assert found.same and found.steps <= steps
        seen.add((found.steps, found.cut))
    assert len({count for count, _ in seen}) > 6 and any(cut for _, cut in seen)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (b"", "is empty: the node had not begun"),
        (b"no record of any kind", "not the record of a node, at byte 21: a frame of"),
        (frame(Grant(0, 0)), "at byte 0: Grant where a Welcome was due"),
        (HEADER.pack(3) + b"\x01\x02\x03", "not the record of a node, at byte 0"),
        (HEADER.pack(2) + b"\x91\xa0", "not the record of a node, at byte 0"),
    ],
)
def test_what_is_no_record_is_refused_by_its_place(run: Run, text: bytes, said: str) -> None:
    path = record_of(run, "alice")
    path.write_bytes(text)
    with pytest.raises(InputError, match=said) as caught:
        alone(run, "alice")
    assert str(path) in str(caught.value)


def test_garbage_in_the_middle_is_refused_where_it_stands(run: Run) -> None:
    path = record_of(run, "alice")
    whole = bytearray(path.read_bytes())
    (size,) = HEADER.unpack_from(whole)
    whole[HEADER.size + size + HEADER.size] ^= 0xFF
    path.write_bytes(whole)
    with pytest.raises(InputError, match=f"at byte {HEADER.size + size}:"):
        alone(run, "alice")


def test_a_missing_payload_is_told_and_is_no_difference(run: Run) -> None:
    path = record_of(run, "alice")
    kept = [each for each in NodeRecord(path).records() if type(each).__name__ != "Payload"]
    path.write_bytes(b"".join(frame(each) for each in kept))
    with pytest.raises(InputError, match=r"it lacks bob's payloads \[1\], at [0-9]+ ns"):
        alone(run, "alice")


@pytest.mark.processes
def test_no_file_of_a_run_holds_a_token(topology: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """They travel in Hello alone, which is not recorded."""
    handed_out: list[str] = []
    token = control.token

    def noted(secret: str, node: str, incarnation: int) -> str:
        handed_out.extend([secret, token(secret, node, incarnation)])
        return handed_out[-1]

    monkeypatch.setattr(control, "token", noted)
    run = recorded_run(topology, in_process=False)
    files = [path for path in run.run_folder.rglob("*") if path.is_file()]
    kept = b"".join(content(path) for path in files)
    assert len(handed_out) == 8 and b"entangle" in kept
    for secret in handed_out:
        assert secret.encode() not in kept and bytes.fromhex(secret) not in kept
