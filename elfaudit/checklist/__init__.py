"""Checklists: what a good artefact must be, stated in TOML, and judged without running it."""

from ..findings.checks import Check, CheckStatus, Condition, Judgement
from .loading import Checklist, load_checklist

__all__ = ["Check", "CheckStatus", "Checklist", "Condition", "Judgement", "load_checklist"]
