"""What the kinds of check that look at ELF files have in common."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator
from dataclasses import dataclass

from ...elf import ElfObject
from ...errors import ElfAuditError, NotElfError
from ...findings.checks import Check, Judgement
from ..build import Build, BuildFile
from ..kind import erred, failed, listed, passed, words
from ..one_pass import Wanted

__all__ = ["ElfFiles", "Fault", "facts_wanted", "judge_each", "look_at", "no_file"]

_MOST_COMMANDS = 3


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong with one file.

    Attributes:
        text: a sentence that names the file.
        command: what to do about it, or empty.
    """

    text: str
    command: str = ""


@dataclass(frozen=True, slots=True)
class ElfFiles:
    """What a pattern means, each file once, however many links lead to it.

    Attributes:
        found: the ELF files among them.
        damaged: those that cannot be read, one sentence each.
        others: paths of those that are no ELF files, which are passed over.
    """

    found: tuple[tuple[BuildFile, ElfObject], ...]
    damaged: tuple[str, ...] = ()
    others: tuple[str, ...] = ()

    @property
    def passed_over(self) -> tuple[str, ...]:
        """What was not looked at, as evidence."""
        if not self.others:
            return ()
        return (f"passed over, no ELF files: {listed(self.others, sep=', ')}",)


def look_at(check: Check, build: Build) -> ElfFiles:
    """The files that the parameter ``file`` means.

    Raises:
        NotElfError: the one file that is meant is none.
        ElfFormatError, SourceError: the one file that is meant cannot be read.
    """
    files = build.matching(str(check.parameters["file"]))
    found: list[tuple[BuildFile, ElfObject]] = []
    damaged: list[str] = []
    others: list[str] = []
    seen: set[Hashable] = set()
    for file in files:
        try:
            member = file.member
            if member.identity not in seen:  # else a link to one of the others
                seen.add(member.identity)
                found.append((file, build.store.read(member)))
        except NotElfError:
            if len(files) == 1:
                raise
            others.append(file.path)
        except ElfAuditError as error:
            if len(files) == 1:
                raise
            damaged.append(str(error))
    return ElfFiles(tuple(found), tuple(damaged), tuple(others))


def facts_wanted(check: Check, build: Build) -> Iterator[Wanted]:
    """The facts of the files that the parameter ``file`` means."""
    for pattern in words(check, "file"):
        for file in build.matching(pattern):
            try:
                yield Wanted(file.member, facts=True)
            except ElfAuditError:
                continue  # it is gone; whoever asks for it is told


def judge_each(
    check: Check,
    build: Build,
    faults: Callable[[BuildFile, ElfObject], Iterable[Fault]],
    told: Callable[[ElfFiles], str],
    evidence: Callable[[BuildFile, ElfObject], str] | None = None,
) -> Judgement:
    """Judge a check that each file passes or fails by itself.

    Args:
        check: the check.
        build: what is looked at.
        faults: what is wrong with a file.
        told: what to say where nothing is wrong with any.
        evidence: what a file is judged by, told of those at fault.
    """
    files = look_at(check, build)
    if not files.found and not files.damaged:
        return no_file(check, build, files)
    wrong: list[Fault] = []
    shown: list[str] = []
    for file, elf in files.found:
        some = list(faults(file, elf))
        wrong += some
        if some and evidence is not None:
            shown.append(evidence(file, elf))
        build.done_with(elf)
    notes = (*files.damaged, *files.passed_over)
    if wrong:
        texts = [each.text for each in wrong]
        commands = list(dict.fromkeys(each.command for each in wrong if each.command))
        evidence_lines = [*texts[1:], *shown, *notes]
        return failed(check, listed(texts), evidence_lines, "\n".join(commands[:_MOST_COMMANDS]))
    if files.damaged:
        return erred(check, listed(files.damaged))
    return passed(check, told(files), notes)


def no_file(check: Check, build: Build, files: ElfFiles | None = None) -> Judgement:
    """The judgement where a pattern means no ELF file."""
    pattern = check.parameters["file"]
    if files is not None and files.others:
        return failed(check, f"no {pattern} of {build.label} is an ELF file", [*files.passed_over])
    return failed(check, f"there is no {pattern} in {build.label}")
