"""Does somebody answer MQTT at an address?

Owns one CONNECT, CONNACK, DISCONNECT by hand (MQTT 3.1.1, sections 3.1, 3.2 and 3.14): a client
library would bring its own timeouts and threads for a question of thirty bytes. Keeps no connection.
"""

from __future__ import annotations

import asyncio
import os
import secrets
import socket

from ..emulator.errors import InfrastructureError

ANSWER_TIMEOUT_S = 2.0
_PROTOCOL = b"\x00\x04MQTT\x04"
_CLEAN_SESSION, _KEEP_ALIVE = b"\x02", b"\x00\x0a"
_DISCONNECT = b"\xe0\x00"
#: CONNACK without a session, accepted.
_ACCEPTED = b"\x20\x02\x00\x00"


def client_name() -> str:
    """A client id that nobody else has: found in a broker's log, the log is that broker's."""
    return f"qnetem-probe-{secrets.token_hex(8)}"


async def answers(host: str, port: int, name: str) -> bool:
    """Whether an MQTT server at the address accepts the anonymous client `name`, in real time."""
    try:
        async with asyncio.timeout(ANSWER_TIMEOUT_S):
            return await _shake_hands(host, port, name)
    except (OSError, asyncio.IncompleteReadError, TimeoutError):
        return False


async def check_reachable(host: str, port: int) -> None:
    """Raises InfrastructureError unless the address accepts a TCP connection."""
    try:
        async with asyncio.timeout(ANSWER_TIMEOUT_S):
            _, writer = await asyncio.open_connection(host, port)
    except (OSError, TimeoutError) as error:
        raise InfrastructureError(
            f"no broker can be reached at {host}:{port} ({_why(error)}); start it, or leave "
            "--broker away"
        ) from error
    writer.close()


def _why(error: OSError | TimeoutError) -> str:
    """The system's words: asyncio's own text for a refused call only repeats the address."""
    if isinstance(error, socket.gaierror):
        return error.strerror or "unknown host"
    if error.errno:
        return os.strerror(error.errno)
    return str(error) or "no answer in time"


async def _shake_hands(host: str, port: int, name: str) -> bool:
    reader, writer = await asyncio.open_connection(host, port)
    try:
        client = name.encode()
        body = _PROTOCOL + _CLEAN_SESSION + _KEEP_ALIVE + len(client).to_bytes(2, "big") + client
        writer.write(b"\x10" + bytes([len(body)]) + body)
        answer = await reader.readexactly(len(_ACCEPTED))
        if answer == _ACCEPTED:
            writer.write(_DISCONNECT)
        return answer == _ACCEPTED
    finally:
        writer.close()
