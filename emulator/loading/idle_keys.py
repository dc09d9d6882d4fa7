"""Keys that act on nothing where they stand, or on some of a link's light only.

Owns which key of a link's `quantum:` acts on which kind of light (the table in docs/topology.md) and the
warnings that follow from it. Does not own what a key does (optics/, quantum/).

Rule: a key that acts nowhere is named, never refused: another layer of the file may have it for other links.
"""

from __future__ import annotations

from collections.abc import Iterator

from ..topology.model.entangle import EntangleSpec
from ..topology.model.topology import LinkSpec, NodeSpec, Quantum, Topology
from ..topology.written.vocabulary import written_keys

#: Keys that act on photons and trains of any encoding, if they are there at all.
_ON_LIGHT = ("attenuation", "insertion_loss", "depolarising", "dephasing", "misalignment", "noise")
#: Keys below `environment`, by the encoding of the light that they turn.
_TURNS = {"polarisation": ("polarisation_drift",), "phase": ("phase_drift", "vibrations")}
_WITH_PULSE = ("dispersion", "dispersion_slope", "pmd")


def idle_keys(topology: Topology) -> list[str]:
    """What stands in the file and acts on nothing there, or not on pairs: a sentence each."""
    found: list[str] = []
    for name, link in topology.links.items():
        if link.quantum is not None:
            for keys, why in _of_link(topology, link, link.quantum):
                found.append(_warning(topology, ("links", name, "quantum"), keys, why))
    for name, node in topology.nodes.items():
        for key, why in _of_detector(node):
            found.append(_warning(topology, ("nodes", name, "detector"), [key], why))
    return found


def _warning(topology: Topology, path: tuple[str, ...], keys: list[str], why: str) -> str:
    place = topology.place(*path, *keys[0].split(".")).within
    return f"{place}: {'.'.join(path)}: {', '.join(keys)}: {why}"


def _of_link(
    topology: Topology, link: LinkSpec, quantum: Quantum
) -> Iterator[tuple[list[str], str]]:
    given, entangle = _given(quantum), quantum.entangle
    if entangle is None:
        if keys := [key for key in _turning(quantum) if key not in _turned_light(quantum)]:
            yield keys, f"no effect on light with encoding: {quantum.encoding}"
    else:
        of_pairs = _of_pairs(quantum, entangle)
        if any(topology.nodes[end].orbit is not None for end in link.ends):
            of_pairs |= {"insertion_loss"}  # all of a beam that moves is in its pairs, of any kind
        if keys := [key for key in [*given, *_turning(quantum)] if key in _LIGHT - of_pairs]:
            yield (
                keys,
                f"no effect on the pairs of kind: {entangle.kind}, only on photons and pulse trains",
            )
        if entangle.stabilisation_ns is not None and quantum.environment is None:
            yield ["entangle.stabilisation"], "no effect without 'environment'"
    needs_pulse = [key for key in _WITH_PULSE if key in given]
    if needs_pulse and quantum.pulse is None and quantum.preset is None:
        yield needs_pulse, "no effect without 'pulse'"
    if "gate" in given and entangle is None and _sends_unclocked(topology, link):
        yield ["gate"], "no effect on pairs of kind: spdc_cw, which come at any time"
    environment = quantum.environment
    if "thermal_delay" in given and (environment is None or environment.temperature is None):
        yield ["thermal_delay"], "no effect without 'temperature' in 'environment'"
    counted = any(topology.nodes[end].detector is not None for end in link.ends)
    counted |= any(node.kind == "eavesdropper" for node in topology.nodes.values())
    if quantum.coexistence is not None and not counted and entangle is None:
        yield (
            ["coexistence"],
            "no effect: neither end has a 'detector', and single photons do not meet it",
        )


def _sends_unclocked(topology: Topology, link: LinkSpec) -> bool:
    """Whether its ends send light without a clock, and no other."""
    sources = [topology.nodes[end].source for end in link.ends]
    clocked = [source.clocked for source in sources if source is not None]
    return bool(clocked) and not any(clocked)


#: All that acts on light alone unless a kind of pairs meets it too.
_LIGHT = {
    *_ON_LIGHT,
    "pulse",
    "gate",
    "coexistence",
    "background",
    "fading",
    *(f"environment.{key}" for keys in _TURNS.values() for key in keys),
    "environment.temperature",
}


def _of_pairs(quantum: Quantum, entangle: EntangleSpec) -> set[str]:
    """Keys that act on the pairs that the link heralds."""
    kind = entangle.kind
    if kind == "simple":
        return set()
    keys = {"dephasing", "coexistence", "background"}
    if entangle.detection is None:
        keys |= {"attenuation", "insertion_loss"}
    if kind == "midpoint_source":
        turns = {f"environment.{key}" for key in _TURNS[quantum.encoding]}
        warmth = {"environment.temperature"} if quantum.encoding == "phase" else set()
        return keys | {"depolarising"} | turns | warmth
    keys |= {"environment.polarisation_drift", "misalignment", "depolarising"}
    if kind == "single_click":
        keys |= {f"environment.{key}" for key in (*_TURNS["phase"], "temperature")}
    return keys


def _given(quantum: Quantum) -> list[str]:
    """The section's keys that some layer of the file has and that are not switched off."""
    fields = zip(written_keys(Quantum), Quantum.model_fields, strict=True)
    return [
        key
        for key, field in fields
        if field in quantum.model_fields_set and getattr(quantum, field) not in (None, 0.0)
    ]


def _turning(quantum: Quantum) -> list[str]:
    """The keys of the environment that do something to some light."""
    environment = quantum.environment
    if environment is None:
        return []
    values = {
        "polarisation_drift": environment.polarisation_drift_rad2_per_s,
        "phase_drift": environment.phase_drift_rad2_per_s,
        "vibrations": environment.vibrations,
        "temperature": environment.temperature,
    }
    return [f"environment.{key}" for key, value in values.items() if value]


def _turned_light(quantum: Quantum) -> set[str]:
    """Keys of the environment that act on light of that encoding; warmth delays any light."""
    return {f"environment.{key}" for key in (*_TURNS[quantum.encoding], "temperature")}


def _of_detector(node: NodeSpec) -> Iterator[tuple[str, str]]:
    detector = node.detector
    if detector is None:
        return
    if detector.afterpulse_decay_ps and not detector.afterpulse_probability:
        yield "afterpulse_decay", "no effect without 'afterpulse'"
    if detector.paralysable and not detector.dead_time_ps:
        yield "paralysable", "no effect without 'dead_time'"
