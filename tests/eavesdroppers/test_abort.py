"""Ends abort as often as theory says, from the counts of their check alone."""

from __future__ import annotations

import bisect
import math

from qnetem.agents.agent import Agent
from qnetem.agents.protocols.qkd import prepared
from qnetem.agents.protocols.qkd.processing.estimation import Counts, Epsilons, of_pulses
from qnetem.closed_forms import binary_entropy, intercept_resend_qber

from ..physics.bench import SIGMAS, play, program

SESSIONS, PULSES = 60, 8000
EPSILONS = Epsilons(1e-6, 1e-12)


def aborts(kept: int, compared: int, errors: int) -> bool:
    """Whether nothing is left of a key in Z that correction at Shannon's limit has told about."""
    counts = Counts(kept=kept, compared=compared, errors=errors)
    leaked = kept * binary_entropy(errors / compared)
    estimate = of_pulses(
        counts, leaked, EPSILONS, key_pulses=PULSES, check_pulses=PULSES, several=0.0
    )
    return estimate.length == 0


def least_errors(kept: int, compared: int) -> int:
    """The least number of errors with which they abort."""
    return bisect.bisect_left(
        range(compared), True, key=lambda errors: aborts(kept, compared, errors)
    )


def chance(compared: int, least: int, error: float) -> float:
    """That so many errors or more are among those compared."""
    fewer = sum(
        math.comb(compared, k) * error**k * (1 - error) ** (compared - k) for k in range(least)
    )
    return 1 - fewer


class Alice(Agent):
    async def run(self) -> list[list[int]]:
        found = []
        for _ in range(SESSIONS):
            result = await self.perform(prepared.Sender, peer="bob", pulses=PULSES, sample=1.0)
            of_x = result["by_basis"]["X"]
            found.append([result["by_basis"]["Z"]["sifted"], of_x["compared"], of_x["errors"]])
        return found


class Bob(Agent):
    async def run(self) -> None:
        for _ in range(SESSIONS):
            await self.perform(prepared.Receiver, peer="alice")


def test_ends_abort_as_often_as_the_counts_of_their_check_may_say() -> None:
    # The share attacked puts the mean half a standard deviation below the threshold.
    sifted = PULSES // 4
    least = least_errors(sifted, sifted)
    fraction = 4 * (least - 0.5 * math.sqrt(least)) / sifted
    error = intercept_resend_qber(fraction)
    ran = play(f"""
nodes:
  alice:
    program: "{program(Alice)}"
    source: {{rate: 1 GHz, kind: single_photon, brightness: 1, g2: 0}}
  bob: {{program: "{program(Bob)}", detector: {{}}}}
  eve:
    kind: eavesdropper
    program: "qnetem.agents.roles.eavesdropper:InterceptResend"
    with: {{first: alice, second: bob, fraction: {fraction}}}
    service: true
links: [{{between: [alice, bob], quantum: {{length: 1 km, attenuation: 0 dB/km}}}}]
faults: [{{at: 0 s, eavesdrop: alice-bob, by: eve}}]
""")
    sessions = ran.results["alice"]
    found = sum(aborts(*session) for session in sessions)
    chances = [
        chance(compared, least_errors(kept, compared), error) for kept, compared, _ in sessions
    ]
    sigma = math.sqrt(sum(each * (1 - each) for each in chances))
    assert abs(found - sum(chances)) <= SIGMAS * sigma
    assert 0.2 * SESSIONS < sum(chances) < 0.8 * SESSIONS
