"""Repairs as commands to copy."""

from __future__ import annotations

import pytest

from elfaudit.findings.repairs import link_option, target_of
from elfaudit.loader import LinkMapEntry, Origin


@pytest.mark.parametrize(
    ("soname", "option"),
    [
        ("libz.so.1", "-lz"),
        ("librocm_smi64.so.1", "-lrocm_smi64"),
        ("libstdc++.so.6", "-lstdc++"),
        ("libLLVM-15.so", "-lLLVM-15"),
        ("ld-linux-x86-64.so.2", "-l:ld-linux-x86-64.so.2"),
        ("_C.so", "-l:_C.so"),
    ],
)
def test_link_options(soname: str, option: str) -> None:
    assert link_option(soname) == option


@pytest.mark.parametrize(
    ("display", "target"),
    [
        ("/usr/lib/libx.so", "/usr/lib/libx.so"),
        ("/usr/lib/a b.so", "'/usr/lib/a b.so'"),
        ("dist/x.whl::a/libx.so", "dist/x.whl --member a/libx.so"),
        ("dist/x y.whl::a/b c.so", "'dist/x y.whl' --member 'a/b c.so'"),
        ("site-packages::a/libx.so", "site-packages/a/libx.so"),
    ],
)
def test_targets(display: str, target: str) -> None:
    entry = LinkMapEntry("libx.so", "/libx.so", display, None, None, None, Origin.DIRECT)
    assert target_of(entry) == target
