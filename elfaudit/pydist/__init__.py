"""The Python side of what is audited: distributions, and what their modules offer."""

from .distributions import Distribution, find_distributions
from .metadata import Metadata, read_metadata
from .record import RecordRow, is_unhashed, read_record
from .requirements import Unmet, environment_of, unmet_requirements

__all__ = [
    "Distribution",
    "Metadata",
    "RecordRow",
    "Unmet",
    "environment_of",
    "find_distributions",
    "is_unhashed",
    "read_metadata",
    "read_record",
    "unmet_requirements",
]
