"""Every library and program under /usr/lib, against ``ld.so`` in trace mode."""

from __future__ import annotations

from collections import Counter

import pytest

from elfaudit.api import Passed, resolve_all
from elfaudit.findings import Resolution, Severity, Verdict
from elfaudit.loader import Status

from .judges import Traced, loadable, require_glibc, trace

pytestmark = pytest.mark.real


def test_every_library_of_the_system_is_judged_as_the_loader_judges_it() -> None:
    require_glibc()
    paths = list(loadable("/usr/lib"))
    assert paths, "nothing under /usr/lib: this test says nothing"
    traced = trace(paths)
    differing: list[tuple[str, object]] = []
    seen: Counter[Verdict] = Counter()
    # The trace takes every file for the program, a Python extension too.
    for result in resolve_all(paths, host="none"):
        if isinstance(result, Passed):
            differing.append((result.subject, result.reason))
            continue
        seen[result.verdict] += 1
        ours, theirs = _as_traced(result), traced[result.subject]
        if ours != theirs:
            differing.append((result.subject, _difference(ours, theirs)))
        assert (result.verdict is Verdict.FAILS) == _should_fail(result, theirs), result.subject
    assert not differing
    assert seen.total() == len(paths)
    assert seen[Verdict.LOADS]


def _as_traced(result: Resolution) -> Traced:
    return Traced(
        tuple(str(entry.path) for entry in result.link_map.entries[1:] if not entry.missing),
        frozenset(entry.name for entry in result.link_map.missing),
        frozenset(
            (str(binding.reference.path), binding.name)
            for binding in result.bindings.open_references()
        ),
        frozenset(
            finding.message
            for finding in result.findings
            if finding.rule == "version-not-found" and finding.severity is Severity.ERROR
        ),
        None,
    )


def _should_fail(result: Resolution, theirs: Traced) -> bool:
    """FAILS exactly if the loader would complain, names an interpreter would supply left aside."""
    assumed = {
        (str(binding.reference.path), binding.name)
        for binding in result.bindings.open_references()
        if binding.status is Status.ASSUMED
    }
    return bool(theirs.missing or theirs.versions or theirs.fatal or theirs.undefined - assumed)


def _difference(ours: Traced, theirs: Traced) -> dict[str, object]:
    """What only one of the two says, field by field."""
    found: dict[str, object] = {}
    if ours.objects != theirs.objects:
        found["objects"] = {"elfaudit": ours.objects, "ld.so": theirs.objects}
    for name in ("missing", "undefined", "versions"):
        mine, other = getattr(ours, name), getattr(theirs, name)
        if mine != other:
            found[name] = {"only elfaudit": mine - other, "only ld.so": other - mine}
    if theirs.fatal:
        found["fatal"] = theirs.fatal
    return found
