"""Rule ``refused-object``: the loader does not take the file that was asked about.

What it is: a shared object whose header says something ``dlopen`` does not accept: an unknown OS
ABI or ABI version, padding that is not zero, segments that cannot be mapped.

Why it matters: the loader stops before it looks at anything else of it.

How it is decided: as ``open_verify`` and ``_dl_map_object_from_fd`` (glibc ``elf/dl-load.c``).

Fix: build or copy the file again.
"""

from __future__ import annotations

from collections.abc import Iterator

from .case import Case
from .model import Finding, Severity

__all__ = ["check"]


def check(case: Case) -> Iterator[Finding]:
    """At most one finding: the subject is refused."""
    refused, subject = case.link_map.refused, case.link_map.subject
    if refused is not None:
        yield Finding(
            "refused-object", Severity.ERROR, subject.display, f"{subject.label}: {refused}"
        )
