"""What is equal has one form: which of two equal numbers came first, in this run or another, is not seen.

And nothing can write to what runs share.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Iterator
from functools import _lru_cache_wrapper
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import qnetem.emulator
from qnetem import Agent
from qnetem.agents.qubits import bloch
from qnetem.emulator.devices.sources import Fock, poisson, thinned
from qnetem.emulator.heralding.attempts import MIXED
from qnetem.emulator.quantum.operations.measurements import _shown_axis
from qnetem.emulator.record.journal import rounded
from qnetem.emulator.states import noise
from qnetem.emulator.states.density_matrix import DensityMatrix, target_projector
from qnetem.emulator.states.engine import unit_axis
from qnetem.emulator.states.gates import gate
from qnetem.emulator.states.pauli import column_strings
from qnetem.emulator.units import parse_quantity
from qnetem.runs.run_folder import versions

from .. import harness

#: Forms of one number that Python holds for equal; which of them is the first must not matter.
ZEROS = (0.0, -0.0, 0, False, np.float64(-0.0), np.int64(0))
ONES = (1.0, 1, True, np.float64(1.0), np.int64(1))


def _bytes(value: Any) -> bytes:
    return np.asarray(value, dtype=float).tobytes()


#: A cached function and equal arguments.
CACHED: dict[str, tuple[Any, list[tuple[Any, ...]]]] = {
    "unit_axis": (unit_axis, [((one, zero, zero),) for one in ONES for zero in ZEROS]),
    "journalled axis": (_shown_axis, [((one, zero, zero),) for one in ONES for zero in ZEROS]),
    "rx": (gate, [("rx", zero) for zero in ZEROS]),
    "rz": (gate, [("rz", one) for one in ONES]),
}


@pytest.mark.parametrize("name", CACHED)
def test_equal_arguments_of_a_cache_have_one_answer_whichever_came_first(name: str) -> None:
    function, arguments = CACHED[name]
    answers = set()
    for first in arguments:
        function.cache_clear()
        answers.add(_bytes(function(*first)))
    assert len(answers) == 1


def test_no_zero_has_a_sign_in_the_journal_or_on_its_way_there() -> None:
    values = rounded({"a": [-0.0, (-1e-400, 0.0)], "b": -0.0})
    assert repr(values) == repr({"a": [0.0, [0.0, 0.0]], "b": 0.0})
    assert repr(bloch((-0.0, np.float64(-0.0), -2))) == repr((0.0, 0.0, -1.0))
    assert repr(parse_quantity("-0 rad", "angle")) == "0.0"


@settings(max_examples=6)
@given(st.permutations(["plain", "framed", "turned"]))
def test_a_measurement_is_journalled_alike_whatever_was_measured_before(order: list[str]) -> None:
    """A correction of the frame turns X into (1, -0, 0)."""
    unit_axis.cache_clear()
    _shown_axis.cache_clear()
    lines = {}
    for name in order:
        lines[name] = [event[4:] for event in _measured(name).of("alice", "operation")]
    assert repr(lines["plain"]) == repr(lines["framed"]) == repr(lines["turned"])


def _measured(how: str) -> harness.Run:
    async def alice(me: Agent) -> int:
        pair = await me.entangle("bob")
        if how == "framed":
            pair.shift(0, 1)
        return await pair.measure((1, -0.0, -0.0) if how == "turned" else "X")

    async def bob(me: Agent) -> None:
        await (await me.entangle("alice")).discard()

    heralded = harness.link("alice", "bob", entangle=harness.heralding())
    return harness.run(harness.network({"alice": alice, "bob": bob}, [heralded]))


async def _emptied(me: Agent, words: list[str]) -> int:
    while words:
        words.pop()
    return me.incarnation


class Emptying(Agent):
    """Uses up what it was given."""

    async def run(self, words: Any) -> int:
        found = len(words)
        await _emptied(self, words)
        return found


def test_a_program_that_uses_its_options_up_has_them_again_in_its_next_life_and_run() -> None:
    node = harness.node("alice", f"{__name__}:Emptying", with_={"words": ["a", "b"]})
    topology = harness.network({"alice": node})
    assert harness.run(topology).results == {"alice": 2}
    assert harness.run(topology).results == {"alice": 2}


# --- what is shared cannot be written to ----------------------------------------------------------


def _modules() -> Iterator[ModuleType]:
    for found in pkgutil.walk_packages(qnetem.emulator.__path__, "qnetem.emulator."):
        yield importlib.import_module(found.name)


def _arrays(value: Any) -> Iterator[np.ndarray[Any, Any]]:
    if isinstance(value, np.ndarray):
        yield value
    elif isinstance(value, (tuple, list)):
        for item in value:
            yield from _arrays(item)
    elif isinstance(value, dict):
        for item in value.values():
            yield from _arrays(item)
    elif isinstance(value, DensityMatrix):
        yield value.vector


def test_no_module_of_the_emulator_holds_an_array_that_can_be_written_to() -> None:
    seen = 0
    for module in _modules():
        for name, value in vars(module).items():
            for array in _arrays(value):
                seen += 1
                assert not array.flags.writeable, f"{module.__name__}.{name}"
    assert seen > 10


#: Every cached function of the emulator that answers with arrays, and a call of it.
ANSWERS: dict[str, Callable[[], Any]] = {
    "pauli.column_strings": lambda: column_strings(1),
    "gates.gate": lambda: gate("h"),
    "noise.depolarising": lambda: noise.depolarising(0.25),
    "noise.dephasing": lambda: noise.dephasing(0.25),
    "noise.amplitude_damping": lambda: noise.amplitude_damping(0.25),
    "noise.decay": lambda: noise.decay(100.0, 50.0, 7),
    "sources.poisson": lambda: poisson(0.5),
    "sources.thinned": lambda: thinned(Fock(2), 0.5),
    "density_matrix._small_projector": lambda: target_projector([1, 0], 1),
    "density_matrix._small_vector": lambda: DensityMatrix.from_density(MIXED).vector,
}


@pytest.mark.parametrize("name", ANSWERS)
def test_no_answer_that_is_kept_can_be_written_to(name: str) -> None:
    array = ANSWERS[name]()
    with pytest.raises(ValueError, match="read-only"):
        array[0] = 7.0
    assert ANSWERS[name]() is array


def test_what_can_be_written_to_is_a_copy() -> None:
    versions()["python"] = "1.5.2"
    assert versions()["python"] != "1.5.2"


def test_every_cached_function_is_known_here() -> None:
    cached = [
        name
        for module in _modules()
        for name, value in vars(module).items()
        if isinstance(value, _lru_cache_wrapper) and value.__module__ == module.__name__
    ]
    known = {name.rpartition(".")[2] for name in ANSWERS} | {
        "unit_axis", "_shown_axis", "_thermal", "_to_front", "_interleaved", "_detection_code_weights",
        "closed_forms", "_geometry", "_orbit",
    }  # fmt: skip
    assert set(cached) == known, "say here how a new cache's keys are told apart"
