"""What it means: rules over a resolved file, the providers and the fixes.

The names are imported when they are first asked for: what only tells of findings needs no loader.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .case import Case
    from .changes import (
        Aspect,
        BuildChange,
        ChangedItem,
        ChangeSeverity,
        Difference,
        FileDifference,
        FileStatus,
        OtherFile,
        OtherFiles,
    )
    from .diagnose import diagnose, first_error, verdict
    from .effects import Effects, FilePatch, Rebound
    from .model import Applicability, Edit, Finding, Fix, Resolution, Severity, Verdict
    from .providers import Catalogue, Place, Provider, exported_symbols, library_places
    from .registry import DEFAULT, RULES, Selection, choose, rule_named
    from .rule import Rule

__all__ = [
    "DEFAULT",
    "RULES",
    "Applicability",
    "Aspect",
    "BuildChange",
    "Case",
    "Catalogue",
    "ChangeSeverity",
    "ChangedItem",
    "Difference",
    "Edit",
    "Effects",
    "FileDifference",
    "FilePatch",
    "FileStatus",
    "Finding",
    "Fix",
    "OtherFile",
    "OtherFiles",
    "Place",
    "Provider",
    "Rebound",
    "Resolution",
    "Rule",
    "Selection",
    "Severity",
    "Verdict",
    "choose",
    "diagnose",
    "exported_symbols",
    "first_error",
    "library_places",
    "rule_named",
    "verdict",
]

_HOMES = {
    "DEFAULT": "registry",
    "RULES": "registry",
    "Applicability": "model",
    "Aspect": "changes",
    "Case": "case",
    "Catalogue": "providers",
    "BuildChange": "changes",
    "ChangeSeverity": "changes",
    "ChangedItem": "changes",
    "Difference": "changes",
    "Edit": "model",
    "Effects": "effects",
    "FileDifference": "changes",
    "FilePatch": "effects",
    "FileStatus": "changes",
    "Finding": "model",
    "Fix": "model",
    "OtherFile": "changes",
    "OtherFiles": "changes",
    "Place": "providers",
    "Provider": "providers",
    "Rebound": "effects",
    "Resolution": "model",
    "Rule": "rule",
    "Selection": "registry",
    "Severity": "model",
    "Verdict": "model",
    "choose": "registry",
    "diagnose": "diagnose",
    "exported_symbols": "providers",
    "first_error": "diagnose",
    "library_places": "providers",
    "rule_named": "registry",
    "verdict": "diagnose",
}


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value: object = getattr(import_module(f".{_HOMES[name]}", __name__), name)
    globals()[name] = value
    return value
