"""One model, two vocabularies: the words of the file and the names of the program.

Owns the base class of all sections. As written, a key is a word of the file and a quantity has a unit
(`t2: 1 s`); resolved, it is a name with its unit last and the number in that unit (`t2_ns=10**9`).

Rule: each side accepts its own vocabulary only. Which side it is comes with the validation context:
`WRITTEN` for what a user wrote; without it, for Python and for resolved copies, names and numbers.
"""

from __future__ import annotations

import types
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import (
    BaseModel,
    ConfigDict,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
    ValidationInfo,
    model_validator,
)
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

from .names import shown
from .positions import Path

WRITTEN: dict[str, bool] = {"written": True}
#: Put before a key of the other vocabulary, which makes it an unknown key on this side.
UNKNOWN = "?"


def is_written(info: ValidationInfo[Any]) -> bool:
    """Whether a user's words are being validated, rather than resolved data."""
    return bool(info.context) and bool(info.context.get("written"))


def is_partial(info: ValidationInfo[Any]) -> bool:
    """Whether it is one layer of a file that is being validated, which another one may complete."""
    return bool(info.context) and bool(info.context.get("partial"))


def problem(text: str, key: str | None = None) -> PydanticCustomError:
    """An error for a validator to raise: its whole text, and the key it is about (as written)."""
    context: dict[str, Any] = {"text": text} if key is None else {"text": text, "key": key}
    return PydanticCustomError("topology", "{text}", context)


def missing(key: str, text: str | None = None) -> PydanticCustomError:
    """The error of a section that cannot do without `key`: worded as that of any missing key, or as `text`.

    As written, another layer of the file may bring it.
    """
    context = {"key": key} if text is None else {"key": key, "text": text}
    return PydanticCustomError("missing", "Field required", context)


class Section(BaseModel):
    """A mapping of the file. Frozen, complete, strict about types."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", strict=True, populate_by_name=True, allow_inf_nan=False
    )

    @model_validator(mode="before")
    @classmethod
    def _one_vocabulary(cls, data: Any, info: ValidationInfo[Any]) -> Any:
        if is_written(info) and data is None:
            return {}  # a key with nothing behind it
        if not isinstance(data, dict):
            return data
        names, keys = list(cls.model_fields), written_keys(cls)
        ours, theirs = (keys, names) if is_written(info) else (names, keys)
        foreign = [key for key in theirs if key in data and key not in ours]
        if not foreign:
            return data
        return {f"{UNKNOWN}{key}" if key in foreign else key: data[key] for key in data}


class Reading:
    """Base of annotations that read a value as a file may write it, before pydantic does."""

    def _validate(self, value: Any, info: ValidationInfo[Any]) -> Any:
        raise NotImplementedError

    def __get_pydantic_core_schema__(
        self, source: Any, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        return core_schema.with_info_before_validator_function(self._validate, handler(source))


class _NoneWord(Reading):
    """Annotation of a section that `none` switches off in a file; nothing at all is refused there."""

    def _validate(self, value: Any, info: ValidationInfo[Any]) -> Any:
        if is_written(info):
            if value == "none":
                return None
            if not isinstance(value, dict):
                raise problem(f"expected a mapping, or none to switch it off, found {shown(value)}")
        return value

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        choices = handler(schema)["anyOf"]
        return {"anyOf": [{"const": "none"} if "type" in each else each for each in choices]}


NoneWord = _NoneWord()


def written_keys(model: type[BaseModel]) -> list[str]:
    """The keys that a user may write in a section."""
    return [
        field.validation_alias if isinstance(field.validation_alias, str) else name
        for name, field in model.model_fields.items()
    ]


def keys_at(model: type[BaseModel], path: Path) -> list[str]:
    """The keys that a user may write in the section at `path` below `model`; none if it has no keys."""
    here: Any = model
    for step in path:
        here = _below(here, step)
    here = _bare(here)
    return written_keys(here) if _is_section(here) else []


def _below(annotation: Any, step: str | int) -> Any:
    annotation = _bare(annotation)
    if _is_section(annotation):
        fields = dict(zip(written_keys(annotation), annotation.model_fields.values(), strict=True))
        return fields[str(step)].annotation if step in fields else None
    arguments = get_args(annotation)
    return arguments[-1] if get_origin(annotation) in (dict, list) else None


def _bare(annotation: Any) -> Any:
    """The type inside `Annotated[X, ...]` and `X | None`."""
    while get_origin(annotation) in (Annotated, Union, types.UnionType):
        annotation = next(part for part in get_args(annotation) if part is not types.NoneType)
    return annotation


def _is_section(annotation: Any) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, BaseModel)
