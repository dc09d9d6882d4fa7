"""Compressed files: gzip, appended to while a run lasts, and read back however they end.

Owns how such a file is written and read; what is in it comes from those who write it (the journal of a run,
the records of nodes). `zcat` reads it too.

Rules. What `append` has returned from is with the operating system, and can be read whatever becomes of the
process that wrote it. When the disk takes no more the file ends with what was appended before. A file that
its writer could not finish is read as far as it goes.
"""

from __future__ import annotations

import contextlib
import io
import os
import zlib
from pathlib import Path
from typing import Any, BinaryIO

from ..errors import InputError

#: What a gzip file begins with; no line of JSON does, and no record is so long.
_MAGIC = b"\x1f\x8b"
#: The fastest: a sixth of a journal is left, and little more by slower ones.
_LEVEL = 1
#: To zlib: with gzip's head and checksum.
_GZIP = 31
#: The same with a window of 4 kB, and the memory level.
_SMALL = 16 + 12, 5
_READ_BYTES = 256 * 1024


class CompressedFile:
    """A file that is kept open, and one stream: short portions are compressed well, too.

    `small`: with 32 kB of memory instead of 256, for one of many processes. Raises OSError when it cannot be
    opened or written.
    """

    def __init__(self, path: Path, small: bool = False) -> None:
        self.file: BinaryIO = open(path, "wb", buffering=0, opener=_private)  # noqa: SIM115
        window, memory = _SMALL if small else (_GZIP, zlib.DEF_MEM_LEVEL)
        self._compressor = zlib.compressobj(_LEVEL, zlib.DEFLATED, window, memory)
        self._size = 0

    @property
    def closed(self) -> bool:
        """Whether it takes nothing any more: closed, or given up."""
        return self.file.closed

    def append(self, data: bytes) -> None:
        """Write more of it."""
        compressor = self._compressor
        self._write(compressor.compress(data) + compressor.flush(zlib.Z_SYNC_FLUSH))

    def close(self) -> None:
        """Finish it; may be called again."""
        if not self.closed:
            self._write(self._compressor.flush())
            self.file.close()

    def _write(self, data: bytes) -> None:
        _write_whole(self.file, data, self._size)
        self._size += len(data)


class CompressedMembers:
    """A file that is opened for each portion: of thousands, none holds a descriptor or a compressor."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._size = 0
        self.closed = False

    def append(self, data: bytes) -> None:
        """Write more of it: a whole gzip member."""
        member = zlib.compress(data, _LEVEL, _GZIP)
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND
        with open(_private(str(self._path), flags), "ab", buffering=0) as file:
            try:
                _write_whole(file, member, self._size)
            except OSError:
                self.closed = True
                raise
        self._size += len(member)

    def close(self) -> None:
        """Take nothing any more."""
        self.closed = True


def _write_whole(file: BinaryIO, data: bytes, size: int) -> None:
    """Append to a file of that size; one that is refused, or taken in part only, leaves it as it was."""
    taken = 0
    try:
        while taken < len(data):  # a disk that is nearly full takes a part, and refuses the rest
            taken += file.write(memoryview(data)[taken:])
    except OSError:
        with file, contextlib.suppress(OSError):  # a device has no length
            file.truncate(size)
        raise


class _Decompressed(io.RawIOBase):
    """What is in a compressed file, as far as it can be read. Raises InputError for what is no gzip."""

    def __init__(self, path: Path, file: io.FileIO) -> None:
        self._path, self._file = path, file
        self._decompressor = zlib.decompressobj(_GZIP)

    def readable(self) -> bool:
        return True

    def close(self) -> None:
        self._file.close()
        super().close()

    def readinto(self, buffer: Any) -> int:
        while True:
            if self._decompressor.eof:  # another member may follow
                rest = self._decompressor.unused_data or self._file.read(_READ_BYTES)
                if not rest:
                    return 0
                self._decompressor = zlib.decompressobj(_GZIP)
            else:
                rest = self._decompressor.unconsumed_tail or self._file.read(_READ_BYTES)
            try:
                found = self._decompressor.decompress(rest, len(buffer))
            except zlib.error as error:
                raise InputError(f"{self._path} cannot be read: no whole gzip ({error})") from error
            if found or not rest:
                buffer[: len(found)] = found
                return len(found)


def open_stream(path: Path) -> BinaryIO:
    """Read a file, decompressed if it is compressed. Raises OSError; reading it raises InputError, too."""
    file = open(path, "rb", buffering=0)  # noqa: SIM115
    if file.read(len(_MAGIC)) != _MAGIC:
        file.close()
        return open(path, "rb")
    file.seek(0)
    return io.BufferedReader(_Decompressed(path, file), _READ_BYTES)


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)
