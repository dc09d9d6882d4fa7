"""Memories as topologies describe them: the user's noise is found, tried and refused at its place."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from qnetem.emulator.errors import TopologyError
from qnetem.emulator.loading import Topology, load_topology
from qnetem.emulator.quantum.node.memories import decay_of
from qnetem.emulator.states import noise

NOISE = """
import qutip
def dephasing():
    return [qutip.sigmaz()], [50.0]
def heating():
    return [qutip.sigmap()], [50.0]
def discrete():
    return [0.5 ** 0.5 * qutip.qeye(2), 0.5 ** 0.5 * qutip.sigmaz()]
def backwards():
    return [qutip.sigmaz()], [-50.0]
"""


def loaded(folder: Path, memory: str, more: str = "") -> Topology:
    (folder / "mine.py").write_text(NOISE)
    file = folder / "net.yaml"
    link = "{between: [alice, bob], quantum: {entangle: {success: 1, fidelity: 1, attempt: 1 ms}}}"
    file.write_text(
        f"name: two\nnodes:\n  alice:\n    memory: {{{memory}}}\n  bob:\nlinks: [{link}]\n{more}"
    )
    return load_topology(file)


def test_a_noise_is_looked_for_next_to_its_file_from_whatever_layer(tmp_path: Path) -> None:
    expected = f"{tmp_path / 'mine.py'}:dephasing"
    own = loaded(tmp_path, "noise: './mine.py:dephasing'")
    assert own.nodes["alice"].memory.noise == expected
    layers = "defaults: {memory: {noise: './mine.py:dephasing'}}"
    both = loaded(tmp_path, "", layers)
    assert [node.memory.noise for node in both.nodes.values()] == [expected] * 2
    assert loaded(tmp_path, "noise: none", layers).nodes["alice"].memory.noise is None


def test_it_decays_what_lies_in_that_memory_beside_t2(tmp_path: Path) -> None:
    topology = loaded(tmp_path, "t2: 20 ms, noise: './mine.py:dephasing'")
    decay = decay_of(topology, topology.nodes["alice"])
    assert decay is not None and decay_of(topology, topology.nodes["bob"]) is None
    # coherence goes by exp(-2 rate t) beside exp(-t/T2): 100 and 50 a second
    coherence = np.exp(-0.01 * 150)
    assert np.diag(decay.map(10_000_000)) == pytest.approx([1, coherence, coherence, 1])


@pytest.mark.parametrize(
    ("function", "said"),
    [
        ("discrete", "a memory stores for any time, which Kraus operators"),
        ("backwards", "not a channel: collapse rates must be 0 or more"),
        ("missing", "there is no missing in"),
    ],
)
def test_what_is_no_noise_of_a_memory_is_refused_at_its_place(
    tmp_path: Path, function: str, said: str
) -> None:
    with pytest.raises(TopologyError, match=said) as caught:
        loaded(tmp_path, f"t2: 1 s, noise: './mine.py:{function}'")
    assert (caught.value.line, caught.value.column) == (4, 30)
    assert caught.value.path == str(tmp_path / "net.yaml")
    assert caught.value.problem.startswith("nodes.alice.memory.noise: ")


@pytest.mark.parametrize("formalism", ["auto", "density_matrix", "bell_diagonal", "stabilizer"])
@pytest.mark.parametrize("function", ["dephasing", "heating"])
@pytest.mark.parametrize("approximate", ["none", "twirl"])
def test_a_formalism_that_cannot_carry_it_refuses_it_unless_it_may_twirl(
    tmp_path: Path, formalism: str, function: str, approximate: str
) -> None:
    more = f"formalism: {formalism}\napproximate: {approximate}"
    exact = function == "dephasing" or formalism in {"auto", "density_matrix"}
    if exact or approximate == "twirl":
        loaded(tmp_path, f"noise: './mine.py:{function}'", more)
        return
    with pytest.raises(TopologyError, match="memory of alice: not Pauli noise") as caught:
        loaded(tmp_path, f"noise: './mine.py:{function}'", more)
    assert (caught.value.line, caught.value.column) == (4, 21)


def test_noise_that_rates_of_zero_switch_off_is_none() -> None:
    generator = noise.collapse_generator([np.diag([1.0, -1.0])], [0.0])
    assert np.array_equal(noise.evolved(generator, 1e12), np.eye(4))


def test_a_cut_off_that_every_half_has_passed_at_its_herald_is_refused(tmp_path: Path) -> None:
    link = (
        "links: [{between: [alice, bob], length: 200 km, quantum: {entangle: "
        "{success: 1, fidelity: 1, attempt: 2 ms}}}]"
    )
    file = tmp_path / "net.yaml"
    for cutoff, refused in (("900 us", True), ("1 ms", False)):
        file.write_text(
            f"name: two\nnodes: {{alice: {{memory: {{cutoff: {cutoff}}}}}, bob: }}\n{link}"
        )
        if not refused:
            assert load_topology(file).nodes["alice"].memory.cutoff_ns == 1_000_000
            continue
        with pytest.raises(TopologyError, match=r"but a half of alice-bob is 979\.34") as caught:
            load_topology(file)
        assert (caught.value.line, caught.value.column) == (2, 34)
