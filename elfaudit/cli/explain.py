"""``elfaudit explain``."""

from __future__ import annotations

import click

from ..findings import RULES, rule_named
from .output import write

__all__ = ["explain"]


@click.command()
@click.argument("rule", required=False)
def explain(rule: str | None) -> None:
    """Print what a rule means: what it is, why it matters, how it is decided, how to repair it.

    Without a RULE all of them are listed, each with the worst severity it can have.

    \b
    Examples:
      elfaudit explain
      elfaudit explain transitive-only
    """  # noqa: D301
    if rule is not None:
        write(rule_named(rule).page)
        return
    width = max(len(each.name) for each in RULES)
    for each in sorted(RULES, key=lambda each: (-each.severity, each.name)):
        asked = "" if each.default else " (only with --select)"
        severity = each.severity.name.lower()
        write(f"{severity:<7}  {each.name:<{width}}  {each.summary.rstrip('.')}{asked}\n")
