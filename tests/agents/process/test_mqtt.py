"""The line to the broker, without one: what its keeper does not know is told, not swallowed."""

from __future__ import annotations

import asyncio
from typing import Any

from qnetem.agents.process.mqtt import Inbox
from qnetem.agents.process.settings import BrokerAddress

PATIENCE_S = 10.0


class Torn(Inbox):
    """Connects once, is lost at once, and then meets with something that nobody has thought of."""

    attempts = 0

    async def _connect(self, timeout_s: float) -> None:
        self.attempts += 1
        if self.attempts > 1:
            raise RuntimeError("nobody has thought of this")
        self.connected = True

    async def _until_lost(self) -> None:
        await asyncio.sleep(0)


async def test_a_line_that_can_not_be_kept_is_told_to_the_process() -> None:
    loop = asyncio.get_running_loop()
    told: asyncio.Future[Any] = loop.create_future()
    loop.set_exception_handler(lambda _, context: told.set_result(context))
    inbox = Torn(
        BrokerAddress("127.0.0.1", 1), "run", "alice", "alice", lambda *_: None, lambda: None
    )
    await inbox.open()
    async with asyncio.timeout(PATIENCE_S):
        context = await told
    assert "nobody has thought of this" in str(context["exception"])
    # As an error of ours, which ends the process: a future's would only be noted.
    assert "future" not in context
    assert "task" not in context
