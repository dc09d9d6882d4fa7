"""What is kept of messages, at both ends, and for how long."""

from __future__ import annotations

from qnetem.agents.messages import body_hash, encode_body, unseal
from qnetem.agents.node import payloads as payloads_module
from qnetem.agents.node.local_clock import LocalClock
from qnetem.agents.node.payloads import Payloads
from qnetem.emulator.wire import Delivery, Forget, Resend

BODY = encode_body({"bit": 1})


def delivery(src: str, seq: int, inc: int = 1, body: bytes = BODY) -> Delivery:
    return Delivery(src, inc, seq, 0, body_hash(body), 0)


def arrive(to: Payloads, src: str, payload: bytes) -> None:
    to.arrived(src, unseal(payload))


def sent(payloads: Payloads, count: int = 1) -> list[bytes]:
    return [payloads.sent("k", BODY)[1] for _ in range(count)]


def both() -> tuple[Payloads, Payloads]:
    return Payloads("alice", 1), Payloads("bob", 1)


def test_messages_are_numbered_from_one() -> None:
    alice, _ = both()
    assert [alice.sent("", b"1")[0] for _ in range(3)] == [1, 2, 3]


def test_what_has_not_come_is_lacking_and_asked_for_sender_by_sender() -> None:
    _, bob = both()
    due = [delivery("carol", 5), delivery("alice", 2), delivery("alice", 1), delivery("carol", 5)]
    lacking = bob.lacking(due)
    assert lacking == [("carol", 1, 5), ("alice", 1, 2), ("alice", 1, 1), ("carol", 1, 5)]
    assert bob.requests(lacking) == [
        Resend("alice", 1, [1, 2], "bob"),
        Resend("carol", 1, [5], "bob"),
    ]


def test_what_has_come_is_not_lacking_and_can_be_taken_more_than_once() -> None:
    alice, bob = both()
    arrive(bob, "alice", sent(alice)[0])
    assert bob.lacking([delivery("alice", 1)]) == []
    for _ in range(2):
        assert bob.message(delivery("alice", 1), LocalClock()).read().body == {"bit": 1}


def test_a_payload_of_another_life_of_the_sender_is_another_payload() -> None:
    _, bob = both()
    arrive(bob, "alice", sent(Payloads("alice", 2))[0])
    assert bob.lacking([delivery("alice", 1, inc=1)]) == [("alice", 1, 1)]
    assert bob.lacking([delivery("alice", 1, inc=2)]) == []


def test_a_body_that_is_not_what_the_sender_hashed_is_thrown_away_and_asked_for() -> None:
    alice, bob = both()
    payload = sent(alice)[0]
    arrive(bob, "alice", payload.replace(b'"bit":1', b'"bit":0'))
    assert bob.lacking([delivery("alice", 1)]) == [("alice", 1, 1)]
    arrive(bob, "alice", payload)
    assert bob.lacking([delivery("alice", 1)]) == []


def test_a_sender_sends_again_what_it_keeps_to_whom_the_emulator_says() -> None:
    alice, _ = both()
    first, second = sent(alice, 2)
    assert alice.again("bob", [2, 1, 7]) == [("bob", second), ("bob", first)]
    assert alice.again("eve", [1]) == [("eve", first)]
    alice.forget(Forget("alice", 1, 1))
    assert alice.again("bob", [1, 2]) == [("bob", second)]


def test_a_copy_that_comes_after_the_message_was_forgotten_is_dropped_however_often() -> None:
    alice, bob = both()
    payload = sent(alice)[0]
    arrive(bob, "alice", payload)
    bob.forget(Forget("alice", 1, 1))
    for _ in range(3):
        arrive(bob, "alice", payload)
    assert bob._here == {}


def test_a_message_that_was_lost_before_its_payload_came_is_dropped_when_it_comes() -> None:
    alice, bob = both()
    bob.forget(Forget("alice", 1, 1))
    arrive(bob, "alice", sent(alice)[0])
    assert bob._here == {}


def test_what_is_remembered_of_the_forgotten_is_bounded() -> None:
    alice, bob = both()
    count = payloads_module.REMEMBERED + 100
    for seq, payload in enumerate(sent(alice, count), 1):
        arrive(bob, "alice", payload)
        for end in (alice, bob):
            end.forget(Forget("alice", 1, seq))
    assert (bob._here, alice._sent, alice._here) == ({}, {}, {})
    assert len(bob._forgotten) == payloads_module.REMEMBERED
    arrive(bob, "alice", payload)
    assert bob._here == {}


def test_an_earlier_lifes_messages_are_not_mine_to_forget() -> None:
    alice = Payloads("alice", 2)
    sent(alice)
    alice.forget(Forget("alice", 1, 1))
    assert len(alice.again("bob", [1])) == 1


def test_after_the_end_nothing_is_received_but_everything_can_be_sent_again() -> None:
    alice, bob = both()
    payload = sent(alice)[0]
    arrive(alice, "bob", sent(bob)[0])
    alice.end()
    arrive(alice, "bob", sent(bob)[0])
    assert alice._here == {}
    assert alice.again("bob", [1]) == [("bob", payload)]
