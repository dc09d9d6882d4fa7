"""The list of functions is whole, the page shows it, and the command prints it."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from typer.testing import CliRunner

import qnetem
from qnetem import closed_forms as for_people
from qnetem.cli.main import app
from qnetem.emulator.closed_forms.catalogue import CONSTANTS, closed_forms
from qnetem.emulator.loading import load_topology, parse_topology
from qnetem.expect.arithmetic import FUNCTIONS
from qnetem.expect.expect import parse_expectations
from qnetem.expect.listing import as_markdown, as_text, entries
from qnetem.expect.predictions import READERS, functions

PAGE = Path(__file__).parents[3] / "docs" / "expect.md"
TWO = """
name: two
nodes: {alice: , bob: }
links:
  - between: [alice, bob]
    quantum: {length: 1 km, entangle: {success: 1, fidelity: 0.9, attempt: 1 ms}}
"""


def test_the_page_shows_the_list_as_it_is() -> None:
    page = PAGE.read_text(encoding="utf-8")
    shown = page.partition("`qnetem expect --list --format markdown`.\n\n")[2]
    assert shown == as_markdown(), "qnetem expect --list --format markdown has changed"


def test_every_function_an_expectation_may_call_is_listed() -> None:
    topology = parse_topology(TWO)
    known = {**FUNCTIONS, **functions(topology)}
    listed = [entry.name for entry in entries()]
    assert set(listed) == set(known) | set(closed_forms()) | {"constants"}
    assert set(READERS) <= set(known)


def test_the_examples_of_the_page_are_taken() -> None:
    page = PAGE.read_text(encoding="utf-8")
    (block,) = re.findall(r"```yaml\n(.*?)```", page, re.DOTALL)
    block = re.sub(r"alice-r1|r1-bob", "alice-bob", block)
    assert len(parse_expectations(parse_topology(TWO + block))) == 4
    (program,) = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    names: dict[str, object] = {}
    exec(program, names)
    assert names["fidelity"] == for_people.werner_join(0.9, 0.95)


def test_people_import_every_closed_form_by_its_name() -> None:
    for name, form in closed_forms().items():
        if "." not in name:
            assert getattr(qnetem.closed_forms, name) is form.function
    names = {name for name in closed_forms() if "." not in name} | set(CONSTANTS)
    assert set(for_people.__all__) - names == {
        "Argument",
        "ClosedForm",
        "closed_forms",
        "BellWeights",
    }


def test_the_command_lists_searches_and_evaluates(tmp_path: Path) -> None:
    def said(*arguments: str) -> str:
        result = CliRunner().invoke(app, ["expect", *arguments])
        assert result.exit_code == 0, result.output
        return result.stdout

    assert "werner_chain(fidelity, pairs, gate=1.0, measurement=1.0)  -> fidelity" in said("--list")
    found = json.loads(said("--list", "bbpssw", "--format", "json"))
    assert found[0]["source"] == "Bennett et al., PRL 76, 722 (1996)"
    file = tmp_path / "two.yaml"
    file.write_text(TWO)
    assert said("2 * pair('alice-bob')", "--topology", str(file)) == "1.8\n"
    for arguments, problem in (
        (["--list", "bbpsw"], "did you mean 'bbpssw'?"),
        (["wernr_join(1)"], "did you mean 'werner_join'?"),
        ([], "say --list"),
    ):
        result = CliRunner().invoke(app, ["expect", *arguments])
        assert (result.exit_code, problem in result.output) == (2, True), result.output


def test_no_line_of_the_list_is_cut_and_calls_stay_whole() -> None:
    lines = as_text("", 80)
    for entry in entries():
        assert f"  {entry.signature}  -> {entry.result}" in lines


@pytest.mark.parametrize(
    ("line", "column", "problem"),
    [
        (
            'bob.f: "~ 1 - werner_chain(fidelty=0.9)"',
            17,
            "no argument 'fidelty'; did you mean 'fidelity'?",
        ),
        ("bob.f: '<   2 * telported(0.9)'", 19, "did you mean 'teleported'?"),
        ("bob.f: ~ 0.9 +- sqr(2)", 19, "did you mean 'sqrt'?"),
        ('bob.f: "0.1 .. teleported(paire)"', 29, "did you mean 'pair'?"),
        ('bob.f: "~ (1"', 13, "cannot read '(1'"),
        ('bob.f: "nothing"', 10, "expected '< 0.1'"),
        ("bob.f: >\n    ~ telported(0.9)", 10, "did you mean 'teleported'?"),
    ],
)
def test_a_mistake_in_a_file_is_named_with_its_place(
    line: str, column: int, problem: str, tmp_path: Path
) -> None:
    (tmp_path / "two.yaml").write_text(f"{TWO}expect:\n  {line}\n")
    with pytest.raises(qnetem.QnetemError) as raised:
        parse_expectations(load_topology(tmp_path / "two.yaml"))
    text = str(raised.value)
    found = re.search(r"two.yaml:8:(\d+): expect bob.f", text)
    assert found and int(found[1]) == column, text
    assert problem in text
