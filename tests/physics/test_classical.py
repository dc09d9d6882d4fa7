"""Classical messages take the light's time in fibre, hop by hop, and the time their bits need."""

from __future__ import annotations

import pytest

from qnetem.agents.agent import Agent
from qnetem.emulator import closed_forms

from .bench import Ran, play, program


class Talker(Agent):
    """Sends messages of the given numbers of characters, all at once."""

    async def run(self, peer: str, characters: list[int]) -> None:
        for count in characters:
            await self.send(peer, "x" * count)


class Listener(Agent):
    """Tells when each message came."""

    async def run(self, messages: int) -> list[int]:
        times = []
        for _ in range(messages):
            message = await self.receive()
            times.append(self.now_ns - message.sent_ns)
        return times


def sent(links: str, characters: list[int], between: tuple[str, ...] = ()) -> list[int]:
    """Latencies in ns of messages from alice to bob."""
    nodes = "".join(f"  {name}: {{}}\n" for name in between)
    ran: Ran = play(f"""
nodes:
  alice: {{program: "{program(Talker)}", with: {{peer: bob, characters: {characters}}}}}
  bob: {{program: "{program(Listener)}", with: {{messages: {len(characters)}}}}}
{nodes}links:
{links}""")
    latencies: list[int] = ran.results["bob"]
    return latencies


@pytest.mark.parametrize(
    ("length_km", "latency_ns"), [(1, 4_897), (10, 48_967), (100, 489_672), (0.001, 5)]
)
def test_fibre_takes_4897_ns_a_km(length_km: float, latency_ns: int) -> None:
    link = f"  - {{between: [alice, bob], length: {length_km} km, classical: {{latency: auto}}}}"
    assert sent(link, [1]) == [latency_ns]
    assert closed_forms.fibre_latency_ns(length_km) == latency_ns


def test_hops_add() -> None:
    links = (
        "  - {between: [alice, r1], length: 10 km, classical: {latency: auto}}\n"
        "  - {between: [r1, r2], length: 25 km, classical: {latency: auto}}\n"
        "  - {between: [r2, bob], classical: {latency: 3 us}}\n"
    )
    expected = closed_forms.fibre_latency_ns(10) + closed_forms.fibre_latency_ns(25) + 3000
    assert sent(links, [1], ("r1", "r2")) == [expected]


def test_the_quicker_way_is_taken_even_if_it_has_more_hops() -> None:
    links = (
        "  - {between: [alice, bob], classical: {latency: 10 us}}\n"
        "  - {between: [alice, r1], classical: {latency: 4 us}}\n"
        "  - {between: [r1, bob], classical: {latency: 5 us}}\n"
    )
    assert sent(links, [1], ("r1",)) == [9000]


def test_a_body_takes_eight_bits_a_byte_over_the_bandwidth() -> None:
    link = "  - {between: [alice, bob], classical: {latency: 1 us, bandwidth: 1 Mbit/s}}"
    (latency_ns,) = sent(link, [98])  # 98 characters and two quotes
    assert latency_ns == 1000 + 100 * 8 * 1000


def test_messages_queue_for_the_transmitter_and_are_stored_at_every_hop() -> None:
    one = "  - {between: [alice, bob], classical: {latency: 1 us, bandwidth: 1 Mbit/s}}"
    assert sent(one, [98, 48, 98]) == [801_000, 1_201_000, 2_001_000]
    two = (
        "  - {between: [alice, r1], classical: {latency: 1 us, bandwidth: 1 Mbit/s}}\n"
        "  - {between: [r1, bob], classical: {latency: 1 us, bandwidth: 2 Mbit/s}}\n"
    )
    assert sent(two, [98], ("r1",)) == [801_000 + 401_000]
