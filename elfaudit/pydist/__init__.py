"""The Python side of what is audited: distributions, and what their modules offer."""

from .answers import (
    Answer,
    ImportAudit,
    ImportFinding,
    Inventory,
    Literal,
    Presence,
    Refusal,
    missing,
)
from .asking import ask
from .distributions import Distribution, find_distributions
from .imports import audit
from .inventories import inventory, literal
from .metadata import Metadata, read_metadata
from .modules import Module, ModuleKind, Modules, PythonFiles
from .record import RecordRow, is_unhashed, read_record
from .refusals import refusal_of
from .requirements import Unmet, environment_of, unmet_requirements, unread_fields
from .surface import Grade
from .wheel_info import WheelInfo, read_wheel_info

__all__ = [
    "Answer",
    "Distribution",
    "Grade",
    "ImportAudit",
    "ImportFinding",
    "Inventory",
    "Literal",
    "Metadata",
    "Module",
    "ModuleKind",
    "Modules",
    "Presence",
    "PythonFiles",
    "RecordRow",
    "Refusal",
    "Unmet",
    "WheelInfo",
    "ask",
    "audit",
    "environment_of",
    "find_distributions",
    "inventory",
    "is_unhashed",
    "literal",
    "missing",
    "read_metadata",
    "read_record",
    "read_wheel_info",
    "refusal_of",
    "unmet_requirements",
    "unread_fields",
]
