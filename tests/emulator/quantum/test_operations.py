"""The table of operations: one row each, and the same results as nodes expect."""

from __future__ import annotations

from typing import get_args

import msgspec

from qnetem.agents.node import node
from qnetem.emulator.quantum.operations.table import ROWS
from qnetem.emulator.wire.messages import AnyOperation


def test_each_operation_of_the_wire_has_a_row_and_a_verb_of_its_own() -> None:
    assert set(ROWS) == set(get_args(AnyOperation))
    assert len({row.verb for row in ROWS.values()}) == len(ROWS)


def test_a_row_has_a_plan_or_a_begin_of_its_own() -> None:
    assert all((row.plan is None) != (row.begin is None) for row in ROWS.values())


def test_nodes_expect_the_results_that_rows_name() -> None:
    structured = {
        kind: row.result
        for kind, row in ROWS.items()
        if row.result is not None and issubclass(row.result, msgspec.Struct)
    }
    assert structured == node._RESULT_TYPES
