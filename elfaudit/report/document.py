"""Resolutions as JSON: everything, nothing cut; the schema is ``elfaudit/schema/resolve.json``.

A document is written piece by piece, so that thousands of files are never held at once:
``OPENING``, then each file's :func:`file_document` with ``SEPARATOR`` between, then :func:`ending`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from ..findings import Finding, Resolution
from ..loader import Binding, Bindings, LinkMap, LinkMapEntry, Status
from .jsontext import SCHEMA_VERSION, dump, identifier, named
from .rows import FileRow, Tally, found_by

__all__ = ["OPENING", "SEPARATOR", "ending", "file_document"]


OPENING = f'{{\n"schema_version": {SCHEMA_VERSION},\n"files": [\n'
SEPARATOR = ",\n"


def ending(broken: Sequence[FileRow], total: Tally) -> str:
    """What follows the last file: the findings about unreadable files, and the counts."""
    findings = [_finding(finding, demangled=False) for row in broken for finding in row.findings]
    summary = {
        "files": total.files,
        "loads": total.loads,
        "fails": total.fails,
        "undecided": total.undecided,
        "unreadable": total.unreadable,
        "passed": total.passed,
    }
    return f'\n],\n"unreadable": {dump(findings)},\n"summary": {dump(summary)}\n}}\n'


def file_document(
    resolution: Resolution,
    *,
    demangled: bool = False,
    all_bindings: bool = False,
    pattern: re.Pattern[str] | None = None,
) -> str:
    """One file of ``resolve``: verdict, findings with fixes, link map with every path tried.

    Args:
        resolution: the file.
        demangled: whether to add the demangled form of every mangled name.
        all_bindings: whether to list also the references that are bound, with their providers;
            those that are not are always listed.
        pattern: what the name of a reference must have in it to be listed; None: all.
    """
    link_map = resolution.link_map
    index = {entry: number for number, entry in enumerate(link_map.entries)}
    row = {
        "subject": resolution.subject,
        "verdict": resolution.verdict.value,
        "error": resolution.error,
        "host": resolution.host.display if resolution.host else None,
        "within": list(resolution.within),
        "findings": [_finding(finding, demangled=demangled) for finding in resolution.findings],
        "link_map": [_entry(entry, link_map, index) for entry in link_map.entries],
        "ignored_preloads": [entry.name for entry in link_map.ignored_preloads],
        "bindings": _bindings(resolution, index, pattern, demangled=demangled, every=all_bindings),
    }
    return dump(row)


def _finding(finding: Finding, *, demangled: bool) -> dict[str, object]:
    return {
        "rule": finding.rule,
        "severity": identifier(finding.severity),
        "location": finding.location,
        "message": finding.message,
        "evidence": list(finding.evidence),
        "symbols": [named(name, demangled=demangled) for name in finding.symbols],
        "fixes": [
            {
                "title": fix.title,
                "command": fix.command,
                "applicability": identifier(fix.applicability),
                "edits": [
                    {"kind": edit.kind, "target": edit.target, "value": edit.value}
                    for edit in fix.edits
                ],
            }
            for fix in finding.fixes
        ],
    }


def _entry(
    entry: LinkMapEntry, link_map: LinkMap, index: dict[LinkMapEntry, int]
) -> dict[str, object]:
    return {
        "name": entry.name,
        "path": entry.path,
        "file": None if entry.missing else entry.display,
        "soname": entry.elf.soname if entry.elf else None,
        "origin": identifier(entry.origin),
        "found_by": found_by(entry, link_map),
        "missing": entry.missing,
        "loader": None if entry.loader is None else index.get(entry.loader),
        "needed": [index[child] for child in link_map.edges.get(entry, ()) if child in index],
        "steps": [
            {
                "path": step.path,
                "origin": identifier(step.origin),
                "declared_by": step.declared_by,
                "outcome": identifier(step.outcome),
                "detail": step.detail,
            }
            for step in entry.steps
        ],
    }


def _bindings(
    resolution: Resolution,
    index: dict[LinkMapEntry, int],
    pattern: re.Pattern[str] | None,
    *,
    demangled: bool,
    every: bool,
) -> dict[str, object]:
    bindings = resolution.bindings
    not_bound = list(_not_bound(resolution))
    listed = [
        binding
        for binding in (bindings if every else not_bound)
        if pattern is None or pattern.search(binding.name)
    ]
    counts = dict.fromkeys(Status, 0)
    for binding in not_bound:
        counts[binding.status] += 1
    undefined = sum(
        len(bindings.looked_up(entry, index.references.keys))
        for entry, index in bindings.indices.items()
    )
    counts[Status.BOUND] = undefined - len(not_bound)
    return {
        "counts": {identifier(status): count for status, count in counts.items()},
        "references": [
            {
                **named(binding.name, demangled=demangled),
                "version": binding.version,
                "library": binding.library,
                "status": identifier(binding.status),
                "lazy": binding.lazy,
                "copied": binding.copied,
                "by": index.get(binding.reference),
                "provider": None if binding.provider is None else index.get(binding.provider),
                "shadows": _shadowed(binding, bindings, index) if every else [],
            }
            for binding in listed
        ],
    }


def _shadowed(
    binding: Binding, bindings: Bindings, index: dict[LinkMapEntry, int]
) -> list[int | None]:
    if binding.provider is None:
        return []
    return [index.get(entry) for entry in bindings.shadowed(binding)]


def _not_bound(resolution: Resolution) -> Iterator[Binding]:
    bindings = resolution.bindings
    yield from bindings.open_references()
    for entry, index in bindings.indices.items():
        for key in sorted(bindings.looked_up(entry, index.references.weak)):
            binding = bindings.of(entry, key)
            if binding.status is Status.WEAK_ABSENT:
                yield binding
