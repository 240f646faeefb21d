"""The form of a checklist, as a JSON Schema that is put together from the kinds of check."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .kind import Kind

__all__ = ["FRAME", "check_schema", "whole_schema"]

_ID = {"type": "string", "pattern": "^[a-z0-9][a-z0-9._-]*$", "maxLength": 80}

FRAME: Mapping[str, object] = {
    "type": "object",
    "additionalProperties": False,
    "required": ["name", "check"],
    "properties": {
        "name": _ID,
        "summary": {"type": "string", "description": "What it is for, one line."},
        "variables": {
            "type": "object",
            "description": "What --set fills in, as ${name} in any text of a check.",
            "propertyNames": {"pattern": "^[a-z][a-z0-9_]*$"},
            "additionalProperties": {
                "type": "object",
                "additionalProperties": False,
                "properties": {
                    "default": {"type": "string"},
                    "help": {"type": "string"},
                },
            },
        },
        "check": {"type": "array", "minItems": 1, "items": {"type": "object"}},
    },
}

_COMMON: Mapping[str, object] = {
    "id": {**_ID, "description": "Its name; by default the kind and a number."},
    "kind": {"type": "string"},
    "title": {"type": "string", "description": "What it is about, in words."},
    "severity": {
        "enum": ["error", "warning", "note"],
        "description": "How much it matters when it fails; error by default.",
    },
    "requires": {
        "type": "array",
        "items": {"type": "string"},
        "description": "Checks that must have passed; else this one is skipped.",
    },
    "when": {
        "type": "object",
        "description": "The distribution, and its versions, that the check applies to.",
        "additionalProperties": False,
        "required": ["distribution"],
        "properties": {
            "distribution": {"type": "string", "minLength": 1},
            "version": {"type": "string", "format": "specifier"},
        },
    },
    "precondition": {
        "type": "boolean",
        "description": "Where it does not hold it is skipped, with the checks that require it.",
    },
    "advice": {"type": "string", "description": "What to do when it fails."},
}


def check_schema(kind: Kind) -> dict[str, object]:
    """The schema of one check of a kind."""
    schema: dict[str, object] = {
        "type": "object",
        "description": kind.summary,
        "additionalProperties": False,
        "required": ["kind", *kind.required],
        "properties": {**_COMMON, "kind": {"const": kind.name}, **kind.parameters},
    }
    if kind.one_of:
        schema["anyOf"] = [{"required": [name]} for name in kind.one_of]
    return schema


def whole_schema(kinds: Iterable[Kind]) -> dict[str, object]:
    """The schema of a checklist (draft 2020-12)."""
    properties = dict(FRAME["properties"])  # type: ignore[call-overload]
    one_of = [{"$ref": f"#/$defs/{kind.name}"} for kind in kinds]
    properties["check"] = {"type": "array", "minItems": 1, "items": {"oneOf": one_of}}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "A checklist of elfaudit verify, as TOML",
        **FRAME,
        "properties": properties,
        "$defs": {kind.name: check_schema(kind) for kind in kinds},
    }
