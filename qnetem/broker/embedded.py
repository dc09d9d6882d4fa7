"""The embedded broker: amqtt in a process of its own, `python embedded.py PORT FOLDER SOCKET`.

Owns amqtt's configuration, and who may log in: amqtt's two plugin points are served from the files that
broker/access.py writes into FOLDER, the same that mosquitto reads. Runs as a script and imports nothing
of qnetem, so that it starts fast; logs to standard error, warnings only. It needs no signal handler:
there is nothing to save.

Rule: it ends when its standard input does, that is, with the launcher that holds the other end.
(asyncio sets TCP_NODELAY on every connection by itself; amqtt's queues have no limit.)

amqtt's own plugins would not do. Its password file wants Argon2 (0.14 s for each login); its topic lists
let a wildcard through that is asked for where `+` is allowed, and nothing looks at last wills, which
amqtt publishes unasked: here a client with a will is refused, since none of ours has one.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import logging
import sys
from dataclasses import dataclass
from pathlib import Path

from amqtt.adapters import StreamReaderAdapter, StreamWriterAdapter
from amqtt.broker import Broker
from amqtt.contexts import Action, BaseContext
from amqtt.errors import BrokerError
from amqtt.plugins.base import BaseAuthPlugin, BaseTopicPlugin
from amqtt.session import Session

CANNOT_START = 1
#: How amqtt calls the listener of the Unix socket.
LOCAL = "local"
#: How the rules name what a client does; `amqtt` asks again when a message is about to be handed over.
_WORDS = {Action.PUBLISH: "write", Action.SUBSCRIBE: "read", Action.RECEIVE: "read"}


class Passwords(BaseAuthPlugin):  # type: ignore[misc]
    """Accepts clients with an account."""

    @dataclass
    class Config:
        """`path`: lines `name:$6$salt$hash`."""

        path: str

    def __init__(self, context: BaseContext) -> None:
        super().__init__(context)
        lines = Path(self.config.path).read_text(encoding="utf-8").splitlines()
        self._hashes = dict(line.split(":", 1) for line in lines)

    async def authenticate(self, *, session: Session) -> bool:
        """Whether the name and the password are those of an account."""
        known = self._hashes.get(session.username)
        return known is not None and not session.will_flag and verified(session.password, known)


class Rules(BaseTopicPlugin):  # type: ignore[misc]
    """Lets a client publish and read what its account allows."""

    @dataclass
    class Config:
        """`path`: `user NAME`, and under it lines `topic write FILTER` and `topic read FILTER`."""

        path: str

    def __init__(self, context: BaseContext) -> None:
        super().__init__(context)
        self._filters = read_rules(Path(self.config.path).read_text(encoding="utf-8"))

    async def topic_filtering(self, *, session: Session, topic: str, action: Action) -> bool:
        """Whether the session may do this with the topic (or topic filter, when it subscribes)."""
        filters = self._filters.get((session.username, _WORDS[action]), [])
        return any(covers(allowed, topic) for allowed in filters)


def verified(password: str | None, known: str) -> bool:
    """Whether a password belongs to a hash `$6$salt$hash`."""
    _, _, salt, digest = known.split("$")
    found = hashlib.sha512((password or "").encode() + base64.b64decode(salt)).digest()
    return hmac.compare_digest(found, base64.b64decode(digest))


def read_rules(text: str) -> dict[tuple[str, str], list[str]]:
    """Topic filters by user and word ("read" or "write")."""
    filters: dict[tuple[str, str], list[str]] = {}
    user = ""
    for line in text.splitlines():
        kind, _, rest = line.partition(" ")
        if kind == "user":
            user = rest
        elif kind == "topic":
            word, _, topic = rest.partition(" ")
            filters.setdefault((user, word), []).append(topic)
    return filters


def covers(allowed: str, asked: str) -> bool:
    """Whether everything that the topic or filter `asked` can match is matched by `allowed`."""
    allowed_levels, asked_levels = allowed.split("/"), asked.split("/")
    for level, asked_level in zip(allowed_levels, asked_levels, strict=False):
        if level == "#":
            return True
        if asked_level == "#" or level not in ("+", asked_level):
            return False
    return len(allowed_levels) == len(asked_levels)


class LocalWriter(StreamWriterAdapter):  # type: ignore[misc]
    """The way back over a Unix socket: amqtt hangs up on a client without an address."""

    def get_peer_info(self) -> tuple[str, int]:
        """What amqtt's log calls the client."""
        return "local", 0


def configuration(port: int, folder: str) -> dict[str, object]:
    """amqtt's settings: accounts and rules for port and socket, no $SYS topics, no packet log."""
    return {
        "listeners": {
            "default": {"type": "tcp", "bind": f"127.0.0.1:{port}", "max_connections": -1},
            LOCAL: {"type": "external", "bind": "socket"},
        },
        "plugins": {
            f"{__name__}.Passwords": {"path": f"{folder}/passwords"},
            f"{__name__}.Rules": {"path": f"{folder}/acl"},
        },
    }


async def serve(port: int, folder: str, path: str) -> int:
    """Serve until standard input ends; the exit status. The socket comes last: who answers there is up."""
    broker = Broker(configuration(port, folder))

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await broker.external_connected(StreamReaderAdapter(reader), LocalWriter(writer), LOCAL)

    try:
        await broker.start()
        server = await asyncio.start_unix_server(connected, path)
    except (BrokerError, OSError) as error:
        sys.stderr.write(f"{error}\n")
        return CANNOT_START
    sys.stderr.write(f"listening on 127.0.0.1:{port} and {server.sockets[0].getsockname()}\n")
    sys.stderr.flush()
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.buffer.read)
    return 0


def main() -> None:
    """Run the broker on the port, and with the folder, named on the command line."""
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(levelname)s %(message)s")
    sys.exit(asyncio.run(serve(int(sys.argv[1]), sys.argv[2], sys.argv[3])))


if __name__ == "__main__":
    main()
