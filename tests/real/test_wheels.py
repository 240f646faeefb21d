"""Every wheel: nothing is left out, nothing raises, everything NEEDED has its reason."""

from __future__ import annotations

import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from elfaudit.api import Passed, resolve_all
from elfaudit.findings import Resolution, Verdict
from elfaudit.loader import LinkMap, LinkMapEntry, Origin, Outcome

from .fetch import WHEELS

pytestmark = pytest.mark.real

_NOT_SEARCHED = (Origin.DIRECT, Origin.LOADED)


@pytest.mark.parametrize("name", WHEELS)
def test_every_elf_member_is_resolved_and_every_needed_has_its_reason(
    name: str, wheel: Callable[[str], Path]
) -> None:
    path = wheel(name)
    resolved, passed = set(), {}
    for result in resolve_all([str(path)]):
        member = result.subject.partition("::")[2]
        if isinstance(result, Passed):
            assert not result.broken, result
            passed[member] = result.reason
        else:
            resolved.add(member)
            _check_needed(result)
            _check_verdict(result)
    elf = set(_elf_members(path))
    assert elf, "the wheel has no ELF member: this test says nothing"
    assert resolved <= elf
    for member in elf - resolved:
        assert "statically linked" in passed[member] or "no dynamic section" in passed[member]


def _elf_members(path: Path) -> Iterator[str]:
    with zipfile.ZipFile(path) as archive:
        for info in archive.infolist():
            with archive.open(info) as file:
                if file.read(4) == b"\x7fELF":
                    yield info.filename


def _check_needed(result: Resolution) -> None:
    link_map = result.link_map
    for entry in link_map.entries:
        if entry.elf is None:
            continue
        targets = link_map.edges[entry]
        # The targets are those of the names in order, but for filtees, of which wheels have none.
        names = list(dict.fromkeys(entry.elf.needed))
        assert len(targets) == len(names), (entry.label, names)
        for needed, target in zip(names, targets, strict=True):
            _check_target(link_map, needed, target)


def _check_target(link_map: LinkMap, needed: str, target: LinkMapEntry) -> None:
    assert target in link_map.entries
    if target.missing:
        assert target.origin in (Origin.MISSING, Origin.EXTERNAL), needed
        assert target.name == needed
        assert target.steps, needed
        assert all(step.outcome is not Outcome.FOUND for step in target.steps)
        return
    assert target.origin not in (Origin.MISSING, Origin.EXTERNAL), needed
    assert target.path, needed
    if target.origin not in _NOT_SEARCHED:
        last = target.steps[-1]
        assert (last.outcome, last.path) == (Outcome.FOUND, target.path), needed
        assert all(step.outcome is not Outcome.FOUND for step in target.steps[:-1])


def _check_verdict(result: Resolution) -> None:
    assert (result.error is not None) == (result.verdict is Verdict.FAILS), result.subject
    if result.verdict is Verdict.LOADS:
        assert not result.link_map.missing
        assert not [b for b in result.bindings.open_references() if b.status.name == "UNRESOLVED"]
