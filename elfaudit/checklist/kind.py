"""What a kind of check is: a name, a page that explains it, its parameters, and a judge."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from ..errors import ElfAuditError
from ..findings.checks import Check, CheckStatus, Judgement
from .build import Build
from .one_pass import Wanted

__all__ = [
    "GLOB",
    "GLOBS",
    "NAME",
    "NAMES",
    "REGEX",
    "REGEXES",
    "TEXT",
    "TEXTS",
    "Kind",
    "counted",
    "erred",
    "failed",
    "listed",
    "passed",
    "skipped",
    "undecided",
    "words",
]  # fmt: skip

TEXT: Mapping[str, object] = {"type": "string"}
NAME: Mapping[str, object] = {"type": "string", "minLength": 1}
NAMES: Mapping[str, object] = {"type": "array", "items": NAME, "minItems": 1}
TEXTS: Mapping[str, object] = {"type": "array", "items": {"type": "string"}, "minItems": 1}
REGEX: Mapping[str, object] = {"type": "string", "format": "regex"}
REGEXES: Mapping[str, object] = {"type": "array", "items": REGEX, "minItems": 1}
GLOB: Mapping[str, object] = {
    "type": "string",
    "format": "glob",
    "minLength": 1,
    "description": "A path below an import root, * and ** for any part; without a slash the last "
    "part of any path; with a leading one a path of the whole file system.",
}
GLOBS: Mapping[str, object] = {
    "type": "array",
    "items": {"type": "string", "format": "glob", "minLength": 1},
    "minItems": 1,
    "description": "Names, * for any part.",
}


def _nothing(_: Check, __: Build) -> Iterable[Wanted]:
    return ()


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of check.

    Attributes:
        name: as checklists spell it.
        document: the docstring of its module, Markdown.
        judge: decides a check on a build.
        parameters: the JSON Schema of each parameter.
        required: the parameters that must be there.
        one_of: parameters of which at least one must be there: without, nothing is asked.
        wants: what of the files' bytes is looked at; asked before, so that each file is read once
            for all checks together.
    """

    name: str
    document: str | None
    judge: Callable[[Check, Build], Judgement]
    parameters: Mapping[str, Mapping[str, object]] = field(default_factory=dict)
    required: tuple[str, ...] = ()
    wants: Callable[[Check, Build], Iterable[Wanted]] = _nothing
    one_of: tuple[str, ...] = ()

    @property
    def summary(self) -> str:
        """What it asks, one line."""
        return (self.document or self.name).partition("\n")[0]


def passed(check: Check, message: str, evidence: Iterable[str] = ()) -> Judgement:
    """It is as it should be."""
    return Judgement(check, CheckStatus.PASS, message, tuple(evidence))


def failed(check: Check, message: str, evidence: Iterable[str] = (), advice: str = "") -> Judgement:
    """It is not; the checklist's advice is better than the kind's."""
    return Judgement(check, CheckStatus.FAIL, message, tuple(evidence), check.advice or advice)


def undecided(
    check: Check, message: str, evidence: Iterable[str] = (), advice: str = ""
) -> Judgement:
    """What is there does not say."""
    return Judgement(check, CheckStatus.UNDECIDED, message, tuple(evidence), advice)


def skipped(check: Check, message: str) -> Judgement:
    """It does not apply."""
    return Judgement(check, CheckStatus.SKIP, message)


def erred(check: Check, error: ElfAuditError | str) -> Judgement:
    """It could not be judged."""
    return Judgement(check, CheckStatus.ERROR, str(error))


def counted(count: int, noun: str) -> str:
    """``1 file``, ``12,203 files``."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def listed(texts: Sequence[str], most: int = 4, sep: str = "; ") -> str:
    """The first few of any number of texts, and how many more there are."""
    more = f" and {len(texts) - most:,} more" if len(texts) > most else ""
    return sep.join(texts[:most]) + more


def words(check: Check, name: str) -> tuple[str, ...]:
    """A parameter that is a text or a list of texts, as the texts; empty where it is not given."""
    value = check.parameters.get(name, ())
    if isinstance(value, str):
        return (value,)
    return tuple(str(each) for each in value) if isinstance(value, (list, tuple)) else ()
