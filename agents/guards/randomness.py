"""Randomness that no seed repeats, refused to programs: the operating system's, and the shared generators.

Owns the list of where it comes from. Rule: a generator with a seed is the program's own; one without is
refused where it would draw its seed, and a generator that everything in the process shares where it draws.

Limit: objects that a library has seeded at its own import are not recognised, nor what a library draws from
the operating system in C.
"""

from __future__ import annotations

import _random
import _ssl
import functools
import os
import random  # noqa: TID251 guarded here
import secrets  # noqa: TID251 guarded here
import ssl
import sys
import tempfile
import uuid  # noqa: TID251 guarded here
from typing import Any

from .patches import refusal, refuse, replace
from .running_program import current, guarded

_RNG = "draw from self.rng, the node's own generator"
_SEED = "give it a seed drawn from self.rng"
_COUNT = "name things by a counter, or draw from self.rng"
_NAME = "open a file under a name of your own"


def install_randomness() -> None:
    """Put the guards in place; called once, by guards.install()."""
    for name in ("urandom", "getrandom"):
        refuse(os, name, f"os.{name}()", _RNG)
    for name in ("RAND_bytes", "RAND_pseudo_bytes"):
        refuse(ssl, name, f"ssl.{name}()", _RNG)
        refuse(_ssl, name, f"ssl.{name}()", _RNG)
    for name in ("uuid1", "uuid4", "uuid6", "uuid7", "uuid8", "getnode", "_generate_time_safe"):
        refuse(uuid, name, f"uuid.{name}()", _COUNT)
    for name in ("mkstemp", "mkdtemp", "mktemp", "NamedTemporaryFile", "TemporaryFile"):
        refuse(tempfile, name, f"tempfile.{name}()", _NAME)
    for name in ("SpooledTemporaryFile", "TemporaryDirectory", "_RandomNameSequence"):
        _refuse_construction(getattr(tempfile, name), f"tempfile.{name}()", _NAME)
    _guard_standard()
    _guard_numpy()


def _guard_standard() -> None:
    for name in ("choice", "randbelow", "randbits", "token_bytes", "token_hex", "token_urlsafe"):
        refuse(secrets, name, f"secrets.{name}()", _RNG)
    for name in ("random", "getrandbits", "randbytes"):
        refuse(random.SystemRandom, name, f"random.SystemRandom().{name}()", _RNG)
    _guard_unseeded(random.Random, "seed", "random.Random()")
    module: Any = random
    shared = _shared(random.Random, "random._inst", _RNG)(0)
    shared.setstate(module._inst.getstate())
    for name in random.__all__:
        if getattr(getattr(random, name), "__self__", None) is module._inst:
            refuse(random, name, f"random.{name}()", _RNG, getattr(shared, name))
    replace(module, "_inst", shared)
    os.register_at_fork(after_in_child=shared.seed)
    _guard_core()


def _guard_core() -> None:
    """The type below `random.Random` draws its seed in C."""
    plain: Any = _random.Random

    class Random(plain):  # type: ignore[misc]
        def __new__(cls, *seed: Any) -> Any:
            if (not seed or seed[0] is None) and guarded(sys._getframe(1)) is not None:
                raise refusal("_random.Random() without a seed", _SEED)
            return plain.__new__(cls, *seed)

        def seed(self, *seed: Any) -> None:
            if (not seed or seed[0] is None) and guarded(sys._getframe(1)) is not None:
                raise refusal("_random.Random() without a seed", _SEED)
            plain.seed(self, *seed)

    replace(_random, "Random", Random)


def _refuse_construction(kind: Any, call: str, instead: str) -> None:
    plain = kind.__init__

    @functools.wraps(plain)
    def made(self: Any, *args: Any, **kwargs: Any) -> None:
        if current() is not None and guarded(sys._getframe(1)) is not None:
            raise refusal(call, instead)
        plain(self, *args, **kwargs)

    kind.__init__ = made


def _guard_unseeded(owner: Any, name: str, call: str) -> None:
    """Replace the method `owner.name` by one that refuses programs to go without a seed."""
    plain = getattr(owner, name)

    @functools.wraps(plain)
    def seeded(self: Any, a: Any = None, *args: Any, **kwargs: Any) -> Any:
        if a is None and guarded(sys._getframe(1)) is not None:
            raise refusal(f"{call} without a seed", _SEED)
        return plain(self, a, *args, **kwargs)

    setattr(owner, name, seeded)


def _shared(kind: Any, label: str, instead: str) -> Any:
    """A subclass of a generator's type, whose public methods programs are refused."""

    class Shared(kind):  # type: ignore[misc]
        def __getattribute__(self, name: str) -> Any:
            if not name.startswith("_") and guarded(sys._getframe(1)) is not None:
                raise refusal(f"{label}.{name}()", instead)
            return super().__getattribute__(name)

    return Shared


def _guard_numpy() -> None:
    import numpy.random
    from numpy.random import bit_generator, mtrand

    # What SciPy draws from without a seed, and what `numpy.random.rand` is a method of.
    module: Any = mtrand
    kind = _shared(numpy.random.RandomState, "numpy.random.mtrand._rand", _RNG)
    shared = kind(module._rand._bit_generator)
    for name in dir(numpy.random):
        owner = getattr(getattr(numpy.random, name), "__self__", None)
        of_shared = getattr(shared, name) if owner is module._rand else None
        if of_shared is not None or name in ("seed", "ranf", "sample"):
            refuse(numpy.random, name, f"numpy.random.{name}()", _RNG, of_shared)
    replace(module, "_rand", shared)
    # Everything in numpy that is not given a seed asks for its entropy here: default_rng, SeedSequence,
    # the bit generators, RandomState.
    unseeded: Any = bit_generator
    refuse(unseeded, "randbits", "a numpy.random generator without a seed", _SEED)
