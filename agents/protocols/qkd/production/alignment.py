"""Recalibration: the receiver turns its axes to where the fibre turns those of the sender.

Owns the exchange of reference light and what axes follow from it. Does not own when it is done (key_link.py).

Both ends use three axes, Z, X and Y. The bits of basis r at the receiver agree with those of basis s at the
sender by M[r, s] = 1 - 2 errors/clicks, which is a component of the rotation times what is left of the
contrast. The rotation nearest to M says where the receiver finds the sender's Z and X. A beam splitter
measures along two axes only, so its reference light comes twice.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ...session import Initiator, Responder, within
from ...session_messages import SessionMessage
from ..sifting import Ready
from .producer import Axes, Place, Terms

Floats = NDArray[np.float64]
#: Axes at the sender, and at the receiver by how it chooses among them.
SENT = "ZXY"
MEASURED = {"active": ("ZXY",), "passive": ("ZX", "YX")}


class Reference(SessionMessage, tag="reference"):
    """Sender -> receiver: reference light is about to leave."""

    lasts_ns: int


class Gone(SessionMessage, tag="gone"):
    """Sender -> receiver: it has left. Receiver -> sender: it was seen."""


async def send_reference(place: Place, terms: Terms, session: Initiator, trains: int) -> None:
    """The sending end's part: `trains` of reference light."""
    agent = place.agent
    slots = max(1, round(terms.recalibration / trains * 1e12) // agent.pulse_period_ps)
    for _ in range(trains):
        await session.request(Reference(slots * agent.pulse_period_ps // 1000), Ready)
        await agent.counted_pulses(place.peer, slots, link=place.link, axes=SENT)
        await session.request(Gone(), Gone)


async def find_axes(place: Place, session: Responder) -> Axes | None:
    """The receiving end's part: the axes along which it finds Z and X; None if too little came."""
    agreement: dict[str, Floats] = {}
    for axes in MEASURED[place.agent.detects]:
        plan: Reference = await session.receive(Reference)
        await session.reply(Ready())
        counting = place.agent.count_clicks(place.peer, link=place.link, axes=axes)
        limit_s = session.retry.limit_s(plan.lasts_ns / 1e9)
        counts = await within(limit_s, counting, "reference light")
        await session.receive(Gone)
        await session.reply(Gone())
        if not counts.clicks.size:
            continue
        clicks, errors = counts.clicks.sum(axis=0), counts.errors.sum(axis=0)
        if clicks.min() > 0:
            found = 1 - 2 * errors / clicks
            agreement.update({axis: found[:, index] for index, axis in enumerate(axes)})
    if len(agreement) < len(SENT):
        return None
    return turned_axes(np.array([agreement[axis] for axis in SENT]))


def turned_axes(agreement: Floats) -> Axes:
    """Where Z and X of the sender come out at the receiver, from M[r, s] for Z, X and Y at both ends."""
    left, _, right = np.linalg.svd(agreement)
    # Z, X, Y is right-handed as X, Y, Z is, so that a rotation has determinant 1
    sense = np.diag([1.0, 1.0, float(np.linalg.det(left @ right))])
    rotation = left @ sense @ right
    z, x, y = rotation[:, :2]  # components along the receiver's Z, X and Y
    axes: Axes = np.stack([x, y, z], axis=1).tolist()
    return axes
