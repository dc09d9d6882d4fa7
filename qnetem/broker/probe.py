"""Whether an MQTT broker answers at an address, and accepts a login.

Owns one CONNECT, CONNACK, DISCONNECT by hand (MQTT 3.1.1, sections 3.1, 3.2 and 3.14): a client
library would bring its own timeouts and threads for a question of thirty bytes. Keeps no connection.

A broker of ours is asked at its Unix socket, where no other process can answer, with an account without
rights.
"""

from __future__ import annotations

import asyncio
import os
import secrets
import socket

from ..agents.process.settings import BrokerAddress
from ..emulator.errors import InfrastructureError
from ..emulator.wire.framing import short_path
from .access import PASSWORD_VARIABLE, USERNAME_VARIABLE

ANSWER_TIMEOUT_S = 2.0
_PROTOCOL = b"\x00\x04MQTT\x04"
_CLEAN_SESSION, _WITH_LOGIN = 0x02, 0xC0
_KEEP_ALIVE = b"\x00\x0a"
_DISCONNECT = b"\xe0\x00"
#: A CONNACK but for its last byte, the return code: no session is present.
_ANSWER = b"\x20\x02\x00"
ACCEPTED, BAD_LOGIN, NOT_AUTHORISED = 0, 4, 5


def client_name() -> str:
    """A client id of its own: a broker disconnects the client whose id another one uses."""
    return f"qnetem-probe-{secrets.token_hex(8)}"


async def admits(address: BrokerAddress) -> bool:
    """Whether an MQTT server at the address accepts its login, in real time."""
    try:
        async with asyncio.timeout(ANSWER_TIMEOUT_S):
            return await _shake_hands(address) == ACCEPTED
    except (OSError, asyncio.IncompleteReadError, TimeoutError):
        return False


async def check_admits(address: BrokerAddress) -> None:
    """Raises InfrastructureError unless an MQTT server at the address accepts its login."""
    try:
        async with asyncio.timeout(ANSWER_TIMEOUT_S):
            code = await _shake_hands(address)
    except asyncio.IncompleteReadError:
        code = None
    except (OSError, TimeoutError) as error:
        raise InfrastructureError(
            f"no broker can be reached at {address.where} ({_why(error)}); start it, or leave "
            "--broker out"
        ) from error
    if code in (BAD_LOGIN, NOT_AUTHORISED):
        name = address.username
        whom = "anonymous clients" if name is None else f"the login of {name!r}"
        raise InfrastructureError(
            f"the broker at {address.where} refuses {whom}; name and password come from "
            f"{USERNAME_VARIABLE} and {PASSWORD_VARIABLE}"
        )
    if code != ACCEPTED:
        raise InfrastructureError(f"what answers at {address.where} is no MQTT 3.1.1 broker")


def _why(error: OSError | TimeoutError) -> str:
    """The system's words: asyncio's own text for a refused call only repeats the address."""
    if isinstance(error, socket.gaierror):
        return error.strerror or "unknown host"
    if error.errno:
        return os.strerror(error.errno)
    return str(error) or "no answer in time"


async def _connection(address: BrokerAddress) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    if not address.socket:
        return await asyncio.open_connection(address.host, address.port)
    with short_path(address.socket) as path:
        return await asyncio.open_unix_connection(path)


async def _shake_hands(address: BrokerAddress) -> int | None:
    """The return code of one CONNECT (0 is success); None for an answer that is no CONNACK."""
    reader, writer = await _connection(address)
    try:
        fields, flags = [client_name()], _CLEAN_SESSION
        if address.username is not None:
            fields += [address.username, address.password or ""]
            flags |= _WITH_LOGIN
        body = _PROTOCOL + bytes([flags]) + _KEEP_ALIVE + b"".join(map(_text, fields))
        writer.write(b"\x10" + _length(len(body)) + body)
        answer = await reader.readexactly(len(_ANSWER) + 1)
        if not answer.startswith(_ANSWER):
            return None
        if answer[-1] == ACCEPTED:
            writer.write(_DISCONNECT)
        return answer[-1]
    finally:
        writer.close()


def _text(value: str) -> bytes:
    data = value.encode()
    return len(data).to_bytes(2, "big") + data


def _length(size: int) -> bytes:
    """The "remaining length" of a packet: seven bits a byte, the lowest first (section 2.2.3)."""
    data = bytearray()
    while size >= 0x80:
        data.append(size & 0x7F | 0x80)
        size >>= 7
    return bytes([*data, size])
