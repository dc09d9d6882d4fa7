"""Man in the middle: takes the messages of a link, changes some, and passes all on as their senders'.

Only authentication tells: a message that was changed fails it, and one that was not passes.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ...messages import Message
from .base import checked_share
from .relay import Relay

#: Fields of messages by which sessions tell which one it is; changed only where they are named.
_NAMING = ("type", "session", "number")


class ManInTheMiddle(Relay):
    """Changes a `share` of the messages between `first` and `second`; the others, and light, pass untouched.

    Which messages: those of `kinds` and `ports`, and of `types` (the tag of a Struct, `type` in its body);
    without them all. What is changed: one of the body's `fields`, drawn; without them any but the session's
    own. A number changes by one bit, a text in one character, a list in one element. A subclass may override
    `chosen` and `changed`.

    Its fault needs `classical: intercept`. It runs until it is stopped: make it a service. Records `passed`
    and `changed`, 1 for each message.
    """

    async def run(
        self,
        first: str,
        second: str,
        kinds: list[str] | None = None,
        ports: list[str] | None = None,
        types: list[str] | None = None,
        fields: list[str] | None = None,
        share: float = 1.0,
    ) -> None:
        self._kinds, self._ports, self._types, self._fields = kinds, ports, types, fields
        self._share = checked_share("share", share)
        await self.relay(first, second)

    def chosen(self, message: Message) -> bool:
        """Whether this message may be changed."""
        tag = message.body.get("type") if isinstance(message.body, dict) else None
        return (
            (self._kinds is None or message.kind in self._kinds)
            and (self._ports is None or message.port in self._ports)
            and (self._types is None or tag in self._types)
        )

    def changed(self, message: Message) -> Any:
        """The body that is passed on instead; an equal one if there is nothing to change in it."""
        body = message.body
        if not isinstance(body, dict):
            return self._other(body)
        names = [name for name in body if name not in _NAMING]
        if self._fields is not None:
            names = [name for name in body if name in self._fields]
        return self._with_another(body, names)

    async def on_message(self, message: Message) -> None:
        body = message.body
        if self.chosen(message) and self.rng.random() < self._share:
            body = self.changed(message)
        self.record("passed" if body == message.body else "changed", 1)
        await self.pass_on(message, body)

    def _other(self, value: Any) -> Any:
        """A value of the same kind that is another one, where there is one."""
        if isinstance(value, bool):
            return not value
        if isinstance(value, int):
            return value ^ 1
        if isinstance(value, float):
            return value + 1.0
        if isinstance(value, str):
            return self._other_text(value)
        if isinstance(value, list):
            return self._with_another(value, range(len(value)))
        if isinstance(value, dict):
            return self._with_another(value, list(value))
        return value

    def _with_another(self, values: Any, keys: Sequence[Any]) -> Any:
        """A copy of a list or a mapping with another value at one of `keys`, drawn."""
        able = [key for key in keys if _has_another(values[key])]
        if not able:
            return values
        at, copy = able[int(self.rng.integers(len(able)))], values.copy()
        copy[at] = self._other(values[at])
        return copy

    def _other_text(self, text: str) -> str:
        """With one letter or digit replaced by the next one: what was base64 stays so."""
        places = _places(text)
        if not places:
            return text
        # The last letter of base64 may hold bits that must be 0.
        at = places[int(self.rng.integers(max(1, len(places) - 1)))]
        other = chr(ord(text[at]) + (1 if text[at] not in "9zZ" else -1))
        return text[:at] + other + text[at + 1 :]


def _places(text: str) -> list[int]:
    """Where a text has letters and digits."""
    return [at for at, letter in enumerate(text) if letter.isascii() and letter.isalnum()]


def _has_another(value: Any) -> bool:
    """Whether there is another value of the same kind."""
    if isinstance(value, str):
        return bool(_places(value))
    if isinstance(value, list):
        return any(map(_has_another, value))
    if isinstance(value, dict):
        return any(map(_has_another, value.values()))
    return isinstance(value, int | float)
