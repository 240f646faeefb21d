"""The verbs: each composes the layers below in a few lines. The command line calls nothing else.

They are imported when they are first asked for: looking at one file needs no loader.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .asking import Side, count_symbols, list_symbols, open_elf
    from .differing import diff
    from .fixes import plan_fixes
    from .patching import PatchPlan, PatchResult, apply_patch, plan_patch, undo_patch
    from .process import Process
    from .providing import find_providers
    from .resolving import Passed, resolve, resolve_all
    from .schemas import json_schema
    from .verifying import BuildReport, shipped_checklists, verify

__all__ = [
    "BuildReport",
    "Passed",
    "PatchPlan",
    "PatchResult",
    "Process",
    "Side",
    "apply_patch",
    "count_symbols",
    "diff",
    "find_providers",
    "json_schema",
    "list_symbols",
    "open_elf",
    "plan_fixes",
    "plan_patch",
    "resolve",
    "resolve_all",
    "shipped_checklists",
    "undo_patch",
    "verify",
]

_HOMES = {
    "BuildReport": "verifying",
    "Passed": "resolving",
    "PatchPlan": "patching",
    "PatchResult": "patching",
    "Process": "process",
    "Side": "asking",
    "apply_patch": "patching",
    "count_symbols": "asking",
    "diff": "differing",
    "find_providers": "providing",
    "json_schema": "schemas",
    "list_symbols": "asking",
    "open_elf": "asking",
    "plan_fixes": "fixes",
    "plan_patch": "patching",
    "resolve": "resolving",
    "resolve_all": "resolving",
    "shipped_checklists": "verifying",
    "undo_patch": "patching",
    "verify": "verifying",
}


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value: object = getattr(import_module(f".{_HOMES[name]}", __name__), name)
    globals()[name] = value
    return value
