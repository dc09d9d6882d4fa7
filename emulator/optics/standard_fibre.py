"""Standard single-mode fibre at 1550 nm: what a fibre is unless a topology says otherwise.

Owns the numbers, which the topology's model and the optics share. Imports nothing, so that a file is read
without physics. The group index stands in closed_forms/basics.py.
"""

from __future__ import annotations

#: As usual for fibre of ITU-T G.652.D (2016).
ATTENUATION_DB_PER_KM = 0.2
DISPERSION_PS_PER_NM_KM = 17.0
#: At 1550 nm, of a fibre with zero dispersion at 1310 nm and a slope of 0.092 ps/(nm^2 km) there.
DISPERSION_SLOPE_PS_PER_NM2_KM = 0.058
#: The greatest polarisation-mode dispersion that ITU-T G.652.D allows a link.
PMD_PS_PER_SQRT_KM = 0.2
#: How the delay of bare silica fibre follows its temperature: 37 to 40 ps/(km K), some 7.5e-6 of the
#: delay per kelvin. A jacket may raise it: measure the cable at hand.
THERMAL_DELAY_PS_PER_KM_K = 38.0
