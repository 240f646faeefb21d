"""The JSON Schemas of what the commands print with ``--format json``."""

from __future__ import annotations

from importlib.resources import files

from ..errors import RequestError

__all__ = ["SCHEMAS", "json_schema"]

SCHEMAS = ("diff", "patch-needed", "providers", "resolve", "show", "symbols", "verify")
INPUTS = ("checklist",)


def json_schema(command: str = "resolve") -> str:
    """The JSON Schema (draft 2020-12) of one command's JSON output, as JSON text.

    Args:
        command: ``resolve``, ``show``, ``symbols``, ``providers``, ``patch-needed``, ``diff``,
            ``verify``; ``checklist`` is that of the TOML files of ``verify``.

    Raises:
        RequestError: there is no schema of that name.
    """
    known = (*SCHEMAS, *INPUTS)
    if command not in known:
        raise RequestError(f"{command}: there is no such schema; there are {', '.join(known)}")
    return (files("elfaudit") / "schema" / f"{command}.json").read_text("utf-8")
