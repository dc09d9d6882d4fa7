"""What `with` says is used or refused, however deep it stands, at the key or value that is wrong."""

from __future__ import annotations

import datetime
import enum
from collections.abc import Callable, Sequence
from dataclasses import InitVar, dataclass, field
from pathlib import Path
from typing import (
    Annotated,
    Any,
    Generic,
    Literal,
    NamedTuple,
    NewType,
    NotRequired,
    Optional,
    TypedDict,
    TypeVar,
)

import msgspec
import numpy as np
import pydantic
import pytest
from numpy.typing import NDArray

from qnetem import Agent, Nanoseconds, Seconds
from qnetem.agents.options.fitting import fit_options
from qnetem.checks import check_programs
from qnetem.emulator.errors import ProgramError, TopologyError
from qnetem.emulator.loading import load_topology

T = TypeVar("T")
Rounds = NewType("Rounds", int)


@dataclass
class Step:
    theta: float = 0.0


@dataclass(kw_only=True)
class Plan:
    steps: list[Step] = field(default_factory=list)
    named: dict[str, Step] = field(default_factory=dict)
    pair: tuple[Step, int] | None = None
    wait: Seconds = 0.0
    seed: InitVar[int] = 0
    hidden: int = field(default=0, init=False)
    child: Plan | None = None

    def __post_init__(self, seed: int) -> None:
        if seed == 13:
            raise ValueError("unlucky")


class Camel(msgspec.Struct, rename="camel"):
    max_rounds: Annotated[int, msgspec.Meta(ge=1)] = 1
    step: Step | None = None


class First(msgspec.Struct, tag="first"):
    x: int


class Second(msgspec.Struct, tag="second"):
    y: int


class Typed(TypedDict):
    a: int
    step: NotRequired[Step]


class Named(NamedTuple):
    a: int
    step: Step = Step()


class Colour(enum.Enum):
    RED = "red"
    BLUE = "blue"


class Model(pydantic.BaseModel):
    v: int = 0
    inner: list[Step] = []
    child: Optional[Model] = None  # noqa: UP045 -- as pydantic's users write it


@dataclass
class Box(Generic[T]):
    item: T


class A(Agent):
    @dataclass
    class Inner:
        k: int = 0

    async def run(  # type: ignore[no-untyped-def]
        self,
        plan: Plan | None = None,
        camel: Camel | None = None,
        tagged: First | Second | None = None,
        either: Step | Plan | None = None,
        typed: Typed | None = None,
        named: Named | None = None,
        colour: Colour = Colour.RED,
        word: Literal["x", "yy", 3] = "x",
        model: Model | None = None,
        box: Box[int] | None = None,
        rounds: Rounds = Rounds(0),
        path: Path = Path(),
        paths: Sequence[Path | None] = (),
        wait: Seconds = 0.0,
        wait_ns: Nanoseconds = 0,
        day: datetime.date | None = None,
        array: NDArray[np.float64] | None = None,
        whole: NDArray[np.int64] | None = None,
        small: np.int8 | None = None,
        amplitude: complex = 0,
        by: dict[int, Step] | None = None,
        inner: Inner | None = None,
        peer: str = "",
        few: Annotated[list[Step], msgspec.Meta(max_length=1)] = [],  # noqa: B006
        mixed: int | str | list[int] | None = None,
        call: Callable[[], None] | None = None,
    ):
        """Everything that may stand in an annotation."""


@pytest.mark.parametrize(
    ("given", "found"),
    [
        ({"plan": {"steps": [{"theta": 1}], "wait": "3 ms"}}, Plan(steps=[Step(1.0)], wait=0.003)),
        ({"plan": {"pair": [{"theta": 2}, 3]}}, Plan(pair=(Step(2.0), 3))),
        ({"plan": {"child": {"wait": "1 us"}}}, Plan(child=Plan(wait=1e-6))),
        ({"camel": {"maxRounds": 2, "step": {"theta": 1}}}, Camel(2, Step(1.0))),
        ({"tagged": {"type": "second", "y": 1}}, Second(1)),
        ({"either": {"steps": []}}, Plan()),
        ({"typed": {"a": 1, "step": {"theta": 1}}}, {"a": 1, "step": Step(1.0)}),
        ({"named": [1, {"theta": 1}]}, Named(1, Step(1.0))),
        ({"named": {"a": 1}}, Named(1)),
        ({"colour": "blue"}, Colour.BLUE),
        ({"word": 3}, 3),
        ({"model": {"inner": [{"theta": 1}]}}, Model(inner=[Step(1.0)])),
        ({"box": {"item": 1}}, Box(1)),
        ({"rounds": 4}, 4),
        ({"path": "sub/table.csv"}, Path("/base/sub/table.csv")),
        ({"path": "/etc/x"}, Path("/etc/x")),
        ({"paths": ["x", None]}, [Path("/base/x"), None]),
        ({"wait": "3 ms"}, 0.003),
        ({"day": "2026-01-01"}, datetime.date(2026, 1, 1)),
        ({"small": 3}, np.int8(3)),
        ({"amplitude": "1+2j"}, 1 + 2j),
        ({"by": {"1": {"theta": 1}}}, {1: Step(1.0)}),
        ({"inner": {"k": 1}}, A.Inner(1)),
        ({"mixed": "q"}, "q"),
        ({"mixed": [1]}, [1]),
    ],
)
def test_an_option_becomes_what_its_annotation_says(given: dict[str, Any], found: Any) -> None:
    ((value,),) = [fit_options(A, given, "/base").values()]
    assert value == found
    assert type(value) is type(found)


def test_a_list_becomes_an_array_of_the_dtype() -> None:
    found = fit_options(A, {"array": [[1, 2], [3, 4.5]], "whole": [1, 2]})
    assert found["array"].tolist() == [[1.0, 2.0], [3.0, 4.5]]
    assert (found["array"].dtype, found["whole"].dtype) == (np.float64, np.int64)


@pytest.mark.parametrize(
    ("given", "path", "near"),
    [
        ({"plann": {}}, ("plann",), "plan"),
        ({"plan": {"steps": [{}, {"thta": 1}]}}, ("plan", "steps", 1, "thta"), "theta"),
        ({"plan": {"named": {"q": {"thta": 1}}}}, ("plan", "named", "q", "thta"), "theta"),
        ({"plan": {"pair": [{"thta": 1}, 3]}}, ("plan", "pair", 0, "thta"), "theta"),
        ({"plan": {"child": {"stps": 1}}}, ("plan", "child", "stps"), "steps"),
        ({"camel": {"maxRound": 1}}, ("camel", "maxRound"), "maxRounds"),
        ({"camel": {"step": {"thta": 1}}}, ("camel", "step", "thta"), "theta"),
        ({"either": {"thta": 1}}, ("either", "thta"), "theta"),
        ({"either": {"stepps": 1}}, ("either", "stepps"), "steps"),
        ({"typed": {"a": 1, "stp": {}}}, ("typed", "stp"), "step"),
        ({"typed": {"a": 1, "step": {"thta": 1}}}, ("typed", "step", "thta"), "theta"),
        ({"named": [1, {"thta": 1}]}, ("named", "step", "thta"), "theta"),
        ({"named": {"a": 1, "stp": 1}}, ("named", "stp"), "step"),
        ({"model": {"inner": [{"thta": 1}]}}, ("model", "inner", 0, "thta"), "theta"),
        ({"model": {"child": {"innr": 1}}}, ("model", "child", "innr"), "inner"),
        ({"box": {"itm": 1}}, ("box", "itm"), "item"),
        ({"by": {"1": {"thta": 1}}}, ("by", "1", "thta"), "theta"),
        ({"few": [{"thta": 1}]}, ("few", 0, "thta"), "theta"),
    ],
)
def test_a_slip_in_a_key_is_told_at_the_key_with_the_nearest(
    given: dict[str, Any], path: tuple[str | int, ...], near: str
) -> None:
    with pytest.raises(ProgramError, match=f"did you mean '{near}'") as caught:
        fit_options(A, given)
    assert (caught.value.path, caught.value.at_key) == (path, True)


@pytest.mark.parametrize(
    ("given", "path", "why"),
    [
        ({"plan": {"steps": [{"theta": "x"}]}}, ("plan", "steps", 0, "theta"), "Expected `float`"),
        (
            {"plan": {"steps": [{"theta": "3 ms"}]}},
            ("plan", "steps", 0, "theta"),
            "annotate it with qnetem.Seconds to take a time such as '3 ms'",
        ),
        ({"rounds": "3 ms"}, ("rounds",), "annotate it with qnetem.Nanoseconds"),
        ({"wait_ns": "-3 ms"}, ("wait_ns",), "from 0 s to 292 years"),
        ({"wait_ns": 3}, ("wait_ns",), "Nanoseconds.*no unit"),
        ({"plan": [1]}, ("plan",), "expected a mapping"),
        ({"plan": {"steps": {}}}, ("plan", "steps"), "expected a list"),
        ({"plan": {"pair": [{}]}}, ("plan", "pair"), "expected 2 items, found 1"),
        ({"plan": {"wait": 3}}, ("plan", "wait"), "no unit"),
        ({"plan": {"seed": 13}}, ("plan",), "ValueError: unlucky"),
        ({"camel": {"maxRounds": 0}}, ("camel", "maxRounds"), ">= 1"),
        ({"tagged": {"type": "second", "x": 1}}, ("tagged", "x"), "did you mean|it has y"),
        ({"tagged": {"x": 1}}, ("tagged",), "expected First or Second"),
        ({"typed": {}}, ("typed",), "'a' is missing"),
        ({"named": [1, {}, 3]}, ("named",), "expected 2 items"),
        ({"colour": "rde"}, ("colour",), "did you mean 'red'"),
        ({"word": True}, ("word",), "expected x, yy, 3"),
        ({"model": {"v": "q"}}, ("model", "v"), "valid integer"),
        ({"box": {"item": "q"}}, ("box", "item"), "Expected `int`"),
        ({"path": 3}, ("path",), "expected the path"),
        ({"path": "a\0b"}, ("path",), "expected the path"),
        ({"wait": "-3 ms"}, ("wait",), "from 0 s to 292 years"),
        ({"wait": "3 km"}, ("wait",), "is a length"),
        ({"array": [[1, 2], [3]]}, ("array",), "expected numbers"),
        ({"array": [True]}, ("array",), "expected"),
        ({"whole": [1.5]}, ("whole",), "expected"),
        ({"small": 300}, ("small",), "expected int8"),
        ({"amplitude": "q"}, ("amplitude",), "'1\\+2j'"),
        ({"peer": True}, ("peer",), "put it in quotes"),
        ({"few": [{}, {}]}, ("few",), "length <= 1"),
        ({"mixed": ["q"]}, ("mixed", 0), "Expected `int`"),
        ({"mixed": 1.5}, ("mixed",), "expected int or str or list"),
        ({"call": 3}, ("call",), "Expected"),
    ],
)
def test_a_value_that_does_not_fit_is_told_where_it_stands(
    given: dict[str, Any], path: tuple[str | int, ...], why: str
) -> None:
    with pytest.raises(ProgramError, match=why) as caught:
        fit_options(A, given)
    assert caught.value.path[: len(path)] == path


class ByPosition(Agent):
    async def run(self, a: int = 1, /, *args: int, b: int = 1, **more: int) -> None:
        """Every kind of parameter."""


class NeedsPosition(Agent):
    async def run(self, a: int, /) -> None:
        """Nothing in a file is given by position."""


@pytest.mark.parametrize("name", ["a", "args", "more", "self"])
def test_an_option_goes_by_name_and_takes_no_place_of_another_parameter(name: str) -> None:
    with pytest.raises(ProgramError, match=f"takes no '{name}'"):
        fit_options(ByPosition, {name: 1})


def test_further_options_are_converted_by_the_annotation_of_the_rest() -> None:
    assert fit_options(ByPosition, {"b": 2, "c": 3}) == {"b": 2, "c": 3}
    with pytest.raises(ProgramError, match="c: int"):
        fit_options(ByPosition, {"c": "x"})


def test_a_parameter_that_only_goes_by_position_is_refused() -> None:
    with pytest.raises(ProgramError, match="takes 'a' by position"):
        fit_options(NeedsPosition, {})


def test_types_that_a_function_defines_are_found_where_it_is_seen() -> None:
    @dataclass
    class Local:
        k: int = 0

    class Program(Agent):
        async def run(self, local: Local | None = None) -> Unknown:  # type: ignore[name-defined]  # noqa: F821
            return Local()

    assert fit_options(Program, {"local": {"k": 1}}) == {"local": Local(1)}


FILE = """\
name: nested
kinds:
  endpoint: {with: {plan: {stps: 3}}}
nodes:
  alice: {program: "PROGRAM", with: {plan: {steps: [{theta: 1}, {thta: 2}]}}}
"""


def test_the_error_has_line_and_column_of_the_key_or_value_in_its_layer(tmp_path: Path) -> None:
    path = tmp_path / "t.yaml"

    def refused(text: str) -> TopologyError:
        path.write_text(text.replace("PROGRAM", f"{__name__}:A"))
        with pytest.raises(TopologyError) as caught:
            check_programs(load_topology(path))
        return caught.value

    def place(text: str, word: str) -> tuple[int, int]:
        lines = text.replace("PROGRAM", f"{__name__}:A").splitlines()
        return next((n, line.index(word) + 1) for n, line in enumerate(lines, 1) if word in line)

    error = refused(FILE)
    assert (error.line, error.column) in (place(FILE, "stps"), place(FILE, "thta"))
    node = FILE.replace("stps: 3", "")
    error = refused(node)
    assert (error.line, error.column) == place(node, "thta")
    value = node.replace("thta: 2", "theta: x")
    error = refused(value)
    assert (error.line, error.column) == (5, place(value, "theta: x")[1] + len("theta: "))
    top = node.replace("{plan: {steps: [{theta: 1}, {thta: 2}]}}", "{plan: {}, weit: 1 s}")
    error = refused(top)
    assert (error.line, error.column) == place(top, "weit")
