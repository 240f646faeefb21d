"""Findings and rows as reports get them."""

from __future__ import annotations

from elfaudit.findings import Applicability, Finding, Fix, Severity, Verdict
from elfaudit.report.rows import FileRow, LibraryRow

FIX = Fix("add libx.so.1 to DT_NEEDED of a.so", "patch a.so", (), Applicability.SAFE)


def finding(
    message: str = "a.so: undefined symbol: x",
    *,
    rule: str = "unresolved-symbol",
    severity: Severity = Severity.ERROR,
    location: str = "/lib/a.so",
    evidence: tuple[str, ...] = (),
    fixes: tuple[Fix, ...] = (),
    symbols: tuple[str, ...] = (),
) -> Finding:
    return Finding(rule, severity, location, message, evidence, fixes, symbols)


def row(
    file: str = "/lib/a.so",
    verdict: Verdict | None = Verdict.LOADS,
    *findings: Finding,
    subject: str | None = None,
    error: str | None = None,
    host: str | None = None,
    assumed: tuple[str, ...] = (),
    libraries: tuple[LibraryRow, ...] = (),
    outside: tuple[str, ...] = (),
) -> FileRow:
    name = subject or file
    label = name.partition("::")[2] or name
    return FileRow(name, label, verdict, error, findings, host, assumed, libraries, file, outside)
