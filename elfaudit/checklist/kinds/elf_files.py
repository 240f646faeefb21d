"""What the kinds of check that look at ELF files have in common."""

from __future__ import annotations

from collections.abc import Iterator

from ...errors import ElfAuditError
from ...findings.checks import Check, Judgement
from ..build import Build
from ..kind import failed, words
from ..passing import Wanted

__all__ = ["facts_wanted", "no_file"]


def facts_wanted(check: Check, build: Build) -> Iterator[Wanted]:
    """The facts of the files that the parameter ``file`` means."""
    for pattern in words(check, "file"):
        for file in build.matching(pattern):
            try:
                yield Wanted(file.member, facts=True)
            except ElfAuditError:
                continue  # it is gone; whoever asks for it is told


def no_file(check: Check, build: Build) -> Judgement:
    """The judgement where a pattern means nothing."""
    pattern = check.parameters["file"]
    return failed(check, f"there is no {pattern} in {build.label}")
