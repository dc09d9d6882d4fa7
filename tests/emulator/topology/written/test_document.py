"""YAML to written values: plain data only, and every value at its place."""

from __future__ import annotations

from typing import Any

import pytest

from qnetem.emulator.errors import TopologyError
from qnetem.emulator.topology.written.document import read_document
from qnetem.emulator.topology.written.positions import Position, Written
from qnetem.emulator.topology.written.problems import Problems


def read(text: str) -> Written:
    problems = Problems("net.yaml")
    root = read_document(text, problems)
    problems.raise_first()
    return root


@pytest.mark.parametrize(
    ("scalar", "value"),
    [
        ("no", "no"),
        ("on", "on"),
        ("true", True),
        ("False", False),
        ("~", None),
        ("", None),
        ("007", 7),
        ("1_000_000", 1_000_000),
        ("-3", -3),
        ("1e3", 1000.0),
        (".5", 0.5),
        ("1.", 1.0),
        ("0x1F", "0x1F"),
        ("1:30", "1:30"),
        ("2024-01-01", "2024-01-01"),
        (".nan", ".nan"),
        ("'7'", "7"),
        ("!!str 7", "7"),
        ("!!float 7", 7.0),
        ("40 km", "40 km"),
    ],
)
def test_a_scalar_is_a_number_only_if_it_looks_like_one(scalar: str, value: object) -> None:
    found = read(f"key: {scalar}").plain()["key"]
    assert found == value and type(found) is type(value)


def test_a_key_is_always_a_word() -> None:
    assert read("{no: 1, 1: 2, null: 3, 1.5: 4}").plain() == {"no": 1, "1": 2, "null": 3, "1.5": 4}


def test_every_value_knows_its_place_and_that_of_its_key() -> None:
    root = read("nodes:\n  alice:\n    memory: {t2: 1 s}\nlinks:\n  - [a, b]\n")
    t2 = root.nearest(["nodes", "alice", "memory", "t2"])
    assert (t2.value, t2.mark, t2.key_mark) == ("1 s", Position(3, 18), Position(3, 14))
    assert root.nearest(["nodes", "alice"]).best_mark == Position(2, 3)
    assert root.nearest(["links", 0, 1]).mark == Position(5, 9)


@pytest.mark.parametrize(
    ("text", "line", "column", "said"),
    [
        ("a: 1\nb: [1, 2", 2, 9, "this is not YAML"),
        ("a: b: c", 1, 5, "this is not YAML"),
        ("a:\n\t- b", 2, 1, "this is not YAML"),
        ("a: \x01", 1, 4, "the character U+0001 is not allowed"),
        ('a: "\\UFFFFFFFF"', 1, 1, "stands for no character"),
        ("a: *stranger", 1, 4, "undefined alias 'stranger'"),
        ("--- {a: 1}\n--- {b: 1}", 2, 1, "another document"),
        ("[" * 3000, 1, 1, "nested too deeply"),
        ("a: &a [1, *a]", 1, 11, "inside the very value"),
        ("a: 1\nb: 2\na: 3", 3, 1, "'a' stands twice in one mapping; first in line 1"),
        ("{? [a]: b}", 1, 4, "a key must be a word"),
        (
            "a: !!python/object/apply:os.getcwd []",
            1,
            4,
            "the tag '!!python/object/apply:os.getcwd'",
        ),
        ("a: !!python/name:os.getcwd x", 1, 4, "is not allowed"),
        ("a: !mine 3", 1, 4, "the tag '!mine' is not allowed: expected plain data"),
        ("a: !!set {b}", 1, 4, "the tag '!!set'"),
        ("!!binary aGk=: 3", 1, 1, "the tag '!!binary'"),
        ("a: !!int three", 1, 4, "'three': expected a whole number"),
        ("a: !!bool 3", 1, 4, "'3': expected true or false"),
        ("a: 1e999", 1, 4, "'1e999': expected a finite number"),
        ("a: 9223372036854775808", 1, 4, "at most 64 bits"),
        ('a: "\\ud800"', 1, 4, "half of a surrogate pair"),
        ('"\\ud800": 1', 1, 1, "half of a surrogate pair"),
        ("a: {<<: 3}", 1, 5, "'<<' takes a mapping"),
    ],
)
def test_what_is_not_plain_yaml_is_refused_at_its_place(
    text: str, line: int, column: int, said: str
) -> None:
    with pytest.raises(TopologyError) as caught:
        read(text)
    assert said in caught.value.problem
    assert (caught.value.line, caught.value.column) == (line, column)


def test_an_alias_stands_for_its_anchor_whose_parts_keep_their_place() -> None:
    root = read("base: &b {t2: &t 1 s}\nmine: *b\nother: *t\n")
    assert root.plain() == {"base": {"t2": "1 s"}, "mine": {"t2": "1 s"}, "other": "1 s"}
    assert root.nearest(["mine"]).mark == Position(2, 7)
    assert root.nearest(["mine", "t2"]).mark == Position(1, 15)
    assert root.nearest(["other"]).mark == Position(3, 8)


@pytest.mark.parametrize(
    ("mapping", "value"),
    [
        ("{<<: *a, y: 5}", {"x": 1, "y": 5}),
        ("{y: 5, <<: *a}", {"x": 1, "y": 5}),
        ("{<<: [*a, *b]}", {"x": 1, "y": 2, "z": 4}),
        ("{<<: [*b, *a]}", {"x": 1, "y": 3, "z": 4}),
    ],
)
def test_a_merge_key_brings_in_what_is_not_said(mapping: str, value: dict[str, Any]) -> None:
    text = f"- &a {{x: 1, y: 2}}\n- &b {{y: 3, z: 4}}\n- {mapping}\n"
    assert read(text).plain()[2] == value


def test_aliases_cannot_blow_a_file_up() -> None:
    lines = ["l0: &l0 [1, 1, 1, 1, 1, 1, 1, 1, 1, 1]"]
    lines += [f"l{n}: &l{n} [{', '.join([f'*l{n - 1}'] * 10)}]" for n in range(1, 9)]
    with pytest.raises(TopologyError, match="expands to more than"):
        read("\n".join(lines))
