"""``elfaudit schema``."""

from __future__ import annotations

import click

from ..api.schemas import INPUTS, SCHEMAS, json_schema
from .output import write

__all__ = ["schema"]


@click.command()
@click.argument("command", type=click.Choice([*SCHEMAS, *INPUTS]), default="resolve")
def schema(command: str) -> None:
    """Print the JSON Schema (draft 2020-12) of what a command prints with --format json.

    "checklist" is that of the TOML files that verify takes.

    \b
    Examples:
      elfaudit schema
      elfaudit schema symbols > symbols.schema.json
    """  # noqa: D301
    write(json_schema(command))
