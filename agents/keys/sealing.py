"""Encryption at rest: AES-256-GCM under a key-encryption key.

Owns the key-encryption key and its file, and what a sealed value looks like: nonce, then ciphertext. Does not
own where values are stored. Needs the package cryptography: `pip install qnetem[keys]`.

Rules. What a value belongs to (its row) is associated data, so that no row passes as another. A nonce is
drawn anew from the operating system for each value: sealing happens outside of steps, where that is no part
of the run.
"""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

from ...emulator.errors import InputError, ProgramError
from ..secret import Secret

KEY_BYTES, NONCE_BYTES = 32, 12


class Sealer:
    """Seals and opens values under one key."""

    def __init__(self, key: bytes) -> None:
        """Raises ProgramError without the package cryptography."""
        try:
            from cryptography.hazmat.primitives.ciphers.aead import AESGCM
        except ImportError as error:
            raise ProgramError(
                "a key store is encrypted by the package cryptography: pip install 'qnetem[keys]'"
            ) from error
        self._cipher = AESGCM(key)
        #: Tells whether a store was sealed under this key; says nothing of the key.
        self.fingerprint = hashlib.sha256(b"key-encryption key\x1f" + key).hexdigest()[:16]

    def seal(self, value: Secret, row: str) -> bytes:
        """The value as it is stored."""
        nonce = os.urandom(NONCE_BYTES)
        return nonce + self._cipher.encrypt(nonce, value.reveal_bytes(), row.encode())

    def open(self, sealed: bytes, row: str) -> bytes:
        """The value again. Raises InputError for what was not sealed so."""
        from cryptography.exceptions import InvalidTag

        nonce, text = sealed[:NONCE_BYTES], sealed[NONCE_BYTES:]
        try:
            return self._cipher.decrypt(nonce, text, row.encode())
        except InvalidTag:
            raise InputError(f"{row} of the store is not as it was stored") from None


def key_of_run(hash_key: bytes, node: str) -> bytes:
    """The key of stores that lie in a run's folder: it follows from the seed, as all keys of the run do."""
    return hashlib.blake2b(node.encode(), key=hash_key[:64], person=b"qnetem kek").digest()[
        :KEY_BYTES
    ]


def read_key(path: Path) -> bytes:
    """The key in a file, as 64 hex digits. Raises InputError."""
    try:
        if path.stat().st_mode & 0o077:
            raise InputError(f"{path}: a key-encryption key that others may read (chmod 600)")
        key = bytes.fromhex(path.read_text(encoding="ascii").strip())
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else "expected 64 hex digits"
        raise InputError(f"{path}: no key-encryption key: {why}") from None
    if len(key) != KEY_BYTES:
        raise InputError(f"{path}: a key-encryption key of {len(key)} bytes, expected {KEY_BYTES}")
    return key
