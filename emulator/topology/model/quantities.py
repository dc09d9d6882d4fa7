"""Quantities as fields of the model: `"3 us"` in the file, 3000 in the program.

Owns the annotations that read a quantity of one dimension and keep it within limits, and how such a
field looks in the JSON Schema. The units themselves are those of units.py.

Rule: what is out of limits is refused with what was written and what was expected, here, once.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import GetJsonSchemaHandler, ValidationInfo
from pydantic_core import CoreSchema

from ...errors import UnitError
from ...units import BASE, EXAMPLES, LAST_NS, UNITS, parse_ns, parse_quantity
from ..written.names import shown
from ..written.vocabulary import Reading, is_written, problem

_NUMBER = r"[-+\u2212]?([0-9][0-9_]*(\.[0-9_]*)?|\.[0-9][0-9_]*)([eE][-+\u2212]?[0-9]+)?"


@dataclass(frozen=True)
class Quantity(Reading):
    """Annotation of a field that holds a quantity of `dimension` (see units.py).

    Limits are in the dimension's base unit: `low` is included unless `above`; `high` is included.
    `word`: a word that may stand instead of a quantity and means None, as does a key with nothing
    behind it.
    """

    dimension: str
    low: float = 0.0
    high: float = math.inf
    above: bool = False
    word: str | None = None

    def read(self, value: Any) -> float | int | None:
        """A quantity as a user writes it, in the base unit; integer ns for times.

        Raises UnitError when it has another dimension, no unit, or lies out of limits.
        """
        if self.word is not None and (value is None or value == self.word):
            return None
        if value is None or isinstance(value, (dict, list)):
            raise UnitError(f"expected {self.expected()}, found {shown(value)}")
        number: float | int
        number = (
            parse_ns(value) if self.dimension == "time" else parse_quantity(value, self.dimension)
        )
        self.keep_within(number, value)
        return number

    def keep_within(self, number: float | int, value: object) -> None:
        """Raises UnitError, quoting `value`, unless `number` is within limits."""
        below = number <= self.low if self.above else number < self.low
        if below or number > self.high or not math.isfinite(number):
            raise UnitError(f"expected {self.expected()}, found {shown(value)}")
        if self.dimension == "time" and number > LAST_NS:
            raise UnitError(f"expected a time of at most 292 years, found {shown(value)}")

    def expected(self) -> str:
        """What an error says it expected."""
        unit = f" {BASE[self.dimension]}" if BASE[self.dimension] else ""
        if math.isfinite(self.high):
            start = "above" if self.above else "from"
            limits = f"{start} {self.low:g} to {self.high:g}{unit}"
        else:
            limits = (
                f"more than {self.low:g}{unit}" if self.above else f"of {self.low:g}{unit} or more"
            )
        example = f" such as {EXAMPLES[self.dimension]}" if BASE[self.dimension] else ""
        word = f", or {self.word}" if self.word else ""
        article = "an" if self.dimension[0] in "aeiou" else "a"
        return f"{article} {self.dimension}{example} ({limits}){word}"

    def schema(self) -> dict[str, Any]:
        """The quantity in a JSON Schema: a number where it has no unit, else text of a pattern."""
        units = UNITS[self.dimension]
        named = "|".join(re.escape(unit) for unit in units if unit)
        choices: list[dict[str, Any]] = []
        if "" in units:
            number: dict[str, Any] = {"type": "number"}
            number["exclusiveMinimum" if self.above else "minimum"] = self.low
            if math.isfinite(self.high):
                number["maximum"] = self.high
            choices.append(number)
        if named:
            pattern = rf"^\s*{_NUMBER}\s*({named})\s*$"
            choices.append({"type": "string", "pattern": pattern})
        if self.word is not None:
            choices += [{"const": self.word}, {"type": "null"}]
        return choices[0] if len(choices) == 1 else {"anyOf": choices}

    def _validate(self, value: Any, info: ValidationInfo[Any]) -> Any:
        try:
            if is_written(info):
                return self.read(value)
            if isinstance(value, (int, float)) and not isinstance(value, bool):
                self.keep_within(value, value)
        except UnitError as error:
            raise problem(str(error)) from error
        return value

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        return self.schema()


#: Limits that keep a time of flight within 64 bits: a billion km is about a light-hour.
LENGTH = Quantity("length", high=1e9)
INDEX = Quantity("number", low=1.0, high=100.0)

DurationNs = Annotated[int, Quantity("time")]
PositiveNs = Annotated[int, Quantity("time", above=True)]
PositiveNsOrNone = Annotated[int | None, Quantity("time", above=True, word="none")]
LatencyNsOrAuto = Annotated[int | None, Quantity("time", word="auto")]
LengthKm = Annotated[float, LENGTH]
AttenuationDbPerKm = Annotated[float, Quantity("attenuation")]
LossDb = Annotated[float, Quantity("loss")]
#: At 1 bit/s a gigabyte takes as long as virtual time lasts.
BandwidthBpsOrNone = Annotated[float | None, Quantity("bandwidth", low=1.0, word="none")]
Probability = Annotated[float, Quantity("probability", high=1.0)]
Fidelity = Annotated[float, Quantity("probability", low=0.25, high=1.0)]
RefractiveIndex = Annotated[float, INDEX]
Speed = Annotated[float, Quantity("number", above=True)]
FrequencyHz = Annotated[float, Quantity("frequency", above=True)]
#: Dark counts; no detector counts faster.
RateHz = Annotated[float, Quantity("frequency", high=1e9)]
#: Any angle means something; the limits only keep its sine a number worth having.
AngleRad = Annotated[float, Quantity("angle", low=-1000.0, high=1000.0)]
AmplitudeRad = Annotated[float, Quantity("angle", high=1000.0)]
ShortTimePs = Annotated[float, Quantity("short time", above=True, high=1e9)]
ShortTimePsOrNone = Annotated[
    float | None, Quantity("short time", above=True, high=1e9, word="none")
]
WavelengthNm = Annotated[float, Quantity("wavelength", low=1.0, high=1e5)]
WidthNm = Annotated[float, Quantity("wavelength", above=True, high=1e5)]
LinewidthNmOrNone = Annotated[
    float | None, Quantity("wavelength", above=True, high=1e5, word="transform_limited")
]
TemperatureK = Annotated[float, Quantity("temperature difference", high=200.0)]
PowerDbm = Annotated[float, Quantity("power", low=-200.0, high=60.0)]
DriftRad2PerS = Annotated[float, Quantity("drift")]
DispersionPsPerNmKm = Annotated[float, Quantity("dispersion", low=-1e4, high=1e4)]
DispersionSlopePsPerNm2Km = Annotated[float, Quantity("dispersion slope", low=-1e3, high=1e3)]
PmdPsPerSqrtKm = Annotated[float, Quantity("polarisation-mode dispersion", high=1e3)]
ThermalDelayPsPerKmK = Annotated[float, Quantity("thermal delay", high=1e4)]
RamanPerKmNmOrMeasured = Annotated[
    float | None, Quantity("Raman coefficient", high=1.0, word="measured")
]
LatitudeDeg = Annotated[float, Quantity("direction", low=-90.0, high=90.0)]
LongitudeDeg = Annotated[float, Quantity("direction", low=-180.0, high=360.0)]
ElevationDeg = Annotated[float, Quantity("direction", high=90.0)]
OrbitAngleDeg = Annotated[float, Quantity("direction", low=-360.0, high=360.0)]
#: From the lowest shore to above the highest mountain, balloons included.
AltitudeKm = Annotated[float, Quantity("length", low=-0.5, high=50.0)]
#: A tenth of a rad is no beam that is small in any approximation here.
SmallAngleUrad = Annotated[float, Quantity("small angle", high=1e5)]
SizeM = Annotated[float, Quantity("size", above=True, high=1e3)]
WindMPerS = Annotated[float, Quantity("wind", high=200.0)]
#: Of the refractive index, m^-2/3, and of the sky, W/(m2 sr um): numbers without a unit.
StructureConstant = Annotated[float, Quantity("number", high=1e-9)]
Radiance = Annotated[float, Quantity("number", high=1e6)]
