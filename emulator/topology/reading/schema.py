"""The JSON Schema of a topology file, for editors.

Owns what the schema adds to topology_file.py, from which it is made and from which files are checked too: a
section may be completed by another layer, and a default stands in the words of the file.
"""

from __future__ import annotations

from typing import Any

from .topology_file import File


def json_schema() -> dict[str, Any]:
    """The schema of the YAML as a user writes it (JSON Schema, draft 2020-12)."""
    schema = File.model_json_schema(by_alias=True, mode="validation")
    schema["title"] = "qnetem topology"
    _keep_written_defaults(schema)
    sections = schema["$defs"]
    for partial in (
        *("ClickDetectorSpec", "DetectionSpec", "EnvironmentSpec", "CoexistenceSpec"),
        *("BeamSpec", "TelescopeSpec", "BackgroundSpec"),
    ):
        sections[partial].pop("required", None)  # `defaults` may give the rest
    sections["NodeEntry"]["type"] = ["object", "null"]  # `bob:` alone is an endpoint
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}


def _keep_written_defaults(schema: dict[str, Any]) -> None:
    """Drop the defaults that the model holds in its own units rather than in the file's."""
    for section in [schema, *schema["$defs"].values()]:
        for field in section.get("properties", {}).values():
            if "enum" not in field and field.get("type") not in ("integer", "boolean"):
                field.pop("default", None)
