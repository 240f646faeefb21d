"""Checklists: what a good artefact must be, stated in TOML, and judged without running it."""

from ..findings.checks import Check, Condition, Judgement, Status
from .loading import Checklist, load_checklist

__all__ = ["Check", "Checklist", "Condition", "Judgement", "Status", "load_checklist"]
