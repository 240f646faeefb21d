"""Symbols and providers in words."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from elfaudit.api import find_providers
from elfaudit.elf import Symbol
from elfaudit.findings import Provider
from elfaudit.report.providers import providers_document, providers_table
from elfaudit.report.style import Style
from elfaudit.report.symbols import symbol_lines, symbols_document, symbols_table

ODD = Symbol(
    "odd\x1b[31m\udcff", "V", version_hidden=False, library=None, binding=13, type=14,
    visibility=0, defined=True, value=16, size=12345, index=1,
)  # fmt: skip


@pytest.fixture
def provider(prebuilt: Path) -> Provider:
    (found,) = find_providers(["demo_call"], [prebuilt / "machines/x86_64/libdemo.so"])
    return found


def test_odd_symbols_are_shown_and_harm_nobody() -> None:
    assert list(symbol_lines([ODD], Style(80))) == [r"odd\x1b[31m\xff@@V"]
    _, line = symbols_table([ODD], Style(80))
    assert line.split() == ["12,345", "14", "13", r"odd\x1b[31m\xff@@V"]
    (row,) = json.loads("".join(symbols_document("t", [ODD])))["symbols"]
    assert (row["name"], row["binding"], row["type"]) == ("odd\x1b[31m\udcff", 13, 14)
    assert row["default_version"] is True


def test_a_symbol_without_a_version_has_no_default() -> None:
    bare = replace(ODD, version=None)
    (row,) = json.loads("".join(symbols_document("t", [bare])))["symbols"]
    assert (row["version"], row["default_version"]) == (None, None)


def test_the_version_is_kept_when_a_name_is_demangled() -> None:
    mangled = replace(ODD, name="_ZN4c10d3useEv", version_hidden=True)
    assert list(symbol_lines([mangled], Style(80, demangle=True))) == ["c10d::use()@V"]


def test_providers_fit_the_width_by_their_paths(provider: Provider) -> None:
    deep = replace(provider, path="/srv/images/one/of/many/usr/lib/libdemo.so")
    text = providers_table(["demo_call"], [("demo_call", deep)], Style(80))
    assert all(len(line) <= 80 for line in text.splitlines())
    assert "demo_call@@DEMO_1.0" in text
    assert "…" in text
    assert "libdemo.so.2" in text


def test_a_provider_may_be_known_by_name_only(provider: Provider) -> None:
    nameless = replace(provider, symbol=None)
    assert "libdemo.so.2" in providers_table(["x"], [("x", nameless)], Style(200))
    (symbol,) = json.loads(providers_document(["x"], [("x", nameless)]))["symbols"]
    assert symbol["providers"][0]["version"] is None


def test_nobody_has_it_is_red() -> None:
    text = providers_table(["x"], [], Style(80, colour=True))
    assert "\x1b[31;1mnobody has it\x1b[0m" in text
