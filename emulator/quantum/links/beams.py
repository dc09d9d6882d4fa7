"""What heralds pairs through free space: beams to or from a station, as ends move and skies change.

Owns the step from a link through free space to attempts at a time: how much light comes through, how late,
and with how much light of the sky. Does not own light in free space (optics/free_space.py), what attempts
come to (heralded_kinds.py), nor which of them succeeds (heralding/hazard.py).

Theory of operation. A beam leads from each end to the station, or from the source to each end; of a link that
moves one of them has no length, as the station stands at an end. Attempts are alike in the cells of the
beams' transmittance. In each they follow each other by the longest time of flight that the cell has, and a
margin that no acceleration outruns, so that both ends know the rhythm ahead and no attempt laps the one
before. The light and the message of the attempt that succeeds take the time that they take: no herald is
earlier or later than those.

Rules. Attempts begin in contacts, so early that their last herald is heard before the contact ends. The mean
transmittance counts: each attempt asks for one photon of a beam at most, so fades change no chance.
"""

from __future__ import annotations

import math
from copy import copy
from dataclasses import replace
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from ...closed_forms import LIGHT_KM_PER_S
from ...faults.changes import NOTHING, Changes
from ...heralding.attempts import MIXED, Attempts, HeraldedSource, kept_by_alpha
from ...heralding.hazard import ChangingAttempts, Stretch, Times
from ...heralding.midpoint import split_fibre
from ...kernel.streams import Streams
from ...optics.free_space import GRID_NS, FreeSpaceLink
from ...places import planned_until_ns
from ...space.contacts import DAY_NS, Contact, Geometry
from ...topology.model.entangle import EntangleSpec
from ...topology.model.topology import LinkSpec, Topology
from .channels import bare_fibre
from .free_space import free_space_of
from .heralded_kinds import Parts, attempts_of, simple, single_click_link

#: Moments of a contact of which the mean is what a link that moves is calibrated to.
_MOMENTS = 32
#: Attempts of cells that are kept at hand.
_CELLS_AT_HAND = 4096
_CONTACTS_AT_HAND = 64
_YEAR_NS = 366 * DAY_NS
#: Less than this comes through nothing.
_DARK = 1e-300
#: No range between two places bends down faster than both fall, in km/s^2; by 8, as light's time in ns.
_FALL_NS_PER_S2 = 0.021 / 8 / LIGHT_KM_PER_S * 1e9
_Clicks = tuple[float, float, float, float, float]


class Light(NamedTuple):
    """Both beams at a time: what comes through, without clouds and in all, and photons of the sky with it."""

    clear: tuple[float, float]
    etas: tuple[float, float]
    noise_hz: tuple[float, float]


_DARKNESS = Light((0.0, 0.0), (0.0, 0.0), (0.0, 0.0))


def beams_of(topology: Topology, link: LinkSpec, streams: Streams) -> Beams | None:
    """Of a link through free space that heralds pairs; None of any other. Raises TopologyError."""
    quantum = link.quantum
    if quantum is None or quantum.medium != "free_space" or quantum.entangle is None:
        return None
    return Beams(topology, link, quantum.entangle, streams)


class Beams:
    """Of one link. The station of a link that moves stands at one of its ends."""

    def __init__(
        self, topology: Topology, link: LinkSpec, spec: EntangleSpec, streams: Streams
    ) -> None:
        assert link.quantum is not None
        self.spec, self._delay_ns = spec, link.delay_ns
        bare = bare_fibre(link.quantum)
        whole = free_space_of(topology, link, bare, None, streams)
        self.geometry: Geometry | None = whole.geometry if whole.moves else None
        #: A simple link's light goes from the first end to the second.
        self.station = spec.station if spec.station is not None else 1.0 if self._simple else 0.5
        self._bare = split_fibre(bare, self.station)
        shares = (self.station, 1 - self.station)
        self._beams: list[FreeSpaceLink | None] = []
        for share, end in zip(shares, link.ends, strict=True):
            part = None
            if share == 1:
                part = whole
            elif share:
                cut = split_fibre(bare, share)[0]
                part = free_space_of(topology, link, cut, None, streams, share, (end,))
            self._beams.append(part)
        #: Whether nothing changes but where the ends are.
        self.under_clear_skies = not any(
            beam is not None and (beam.weather or beam.sky is not None) for beam in self._beams
        )
        #: How far ahead successes are looked for: in planned contacts, or a year if none is needed.
        self.horizon_ns = planned_until_ns(topology) if whole.moves else _YEAR_NS
        self._passes = [] if self.geometry is None else self.geometry.passes(0, self.horizon_ns)
        #: No attempt between ends that move is heard of later than that after its begin.
        self.reach_ns = 0
        if self.geometry is not None:
            longest = self.attempts(_DARKNESS, self._delay_ns, NOTHING)
            self.reach_ns = max(longest.attempt_ns, *longest.timing.heralds_ns)

    @property
    def ends_ns(self) -> int | None:
        """When the last planned contact ends; None of ends that stand still."""
        if self.geometry is None:
            return None
        return self._passes[-1].until_ns if self._passes else 0

    @property
    def near(self) -> int:
        """The end of a link that moves at which the station stands."""
        return round(self.station)

    def source(self, changes: Changes) -> HeraldedSource:
        """What heralds pairs, with what has changed. Raises InputError."""
        if changes.pointing_urad:
            off = copy(self)
            off._beams = [
                beam and beam.changed(0.0, 0.0, False, changes.pointing_urad)
                for beam in self._beams
            ]
            return off.source(replace(changes, pointing_urad=0.0))
        if not any(beam is not None and beam.changes for beam in self._beams):
            if self._simple:
                return simple(self.spec, self._delay_ns, changes)
            return self.attempts(self._clear(0), None, changes)
        return ChangingAttempts(_Way(self, changes), self._typical(changes))

    def clicks(self) -> tuple[float, _Clicks]:
        """Bright population and `SingleClick.clicks`, on average over what the link is calibrated to."""
        moments = self._calibration()
        assert self.spec.alpha is not None
        found = []
        for t_ns, tau_ns in moments:
            parts = self._parts(self._clear(t_ns), tau_ns, NOTHING)
            found.append(single_click_link(self.spec, parts).clicks())
        none, first, second, both, swing = np.mean(found, axis=0).tolist()
        return self.spec.alpha, (none, first, second, both, swing)

    # --- what attempts are ---

    def attempts(self, light: Light, tau_ns: int | None, changes: Changes) -> Attempts:
        """In that light; `tau_ns` is the longest time of flight of ends that move. Raises InputError."""
        if not self._simple:
            return attempts_of(self.spec, self._parts(light, tau_ns, changes))
        more_db = math.fsum(self._more_db(light))
        delay_ns = self._delay_ns if tau_ns is None else tau_ns
        link = simple(self.spec, delay_ns, changes, more_db)
        return Attempts(link.success, link.timing, link.density())

    def _parts(self, light: Light, tau_ns: int | None, changes: Changes) -> Parts:
        arms = []
        for side, bare in enumerate(self._bare):
            beam = self._beams[side]
            length_km, loss_db = 0.0, 0.0
            if beam is not None and tau_ns is not None:
                length_km = tau_ns * 1e-9 * LIGHT_KM_PER_S
            elif beam is not None:
                length_km, loss_db = beam.length_km, _db(light.clear[side])
            arms.append(
                replace(
                    bare, length_km=length_km, attenuation_db_per_km=0.0, insertion_loss_db=loss_db
                )
            )
        first, second = arms
        return Parts(
            first,
            second,
            self.station,
            changes,
            self._more_db(light),
            math.fsum(light.noise_hz),
            light.noise_hz,
        )

    def _more_db(self, light: Light) -> tuple[float, float]:
        """What the section does not hold: all of a beam that moves, the clouds of one that stays."""
        clear = (1.0, 1.0) if self.geometry is not None else light.clear
        first, second = (
            max(0.0, _db(eta) - _db(all_but_clouds))
            for eta, all_but_clouds in zip(light.etas, clear, strict=True)
        )
        return first, second

    def _typical(self, changes: Changes) -> Attempts:
        """The mean over the first planned contact, without clouds, at the pace of the longest way."""
        made = [
            self.attempts(self._clear(t_ns), tau_ns, changes)
            for t_ns, tau_ns in self._calibration()
        ]
        return _mean(made)

    def _calibration(self) -> list[tuple[int, int | None]]:
        """Moments, and the longest time of flight."""
        if self.geometry is None:
            return [(0, None)]
        if not self._passes:
            return [(0, self._delay_ns)]
        since_ns, until_ns = self._passes[0].since_ns, self._passes[0].until_ns
        step_ns = (until_ns - since_ns) / _MOMENTS
        return [(since_ns + round((i + 0.5) * step_ns), self._delay_ns) for i in range(_MOMENTS)]

    # --- light ---

    @property
    def _simple(self) -> bool:
        return self.spec.kind == "simple"

    def _reverse(self, side: int) -> bool:
        """Whether that beam's light goes towards the first end: it leaves the ends, or the source."""
        return (side == 1) != (self.spec.kind == "midpoint_source")

    def _clear(self, t_ns: int) -> Light:
        """At a moment, without clouds."""
        etas = [
            1.0 if beam is None else beam.transmittance(t_ns, self._reverse(side))
            for side, beam in enumerate(self._beams)
        ]
        noise_hz = [0.0 if beam is None else beam.noise_rate_hz(t_ns) for beam in self._beams]
        both = etas[0], etas[1]
        return Light(both, both, (noise_hz[0], noise_hz[1]))

    def at(self, t_ns: int) -> tuple[Light, int]:
        """In the cell of a time, and until when that holds."""
        clear, etas, noise_hz = [1.0, 1.0], [1.0, 1.0], [0.0, 0.0]
        until_ns = self.horizon_ns
        for side, beam in enumerate(self._beams):
            if beam is None:
                continue
            state = beam.at(t_ns, self._reverse(side))
            etas[side], noise_hz[side] = state.transmittance, state.noise_rate_hz
            if self.geometry is None:
                clear[side] = beam.transmittance(t_ns, self._reverse(side))
            if state.valid_until_ns is not None:
                until_ns = min(until_ns, state.valid_until_ns)
        light = Light((clear[0], clear[1]), (etas[0], etas[1]), (noise_hz[0], noise_hz[1]))
        return light, max(until_ns, t_ns + 1)


class _Way:
    """See heralding/hazard.py."""

    def __init__(self, beams: Beams, changes: Changes) -> None:
        self._beams, self._changes = beams, changes
        self.ends_ns, self.horizon_ns = beams.ends_ns, beams.horizon_ns
        self._attempts = lru_cache(_CELLS_AT_HAND)(self._made)
        self._longest = lru_cache(_CELLS_AT_HAND)(self._longest_ns)
        #: By the begins of cells, and the last begin of attempts in their contacts.
        self._clear = lru_cache(_CELLS_AT_HAND)(self._open)
        self._last = lru_cache(_CONTACTS_AT_HAND)(self._last_begin_ns)

    def stretch(self, t_ns: int) -> Stretch:
        geometry = self._beams.geometry
        if geometry is None:
            light, until_ns = self._beams.at(t_ns)
            return Stretch(until_ns, self._attempts(light, None))
        contact = geometry.contact_at(t_ns)
        if not contact.open:
            return Stretch(contact.until_ns, None)
        last_ns = self._last(contact)
        if t_ns >= last_ns:
            return Stretch(contact.until_ns, None)
        cell = t_ns // GRID_NS
        if self._beams.under_clear_skies:
            return self._clear(max(cell * GRID_NS, contact.since_ns), last_ns)
        return self._open(t_ns, last_ns)

    def _open(self, t_ns: int, last_ns: int) -> Stretch:
        light, until_ns = self._beams.at(t_ns)
        tau_ns = self._longest(t_ns // GRID_NS)
        return Stretch(min(until_ns, last_ns), self._attempts(light, tau_ns))

    def times(self, begins_ns: int, attempts: Attempts) -> Times:
        timing, geometry, kind = attempts.timing, self._beams.geometry, self._beams.spec.kind
        if geometry is None:
            success = timing.success_in(1)
            emissions, heralds = (
                (begins_ns + first, begins_ns + second)
                for first, second in (success.emissions_ns, success.heralds_ns)
            )
            return Times(emissions, heralds)
        if kind == "simple":
            leaves_ns = begins_ns + timing.emissions_ns[0]
            heard_ns = leaves_ns + max(geometry.delay_ns(leaves_ns, way) for way in (False, True))
            return Times((leaves_ns, leaves_ns), (heard_ns, heard_ns))
        near = self._beams.near
        far = 1 - near
        leaves_ns = begins_ns
        if kind == "midpoint_source":  # from the station, and the far end's answer
            comes_ns = leaves_ns + geometry.delay_ns(leaves_ns, near == 1)
            answer_ns = comes_ns + geometry.delay_ns(comes_ns, far == 1)
            return _by_end(near, (leaves_ns, comes_ns), (answer_ns, comes_ns))
        leaves_ns += timing.emissions_ns[far]
        comes_ns = leaves_ns + geometry.delay_ns(leaves_ns, far == 1)
        answer_ns = comes_ns + geometry.delay_ns(comes_ns, near == 1)
        return _by_end(near, (comes_ns, leaves_ns), (comes_ns, answer_ns))

    def _made(self, light: Light, tau_ns: int | None) -> Attempts:
        return self._beams.attempts(light, tau_ns, self._changes)

    def _last_begin_ns(self, contact: Contact) -> int:
        """Attempts of a contact begin before that."""
        geometry = self._beams.geometry
        assert geometry is not None
        after = geometry.contact_at(contact.until_ns)
        if after.open:  # a day ends, and not the contact
            return min(contact.until_ns, after.until_ns - self._beams.reach_ns)
        return contact.until_ns - self._beams.reach_ns

    def _longest_ns(self, cell: int) -> int:
        """No light of the cell's attempts takes longer: that of its borders, and what may lie between."""
        geometry = self._beams.geometry
        assert geometry is not None
        begin_ns = cell * GRID_NS
        end_ns = begin_ns + GRID_NS + self._beams.reach_ns
        lasts_s = (end_ns - begin_ns) * 1e-9
        borders = [geometry.delay_ns(t, way) for t in (begin_ns, end_ns) for way in (False, True)]
        return max(borders) + math.ceil(_FALL_NS_PER_S2 * lasts_s**2)


def _by_end(near: int, emissions: tuple[int, int], heralds: tuple[int, int]) -> Times:
    """Of the near and the far end, put in the order of the link's ends."""
    if near == 0:
        return Times(emissions, heralds)
    return Times(emissions[::-1], heralds[::-1])


def _mean(made: list[Attempts]) -> Attempts:
    """Attempts that are one of these, each as often."""
    if len(made) == 1:
        return made[0]
    total = math.fsum(each.success for each in made)
    pair = MIXED
    if total:
        pair = sum((each.success * each.density() for each in made), start=0 * MIXED) / total
    tuned = None
    if made[0].tuned is not None:
        tuned = kept_by_alpha(lambda alpha: _mean([each.at(alpha) for each in made]))
    return replace(made[0], success=total / len(made), pair=pair, tuned=tuned)


def _db(eta: float) -> float:
    return -10 * math.log10(max(eta, _DARK))
