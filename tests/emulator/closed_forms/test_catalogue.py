"""The catalogue of closed forms is whole: nothing public is missing, nothing named is gone."""

from __future__ import annotations

import pkgutil

import qnetem.emulator.closed_forms as package
from qnetem.emulator.closed_forms.catalogue import SUBJECTS, closed_forms
from qnetem.emulator.closed_forms.units_and_sources import (
    ARGUMENT_UNITS,
    OWN_UNITS,
    RESULTS,
    SOURCES,
)


def test_every_file_of_the_package_is_a_subject() -> None:
    files = {each.name for each in pkgutil.iter_modules(package.__path__)}
    subjects = {module.__name__.rpartition(".")[2] for module in SUBJECTS.values()}
    assert files == subjects | {"catalogue", "units_and_sources"}


def test_every_closed_form_has_units_a_result_and_a_source_and_no_entry_is_idle() -> None:
    forms = closed_forms()  # a missing entry is a KeyError
    assert set(RESULTS) == set(forms) and set(SOURCES) <= set(forms)
    used = {argument.name.strip("*") for form in forms.values() for argument in form.arguments}
    assert set(ARGUMENT_UNITS) == used
    named = {(n, a.name.strip("*")) for n, form in forms.items() for a in form.arguments}
    assert set(OWN_UNITS) <= named
    assert all(form.formula and form.source for form in forms.values())


def test_a_suffix_of_an_argument_agrees_with_its_unit() -> None:
    suffixes = {"_km": "km", "_ns": "ns", "_hz": "Hz", "_db": "dB", "_db_per_km": "dB/km"}
    for name, unit in ARGUMENT_UNITS.items():
        ending = max((s for s in suffixes if name.endswith(s)), key=len, default=None)
        assert ending is None or unit == suffixes[ending], name
