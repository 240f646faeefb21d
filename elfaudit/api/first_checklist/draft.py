"""A check that may be written, and whether it holds now."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from jsonschema import Draft202012Validator

from ...checklist.build import Build
from ...checklist.kinds import KINDS
from ...checklist.schema import check_schema
from ...errors import ElfAuditError
from ...findings.checks import Check, CheckStatus

__all__ = ["Draft", "Holding", "Section"]

_LONGEST = 2000


@dataclass(frozen=True, slots=True, eq=False)
class Draft:
    """A check that is not yet in a list.

    Attributes:
        kind: what it asks.
        about: what it is about, in a word or a path; its id is made of this.
        title: the same in words.
        parameters: what its kind takes.
        advice: what to do when it fails; empty: what the kind says.
        needs: the check that must have passed.
        instead: what is asked where it does not hold now.
        expected: whether it is told when it does not hold now.
    """

    kind: str
    about: str
    title: str
    parameters: Mapping[str, object]
    advice: str = ""
    needs: Draft | None = None
    instead: tuple[Draft, ...] = ()
    expected: bool = True


@dataclass(frozen=True, slots=True)
class Section:
    """Checks that belong together, under a heading."""

    heading: str
    drafts: tuple[Draft, ...]


class Holding:
    """Judges drafts: what does not hold now is no measure for the next build.

    Args:
        build: whose ``readings`` are those of the one pass over its files.

    Attributes:
        left_out: what does not hold now, and why, one sentence each.
    """

    def __init__(self, build: Build) -> None:
        self._build = build
        self.left_out: list[str] = []

    def kept(self, drafts: Iterable[Draft]) -> tuple[Draft, ...]:
        """Those that pass now, in their order; for others what is asked instead, if that does."""
        return tuple(each for draft in drafts for each in self._kept(draft))

    def _kept(self, draft: Draft) -> Iterator[Draft]:
        if not (all(map(_is_writable, _texts(draft.parameters))) and _is_sound(draft)):
            self.left_out.append(f"{draft.title}: there is a name in it that no checklist can have")
            return
        status, message = self._judged(draft)
        if status is CheckStatus.PASS:
            yield draft
            return
        if draft.expected and status is not CheckStatus.SKIP:
            self.left_out.append(f"{draft.title}: {message}")
        for each in draft.instead:
            yield from self._kept(each)

    def _judged(self, draft: Draft) -> tuple[CheckStatus, str]:
        check = Check(draft.about, draft.kind, draft.title, parameters=draft.parameters)
        try:
            judgement = KINDS[draft.kind].judge(check, self._build)
        except ElfAuditError as error:
            return CheckStatus.ERROR, str(error)
        return judgement.status, judgement.message


def _is_sound(draft: Draft) -> bool:
    """Whether the schema of its kind takes it: a damaged file may have an empty DT_NEEDED."""
    asked = {"kind": draft.kind, **draft.parameters}
    return bool(Draft202012Validator(check_schema(KINDS[draft.kind])).is_valid(asked))


def _texts(value: object) -> Iterator[str]:
    """All texts in the parameters of a check."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for each in value.values():
            yield from _texts(each)
    elif isinstance(value, list):
        for each in value:
            yield from _texts(each)


def _is_writable(text: str) -> bool:
    """Whether a text is UTF-8, of a length that people read, and no variable for ``--set``."""
    sound = not any("\ud800" <= each <= "\udfff" for each in text)
    return sound and len(text) <= _LONGEST and "${" not in text
