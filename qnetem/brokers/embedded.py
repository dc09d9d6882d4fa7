"""The embedded broker: amqtt in a process of its own, `python embedded.py PORT`.

Owns amqtt's configuration. Runs as a script and imports nothing of qnetem, so that it starts fast;
logs to standard error, warnings only. It needs no signal handler: there is nothing to save.

Rule: it ends when its standard input does, that is, with the launcher that holds the other end.
(asyncio sets TCP_NODELAY on every connection by itself; amqtt's queues have no limit.)
"""

from __future__ import annotations

import asyncio
import logging
import sys

from amqtt.broker import Broker
from amqtt.errors import BrokerError

CANNOT_START = 1


def configuration(port: int) -> dict[str, object]:
    """amqtt's settings: one plain listener, anonymous clients, no $SYS topics, no packet log."""
    return {
        "listeners": {
            "default": {"type": "tcp", "bind": f"127.0.0.1:{port}", "max_connections": -1}
        },
        "plugins": {"amqtt.plugins.authentication.AnonymousAuthPlugin": {"allow_anonymous": True}},
    }


async def serve(port: int) -> int:
    """Serve until standard input ends; the exit status."""
    broker = Broker(configuration(port))
    try:
        await broker.start()
    except BrokerError as error:
        sys.stderr.write(f"{error}\n")
        return CANNOT_START
    sys.stderr.write(f"listening on 127.0.0.1:{port}\n")
    sys.stderr.flush()
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.buffer.read)
    return 0


def main() -> None:
    """Run the broker on the port named on the command line."""
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(levelname)s %(message)s")
    sys.exit(asyncio.run(serve(int(sys.argv[1]))))


if __name__ == "__main__":
    main()
