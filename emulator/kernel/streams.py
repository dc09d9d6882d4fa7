"""One random generator per entity, from the run's seed.

Owns the derivation and nothing else. Rule: an entity's numbers depend on (seed, kind, name) only, so
adding an entity shifts no other draws, and there is no shared or unseeded generator anywhere.
"""

from __future__ import annotations

import hashlib

import numpy as np


def entropy(seed: int, kind: str, *name: str | int) -> list[int]:
    """Four 32-bit words of BLAKE2b over (seed, kind, name...), for `numpy.random.SeedSequence`."""
    text = "\x1f".join([str(seed), kind, *(str(part) for part in name)])
    digest = hashlib.blake2b(text.encode(), digest_size=16).digest()
    return [int.from_bytes(digest[i : i + 4], "big") for i in range(0, 16, 4)]


def hash_key(seed: int) -> bytes:
    """The key of a run's keyed hashes (wire/keyed_hash.py), 16 bytes."""
    return b"".join(word.to_bytes(4, "big") for word in entropy(seed, "keyed hashes"))


def spawned(generator: np.random.Generator, name: str) -> np.random.Generator:
    """A generator apart that follows from the seed of another one and a name; it draws nothing from that."""
    seed = generator.bit_generator.seed_seq
    assert isinstance(seed, np.random.SeedSequence)
    own = np.random.SeedSequence(seed.entropy, spawn_key=(*seed.spawn_key, *words_of(name)))
    return np.random.Generator(np.random.PCG64(own))


def words_of(name: str) -> tuple[int, ...]:
    """Four 32-bit words of BLAKE2b over a name, as a spawn key."""
    digest = hashlib.blake2b(name.encode(), digest_size=16).digest()
    return tuple(int.from_bytes(digest[at : at + 4], "big") for at in range(0, 16, 4))


class Streams:
    """Generators by entity, made at first use and kept."""

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self._streams: dict[tuple[str, ...], np.random.Generator] = {}

    def apart(self, kind: str, *name: str | int) -> np.random.Generator:
        """A generator that is not kept, for what needs a few numbers of its own once."""
        words = entropy(self.seed, kind, *name)
        return np.random.Generator(np.random.PCG64(np.random.SeedSequence(words)))

    def of(self, kind: str, name: str) -> np.random.Generator:
        """The generator of one entity, e.g. `of("link", "alice-r1")`."""
        key = (kind, name)
        stream = self._streams.get(key)
        if stream is None:
            stream = self._streams[key] = self.apart(kind, name)
        return stream
