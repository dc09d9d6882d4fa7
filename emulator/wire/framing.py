"""How frames travel: cut out of a byte stream, through Unix sockets at paths of any length.

Owns the length prefix (four bytes, then that many bytes of msgpack), the limits of a frame, the splitter that
every shell uses (emulator, node, launcher, zygote), and the way round the kernel's limit of a socket's path.
Does not know what is in a frame.

Rules. A frame that claims to be longer than its limit is refused when its header is read, before any of its
body is kept. A short path leads to its socket only inside its `with`, and only in the process that asked.
"""

from __future__ import annotations

import contextlib
import os
import struct
from collections.abc import Iterator

import msgspec

from ..errors import InfrastructureError

HEADER = struct.Struct(">I")
#: A longer frame is a mistake or an attack, not a message: what one node makes in a step is limited where it
#: is made (agents/node/limits.py), and a grant holds what several have made for one.
MAX_FRAME = 256 * 1024 * 1024
#: The longest frame there can be: an outcome holds the results of all nodes.
ANY_FRAME = 2**32 - 1
#: So many bytes of a path the address of a Unix socket holds everywhere (Linux: 107).
LONGEST_PATH = 103

_HEADER_SIZE = HEADER.size
_unpack = HEADER.unpack_from
_encoder = msgspec.msgpack.Encoder()


def frame(message: msgspec.Struct) -> bytes:
    """A message as it stands on the stream: four bytes of length, then msgpack."""
    body = _encoder.encode(message)
    return HEADER.pack(len(body)) + body


class FrameSplitter:
    """Bytes in, in any portions; whole frame bodies out, in order."""

    __slots__ = ("_buffer", "limit")

    def __init__(self, limit: int = MAX_FRAME) -> None:
        self.limit = limit
        self._buffer = bytearray()

    @property
    def held(self) -> int:
        """Bytes of an unfinished frame kept so far."""
        return len(self._buffer)

    def feed(self, data: bytes) -> list[bytes]:
        """The bodies that `data` completes. Raises InfrastructureError for a frame over the limit."""
        if not self._buffer and len(data) >= _HEADER_SIZE:
            # In lock-step nearly every read is exactly one frame: no copy into the buffer.
            (size,) = _unpack(data)
            if size == len(data) - _HEADER_SIZE and size <= self.limit:
                return [data[_HEADER_SIZE:]]
        self._buffer += data
        return self._cut()

    def _cut(self) -> list[bytes]:
        bodies: list[bytes] = []
        buffer, start = self._buffer, 0
        while len(buffer) - start >= _HEADER_SIZE:
            (size,) = _unpack(buffer, start)
            if size > self.limit:
                raise InfrastructureError(
                    f"a frame of {size} bytes was announced; the limit is {self.limit}"
                )
            end = start + _HEADER_SIZE + size
            if len(buffer) < end:
                break
            bodies.append(bytes(buffer[start + _HEADER_SIZE : end]))
            start = end
        del buffer[:start]
        return bodies


@contextlib.contextmanager
def short_path(path: str) -> Iterator[str]:
    """A path to bind or to connect to, for the socket at `path`. Raises OSError without its folder.

    On Linux the socket's folder is entered through a descriptor of it, by a path that is always short.
    """
    if len(os.fsencode(path)) <= LONGEST_PATH:
        yield path
        return
    folder = os.open(os.path.dirname(path), os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield f"/proc/self/fd/{folder}/{os.path.basename(path)}"
    finally:
        os.close(folder)
