"""Traffic: an encrypted stream between two programs, whose bytes are counted and whose keys are real.

    alice: program: "qnetem.agents.keys.encryption.traffic:Sender"
           with: {peer: bob, rate: 1e9, lasts: 1 h, master: app-a, slave: app-b, rekey_bytes: 10_000_000_000}
    bob:   program: "qnetem.agents.keys.encryption.traffic:Receiver"
           with: {peer: alice, master: app-a, slave: app-b}

Owns both programs and their messages. Does not own keys' derivation (session_key.py).

Bulk data goes through no message: it is a volume, `rate` times virtual time. Each new session key is agreed
on in messages, with a real quantum key from the key services, a real encapsulation and a record that the
receiver opens; between two of them the volume counts as sealed under the one that is there. Rules. No key is
used beyond `rekey_bytes` and `rekey_after`: without a new one the stream stands still, or ends. What is
weaker than the receiver accepts it refuses, and the stream ends.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from ....emulator.errors import ProgramError
from ...agent import Agent
from ...options.values import Seconds
from ...secret import Secret
from ..denied import Denied
from ..key_service import KeyService
from .kem import DRAWN_BYTES, SEED_BYTES, KemKey, closed
from .session_key import HYBRID, PQC, NotOpened, SessionKey, Terms

_PROBE = b"the first record of a session key"


class Hello(msgspec.Struct, frozen=True, tag_field="what", tag="hello"):
    """Sender -> receiver: say your public key."""


class Greeting(msgspec.Struct, frozen=True, tag_field="what", tag="greeting"):
    """Receiver -> sender: it. A forged one costs the stream: no record opens that is sealed for it."""

    public: bytes


class NewKey(msgspec.Struct, frozen=True, tag_field="what", tag="new_key"):
    """Sender -> receiver: another session key, and a record under it."""

    suite: str
    epoch: int
    key_id: str
    kem: bytes
    record: bytes


class Taken(msgspec.Struct, frozen=True, tag_field="what", tag="taken"):
    """Receiver -> sender: whether it has that session key."""

    epoch: int
    ok: bool
    why: str = ""


class Ended(msgspec.Struct, frozen=True, tag_field="what", tag="ended"):
    """Sender -> receiver: that is all; and the answer."""


class Sender(Agent):
    """Sends `rate` bytes/s for as long as the run `lasts`, under hybrid keys.

    `starvation`: without a quantum key "block" waits, and the stream stands still; "pqc" uses ML-KEM
    alone; "stop" ends the stream. Metrics: `starved` (an alarm each time), `stood_s`; `rekeyed` is noted.
    Returns bytes by suite, how many session keys there were, and why the stream ended.
    """

    async def run(
        self,
        peer: str,
        rate: float,
        lasts: Seconds,
        master: str,
        slave: str,
        begins: Seconds = 0.0,
        rekey_bytes: int = 1 << 36,
        rekey_after: Seconds = 3600.0,
        starvation: str = "block",
        retry: Seconds = 1.0,
        timeout: Seconds = 0.5,
    ) -> dict[str, Any]:
        if starvation not in ("block", PQC, "stop"):
            raise ProgramError(f"starvation {starvation!r}: expected block, pqc or stop")
        if rate <= 0 or rekey_bytes < 1 or rekey_after <= 0:
            raise ProgramError("expected a rate and limits of a session key above 0")
        self._names, self._peer, self._timeout_s = (master, slave), peer, timeout
        greeting = await self._asked(Hello(), Greeting)
        await asyncio.sleep(max(0.0, begins - self.now_ns / 1e9))
        sent: Counter[str] = Counter()
        epochs, starved, stood_s, ended = 0, 0, 0.0, "done"
        while self.now_ns < lasts * 1e9:
            quantum = await self._quantum_key()
            if quantum is None:
                starved += 1
                self.record("starved", 1)
                self.log.warning("no quantum key: %s", starvation)
            if quantum is None and starvation == "stop":
                ended = "starved"
                break
            if quantum is None and starvation == "block":
                stood_s += retry
                self.record("stood_s", retry)
                await asyncio.sleep(retry)
                continue
            key, refused = await self._agree(greeting.public, quantum, epochs)
            if refused:
                ended = refused
                break
            epochs += 1
            self.record("rekeyed", {"suite": key.terms.suite, "key": key.terms.key_id})
            lasts_s = min(rekey_bytes / rate, rekey_after, lasts - self.now_ns / 1e9)
            await asyncio.sleep(max(0.0, lasts_s))
            sent[key.terms.suite] += round(max(0.0, lasts_s) * rate)
        await self._asked(Ended(), Ended, tries=8)
        return {
            "bytes": {suite: sent[suite] for suite in (HYBRID, PQC)},
            "keys": epochs,
            "starved": starved,
            "stood_s": stood_s,
            "ended": ended,
        }

    async def _quantum_key(self) -> Secret | None:
        master, slave = self._names
        try:
            (key,) = await self.service(KeyService).enc_keys(slave, 1, 256, sae=master)
        except Denied as denied:
            self.record("denied", denied.reason)
            return None
        return key

    async def _agree(
        self, public: bytes, quantum: Secret | None, epoch: int
    ) -> tuple[SessionKey, str]:
        """A new session key at both ends; why the receiver refuses it, or ""."""
        secret, kem = closed(public, self.rng.bytes(DRAWN_BYTES))
        suite, key_id = (PQC, "") if quantum is None else (HYBRID, quantum.id)
        key = SessionKey(Terms(suite, epoch, key_id, kem), quantum, secret)
        message = NewKey(suite, epoch, key_id, kem, key.seal(_PROBE))
        answer = await self._asked(message, Taken, lambda body: bool(body.epoch == epoch))
        return key, "" if answer.ok else answer.why

    async def _asked(
        self,
        message: Hello | NewKey | Ended,
        kind: Any,
        where: Callable[[Any], bool] | None = None,
        tries: int | None = None,
    ) -> Any:
        """Send a message until it is answered, or `tries` times."""
        while tries is None or tries:
            await self.send(self._peer, message)
            try:
                async with asyncio.timeout(self._timeout_s):
                    return (
                        await self.receive(
                            self._peer,
                            type=kind,
                            where=(lambda body: True) if where is None else where,
                        )
                    ).body
            except TimeoutError:
                tries = None if tries is None else tries - 1
        return None


class Receiver(Agent):
    """The other end. `accepts`: the suites it takes; the stream is refused with any other one.

    Returns how many session keys of each suite it has taken, and how many it has refused.
    """

    async def run(
        self, peer: str, master: str, slave: str, accepts: Sequence[str] = (HYBRID,)
    ) -> dict[str, Any]:
        private = KemKey(Secret(self.rng.bytes(SEED_BYTES)), drawn=True)
        taken: Counter[str] = Counter()
        answers: dict[int, Taken] = {}
        while True:
            body = (await self.receive(peer, type=Hello | NewKey | Ended)).body
            if isinstance(body, Hello):
                await self.send(peer, Greeting(private.public))
                continue
            if isinstance(body, Ended):
                await self.send(peer, body)
                break
            if body.epoch not in answers:
                answer = await self._take(body, private, (master, slave), accepts)
                answers[body.epoch] = answer
                taken[body.suite if answer.ok else "refused"] += 1
            await self.send(peer, answers[body.epoch])
        return {name: taken[name] for name in (HYBRID, PQC, "refused")}

    async def _take(
        self, new: NewKey, private: KemKey, names: tuple[str, str], accepts: Sequence[str]
    ) -> Taken:
        if new.suite not in accepts:
            self.record("refused", new.suite)
            return Taken(new.epoch, False, "downgrade refused")
        quantum = None
        try:
            if new.suite == HYBRID:
                master, slave = names
                (quantum,) = await self.service(KeyService).dec_keys(
                    master, [new.key_id], sae=slave
                )
            terms = Terms(new.suite, new.epoch, new.key_id, new.kem)
            SessionKey(terms, quantum, private.opened(new.kem)).open(new.record)
        except (Denied, NotOpened) as error:
            self.record("refused", str(error))
            return Taken(new.epoch, False, "no such key")
        return Taken(new.epoch, True)
