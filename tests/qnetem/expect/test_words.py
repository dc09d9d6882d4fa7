"""What an expression knows: arithmetic, every closed form, and theory over series."""

from __future__ import annotations

import math

import pytest

from qnetem.emulator.closed_forms import links, purification, qkd, waiting
from qnetem.emulator.closed_forms.catalogue import closed_forms
from qnetem.emulator.errors import InputError
from qnetem.expect.expressions import evaluate
from qnetem.expect.predictions import formulas
from qnetem.expect.theory import evaluate_over

TWO = "DecoySystem().block(0.1, 1e7, 0.9, (0.45, 0.18, 2e-4), (0.6, 0.3, 0.1))[0]"
ONE = (
    "DecoySystem(0.34, 3e-11, 0, 0.004, z_misaligned=0.02)"
    ".block(10 ** -4.27, 8.2e6, 0.9, (0.49, 0.18), (0.7, 0.3))[0]"
)


def value(text: str) -> object:
    return evaluate(text, formulas())


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("sqrt(2) * exp(-1)", math.sqrt(2) * math.exp(-1)),
        ("log(e) + log(8, 2) + log2(8) + log10(100)", 9.0),
        ("cos(pi) + sin(pi / 2)", 0.0),
        ("abs(-3) + min(4, 2, 3) + max(1, 5)", 10.0),
        ("bbpssw(0.8)[0]", purification.bbpssw(0.8)[0]),
        ("noisy_bbpssw(fidelity=0.8, gate=0.99, measurement=0.98)[1]",
         purification.noisy_bbpssw(0.8, 0.99, 0.98)[1]),
        ("dejmps(werner_weights(0.8), (0.7, 0.1, 0.1, 0.1))[0][0]",
         purification.dejmps((0.8, 0.2 / 3, 0.2 / 3, 0.2 / 3), (0.7, 0.1, 0.1, 0.1))[0][0]),
        ("mean_attempts_of_all(0.1, links=2)", 1.9 / 0.19 + 1 - 0.1 / 0.19 + 0.0 * 2),
        ("expected_throughput(2, (0.5, 0.4), 0.9)", waiting.expected_throughput(2, [0.5, 0.4], 0.9)),
        ("single_click_success(0.1, 0.2, 0.2, published=true)",
         links.single_click_success(0.1, 0.2, 0.2, published=True)),
        ("vacuum_weak_bounds(0.5, 0.1, (0.01, 0.002), 0.03, 1e-6).yield_",
         qkd.vacuum_weak_bounds(0.5, 0.1, (0.01, 0.002), 0.03, 1e-6).yield_),
        (f"decoy_key({TWO}, 1e-10, 1e-15).length", 413501.0),
        (f"decoy_key({ONE}, 1e-9, 1e-9).length", 2181287.0),
        ("PairStream(1e6, 0.1, 0.2, 0, 0, 0.01, window_ns=1, detectors=4).true_hz()", 20000.0),
        ("GYS.rate(mu=0.48, length_km=50)", qkd.GYS.rate(0.48, 50)),
        ("DecoyLink(0.21, 0.045, 1.7e-6, 0.033).rate(0.48, 50)", qkd.GYS.rate(0.48, 50)),
        ("reach_km(lambda length_km: GYS.rate(0.48, length_km))",
         qkd.reach_km(lambda length_km: qkd.GYS.rate(0.48, length_km))),
        ("E0", 0.5),
    ],
)  # fmt: skip
def test_an_expression_has_its_value(text: str, expected: float) -> None:
    if text.startswith("mean_attempts_of_all"):
        expected = (3 - 0.2) / (0.1 * 1.9)  # for two links, (3-2p)/(p(2-p))
    assert value(text) == pytest.approx(expected, rel=1e-12, abs=1e-12)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("wernr_join(0.9)", "unknown function 'wernr_join'; did you mean 'werner_join'?"),
        ("werner_chain(fidelty=0.9, pairs=2)", "no argument 'fidelty'; did you mean 'fidelity'?"),
        ("teleported(fidelity=0.9, colour=1)", "no argument 'colour'; it takes fidelity"),
        ("werner_chain(0.9)", "werner_chain(fidelity, pairs, gate=1.0, measurement=1.0): missing"),
        ("werner_chain(0.9, 2.5)", "werner_chain(pairs) is a whole number, not 2.5"),
        ("teleported('much')", "teleported(fidelity) is a number, not 'much'"),
        ("dejmps((0.9, 0.1), (1, 0, 0, 0))", "dejmps(first) is 4 numbers in brackets"),
        ("decoy_rate(0.5, 0.01, 0.02, 3)", "decoy_rate(singles) is what SinglePhotons(...) gives"),
        ("single_click_success(0.1, 0.2, 0.2, published=1)", "true or false"),
        ("DecoySystem(z_misaligned='much')", "DecoySystem(z_misaligned) is a number, not 'much'"),
        ("DecoySystem().block(0.1, 1e7, 0.9, 0.4, (1, 0))", "(intensities) is numbers in brackets"),
        ("bbpssw(0.8)", "gives 2 values: choose one with [0], [1]"),
        ("bbpssw(0.8)[2]", "no such value"),
        ("bbpssw(0.8)[-1]", "no such value"),
        ("GYS", "is no number: choose one with .attenuation_db_per_km"),
        ("GYS.rte(0.5, 10)", "did you mean 'rate'?"),
        ("GYS._rate(0.5, 10, 1)", "unknown function"),
        ("GYS.__class__", "'GYS.__class__'"),
        ("E0.real", "'E0.real'"),
        ("rounds_to_reach(0.99, 0.6, 0.9, 0.9)", "gives nothing for these arguments"),
        ("sqrt(-1)", "'sqrt(-1)' has no value: math domain error"),
        ("min()", "min() needs a number"),
        ("reach_km(3)", "reach_km(rate) is a function such as"),
        ("reach_km(lambda *a: 1)", "only plain arguments"),
        ("lambda x: 1", "is not a number"),
        ("sqrt", "sqrt is a function: write sqrt(...)"),
    ],
)
def test_a_call_that_does_not_fit_names_what_is_wrong(text: str, problem: str) -> None:
    with pytest.raises(InputError) as raised:
        value(text)
    assert problem in str(raised.value)


def test_every_closed_form_can_be_called_by_its_name_and_its_named_arguments() -> None:
    called = 0
    for name, form in closed_forms().items():
        samples = {"int": "2", "float": "0.99"}
        if "." in name or not {a.annotation for a in form.arguments} <= set(samples):
            continue
        named = [a for a in form.arguments if not a.name.startswith("*")]
        text = ", ".join(f"{a.name}={samples[a.annotation]}" for a in named)
        text = f"{name}({text or '0.9'})" if form.arguments else f"{name}()"
        try:
            found = value(text + ("[0]" if form.result.startswith("(") else ""))
        except InputError as error:
            said = ("gives", "no number", "not far from each other")
            assert any(words in str(error) for words in said), (name, error)  # noqa: PT017
        else:
            assert isinstance(found, float)
        called += 1
    assert called > 80


def test_a_theory_follows_its_variables() -> None:
    text = "repeaterless_bound(transmittance(length, attenuation))"
    lengths = range(10, 40, 10)
    found = evaluate_over(text, {"length": lengths, "attenuation": 0.2})
    assert found == [evaluate_over(text, {"length": x, "attenuation": 0.2}) for x in (10, 20, 30)]
    assert found == sorted(found, reverse=True) and found[0] == pytest.approx(
        -math.log2(1 - 10**-0.2)
    )
    assert evaluate_over("2 * x", {"x": 3}) == 6.0


def test_a_point_without_a_value_is_nan_and_a_mistake_is_an_error() -> None:
    found = evaluate_over("log(x)", {"x": [0, 1]})
    assert isinstance(found, list) and math.isnan(found[0]) and found[1] == 0
    for text, variables, problem in (
        ("lgo(x)", {"x": [1]}, "did you mean 'log'"),
        ("x + y", {"x": [1]}, "unknown name 'y'"),
        ("x", {"a.b": [1]}, "one word"),
        ("x + y", {"x": [1, 2], "y": [1]}, "different numbers of values (x: 2, y: 1)"),
        ("'x'", {}, "not a number"),
    ):
        with pytest.raises(InputError) as raised:
            evaluate_over(text, variables)
        assert problem in str(raised.value)
