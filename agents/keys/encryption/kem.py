"""ML-KEM-768 (FIPS 203): the secret that two ends get from a public key, whatever a quantum link brings.

Owns key pairs and encapsulation. Does not own what the secret is used for (session_key.py).

Two packages do it, and each opens what the other one has closed. Outside of runs it is `cryptography`, whose
code takes the same time for all keys. It draws from the operating system, which no run may; so in programs it
is `kyber-py`, in Python, which takes the random bytes that it is given.
"""

from __future__ import annotations

import copy
import os
from typing import Any

from ....emulator.errors import InputError, ProgramError
from ...secret import Secret

SEED_BYTES, DRAWN_BYTES, PUBLIC_BYTES, CIPHER_BYTES = 64, 32, 1184, 1088
_INSTALL = "pip install 'qnetem[keys]'"


class KemKey:
    """A private key, from its seed; `drawn` where all that is random is given, as in programs."""

    def __init__(self, seed: Secret, *, drawn: bool = False) -> None:
        if len(seed) != 8 * SEED_BYTES:
            raise InputError(f"ML-KEM-768: a seed of {len(seed)} bits, expected {8 * SEED_BYTES}")
        self._drawn = drawn
        if drawn:
            self.public, self._private = _kyber().key_derive(seed.reveal_bytes())
        else:
            self._private = _mlkem().MLKEM768PrivateKey.from_seed_bytes(seed.reveal_bytes())
            self.public = self._private.public_key().public_bytes_raw()

    @classmethod
    def new(cls) -> KemKey:
        """A new one, drawn by the operating system; not in programs."""
        return cls(Secret(os.urandom(SEED_BYTES)))

    def opened(self, cipher: bytes) -> Secret:
        """The secret in a ciphertext; another one if that was changed. Raises InputError for its length."""
        if len(cipher) != CIPHER_BYTES:
            raise InputError(f"ML-KEM-768: a ciphertext of {len(cipher)} bytes")
        if self._drawn:
            return Secret(_kyber().decaps(self._private, cipher))
        return Secret(self._private.decapsulate(cipher))


def closed(public: bytes, drawn: bytes | None = None) -> tuple[Secret, bytes]:
    """A new secret and its ciphertext for a public key; from `drawn`, 32 random bytes, in programs."""
    if len(public) != PUBLIC_BYTES:
        raise InputError(f"ML-KEM-768: a public key of {len(public)} bytes")
    try:
        if drawn is None:
            secret, cipher = _mlkem().MLKEM768PublicKey.from_public_bytes(public).encapsulate()
        else:
            scheme = copy.copy(_kyber())
            scheme.random_bytes = lambda count: drawn[:count]
            secret, cipher = scheme.encaps(public)
    except ValueError:
        raise InputError("ML-KEM-768: this is no public key") from None
    return Secret(secret), cipher


def _mlkem() -> Any:
    try:
        from cryptography.hazmat.primitives.asymmetric import mlkem
    except ImportError as error:
        raise ProgramError(
            f"ML-KEM needs the package cryptography, 50 or newer: {_INSTALL}"
        ) from error
    return mlkem


def _kyber() -> Any:
    try:
        from kyber_py.ml_kem import ML_KEM_768
    except ImportError as error:
        raise ProgramError(f"ML-KEM in a program needs the package kyber-py: {_INSTALL}") from error
    return ML_KEM_768
