from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from qnetem.emulator.errors import InputError
from qnetem.emulator.states import noise
from qnetem.emulator.states.user_noise import load_generator, load_noise

from .plain import CLOSE

HEAD = "import numpy as np\nimport qutip\n"
KRAUS = """
def channel():
    p = 0.2
    return [np.sqrt(1 - p) * qutip.qeye(2), np.sqrt(p) * qutip.sigmaz()]
"""


def written(folder: Path, text: str, name: str = "my_noise.py") -> str:
    (folder / name).write_text(HEAD + text)
    return f"./{name}:channel"


def returning(folder: Path, expression: str) -> str:
    return written(folder, f"def channel():\n    return {expression}\n")


@pytest.mark.parametrize(
    "expression",
    [
        "[0.8**0.5 * qutip.qeye(2), 0.2**0.5 * qutip.sigmaz()]",
        "(0.8**0.5 * qutip.qeye(2), 0.2**0.5 * qutip.sigmaz())",
        "[0.8**0.5 * np.eye(2), 0.2**0.5 * np.diag([1, -1])]",
        "qutip.kraus_to_super([0.8**0.5 * qutip.qeye(2), 0.2**0.5 * qutip.sigmaz()])",
        "qutip.to_choi(qutip.kraus_to_super([0.8**0.5 * qutip.qeye(2), 0.2**0.5 * qutip.sigmaz()]))",
        "np.diag([1, 0.6, 0.6, 1])",
        # exp(-2 rate t) = 0.6 after a second
        "([qutip.sigmaz()], [-np.log(0.6) / 2])",
        "(qutip.sigmaz(), np.array([-np.log(0.6) / 2]))",
    ],
)
def test_what_a_function_may_return_is_compiled_to_the_same_map(
    tmp_path: Path, expression: str
) -> None:
    found = load_noise(returning(tmp_path, expression), tmp_path, duration_ns=1e9)
    assert np.abs(found - noise.dephasing(0.2)).max() < CLOSE
    assert not found.flags.writeable


def test_a_single_operator_is_a_unitary(tmp_path: Path) -> None:
    found = load_noise(returning(tmp_path, "qutip.sigmax()"), tmp_path)
    assert np.abs(found - np.diag([1, 1, -1, -1])).max() < CLOSE


def test_noise_on_two_qubits(tmp_path: Path) -> None:
    cnot = returning(tmp_path, "[qutip.gates.cnot()]")
    assert load_noise(cnot, tmp_path, qubits=2).shape == (16, 16)
    with pytest.raises(InputError, match="acts on 2 qubits, expected 1"):
        load_noise(cnot, tmp_path)


def test_a_function_is_found_in_an_absolute_file_and_in_a_module(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written(tmp_path, KRAUS, "noise_of_mine.py")
    expected = noise.dephasing(0.2)
    found = load_noise(f"{tmp_path}/noise_of_mine.py:channel")
    assert np.abs(found - expected).max() < CLOSE
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "noise_of_mine", raising=False)
    assert np.abs(load_noise("noise_of_mine:channel") - expected).max() < CLOSE


def test_a_file_hides_no_module_of_the_same_name(tmp_path: Path) -> None:
    written(tmp_path, KRAUS, "json.py")
    load_noise("./json.py:channel", tmp_path)
    assert "loads" in vars(sys.modules["json"])


@pytest.mark.parametrize(
    ("expression", "reason"),
    [
        ("[qutip.qeye(2), qutip.sigmaz()]", "not trace preserving"),
        ("[0.5 * qutip.qeye(2)]", "not trace preserving"),
        ("np.diag([1, 1.5, 1.5, 1])", "not completely positive"),
        ("[]", "at least one operator"),
        ("[qutip.qeye(3)]", "does not act on qubits"),
        ("[np.full((2, 2), np.nan)]", "not finite"),
        ("None", "returned a NoneType; expected a list of Kraus operators"),
        ("np.eye(3)", r"of shape \(3, 3\); expected"),
        ("([qutip.sigmaz()], [-1.0])", "rates must be 0 or more"),
        ("([qutip.sigmaz()], [1.0, 2.0])", "1 collapse operators but 2 rates"),
        ("1 / 0", "the function raised ZeroDivisionError"),
    ],
)
def test_what_is_no_channel_is_refused_with_the_reason(
    tmp_path: Path, expression: str, reason: str
) -> None:
    with pytest.raises(InputError, match=reason) as refusal:
        load_noise(returning(tmp_path, expression), tmp_path, duration_ns=1.0)
    assert "noise ./my_noise.py:channel: " in str(refusal.value)


def test_rates_without_a_duration_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="need a duration"):
        load_noise(returning(tmp_path, "([qutip.sigmaz()], [1.0])"), tmp_path)


@pytest.mark.parametrize(
    ("spec", "reason"),
    [
        ("my_noise.py", "expected './file.py:function'"),
        ("./absent.py:channel", "there is no file"),
        ("./my_noise.py:other", "there is no other in ./my_noise.py"),
        ("./my_noise.py:HALF", "HALF is a float, expected a function"),
        ("./broken.py:channel", "cannot be run: NameError"),
        ("no_such_module_anywhere:channel", "cannot be imported: ModuleNotFoundError"),
    ],
)
def test_a_function_that_is_not_there_is_named(tmp_path: Path, spec: str, reason: str) -> None:
    written(tmp_path, KRAUS + "HALF = 0.5\n")
    written(tmp_path, "undefined\n", "broken.py")
    with pytest.raises(InputError, match=reason):
        load_noise(spec, tmp_path)


# --- for memories: what acts for any time ---------------------------------------------------------


def test_collapse_operators_make_a_generator_whose_map_is_theirs(tmp_path: Path) -> None:
    spec = returning(tmp_path, "([qutip.sigmap(), qutip.sigmaz()], [3e6, 1e6])")
    generator = load_generator(spec, tmp_path)
    assert not generator.flags.writeable and not generator[0].any()
    expected = load_noise(spec, tmp_path, duration_ns=250)
    assert np.abs(noise.evolved(generator, 250) - expected).max() < CLOSE


@pytest.mark.parametrize(
    ("expression", "said"),
    [
        ("[qutip.qeye(2)]", "the function returned a list; a memory stores for any time"),
        (
            "qutip.to_super(qutip.sigmaz())",
            "a Qobj of shape .* expected .collapse operators, rates",
        ),
        ("np.eye(4)", "a ndarray of shape .4, 4.; a memory stores for any time"),
        ("([qutip.sigmaz()], [-1.0])", "not a channel: collapse rates must be 0 or more: .-1.0."),
        ("([qutip.sigmaz()], [np.inf])", "not a channel: collapse rates"),
        ("([qutip.sigmaz()], [1.0, 2.0])", "1 collapse operators but 2 rates"),
        ("([qutip.qeye([2, 2])], [1.0])", "acts on 2 qubits, expected 1"),
        ("([np.eye(3)], [1.0])", "does not act on qubits"),
        ("([np.eye(2) * np.nan], [1.0])", "entries that are not finite"),
        ("1 / 0", "the function raised ZeroDivisionError"),
    ],
)
def test_what_makes_no_generator_is_refused_with_the_reason(
    tmp_path: Path, expression: str, said: str
) -> None:
    with pytest.raises(InputError, match=said):
        load_generator(returning(tmp_path, expression), tmp_path)
