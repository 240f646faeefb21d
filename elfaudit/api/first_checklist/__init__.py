"""``verify --init``: a checklist that holds the next build to what this one is."""

from .starting import first_checklist

__all__ = ["first_checklist"]
