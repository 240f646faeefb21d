"""The verbs: each composes the layers below in a few lines. The command line calls nothing else."""

from .resolving import Passed, resolve, resolve_all

__all__ = ["Passed", "resolve", "resolve_all"]
