"""What programs have written, as text."""

from __future__ import annotations

import json

import pytest

from qnetem.emulator.plain_text import ascii_json, encodable, lines, printable, shortened


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain é µ 量子", "plain é µ 量子"),
        ("\x1b[31mred\x07", r"\x1b[31mred\x07"),
        ("a\nb\tc\r", r"a\nb\tc\r"),
        ("\u202eabc\u2066\u200f", r"\u202eabc\u2066\u200f"),
        ("\x9b\x7f\x00", r"\x9b\x7f\x00"),
        ("\u2028\ufeff\u200b", r"\u2028\ufeff\u200b"),
        ("\udc80\U000e0041", r"\udc80\U000e0041"),
    ],
)
def test_what_could_steer_a_terminal_is_shown_as_an_escape(text: str, shown: str) -> None:
    assert printable(text) == shown


def test_text_in_lines_keeps_its_lines() -> None:
    assert lines("a\n\tb\x1b\n") == "a\n        b\\x1b\n"


def test_a_lone_surrogate_can_be_encoded_as_its_name() -> None:
    class Text(str):
        __slots__ = ()

    assert encodable("a\udc80é").encode() == b"a\\udc80\xc3\xa9"
    assert type(encodable(Text("x"))) is str


def test_of_long_text_the_middle_is_left_out() -> None:
    text = shortened("a" * 500 + "b" * 500, 100)
    assert text == "a" * 50 + " [... 900 characters ...] " + "b" * 50
    assert shortened("a" * 100, 100) == "a" * 100


@pytest.mark.parametrize("value", ["\u202e\x7f\x9b", "\U0001f600", "plain", "é"])
def test_json_in_plain_ascii_means_the_same(value: str) -> None:
    encoded = ascii_json(json.dumps({value: [value]}, ensure_ascii=False))
    assert encoded.isascii() and "\x7f" not in encoded
    assert json.loads(encoded) == {value: [value]}
