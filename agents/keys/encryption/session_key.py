"""Session keys: AES-256 keys from a quantum key and a post-quantum secret together, and what they seal.

Owns how a key follows from both secrets, and records under it. Does not own when a new one is due
(cipher_stream.py, traffic.py).

key, iv = HKDF-SHA256(quantum key || ML-KEM secret, salt = the first one's length, info = suite, epoch, key
id, ciphertext). Who knows one of both secrets alone has nothing.

Rules. The key's id, the suite, the epoch, the record's number and whether it is the last one are associated
data of each record, and numbers count without a gap: a record that was changed, repeated, left out or moved
is not opened. A session key seals less than 2^32 records.
"""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass

from ....emulator.errors import InputError, ProgramError
from ...secret import Secret

HYBRID, PQC = "hybrid", "pqc"
TAG_BYTES = 16
_MOST_RECORDS = 1 << 32


class NotOpened(InputError):
    """A record or a key that is not what the other end has sent; nothing of it was used."""

    code = "not_opened"


@dataclass(frozen=True)
class Terms:
    """What both ends know of a session key: `key_id` of the quantum key, "" in the suite `pqc`."""

    suite: str
    epoch: int
    key_id: str
    kem: bytes

    @property
    def bound(self) -> bytes:
        """All of it, each part with its length."""
        parts = (self.suite.encode(), self.epoch.to_bytes(8, "big"), self.key_id.encode(), self.kem)
        return b"".join(len(part).to_bytes(4, "big") + part for part in parts)


class SessionKey:
    """One key and its records, of one end: a new one seals, or opens, from record 0 on."""

    def __init__(self, terms: Terms, quantum: Secret | None, post_quantum: Secret) -> None:
        if (quantum is None) is (terms.suite == HYBRID) or terms.suite not in (HYBRID, PQC):
            raise InputError(f"the suite {terms.suite} and its secrets do not go together")
        try:
            from cryptography.hazmat.primitives.ciphers.aead import AESGCM
        except ImportError as error:
            raise ProgramError(
                "encryption needs cryptography: pip install 'qnetem[keys]'"
            ) from error
        first = b"" if quantum is None else quantum.reveal_bytes()
        salt = len(first).to_bytes(32, "big")
        derived = _hkdf(salt, first + post_quantum.reveal_bytes(), b"qnetem hybrid 1" + terms.bound)
        self._cipher, self._iv = AESGCM(derived[:32]), int.from_bytes(derived[32:44], "big")
        self.terms = terms
        self._bound = hashlib.sha256(terms.bound).digest()
        #: Records so far, and bytes of data in them.
        self.records = self.bytes = 0

    def seal(self, data: bytes, last: bool = False) -> bytes:
        """The next record."""
        nonce, bound = self._next(last)
        sealed = self._cipher.encrypt(nonce, data, bound)
        self._count(len(data))
        return sealed

    def open(self, record: bytes, last: bool = False) -> bytes:
        """The data of the next record. Raises NotOpened, and stays where it was."""
        from cryptography.exceptions import InvalidTag

        nonce, bound = self._next(last)
        try:
            data: bytes = self._cipher.decrypt(nonce, record, bound)
        except InvalidTag:
            raise NotOpened(
                f"record {self.records} of epoch {self.terms.epoch} is not what was sealed there"
            ) from None
        self._count(len(data))
        return data

    def _next(self, last: bool) -> tuple[bytes, bytes]:
        if self.records >= _MOST_RECORDS:
            raise InputError("a session key has sealed all records that it may")
        nonce = (self._iv ^ self.records).to_bytes(12, "big")
        return nonce, self._bound + self.records.to_bytes(8, "big") + bytes([last])

    def _count(self, count: int) -> None:
        self.records += 1
        self.bytes += count


def _hkdf(salt: bytes, secret: bytes, info: bytes) -> bytes:
    """HKDF-SHA256 (RFC 5869) of 44 bytes."""
    pseudorandom = hmac.digest(salt, secret, "sha256")
    first = hmac.digest(pseudorandom, info + b"\x01", "sha256")
    return (first + hmac.digest(pseudorandom, first + info + b"\x02", "sha256"))[:44]
