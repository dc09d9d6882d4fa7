"""Words for pulse trains: what every program can say of light that travels as arrays.

Owns these words of `Agent`. Does not own trains and clicks (trains.py, counted.py), nor how they travel block
by block (blocks.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ...emulator.errors import OperationError
from ..messages import plain_name, plain_names
from . import blocks, counted
from .counted import ClickCounts, CoincidenceCounts, CountedArm, CountedTrain
from .settings import DEFAULT_AXES, Intensity
from .trains import Clicks, PairTrain, PulseTrain, Stored

if TYPE_CHECKING:
    from ..interface import NodeInterface


class PulseWords:
    """A node's source and detectors, and trains sent, detected and intercepted."""

    _node: NodeInterface

    @property
    def pulse_period_ps(self) -> int:
        """From slot to slot of this node's source, in ps: 1 of one without a clock, 0 without a source."""
        return self._node.welcome.optics.period_ps

    @property
    def intensities(self) -> tuple[Intensity, ...]:
        """The settings of this node's source, the signal first by custom; none without one, and of pairs."""
        optics = self._node.welcome.optics
        columns = optics.means, optics.probabilities, optics.several
        return tuple(map(Intensity, *columns)) if optics.several else ()

    @property
    def detects(self) -> str:
        """How this node's detectors get a basis: "active", "passive" (a beam splitter); "" without any."""
        return self._node.welcome.optics.detects

    async def pulses(
        self,
        to: str,
        bases: ArrayLike | int,
        bits: ArrayLike | None = None,
        intensities: ArrayLike | None = None,
        *,
        link: str | None = None,
        axes: str | ArrayLike = DEFAULT_AXES,
        weights: Sequence[float] | None = None,
        lazy: bool | bytes = False,
    ) -> PulseTrain:
        """Send a train of pulses; returns when the last slot has left, slots * period after the first.

        `bases` and `bits`: arrays of one length; `bases` may be a length instead, one bit holds for all
        slots, and what is None is drawn with the node's generator. Basis b is along axes[b]: letters of X, Y
        and Z, or Bloch vectors (k, 3); bit 0 is the state along it. Bases are drawn with `weights`, else all
        alike. `intensities` point into the node's source table, or are mean photon numbers if they are
        floats; one number holds for all slots, None draws with the source's `probabilities`.

        `lazy`: what is drawn is a hash of the slot's number, under a key that is drawn here (or is given, 16
        bytes that several nodes may share); then only light that is seen costs anything, whatever the length.
        Raises OperationError for what does not fit and a node without a source, LinkError. Cancelled: what
        had left by then arrives.
        """
        to, link = plain_names(to, link)
        return await blocks.send(
            self._node, to, link, bases, bits, intensities, axes, weights, lazy
        )

    async def pair_pulses(
        self,
        first: str,
        second: str,
        slots: int,
        *,
        links: tuple[str | None, str | None] = (None, None),
    ) -> PairTrain:
        """Send a train of entangled pairs (Phi+), one arm to `first`, the other one to `second`.

        Each of them detects its arm as any train from here; slot i holds the same pairs at both. Slots of a
        source of kind spdc_cw are ps, in which pairs come at any time. One of the two may be this node
        itself, for an arm that it keeps: then it must `detect` meanwhile. `links` names the arms' links where
        there are several. Returns when the last slot has left. Raises OperationError for a node whose source
        is of no kind that sends pairs, LinkError. Cancelled: what had left by then arrives.
        """
        (first, one), (second, other) = plain_names(first, links[0]), plain_names(second, links[1])
        return await blocks.send_pairs(self._node, (first, second), (one, other), slots)

    async def detect(
        self,
        source: str,
        bases: ArrayLike | None = None,
        count: int | None = None,
        *,
        link: str | None = None,
        axes: str | ArrayLike = DEFAULT_AXES,
        weights: Sequence[float] | None = None,
        lazy: bool | bytes = False,
    ) -> Clicks:
        """Wait for the next train from `source`, and detect it: `count` slots, else all of them.

        Must be called before its first light arrives, or the train is lost. `bases`: one for each slot,
        for detectors with an active choice (None: drawn with the node's generator); None for a passive
        one. `axes`, `weights` and `lazy` as for `pulses`: a train that is sent lazily costs its slots here
        unless it is detected lazily, too, or behind a beam splitter, where nothing is drawn. Pairs of a
        source without a clock are detected in one of these two ways. Returns a dead time after the last
        slot's arrival, or when the train ends early. Raises OperationError for what does not fit and a node
        without detectors, LinkError. Cancelled: the detectors are off from then.
        """
        source, link = plain_names(source, link)
        return await blocks.detect(self._node, source, link, bases, count, axes, weights, lazy)

    async def counted_pulses(
        self,
        to: str,
        slots: int,
        *,
        link: str | None = None,
        axes: str | ArrayLike = DEFAULT_AXES,
        weights: Sequence[float] | None = None,
        intensity: float | None = None,
    ) -> CountedTrain:
        """Send a train of which only the clicks are counted, at `to`; returns when the last slot has left.

        What it costs does not depend on its length: nothing is kept of single slots, at neither end. Settings
        are drawn as for a lazy train of `pulses`: bits are fair coins, bases have `weights` (else all alike),
        intensities the source's `probabilities`, or all slots are of mean photon number `intensity`. Raises
        OperationError for what does not fit and a node without a source, LinkError. Cancelled: what had left
        by then arrives.
        """
        to, link = plain_names(to, link)
        return await counted.send(self._node, to, link, slots, axes, weights, intensity)

    async def count_clicks(
        self,
        source: str,
        *,
        link: str | None = None,
        axes: str | ArrayLike = DEFAULT_AXES,
        weights: Sequence[float] | None = None,
    ) -> ClickCounts:
        """Wait for the next train of `counted_pulses` from `source`, and count its clicks.

        Numbers of clicks and errors as `detect` would find them, with the same fibre, faults and detectors,
        by intensity and bases. `axes` and `weights` as for `detect`; a beam splitter chooses by itself. Must
        be called before the first light arrives. Returns and raises as `detect`.
        """
        source, link = plain_names(source, link)
        return await counted.count(self._node, source, link, axes, weights)

    async def counted_pairs(
        self,
        first: str,
        second: str,
        slots: int,
        *,
        links: tuple[str | None, str | None] = (None, None),
    ) -> PairTrain:
        """Send a train of pairs, of which only clicks and coincidences are counted; both ends `count_arm`.

        Arms, `links` and slots as for `pair_pulses`; what it costs does not depend on its length. Returns
        when the last slot has left. Raises and cancelled as `pair_pulses`.
        """
        (first, one), (second, other) = plain_names(first, links[0]), plain_names(second, links[1])
        return await counted.send_pairs(self._node, (first, second), (one, other), slots)

    async def count_arm(
        self,
        source: str,
        *,
        link: str | None = None,
        axes: str | ArrayLike = DEFAULT_AXES,
        weights: Sequence[float] | None = None,
    ) -> CountedArm:
        """Wait for the next train of `counted_pairs` from `source`, and take the arm that comes here.

        Must be called before the first light arrives. `axes` and `weights` as for `count_clicks`. Its counts
        come with those of the other end, by `count_coincidences`. Returns and raises as `detect`.
        """
        source, link = plain_names(source, link)
        return await counted.take_arm(self._node, source, link, axes, weights)

    async def count_coincidences(
        self, arm: CountedArm, other: str, *, width: int = 1
    ) -> CoincidenceCounts:
        """Clicks and coincidences of an arm here and the other end's, which has said the name of its arm.

        Numbers as `detect` at both ends and a comparison of their clicks would find them, with the same
        links, faults and detectors. The window is `width` slots: 1 where pairs come in slots, else ps. Once
        for each arm. Raises OperationError for arms that do not belong together.
        """
        if type(width) is not int or width < 1:
            raise OperationError(
                f"count_coincidences: a window of {width!r} slots, expected 1 or more"
            )
        return await counted.coincidences(self._node, arm, plain_name(other, "an arm"), width)

    async def intercept(
        self,
        source: str,
        to: str,
        *,
        bases: ArrayLike | None = None,
        fraction: float = 1.0,
        axes: str | ArrayLike = DEFAULT_AXES,
        faked: bool = False,
    ) -> Clicks:
        """Take the next train from `source`: measure a share of its slots, resend towards `to`.

        A click in a slot is sent on as one photon in the state that was seen, nothing without a click;
        slots that are not measured pass. `faked`: bright light instead, which blinds detectors; they
        click where the receiver measures along the axis of the click here, and nowhere else. Without a
        `detector:` the node's are ideal. `bases` and `axes` as for `detect`; a train that is longer ends with
        them. Raises OperationError, LinkError.
        """
        source, to = plain_name(source, "a node"), plain_name(to, "a node")
        return await blocks.intercept(self._node, source, to, bases, fraction, axes, faked)

    async def shift(self, source: str, to: str) -> NDArray[np.uint8]:
        """Let the next train from `source` pass towards `to`, each pulse moved in its slot, early or late.

        Returns which, drawn for each slot: 0 early, 1 late. It matters to detectors with a `mismatch`. Raises
        OperationError (also for an arm of pairs), LinkError.
        """
        source, to = plain_name(source, "a node"), plain_name(to, "a node")
        return await blocks.shift(self._node, source, to)

    async def split(
        self,
        source: str,
        to: str,
        *,
        forward_singles: float = 0.0,
        forward_several: float = 1.0,
    ) -> Stored:
        """Take the next train from `source`: keep one photon of each pulse with several.

        The rest continues towards `to`. Single photons are blocked, but for a share `forward_singles`, and of
        pulses with several the rest is, but for a share `forward_several`.
        `Stored.measure` measures what was kept, once, in bases that may be known by then; until then it
        decays as the node's memory does, from its arrival on. Raises OperationError (also for a memory with
        a cut-off, which cannot act on it), LinkError.
        """
        source, to = plain_name(source, "a node"), plain_name(to, "a node")
        return await blocks.split(self._node, source, to, forward_singles, forward_several)

    async def split_beam(self, source: str, to: str, *, share: float) -> Stored:
        """Take the next train from `source` with a beam splitter: each photon of it with probability `share`.

        The others continue towards `to`. Of each pulse that lost any one is stored, as for `split`. Raises
        OperationError, LinkError.
        """
        source, to = plain_name(source, "a node"), plain_name(to, "a node")
        return await blocks.split(self._node, source, to, share=share)
