"""Pads: the secret bits that two ends use up for authentication, and where each session finds its own.

Owns the stock of one end, and that no bit of it is ever used for two messages. Does not own tags
(authentication.py) nor the key that replenishes it.

A stock is a page of secret that both ends had from the beginning, and the key that was added since, in the
order of its blocks. Sessions use it from the front. An opening names the pads it is sealed with: the peer's
incarnation as the initiator knows it, the last block that was added, and the place in the stock.

Rules. A restarted end has forgotten how far it was, so every pair of incarnations has a page of its own,
and what an eavesdropper recorded of a former life is worth nothing. Of two ends one may lack the last block,
when its last message was lost: it does not know the pads of the next opening, says so, and the initiator
takes that block out of its stock again. The place only grows; what a broken session has used is used up.

A page stands for random bits that a courier brought to both ends. Here it is drawn from the `preshared`
name and the names of the ends: who reads the topology could draw it too; an eavesdropper in the network has
no word for it.
"""

from __future__ import annotations

import hashlib
from copy import copy

import numpy as np
from numpy.typing import NDArray

from ...session_messages import SessionBroken
from .authentication import Authenticator, OutOfPads

Bits = NDArray[np.uint8]

#: Bits of a page, and of a tag.
PAGE_BITS = 1 << 18
TAG_BITS = 61


class _Page:
    """The stock of one pair of incarnations."""

    def __init__(
        self, ends: tuple[str, str], lives: tuple[int, int], preshared: str, bits: int
    ) -> None:
        self.lives = lives
        parts = [preshared, *(f"{end}/{life}" for end, life in zip(ends, lives, strict=True))]
        seed = hashlib.blake2b("\x1f".join(parts).encode()).digest()
        words = np.frombuffer(seed, dtype="<u4").tolist()
        rng = np.random.Generator(np.random.PCG64(np.random.SeedSequence(words)))
        self.bits: Bits = rng.integers(0, 2, bits, dtype=np.uint8)
        #: Blocks that were added, and how many bits each brought.
        self.added: list[tuple[str, int]] = []
        self.used = 0

    def until(self, block: str) -> _Page | None:
        """What it was when that block had just been added; None where it never was."""
        names = ["", *(name for name, _ in self.added)]
        if block not in names:
            return None
        keep = names.index(block)
        if keep == len(self.added):
            return self
        older = copy(self)
        older.added = self.added[:keep]
        older.bits = self.bits[: len(self.bits) - sum(size for _, size in self.added[keep:])]
        return older

    @property
    def last(self) -> str:
        """The block that was added last."""
        return self.added[-1][0] if self.added else ""


class PadStock:
    """The pads that this end shares with one peer; `first` is the end that initiates sessions.

    `bits`: the size of a page.
    """

    def __init__(
        self,
        first: str,
        second: str,
        incarnation: int,
        preshared: str = "",
        bits: int = PAGE_BITS,
    ) -> None:
        self._ends, self._incarnation, self._bits = (first, second), incarnation, bits
        self._preshared = preshared
        self.page = self._turned(incarnation, 1)

    def _turned(self, first: int, second: int) -> _Page:
        return _Page(self._ends, (first, second), self._preshared, self._bits)

    @property
    def left(self) -> int:
        """Bits that were never used."""
        return max(0, len(self.page.bits) - self.page.used)

    def replenish(self, block: str, bits: Bits) -> None:
        """Add key of a block that both ends have, or that the other one may still lack."""
        self.page.added.append((block, len(bits)))
        self.page.bits = np.concatenate([self.page.bits, bits])

    # --- for sessions: `Seals` of protocols/sealing.py --------------------------------------------

    def opened(self, session: str) -> tuple[str, SessionPads]:
        """Pads for a session that this end initiates. Raises SessionBroken when there are none left."""
        page = self.page
        return f"{page.lives[1]}/{page.last}/{page.used}", self._pads(session, page, page.used)

    def accepted(self, session: str, pads: str, incarnation: int) -> SessionPads | None:
        """Pads for a session that is offered; None where this end has not these."""
        life, last, place = pads.split("/") if pads.count("/") == 2 else ("", "", "")
        if life != str(self._incarnation) or not (place.isascii() and place.isdigit()):
            return None
        lives = incarnation, self._incarnation
        page = self.page if self.page.lives == lives else self._turned(*lives)
        found = page.until(last)
        if found is None or int(place) < page.used:
            return None
        page = found
        try:
            return self._pads(session, page, int(place))
        except SessionBroken:
            return None

    def unknown(self, incarnation: int) -> None:
        """The peer has not the last block, or is another incarnation than was thought."""
        page = self.page
        if incarnation != page.lives[1]:
            self.page = self._turned(self._incarnation, incarnation)
        elif page.added:
            before = page.added[-2][0] if len(page.added) > 1 else ""
            self.page = page.until(before) or page

    def _pads(self, session: str, page: _Page, place: int) -> SessionPads:
        if len(page.bits) - place < 3 * TAG_BITS:
            raise SessionBroken("authentication: no pads are left", hopeless=True)
        tags = Authenticator(page.bits[place:], session, *self._ends, bits=TAG_BITS)
        return SessionPads(self, page, tags, place)


class SessionPads:
    """The seal of one session: it uses up the stock as it goes."""

    def __init__(self, stock: PadStock, page: _Page, tags: Authenticator, place: int) -> None:
        self._stock, self._page, self._tags, self._place = stock, page, tags, place

    @property
    def spent(self) -> int:
        """Bits that this session has used up."""
        return self._tags.spent

    def tag(self, sender: str, number: int, body: bytes) -> bytes:
        """As `Authenticator.tag`. Raises SessionBroken without pads."""
        try:
            found = self._tags.tag(sender, number, body)
        except OutOfPads as error:
            raise SessionBroken(str(error), hopeless=True) from error
        self._mark()
        return found

    def is_genuine(self, sender: str, number: int, body: bytes, tag: bytes) -> bool:
        """As `Authenticator.is_genuine`; False where there are no pads for that number."""
        try:
            good = self._tags.is_genuine(sender, number, body, tag)
        except OutOfPads:
            return False
        if good:
            self._mark()
        return good

    def _mark(self) -> None:
        """What was proved counts: the page is the one of now, and its bits are used."""
        self._stock.page = self._page
        self._page.used = max(self._page.used, self._place + self._tags.spent)
