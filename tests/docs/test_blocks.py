"""Every code block of README and docs is run, or says why it cannot be.

A program that is a file of its page is imported, and a topology runs with it. A line for a shell is read by
the command line, which must know its options. A fragment and an output have tests of their own, named here.
"""

from __future__ import annotations

import inspect
import json
import re
import runpy
import shlex
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import typer

import qnetem
from qnetem import pytest_plugin
from qnetem.cli.main import app
from qnetem.emulator.loading import parse_topology
from qnetem.network import Network

from .knocking import Knocks, Opens
from .outputs import OUTPUTS, failure_in
from .pages import ROOT, Block, all_blocks, block, blocks_of, files_of

pytest_plugins = ["pytester"]

HERE = "tests/docs/test_blocks.py"
#: Fragments and outputs: (page, language, name or heading) -> the test that runs them.
RUN_BY: dict[tuple[str, str, str], str] = {
    ("README.md", "yaml", "Break it"): "tests/test_readme.py::"
    "test_the_faults_of_the_readme_break_the_protocol_of_the_readme",
    ("README.md", "python", "Test it"): "tests/test_readme.py::test_the_test_of_the_readme_passes",
    ("docs/expect.md", "yaml", "Expectations"): "tests/qnetem/expect/test_listing.py::"
    "test_the_examples_of_the_page_are_taken",
    ("docs/faults.md", "python", "While it runs"): f"{HERE}::"
    "test_the_faults_by_hand_of_the_page_come_and_go",
    ("docs/programs.md", "python", "Measure and compare"): f"{HERE}::"
    "test_the_ends_of_the_programs_page_compare_what_they_measured",
    ("docs/programs.md", "python", "Options"): "tests/test_docs.py::"
    "test_the_options_of_the_programs_page_are_taken",
    ("docs/programs.md", "python", "Sessions"): "tests/test_docs.py::"
    "test_the_session_of_the_programs_page_survives_what_it_says",
    ("docs/programs.md", "python", "expiry"): f"{HERE}::"
    "test_the_loop_of_the_programs_page_replaces_what_has_expired",
    ("docs/sweeps.md", "python", "Sweeps and pictures"): "tests/test_docs.py::"
    "test_the_sweep_of_the_sweeps_page_runs",
    ("docs/testing.md", "python", "What is run"): f"{HERE}::"
    "test_the_asynchronous_test_of_the_testing_page_passes",
    ("docs/testing.md", "text", "failure"): f"{HERE}::"
    "test_a_failure_looks_as_the_testing_page_shows_it",
    ("docs/topology.md", "yaml", "source"): "tests/emulator/topology/reading/"
    "test_pulse_sections.py::test_every_source_of_the_documentation_is_accepted",
    ("docs/topology.md", "yaml", "entangle"): "tests/emulator/topology/reading/"
    "test_entangle.py::test_every_entry_of_the_reference_is_accepted",
    **{
        ("docs/topology.md", "yaml", section): "tests/test_docs.py::"
        "test_the_topology_reference_is_one_valid_topology"
        for section in ("The topology file", "nodes", "links", "faults", "expect")
    },
}
#: Pages whose blocks go together, and the test that runs all of them.
WHOLE: dict[str, str] = {
    "docs/notebook.md": "tests/qnetem/notebook/test_kernel.py::"
    "test_the_page_s_cells_run_and_an_interrupt_ends_a_run_with_its_processes",
    "docs/outside.md": "tests/test_outside.py::"
    "test_requests_over_http_are_fed_again_by_a_replay_with_the_same_digest",
}
#: Commands of others that a page may show.
FOREIGN = ("cd", "dask", "export", "head", "mosquitto_sub", "pip", "pytest", "python", "sbatch")
#: A picture is drawn by whatever shows the page.
DRAWN = "mermaid"
PAGE = ROOT / "docs" / "testing.md"
QUIET = ("-p", "no:cacheprovider", "-o", "asyncio_default_fixture_loop_scope=function")
NET = (
    "name: x\nnodes: {alice: , r1: }\n"
    "links: [{between: [alice, r1], quantum: {length: 1 km}, classical: {latency: 1 ms}}]\n"
)

BLOCKS = [each for each in all_blocks() if not each.why_not_run and each.language != DRAWN]


def blocks_in(language: str, *, files: bool) -> list[Block]:
    return [
        each
        for each in BLOCKS
        if each.language == language and each.is_file is files and not _own_test(each)
    ]


def _own_test(each: Block) -> str | None:
    if (each.page, each.name) in OUTPUTS and each.language == "text":
        return f"{HERE}::test_an_output_is_what_the_command_prints"
    if each.page == "docs/examples.md" and each.name.startswith("examples/"):
        return "tests/docs/test_examples.py::test_the_page_shows_an_example_as_it_is_and_what_it_prints"
    if each.language != "sh" and each.page in WHOLE:
        return WHOLE[each.page]
    return RUN_BY.get((each.page, each.language, each.name or each.section))


def in_folder(page: str, folder: Path) -> Path:
    """The page's files in a folder; those of the README too, whose example other pages continue."""
    for name, text in (files_of("README.md") | files_of(page)).items():
        (folder / name).write_text(text, encoding="utf-8")
    return folder


def is_script(each: Block) -> bool:
    """Whether a block is complete: it imports what it uses, and is no program of a node."""
    whole = each.text.startswith(("import ", "from ")) and "(Agent)" not in each.text
    return each.language == "python" and not each.is_file and whole and not _own_test(each)


def runs_itself(each: Block) -> bool:
    """Whether a test here runs a block of this kind without being named for it."""
    if each.is_file:
        return each.language in ("python", "yaml")
    faults = each.language == "yaml" and each.text.startswith("faults:")
    return each.language == "sh" or faults or is_script(each)


def test_every_block_is_run_or_says_why_not() -> None:
    left = [
        f"{each}: ```{each.language} {each.name}"
        for each in BLOCKS
        if _own_test(each) is None and not runs_itself(each)
    ]
    assert not left, "name the test in RUN_BY, or write <!-- not run: why --> above the block"


def test_the_tests_that_run_blocks_are_there() -> None:
    for test in {test for each in BLOCKS if (test := _own_test(each))}:
        file, _, name = test.partition("::")
        assert f"def {name}" in (ROOT / file).read_text(encoding="utf-8"), test
    shown = {(each.page, each.language, each.name or each.section) for each in BLOCKS}
    assert set(RUN_BY) <= shown, "a block that is not there any more"


@pytest.mark.parametrize("each", blocks_in("python", files=True), ids=str)
def test_a_program_of_a_page_can_be_imported(
    each: Block, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = in_folder(each.page, tmp_path)
    monkeypatch.syspath_prepend(str(folder))
    for name in files_of(each.page):
        monkeypatch.delitem(sys.modules, Path(name).stem, raising=False)
    runpy.run_path(str(folder / each.name))
    sys.modules.pop("coin", None)


@pytest.mark.parametrize("each", [each for each in BLOCKS if is_script(each)], ids=str)
@pytest.mark.usefixtures("sweeps_here")
def test_a_script_of_a_page_runs(
    each: Block, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(in_folder(each.page, tmp_path))
    exec(compile(each.text, str(each), "exec"), {"__name__": "__main__"})


@pytest.mark.parametrize("each", blocks_in("yaml", files=True), ids=str)
def test_a_topology_of_a_page_runs(each: Block, tmp_path: Path) -> None:
    folder = in_folder(each.page, tmp_path)
    qnetem.run(folder / each.name, in_process=True, runs_folder=folder / "runs").assert_ok()


@pytest.mark.parametrize("each", blocks_in("yaml", files=False), ids=str)
def test_faults_of_a_page_are_valid(each: Block) -> None:
    assert parse_topology(NET + each.text).faults


@pytest.mark.parametrize("each", [b for b in BLOCKS if b.language == "sh"], ids=str)
def test_a_line_for_the_shell_is_understood(each: Block) -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for line in each.text.replace("\\\n", " ").splitlines():
        words = shlex.split(line.partition(" | ")[0], comments=True)
        command = words[0].rpartition("/")[2] if words else "#"
        if command == "qnetem":
            understood(words[1:])
        elif command == "make":
            targets = [word for word in words[1:] if "=" not in word]
            assert all(re.search(rf"^{each}:", makefile, re.MULTILINE) for each in targets)
        else:
            assert command in ("#", *FOREIGN), line
            options = [word.partition("=")[0] for word in words if word.startswith("--qnetem")]
            assert all(f'"{option}"' in inspect.getsource(pytest_plugin) for option in options)


def understood(words: list[str]) -> None:
    """Commands and options are known, and nothing is missing."""
    command: Any = typer.main.get_command(app)
    name = "qnetem"
    while hasattr(command, "commands") and words and words[0] in command.commands:
        name, words, command = words[0], words[1:], command.commands[words[0]]
    with suppress(typer.Exit):  # --help, --version
        command.make_context(name, list(words))  # raises, with the word that is not understood


@pytest.mark.parametrize(("page", "name"), OUTPUTS)
def test_an_output_is_what_the_command_prints(page: str, name: str, tmp_path: Path) -> None:
    shown = block(page, "text", name)
    assert shown == OUTPUTS[page, name](shown, tmp_path), "make docs"


def held(runs: Path) -> Network:
    """A network in real time whose run cannot end before its end is asked for."""
    net = {
        "name": "held",
        "time": {"mode": "real"},
        "nodes": {"alice": {"program": Knocks}, "bob": {"program": Opens}},
        "links": [{"between": ["alice", "bob"], "quantum": {"length": "1 km"}}],
        "faults": [{"at": "0 s", "cut": "alice-bob"}],
    }
    network = qnetem.launch(net, in_process=True, runs_folder=runs)
    finished = network.finished

    async def healed_and_finished() -> qnetem.Run:
        await network.heal("all")
        return await finished()

    network.finished = healed_and_finished  # type: ignore[method-assign]  # of this one
    return network


async def test_the_faults_by_hand_of_the_page_come_and_go(tmp_path: Path) -> None:
    text = block("docs/faults.md", "python", "").replace('qnetem.launch("coin.yaml")', "network_")
    lines = ["async def by_hand(network_):", *(f"    {line}" for line in text.splitlines())]
    found: dict[str, Any] = {}
    exec("\n".join([*lines, "    return cut, view, run"]), found)
    cut, view, run = await found["by_hand"](held(tmp_path))
    run.assert_ok()
    assert [(each.id, each.asked) for each in run.outcome.faults] == [("0", True), (cut.id, True)]
    assert [node.name for node in view.nodes] == ["alice", "bob"]


EXPIRY = """\
from qnetem import Agent


class Alice(Agent):
    async def run(self):
{loop}

class R1(Agent):
    async def run(self):
        dropped = []
        for _ in range(3):
            half = await self.entangle("alice")
            dropped.append((await self.receive("alice")).body == {{"dropped": half.id}})
            await half.discard()
        return dropped
"""


def test_the_loop_of_the_programs_page_replaces_what_has_expired(tmp_path: Path) -> None:
    lines = block("docs/programs.md", "python", "expiry").splitlines(keepends=True)
    program = EXPIRY.format(loop="".join(f"        {line}" for line in lines))
    (tmp_path / "expiry.py").write_text(program, encoding="utf-8")
    alice = {"program": "./expiry.py:Alice", "service": True, "memory": {"cutoff": "5 ms"}}
    entangle = {"success": 0.5, "fidelity": 0.9, "attempt": "1 ms"}
    net = {
        "name": "expiry",
        "nodes": {"alice": alice, "r1": {"program": "./expiry.py:R1"}},
        "links": [
            {"between": ["alice", "r1"], "quantum": {"length": "1 km", "entangle": entangle}}
        ],
    }
    (tmp_path / "expiry.json").write_text(json.dumps(net), encoding="utf-8")
    run = qnetem.run(tmp_path / "expiry.json", in_process=True, runs_folder=tmp_path / "runs")
    run.assert_ok()
    assert run.results["r1"] == [True] * 3
    run.assert_result("alice.expired.count", "== 3")


def test_the_asynchronous_test_of_the_testing_page_passes(pytester: pytest.Pytester) -> None:
    in_folder("README.md", pytester.path)
    (text,) = [each.text for each in blocks_of(PAGE) if each.section == "What is run"]
    pytester.makepyfile(test_async=f"import pytest\n\n@pytest.mark.asyncio\n{text}")
    pytester.runpytest_inprocess(*QUIET, "test_async.py").assert_outcomes(passed=1)


def test_a_failure_looks_as_the_testing_page_shows_it(pytester: pytest.Pytester) -> None:
    """The test of the page, with a bound that is too low."""
    for name, text in files_of("docs/testing.md").items():
        (pytester.path / name).write_text(text.replace("< 0.11", "< 0.01"), encoding="utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.delitem(sys.modules, "coin", raising=False)
        result = pytester.runpytest_inprocess(*QUIET, "test_coin.py")
    assert failure_in(result.stdout.str()) == block("docs/testing.md", "text", "failure")


def test_the_ends_of_the_programs_page_compare_what_they_measured(tmp_path: Path) -> None:
    """Three parties with the GHZ state of a source; the two ends are tested in test_docs_programs.py."""
    pair, party = [
        each.text
        for each in blocks_of(ROOT / "docs" / "programs.md")
        if (each.language, each.section) == ("python", "Measure and compare")
    ]
    (tmp_path / "pair.py").write_text(pair, encoding="utf-8")
    (tmp_path / "party.py").write_text(party, encoding="utf-8")
    (tmp_path / "source.py").write_text(SOURCE, encoding="utf-8")
    run = qnetem.run(
        {
            "name": "parties",
            "nodes": {
                "source": {"program": f"{tmp_path}/source.py:Source"},
                **{
                    name: {"program": f"{tmp_path}/party.py:Party", "with": {"rounds": 20}}
                    for name in ("alice", "bob", "carol")
                },
            },
            "links": [
                {
                    "between": ["source", name],
                    "quantum": {"length": "1 km", "attenuation": "0 dB/km"},
                }
                for name in ("alice", "bob", "carol")
            ],
        },
        in_process=True,
        runs_folder=tmp_path / "runs",
    )
    run.assert_ok()
    assert run.results["alice"] == run.results["carol"]
    assert run.results["bob"]["parity"]["value"] == -1  # GHZ: XYY is -1


SOURCE = """\
import asyncio

from qnetem import Agent


class Source(Agent):
    async def run(self):
        for _ in range(20):
            qubits = [await self.qubit() for _ in range(3)]
            await qubits[0].h()
            await qubits[0].cx(qubits[1])
            await qubits[0].cx(qubits[2])
            for qubit, peer in zip(qubits, ("alice", "bob", "carol")):
                await self.transmit(qubit, peer)
            await asyncio.sleep(1e-3)
"""
