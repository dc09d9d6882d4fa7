"""Merging layers without losing where their values stand; telling which name was meant."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from qnetem.emulator.topology.written.names import default_link_name, name_problem, nearest, shown
from qnetem.emulator.topology.written.positions import Position, Written, merged, within, written

BELOW, ABOVE = Position(1, 1), Position(2, 2)
json_values = st.recursive(
    st.none() | st.integers() | st.text(max_size=3),
    lambda inner: (
        st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from("abc"), inner, max_size=3)
    ),
    max_leaves=8,
)


def layered(below: Any, above: Any) -> Written:
    both = merged(written(below, BELOW), written(above, ABOVE))
    assert both is not None
    return both


def test_mappings_merge_entry_by_entry_and_all_else_is_replaced() -> None:
    both = layered({"a": {"x": 1, "y": [1]}, "b": 2}, {"a": {"y": [2, 3]}, "c": 3})
    assert both.plain() == {"a": {"x": 1, "y": [2, 3]}, "b": 2, "c": 3}


def test_a_merged_value_stands_where_its_layer_has_it() -> None:
    both = layered({"a": {"x": 1, "y": 2}}, {"a": {"y": 3}})
    assert both.nearest(["a", "x"]).mark == BELOW
    assert both.nearest(["a", "y"]).mark == ABOVE


def test_nothing_replaces_a_scalar_but_leaves_a_mapping() -> None:
    assert layered({"t2": "1 s", "memory": {"x": 1}}, {"t2": None, "memory": None}).plain() == {
        "t2": None,
        "memory": {"x": 1},
    }


def test_a_layer_that_is_missing_changes_nothing() -> None:
    layer = written({"a": 1}, BELOW)
    assert merged(None, layer) is layer and merged(layer, None) is layer
    assert merged(None, None) is None


@given(json_values, json_values)
def test_merging_changes_neither_layer(below: Any, above: Any) -> None:
    lower, upper = written(below, BELOW), written(above, ABOVE)
    merged(lower, upper)
    assert (lower.plain(), upper.plain()) == (below, above)


@given(st.dictionaries(st.sampled_from("abc"), json_values))
def test_a_layer_over_itself_is_itself(layer: dict[str, Any]) -> None:
    assert layered(layer, layer).plain() == layer


def test_the_nearest_value_is_the_last_one_on_the_path() -> None:
    root = written({"a": [{"b": 1}]}, BELOW)
    assert root.nearest(["a", 0, "b"]).value == 1
    assert root.nearest(["a", 1, "b"]).plain() == [{"b": 1}]
    assert root.nearest(["x"]) is root
    assert within(root, "a", "b") is None and within(root, "a") is not None


def test_a_place_reads_like_a_compilers() -> None:
    assert str(Position(3, 5, "net.yaml")) == "net.yaml:3:5"
    assert str(Position(file="net.yaml")) == "net.yaml"


def test_the_nearest_name_is_offered_and_else_what_there_is() -> None:
    assert nearest("alic", ["alice", "bob"]) == "; did you mean 'alice'?"
    assert nearest("zzz", ["alice", "bob"]) == "; expected one of alice, bob"
    assert nearest("zzz", ["alice"]) == "; expected alice"
    assert nearest("zzz", []) == "; there are none"
    assert nearest("zzz", [f"n{i}" for i in range(99)]).endswith("n10, n11, ...")


def test_the_name_of_a_link_is_a_name_if_those_of_its_ends_are() -> None:
    name = default_link_name("ground-1", "sat_2")
    assert name == "ground-1-sat_2" and name_problem(name) is None


def test_an_error_quotes_values_in_the_words_of_yaml() -> None:
    values: list[object] = [None, True, {}, [1], 3]
    assert [shown(value) for value in values] == [
        "nothing",
        "true",
        "a mapping",
        "a list",
        "3",
    ]
    assert len(shown("x" * 500)) < 70
