"""From a table to a picture: the right points, the closed form beside them, the same bytes again."""

from __future__ import annotations

import math
import re
from pathlib import Path
from typing import Any

import pytest

from qnetem.emulator.errors import InputError
from qnetem.plots.plot import plot
from qnetem.plots.points import Series, Table, numbers_of
from qnetem.plots.theory import Theory

LENGTH, T2 = "links.alice-bob.quantum.length", "nodes.alice.memory.t2"
HEAD = f"{LENGTH},{T2},seed,ended,bob.qber,bob.qber.se,problem,command\n"
TOPOLOGY = """\
name: pair
nodes: {alice: {memory: {t2: 10 ms}}, bob: }
links:
  - {between: [alice, bob], quantum: {length: 10 km, entangle: {success: 0.1, fidelity: 0.9, attempt: 1 ms}}}
"""


def line(length: str, t2: str, seed: int, value: object, ended: str = "well") -> str:
    sets = f"--set '{LENGTH}={length}' --set '{T2}={t2}'"
    command = f"qnetem run pair.yaml --seed {seed} --in-process {sets}"
    return f'{length},{t2},{seed},{ended},{value},0.05,,"{command}"\n'


TABLE = HEAD + "".join(
    line(length, "1 ms", seed, value)
    for length, values in (("20 km", (0.3, 0.5)), ("500 m", (0.1, 0.3)), ("10 km", (0.2, 0.2)))
    for seed, value in enumerate(values)
)


def test_points_are_means_with_standard_errors_in_the_order_of_x() -> None:
    points = Table(TABLE, "t.csv").points(LENGTH, "bob.qber", None)
    assert (points.unit, points.seeds) == ("km", 2)
    (series,) = points.series
    assert [point.x for point in series.points] == [0.5, 10, 20]
    assert [point.y for point in series.points] == pytest.approx([0.2, 0.2, 0.4])
    assert [point.error for point in series.points] == pytest.approx([0.1, 0.0, 0.1])


def test_one_run_at_a_point_has_the_error_within_it_and_failures_have_none() -> None:
    table = HEAD + line("1 km", "1 ms", 0, 0.4) + line("1 km", "1 ms", 1, 0.9, "StuckError")
    table += line("2 km", "1 ms", 0, "")
    (series,) = Table(table, "t.csv").points(LENGTH, "bob.qber", None).series
    assert [tuple(point) for point in series.points] == [(1.0, "1 km", 0.4, 0.05)]


def test_another_parameter_is_a_series_or_an_error() -> None:
    table = Table(TABLE + line("10 km", "2 ms", 0, 0.7), "t.csv")
    with pytest.raises(InputError, match=rf"{T2} has 2 values \(1 ms, 2 ms, ...\)"):
        table.points(LENGTH, "bob.qber", None)
    points = table.points(LENGTH, "bob.qber", T2)
    assert [(one.name, len(one.points)) for one in points.series] == [("1 ms", 3), ("2 ms", 1)]


@pytest.mark.parametrize(
    ("texts", "unit", "numbers"),
    [
        (["1", "2.5", "-1e3"], "", [1, 2.5, -1000]),
        (["1 us", "2 ms"], "ms", [0.001, 2]),
        (["0.2 dB/km"], "dB/km", [0.2]),
        (["5 %", "0.1"], "", [0.05, 0.1]),
    ],
)
def test_quantities_become_numbers_of_one_unit(
    texts: list[str], unit: str, numbers: list[float]
) -> None:
    found = numbers_of("x", texts)
    assert found == (unit, pytest.approx(numbers))


def test_what_cannot_be_drawn_is_refused() -> None:
    for texts in (["1 km", "1 s"], ["auto"], [""]):
        with pytest.raises(InputError, match=r"^x: "):
            numbers_of("x", texts)
    for text in ("", "a,b\n1,2\n"):
        with pytest.raises(InputError, match="expected a table of qnetem sweep"):
            Table(text, "t.csv")
    table = Table(TABLE, "t.csv")
    with pytest.raises(InputError, match=r"unknown column 'bob.qbre'; did you mean 'bob.qber'"):
        table.points(LENGTH, "bob.qbre", None)
    with pytest.raises(InputError, match=r"expected a file that ends in .svg, .pdf or .png"):
        plot(table, LENGTH, "bob.qber", "x.gif")


def theory(formula: str, command: str, folder: Path, file: Path | None = None) -> Theory:
    return Theory(formula, LENGTH, "km", Series("", command), file, folder)


COMMAND = f"qnetem run pair.yaml --seed 0 --set '{LENGTH}=1 km' --set '{T2}=2 ms'"


def test_a_closed_form_is_that_of_the_topology_with_each_x(tmp_path: Path) -> None:
    (tmp_path / "pair.yaml").write_text(TOPOLOGY)
    light_s = theory("delay('alice-bob')", COMMAND, tmp_path)
    assert light_s.value(100.0) == pytest.approx(10 * light_s.value(10.0), rel=1e-4)
    # The other overrides of the series count, too: T2 is 2 ms in it and 10 ms in the file.
    kept = math.exp(-light_s.value(100.0) / 2e-3)
    expected = (1 + 2 * kept * (4 * 0.9 - 1) / 3 + (4 * 0.9 - 1) / 3) / 4
    assert theory("pair('alice-bob')", COMMAND, tmp_path).value(100.0) == pytest.approx(expected)
    alone = theory("2 * x + depolarising_qber(0.1)", "", tmp_path)
    assert alone.value(-3.0) == pytest.approx(-6 + 0.05)


@pytest.mark.parametrize(
    ("formula", "problem"),
    [
        ("pair('alice-bob')", "unknown link 'alice-bob'.*name the topology with --file"),
        ("y * 2", "unknown name 'y'"),
        ("2 *", "cannot read"),
        ("'a'", "not a number"),
    ],
)
def test_a_formula_that_has_no_value_is_refused(formula: str, problem: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=problem):
        theory(formula, COMMAND, tmp_path).value(1.0)


def test_the_same_points_give_the_same_bytes(tmp_path: Path) -> None:
    (tmp_path / "pair.yaml").write_text(TOPOLOGY)
    table = tmp_path / "out.csv"
    table.write_text(TABLE + line("10 km", "2 ms", 0, 0.7))
    options: dict[str, Any] = {"by": T2, "title": "Pairs", "y_label": "error rate"}
    for ending in ("pdf", "png", "svg"):
        if ending == "svg":
            options["theory"] = "2 * (1 - pair('alice-bob')) / 3"
        pictures = [tmp_path / f"{name}.{ending}" for name in "ab"]
        for picture in pictures:
            plot(table, LENGTH, "bob.qber", picture, **options)
        first, second = (picture.read_bytes() for picture in pictures)
        assert first == second and len(first) > 5000
    svg = (tmp_path / "a.svg").read_text()
    # matplotlib draws text as paths and says in a comment what it is.
    said = re.findall(r"<!-- (.*?) -->", svg)
    assert {"Pairs", "error rate", f"{LENGTH} (km)", "1 ms", "2 ms", options["theory"]} <= set(said)
    assert not re.search(r"<dc:date>|20[0-9]{2}-[0-9]{2}", svg)
