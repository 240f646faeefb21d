"""What the loader makes of a file now, and what it made of it before."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from .changes import Aspect, BuildChange, ChangedItem, ChangeSeverity, some
from .model import Verdict
from .stems import without_hash

__all__ = ["FileVerdict", "changed_verdict", "verdict_of_new"]

_MOST_NAMED = 3  # mangled names are long
_RANK = {Verdict.LOADS: 0, Verdict.UNDECIDED: 1, Verdict.FAILS: 2}


@dataclass(frozen=True, slots=True)
class FileVerdict:
    """What becomes of a file in its process, as far as it is compared.

    Attributes:
        verdict: LOADS, FAILS or UNDECIDED.
        error: the message the loader prints first; None unless the verdict is FAILS.
        missing: the libraries that it does not find.
        cause: the message without the name of the file itself, which may be another one.
        doubt: why it is UNDECIDED, a clause; None where it is not.
        unresolved: the symbols that the file cannot do without and nothing supplies.
    """

    verdict: Verdict
    error: str | None = None
    missing: tuple[str, ...] = ()
    cause: str | None = None
    doubt: str | None = None
    unresolved: frozenset[str] = frozenset()


def changed_verdict(old: FileVerdict | None, new: FileVerdict | None) -> Iterator[BuildChange]:
    """The change of one file's verdict; None stands for a file that no loader takes."""
    if old is None or new is None:
        return
    was, now = old.verdict.value, new.verdict.value
    # What was missing by another hash is no news.
    known = set(map(without_hash, old.missing))
    missing = tuple(ChangedItem(name) for name in new.missing if without_hash(name) not in known)
    if old.verdict is not new.verdict:
        worse = _RANK[new.verdict] > _RANK[old.verdict]
        severity = ChangeSeverity.NOTABLE if worse else ChangeSeverity.HARMLESS
        if new.verdict is Verdict.FAILS:
            severity = ChangeSeverity.BREAKING
        text = f"{was} before, {now} now{_because(new)}"
        yield BuildChange(Aspect.VERDICT, severity, text, missing, was, now)
    elif missing:
        names = some([item.name for item in missing])
        text = f"needs {names}, which the loader does not find"
        yield BuildChange(Aspect.MISSING, ChangeSeverity.BREAKING, text, missing)
    elif _cause(old) != _cause(new):
        text = f"{now} as before, but for another reason{_because(new)}"
        yield BuildChange(Aspect.VERDICT, ChangeSeverity.NOTABLE, text, (), old.error, new.error)
    if not missing:  # which may have what is not found now
        yield from _unresolved(old, new)


def _cause(judgement: FileVerdict) -> str:
    return without_hash(judgement.cause or judgement.error or "")


def _unresolved(old: FileVerdict, new: FileVerdict) -> Iterator[BuildChange]:
    """The symbols that nothing supplies any more, unless the loader's message names them.

    Without bind-now the loader says so when such a function is first called
    (``_dl_fixup``, glibc ``elf/dl-runtime.c``): the file loads, and the program ends there.
    """
    come = sorted(new.unresolved - old.unresolved)
    told = [name for name in come if new.error is None or name not in new.error]
    if not told:
        return
    if new.missing:  # which may have had it
        severity, end = ChangeSeverity.NOTABLE, "; nor is all found that it lists"
    else:
        severity, end = ChangeSeverity.BREAKING, ""
    names = some(told) if len(told) <= _MOST_NAMED else f"{len(told):,} symbols"
    text = f"refers to {names}, which nothing supplies now{end}"
    yield BuildChange(Aspect.UNRESOLVED, severity, text, tuple(map(ChangedItem, come)))


def verdict_of_new(new: FileVerdict | None) -> Iterator[BuildChange]:
    """What is to be said of a file that was not there before: nothing, if it loads."""
    if new is not None and new.verdict is Verdict.FAILS:
        text = f"{new.verdict.value}{_because(new)}"
        items = tuple(map(ChangedItem, new.missing))
        yield BuildChange(
            Aspect.VERDICT, ChangeSeverity.NOTABLE, text, items, None, new.verdict.value
        )


def _because(judgement: FileVerdict) -> str:
    reason = judgement.error or judgement.doubt
    return f": {reason}" if reason else ""
