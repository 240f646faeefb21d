"""What it means: rules over a resolved file, the providers and the fixes."""

from .case import Case
from .diagnose import diagnose, first_error, verdict
from .model import Applicability, Edit, Finding, Fix, Resolution, Severity, Verdict
from .providers import Catalogue, Place, Provider, exported_symbols, library_places

__all__ = [
    "Applicability",
    "Case",
    "Catalogue",
    "Edit",
    "Finding",
    "Fix",
    "Place",
    "Provider",
    "Resolution",
    "Severity",
    "Verdict",
    "diagnose",
    "exported_symbols",
    "first_error",
    "library_places",
    "verdict",
]
