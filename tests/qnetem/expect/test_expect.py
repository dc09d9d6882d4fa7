"""Expectations: read before a run, judged after it."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qnetem.emulator.errors import InputError, TopologyError
from qnetem.expect.expect import Verdict, look_up, parse, parse_expectations
from qnetem.expect.expressions import evaluate
from qnetem.expect.predictions import functions, stored_werner

from ..front_door import CHAIN, loaded, series

FUNCTIONS = {"double": lambda x: 2.0 * x, "length": lambda *names: float(len(names))}


def verdict(text: str, measured: object) -> Verdict:
    return parse("bob.q", text, FUNCTIONS).judge({"bob": {"q": measured}}, {})


def metric_verdict(text: str, metric: dict[str, float]) -> Verdict:
    return parse("bob.q", text, FUNCTIONS).judge({}, {"bob.q": metric})


@pytest.mark.parametrize(
    ("text", "measured", "ok"),
    [
        ("< 0.11", 0.1, True),
        ("< 0.11", 0.11, False),
        ("<= 0.11", 0.11, True),
        ("> 3", 3, False),
        (">= 3", 3, True),
        ("== 0", 0, True),
        ("== 0", 0.001, False),
        ("!= 0", 1, True),
        ("!= 0", 0, False),
        ("== true", True, True),
        ("== 'done'", "done", True),
        ("== 'done'", "lost", False),
        ("0.9 .. 1.0", 0.9, True),
        ("0.9..1.0", 1.0, True),
        ("0.9 .. 1.0", 1.01, False),
        ("-1 .. double(1)", 1.5, True),
        ("~ 0.95 +- 0.01", 0.959, True),
        ("~ 0.95 +- 0.01", 0.965, False),
        ("~ 0.95 ± 0.01", 0.941, True),
        ("~ double(0.25) + 1", 1.5, True),
        ("~ 0.3", 0.1 + 0.2, True),
        ("< 1", math.nan, False),
        ("0 .. 1", math.nan, False),
    ],
)
def test_a_comparison_means_what_it_says(text: str, measured: object, ok: bool) -> None:
    assert verdict(text, measured).ok is ok


def test_close_means_three_standard_errors_of_a_metric() -> None:
    observed = series(0.90, std=0.1, count=100)  # standard error 0.01
    assert metric_verdict("~ 0.92", observed).ok
    assert not metric_verdict("~ 0.94", observed).ok
    judged = metric_verdict("~ 0.92", observed)
    assert judged.sigma == pytest.approx(0.01)
    assert judged.text == "2.0 sigma"


def test_a_value_without_spread_must_be_equal_or_be_given_a_tolerance() -> None:
    judged = verdict("~ 0.95", 0.94)
    assert not judged.ok
    assert "+- tolerance" in judged.text
    assert not metric_verdict("~ 0.95", series(0.94, std=0.0, count=50)).ok


@pytest.mark.parametrize(
    ("text", "measured", "ok"),
    [
        ("~ 0.5092", 0.5091569, True),
        ("~ 0.5092", 0.50926, False),
        ("~ 0.5092", 0.50914, False),
        ("~ 9.79e-5", 9.7934e-05, True),
        ("~ 9.79e-5", 9.7951e-05, False),
        ("~ 0.95", 0.951, False),  # two digits are as likely a whole claim
        ("~ 123", 123.4, False),
        ("~ 0.50920 + 0", 0.509201, False),  # a formula is exact
        ("== 0.5092", 0.5091569, False),
    ],
)
def test_a_number_that_is_written_out_is_meant_to_its_last_digit(
    text: str, measured: float, ok: bool
) -> None:
    assert verdict(text, measured).ok is ok


def test_a_metric_with_no_spread_that_is_equal_up_to_rounding_is_close() -> None:
    assert metric_verdict("~ 0.3", series(0.1 + 0.2, std=0.0, count=50)).ok


def test_results_come_before_metrics() -> None:
    metrics = {"bob.q": series(0.5), "links.a-b.pairs": {"count": 12}}
    assert look_up("bob.q", {"bob": {"q": 0.1}}, metrics) == (0.1, None)
    assert look_up("bob.q", {"bob": {"p": 0.1}}, metrics) == (0.5, 0.0)


def test_a_counter_counts_and_statistics_have_names() -> None:
    metrics = {"bob.q": series(0.5, high=0.75), "links.a-b.pairs": {"count": 12}}
    assert look_up("links.a-b.pairs", {}, metrics) == (12, None)
    assert look_up("bob.q.max", {}, metrics) == (0.75, None)
    assert look_up("bob.q.median", {}, metrics) is None


def test_a_path_goes_through_mappings_lists_and_keys_with_dots() -> None:
    results = {"bob": {"runs": [{"q": 1}, {"q": 2}], "a.b": 3}, "carol": 4}
    assert look_up("bob.runs.1.q", results, {}) == (2, None)
    assert look_up("bob.a.b", results, {}) == (3, None)
    assert look_up("carol", results, {}) == (4, None)
    assert look_up("bob.runs.7.q", results, {}) is None


def test_what_was_not_measured_fails_and_names_what_was() -> None:
    judged = parse("bob.qbr", "< 1", {}).judge({"bob": {"qber": 0.1}}, {})
    assert (judged.ok, judged.measured) == (False, None)
    assert "did you mean 'bob.qber'" in judged.text


@pytest.mark.parametrize("measured", [True, "0.05", None, [0.05]])
def test_only_numbers_are_compared_by_size(measured: object) -> None:
    judged = verdict("< 0.11", measured)
    assert not judged.ok
    assert "not a number" in judged.text


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("0.95", "expected '< 0.1'"),
        ("", "expected '< 0.1'"),
        ("<", "nothing stands after"),
        ("~ ", "nothing stands after"),
        ("< 'much'", "compares numbers"),
        ("< 1 +- 2", "after '~'"),
        ("~ 1 +- -2", "at least 0"),
        ("~ 1 +- 2 +- 3", "after '~'"),
        ("2 .. 1", "range is empty"),
        ("'a' .. 'b'", "two numbers"),
        ("~ duoble(1)", "did you mean 'double'"),
        ("~ double", "write double(...)"),
        ("~ double(1, 2)", "positional argument"),
        ("~ 1 / 0", "has no value"),
        ("~ 1e999", "not a finite number"),
        ("~ (1", "cannot read"),
        ("~ double(nonsense)", "unknown name 'nonsense'"),
    ],
)
def test_a_mistake_is_named(text: str, problem: str) -> None:
    with pytest.raises(InputError) as raised:
        parse("bob.q", text, FUNCTIONS)
    assert problem in str(raised.value)


@pytest.mark.parametrize(
    "text",
    [
        "__import__('os').getcwd()",
        "double.__globals__",
        "(lambda: 1)()",
        "[1][0]",
        "f'{1}'",
        "double(*'ab')",
        "double(**{})",
        "1 if 1 else 2",
        "9 // 2",
        "2 ** 5000",
        "10 ** 10 ** 10 ** 10",
        "-" * 200 + "1",
        "1 " + "+ 1 " * 400,
    ],
)
def test_nothing_but_arithmetic_is_evaluated(text: str) -> None:
    with pytest.raises(InputError):
        evaluate(text, FUNCTIONS)


@given(st.text(alphabet="0123456789.+-*/() e'~<>=double,±\n", max_size=40))
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        parse("bob.q", text, FUNCTIONS).judge({"bob": {"q": 1.0}}, {})
    except InputError:
        pass


def test_formulas_read_the_topology(tmp_path: Path) -> None:
    topology = loaded(tmp_path)
    known = functions(topology)
    assert evaluate("depolarising_qber(depolarising('r1-bob'))", known) == pytest.approx(0.02)
    assert evaluate("latency('r1-bob')", known) == pytest.approx(2e-3)
    hops_ns = topology.links["alice-r1"].classical.latency_ns + 2_000_000
    assert evaluate("latency('alice-r1', 'r1-bob')", known) == pytest.approx(hops_ns * 1e-9)
    assert evaluate("transmittance('r1-bob')", known) == pytest.approx(0.1)  # 50 km at 0.2 dB/km
    assert evaluate("dephasing('r1-bob')", known) == pytest.approx(0.01)
    mean_time = evaluate("mean_attempts(success('alice-r1')) * attempt('alice-r1')", known)
    assert mean_time == pytest.approx(0.1)


def test_a_pair_has_decayed_since_its_emission(tmp_path: Path) -> None:
    topology = loaded(tmp_path)
    spec = topology.links["alice-r1"]
    stored_ns = spec.delay_ns  # shorter than an attempt
    assert 0 < stored_ns < 1_000_000
    e1, e2 = math.exp(-stored_ns / 10e6), math.exp(-stored_ns / 5e6)  # only r1 decays
    visibility = (4 * 0.95 - 1) / 3
    expected = (1 + visibility * (2 * e2 + e1)) / 4
    assert functions(topology)["pair"]("alice-r1") == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("memory", ["t1: 3 ms, t2: 2 ms", "t1: 3 ms"])
def test_the_decay_of_a_stored_werner_pair_is_that_of_the_density_matrix(
    tmp_path: Path, memory: str
) -> None:
    qutip = pytest.importorskip("qutip", reason="the oracle of this test")
    topology = loaded(tmp_path, CHAIN.replace("memory: {slots: 4}", f"memory: {{{memory}}}"))
    first, second = topology.nodes["alice"].memory, topology.nodes["r1"].memory
    phi_plus = qutip.bell_state("00")
    mixed = qutip.qeye([2, 2]) / 4
    visibility = (4 * 0.95 - 1) / 3
    rho = visibility * qutip.ket2dm(phi_plus) + (1 - visibility) * mixed
    for spec, place in ((first, 0), (second, 1)):
        rho = _decayed(qutip, rho, spec, place, 1_000_000)
    expected = qutip.expect(qutip.ket2dm(phi_plus), rho)
    assert stored_werner(0.95, first, second, 1_000_000) == pytest.approx(expected, rel=1e-9)


def _decayed(qutip: object, rho: object, memory: object, place: int, time_ns: int) -> object:
    """Kraus maps of amplitude damping, then of what dephasing a T2 asks for beyond it."""
    q = qutip
    kept = math.exp(-time_ns / memory.t1_ns)
    coherence = math.sqrt(kept) if memory.t2_ns is None else math.exp(-time_ns / memory.t2_ns)
    flip = (1 - coherence / math.sqrt(kept)) / 2
    damping = [
        q.Qobj([[1, 0], [0, math.sqrt(kept)]]),
        q.Qobj([[0, math.sqrt(1 - kept)], [0, 0]]),
    ]
    dephasing = [math.sqrt(1 - flip) * q.qeye(2), math.sqrt(flip) * q.sigmaz()]
    for kraus in (damping, dephasing):
        whole = [q.tensor(k, q.qeye(2)) if place == 0 else q.tensor(q.qeye(2), k) for k in kraus]
        rho = sum(k * rho * k.dag() for k in whole)
    return rho


def test_expectations_are_read_in_file_order(tmp_path: Path) -> None:
    text = CHAIN + "expect:\n  bob.qber: '< 0.11'\n  alice.n: '== 3'\n"
    parsed = parse_expectations(loaded(tmp_path, text))
    assert [(e.quantity, e.relation) for e in parsed] == [("bob.qber", "<"), ("alice.n", "==")]


@pytest.mark.parametrize(
    ("entry", "problem"),
    [
        ('bob.f: "~ teleportd(0.9)"', "did you mean 'teleported'"),
        ("bob.f: \"~ pair('alice-r2')\"", "did you mean 'alice-r1'"),
        ("bob.f: \"~ pair('r1-bob')\"", "makes no pairs"),
        ("bbo.f: '< 1'", "did you mean 'bob'"),
        ("links.alice-r2.pairs: '< 1'", "did you mean 'alice-r1'"),
        ("bob.f: 'about 3'", "expected '< 0.1'"),
    ],
)
def test_a_mistake_is_an_error_at_its_place(tmp_path: Path, entry: str, problem: str) -> None:
    topology = loaded(tmp_path, CHAIN + f"expect:\n  alice.n: '== 3'\n  {entry}\n")
    with pytest.raises(TopologyError) as raised:
        parse_expectations(topology)
    assert problem in str(raised.value)
    assert raised.value.line == CHAIN.count("\n") + 3
    assert raised.value.path.endswith("chain.yaml")
