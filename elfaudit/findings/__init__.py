"""What it means: rules over a resolved file, the providers and the fixes."""

from .case import Case
from .diagnose import diagnose, first_error, verdict
from .effects import Effects, FilePatch, Rebound
from .loads_with_siblings import loads_with_siblings
from .model import Applicability, Edit, Finding, Fix, Resolution, Severity, Verdict
from .providers import Catalogue, Place, Provider, exported_symbols, library_places
from .registry import DEFAULT, RULES, Selection, choose, rule_named
from .rule import Rule
from .unreadable_file import unreadable_file

__all__ = [
    "DEFAULT",
    "RULES",
    "Applicability",
    "Case",
    "Catalogue",
    "Edit",
    "Effects",
    "FilePatch",
    "Finding",
    "Fix",
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
    "loads_with_siblings",
    "rule_named",
    "unreadable_file",
    "verdict",
]
