"""Attacks on messages: what is not chosen passes as it was, and ends without answers end without a result."""

from __future__ import annotations

from typing import Any

import pytest

from qnetem.agents.agent import Agent

from ..physics.bench import Ran, play, program

QKD = "qnetem.agents.protocols.qkd"
ROLES = "qnetem.agents.roles.eavesdroppers"
MALLORY = f"{ROLES}.man_in_the_middle:ManInTheMiddle"
BODIES: list[Any] = [
    {"number": 3, "bits": "AAECAw==", "list": [True, 0.5], "inner": {"deep": "x"}, "none": None},
    "text",
    17,
    [],
    None,
]


class Says(Agent):
    async def run(self) -> None:
        for number, body in enumerate(BODIES):
            await self.send("bob", body, kind="a" if number else "b", port=f"p{number % 2}")


class Hears(Agent):
    async def run(self) -> list[Any]:
        ports = [self.port("p0"), self.port("p1")]
        return [(await ports[number % 2].receive("alice")).body for number in range(len(BODIES))]


def heard(options: str) -> tuple[list[Any], Ran]:
    ran = play(f"""
nodes:
  alice: {{program: "{program(Says)}"}}
  bob: {{program: "{program(Hears)}"}}
  mallory:
    kind: eavesdropper
    program: "{MALLORY}"
    with: {{first: alice, second: bob{options}}}
    service: true
links: [{{between: [alice, bob], classical: {{latency: 1 ms}}}}]
faults: [{{at: 0 s, eavesdrop: alice-bob, by: mallory, classical: intercept}}]
""")
    return ran.results["bob"], ran


def differing(found: list[Any]) -> list[int]:
    return [at for at, body in enumerate(found) if body != BODIES[at]]


@pytest.mark.parametrize(
    ("options", "changed"),
    [
        (", share: 0", []),
        ("", [0, 1, 2]),  # in a list that is empty, and in nothing, nothing can be changed
        (", kinds: [b]", [0]),
        (", ports: [p1]", [1]),
        (", types: [compared]", []),
        (", fields: [number]", [0, 1, 2]),
    ],
)
def test_what_is_chosen_changes_and_all_else_passes_as_it_was(
    options: str, changed: list[int]
) -> None:
    found, ran = heard(options)
    assert differing(found) == changed
    for name, count in (("changed", len(changed)), ("passed", len(BODIES) - len(changed))):
        assert not count or ran.count(f"mallory.{name}") == count


def test_a_field_that_is_named_is_the_one_that_changes() -> None:
    found, _ = heard(", fields: [bits]")
    assert {**found[0], "bits": BODIES[0]["bits"]} == BODIES[0]
    assert found[0]["bits"] != BODIES[0]["bits"]


def ends(protocol: str, eve: str, options: str = "", sends: str = "") -> Ran:
    """A key exchange over an eavesdropped link; `options` are both ends'."""
    return play(f"""
nodes:
  alice:
    program: "{QKD}.{protocol}:Sender"
    with: {{peer: bob, {sends}{options}}}
    source: {{rate: 1 GHz, intensities: [0.5, 0.1, 0.0]}}
  bob: {{program: "{QKD}.{protocol}:Receiver", with: {{peer: alice, {options}}}, detector: {{}}}}
  mallory: {{kind: eavesdropper, service: true, {eve}}}
links: [{{between: [alice, bob], quantum: {{length: 10 km}}}}]
faults: [{{at: 0 s, eavesdrop: alice-bob, by: mallory, classical: intercept}}]
""")


MANY = {"bb84": "qubits: 40, ", "prepared": "pulses: 20000, ", "decoy": "pulses: 20000, "}


@pytest.mark.parametrize("protocol", MANY)
def test_light_and_messages_that_pass_are_as_good_as_ever(protocol: str) -> None:
    eve = f'program: "{MALLORY}", with: {{first: alice, second: bob, share: 0}}'
    ran = ends(protocol, eve, sends=MANY[protocol])
    found = ran.results["bob"]
    assert found["status"] == "confirmed"
    assert found["sifted"] > 0
    assert found.get("qber", 0.0) == 0.0
    assert ran.left_in_slots() == {}


def test_without_authentication_compared_bits_are_what_mallory_says() -> None:
    options = "first: alice, second: bob, types: [compared], fields: [bits]"
    ran = ends(
        "prepared",
        f'program: "{MALLORY}", with: {{{options}}}',
        sends="pulses: 2000, sample: 1.0, ",
    )
    assert ran.results["alice"]["qber"] > 0
    assert ran.results["bob"]["qber"] > 0


@pytest.mark.parametrize("protocol", MANY)
@pytest.mark.parametrize("blocked", ["light: true, messages: 0", "light: false", "light: true"])
def test_ends_that_are_denied_light_or_messages_end_without_a_key(
    protocol: str, blocked: str
) -> None:
    eve = f"""program: "{ROLES}.denial_of_service:DenialOfService",
    with: {{first: alice, second: bob, {blocked}}}"""
    ran = ends(protocol, eve, "timeout: 1 ms, tries: 3", MANY[protocol])
    without_photons = protocol == "bb84" and blocked == "light: true, messages: 0"
    for end in ("alice", "bob"):
        found = ran.results[end]
        if without_photons:  # no photon tells when it is lost: both agree on having none
            assert (found["detected"], found["sifted"]) == (0, 0)
        else:
            assert found["status"] == "incomplete"
    assert ran.left_in_slots() == {}


class Asks(Agent):
    async def run(self) -> bool:
        pair = await self.entangle("bob")
        await self.send("bob", "hello")
        return await pair.measure() in (0, 1)


class Answers(Agent):
    async def run(self) -> Any:
        pair = await self.entangle("alice")
        await pair.measure()
        return (await self.receive("alice")).body


def test_a_link_without_light_for_her_passes_its_messages() -> None:
    ran = play(f"""
nodes:
  alice: {{program: "{program(Asks)}"}}
  bob: {{program: "{program(Answers)}"}}
  mallory:
    {{kind: eavesdropper, program: "{MALLORY}", with: {{first: alice, second: bob}}, service: true}}
links:
  - between: [alice, bob]
    quantum: {{length: 1 km, entangle: {{success: 1, fidelity: 1, attempt: 1 us}}}}
faults: [{{at: 0 s, eavesdrop: alice-bob, by: mallory, classical: intercept}}]
""")
    assert ran.results["bob"] != "hello"
    assert len(ran.results["bob"]) == len("hello")


def test_an_authenticated_key_exchange_refuses_what_mallory_changed() -> None:
    eve = f'program: "{MALLORY}", with: {{first: alice, second: bob, share: 0.3}}'
    options = "timeout: 2 ms, distil: {secrecy: 1.0e-6}"
    ran = ends("decoy", eve, options, "pulses: 20000, ")
    alice, bob = ran.results["alice"], ran.results["bob"]
    changed = ran.count("mallory.changed")
    assert changed > 3
    # Refused are all that came in the session that both ends confirm; nothing that was changed was believed.
    assert 0 < alice["key"]["refused"] + bob["key"]["refused"] <= changed
    assert (alice["status"], bob["status"]) == ("confirmed", "confirmed")
    counts = ("clicks", "sifted", "compared", "signal", "decoy_1", "decoy_2")
    assert [alice[name] for name in counts] == [bob[name] for name in counts]
