"""Sessions: lost messages are repeated and taken once, the newest session is served, confirmed holds."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from qnetem.agents.agent import Agent
from qnetem.agents.protocols.cleanup import DiscardOnError
from qnetem.agents.protocols.session import (
    CONFIRMED,
    Initiator,
    Responder,
    RetryPolicy,
    initiate,
    no_result,
    respond,
)
from qnetem.agents.protocols.session_messages import SessionMessage

from ..physics.bench import Ran, attempt, play, program

ROUND_TRIP_MS = 2
REQUESTS = 4


class Count(SessionMessage, tag="count"):
    """A number, and its reply."""

    value: int


class Last(SessionMessage, tag="last"):
    """The last request, and its reply."""


class Initiating(Agent):
    """Sends numbers, 10 ms of work in between. Returns the sum of the replies."""

    async def run(self, timeout: str | None = "4 ms", tries: int = 5) -> dict[str, Any]:
        result = await initiate(self, "bob", "count", RetryPolicy.of(timeout, tries), self._session)
        return no_result() if result is None else result

    async def _session(self, session: Initiator) -> dict[str, Any]:
        total = 0
        for value in range(REQUESTS):
            answer = await session.request(Count(value), Count)
            total += answer.value
            await self.compute("10 ms")
        status = await session.conclude(Last(), Last)
        return {"total": total, "status": status, "session": session.name}


class Responding(Agent):
    """Replies with the double, holding a qubit meanwhile. Returns the sum of its replies."""

    async def run(self, timeout: str | None = "4 ms", tries: int = 5) -> dict[str, Any]:
        result = await respond(
            self, "alice", "count", RetryPolicy.of(timeout, tries), self._session
        )
        return no_result() if result is None else result

    async def _session(self, session: Responder) -> dict[str, Any]:
        total = 0
        qubit = await self.qubit()
        async with DiscardOnError(qubit):
            for _ in range(REQUESTS):
                count: Count = await session.receive(Count, 0.01)
                self.record("received", count.value)
                total += 2 * count.value
                await session.reply(Count(2 * count.value))
            await session.receive(Last, 0.01)
            await session.reply(Last())
            await qubit.discard()
        return {"total": total, "status": CONFIRMED, "session": session.name}


def text(
    *faults: str, initiator: str = "", responder: str = "", bob: type[Agent] = Responding
) -> str:
    broken = "".join(f"  - {{{fault}}}\n" for fault in faults)
    return f"""
time: {{until: 2 s}}
nodes:
  alice: {{program: "{program(Initiating)}", with: {{{initiator}}}}}
  bob: {{program: "{program(bob)}", with: {{{responder}}}}}
links: [{{between: [alice, bob], quantum: none, classical: {{latency: {ROUND_TRIP_MS / 2} ms}}}}]
faults:
{broken or "  []"}
"""


def ran_sessions(*faults: str, **options: Any) -> Ran:
    ran = play(text(*faults, **options))
    assert ran.left_in_slots() == {}
    assert ran.outcome.t_ns < 2_000_000_000
    return ran


def statuses(ran: Ran) -> tuple[str, str]:
    return ran.results["alice"]["status"], ran.results["bob"]["status"]


def assert_agreed(ran: Ran) -> None:
    assert ran.results["alice"] == ran.results["bob"]
    assert ran.results["bob"]["total"] == sum(2 * value for value in range(REQUESTS))
    assert statuses(ran) == ("confirmed", "confirmed")


@pytest.mark.parametrize("timeout", ["4 ms", "null"])
def test_without_faults_each_request_takes_one_round_trip(timeout: str) -> None:
    ran = ran_sessions(initiator=f"timeout: {timeout}", responder=f"timeout: {timeout}")
    assert_agreed(ran)
    assert ran.count("bob.received") == REQUESTS
    ended_ms = ran.outcome.t_ns / 1e6
    assert ended_ms == pytest.approx(REQUESTS * (ROUND_TRIP_MS + 10) + ROUND_TRIP_MS, abs=1.01)


@pytest.mark.parametrize(
    "fault",
    [
        "at: 0 ms, for: 3 ms, cut: alice-bob",
        "at: 0 ms, loss: alice-bob, probability: 0.3",
        "at: 0 ms, corrupt: alice-bob, probability: 0.3",
        "at: 0 ms, duplicate: alice-bob, probability: 1, after: 3 ms",
        "at: 0 ms, reorder: alice-bob, probability: 0.5, by: 7 ms",
        "at: 0 ms, delay: alice-bob, by: 2 ms",
        "at: 11 ms, for: 6 ms, pause: bob",
        "at: 11 ms, for: 6 ms, pause: alice",
        "at: 11 ms, for: 20 ms, clock_skew: bob, offset: -5 ms",
    ],
)
def test_lost_messages_are_repeated_and_taken_once(fault: str) -> None:
    ran = ran_sessions(fault, initiator="tries: 12", responder="tries: 12")
    assert_agreed(ran)
    assert ran.count("bob.received") == REQUESTS
    assert ran.series("bob.received")["mean"] == sum(range(REQUESTS)) / REQUESTS


@pytest.mark.parametrize("node", ["alice", "bob"])
@pytest.mark.parametrize("at_ms", range(1, 48, 3))
def test_an_end_that_is_killed_begins_anew_and_so_does_the_other(node: str, at_ms: int) -> None:
    ran = ran_sessions(f"at: {at_ms} ms, kill: {node}, restart: 2 ms")
    assert_agreed(ran)
    assert ran.count("bob.received") > REQUESTS or at_ms < 3


def test_a_restarted_responder_reports_at_once_that_it_does_not_know_the_session() -> None:
    """Not after five tries of 4 ms: the next request gets that reply, and alice begins anew."""
    ran = ran_sessions("at: 15 ms, kill: bob, restart: 1 ms")
    assert_agreed(ran)
    assert ran.outcome.t_ns < (25 + ROUND_TRIP_MS + REQUESTS * 12 + 4) * 1e6


def test_a_responder_serves_the_newest_session_however_late_old_messages_arrive() -> None:
    """The first opening is on its way for 30 ms; the next incarnation has opened its session by then."""
    faults = (
        "at: 0 ms, for: 1 ms, delay: alice-bob, by: 30 ms",
        "at: 1 ms, kill: alice, restart: 1 ms",
    )
    assert_agreed(ran_sessions(*faults))


def test_a_clock_that_jumps_back_keeps_no_end_from_the_newest_session() -> None:
    """bob's clock is wrong when the first session opens, and right when alice is back with another one."""
    faults = (
        "at: 0 ms, for: 10 ms, clock_skew: bob, offset: 1 s",
        "at: 20 ms, kill: alice, restart: 1 ms",
    )
    assert_agreed(ran_sessions(*faults))


def test_a_lost_last_reply_leaves_the_initiator_unconfirmed() -> None:
    """The last request leaves at 48 ms, its reply at 49."""
    ran = ran_sessions("at: 47.5 ms, for: 1 s, loss: alice-bob, probability: 1")
    assert statuses(ran) == ("unconfirmed", "incomplete")  # the last request itself was lost
    ran = ran_sessions("at: 48.5 ms, for: 1 s, loss: alice-bob, probability: 1")
    assert statuses(ran) == ("unconfirmed", "confirmed")
    assert ran.results["alice"]["session"] == ran.results["bob"]["session"]


def test_an_end_that_receives_nothing_is_incomplete_in_bounded_time() -> None:
    ran = ran_sessions("at: 0 ms, cut: alice-bob")
    assert ran.results["alice"] == ran.results["bob"] == no_result()
    assert ran.outcome.t_ns == 5 * 4_000_000


def test_without_a_timeout_a_lost_message_leaves_the_run_stuck_and_the_error_names_it() -> None:
    fault = "at: 0 ms, for: 1 ms, cut: alice-bob"
    _, outcome = attempt(text(fault, initiator="timeout: null", responder="timeout: null"))
    assert outcome.problem is not None
    assert outcome.problem.kind == "StuckError"
    assert "a message of kind 'count.answer'" in outcome.problem.text


class Interrupted(Agent):
    """A responder that is interrupted in the middle."""

    async def run(self, after_ms: float) -> str:
        try:
            async with asyncio.timeout(after_ms / 1e3):
                await self.perform(Responding)
        except TimeoutError:
            return "interrupted"
        return "not interrupted"


@pytest.mark.parametrize("after_ms", [0.5, 1, 5, 13, 20.5, 48.9])
def test_a_responder_that_is_interrupted_discards_what_it_holds(after_ms: float) -> None:
    ran = ran_sessions(bob=Interrupted, responder=f"after_ms: {after_ms}")
    assert ran.results["bob"] == "interrupted"
    assert ran.results["alice"]["status"] != "confirmed"
