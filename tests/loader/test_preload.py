"""``/etc/ld.so.preload``, read as the loader in a root reads it."""

from __future__ import annotations

from pathlib import Path

import pytest

from elfaudit.api import resolve
from elfaudit.loader.preload import system_preload
from elfaudit.sources import TreeSource
from tests.oracle import Workshop
from tests.oracle.chroot import Root

TEXTS = {
    "/a.so": ["/a.so"],
    "/a.so\n": ["/a.so"],
    "/a.so:/b.so\t/c.so /d.so\n": ["/a.so", "/b.so", "/c.so", "/d.so"],
    "# /a.so\n/b.so # /c.so\n/d.so#/a.so": ["/b.so", "/d.so#/a.so"],
    "# 1\n/b.so # /c.so\n/d.so\n" + "/a.so " * 20 + "# /c.so": [
        "/b.so",
        "/d.so",
        *["/a.so"] * 20,
        "#",
        "/c.so",
    ],
    "/b.so\n#": ["/b.so"],
    "::\n\n \t/a.so:\n": ["/a.so"],
    "/a.so\r\n/b.so": ["/a.so\r", "/b.so"],
    "": [],
}


@pytest.mark.oracle
@pytest.mark.parametrize("text", TEXTS)
def test_as_the_loader(workshop: Workshop, text: str) -> None:
    root = Root(workshop)
    for name in "abcd":
        workshop.library(f"{name}.so", f"int f_{name};")
    workshop.library("libask.so")
    (root.path / "etc/ld.so.preload").write_bytes(text.encode())
    found = system_preload(TreeSource(str(root.path)))
    assert list(found) == TEXTS[text]
    real = root.dlopen("/libask.so")
    assert [path for path in real.objects if path != "/libask.so" and "libc" not in path] == [
        name
        for name in dict.fromkeys(found)
        if not name.endswith("\r") and "#" not in name  # passed over with a warning
    ]


def test_what_is_no_file(tmp_path: Path) -> None:
    assert system_preload(TreeSource(str(tmp_path))) == ()
    (tmp_path / "etc/ld.so.preload").mkdir(parents=True)
    assert system_preload(TreeSource(str(tmp_path))) == ()


@pytest.mark.oracle
def test_it_is_what_the_report_calls_it(workshop: Workshop) -> None:
    """The place of the loader's own sentence (``do_preload``) is that of the list."""
    root = Root(workshop)
    workshop.library("a.so", "int f(void) { return 1; }")
    workshop.library("libask.so", "int f(void); int ask(void) { return f(); }")
    (root.path / "etc/ld.so.preload").write_text("/a.so /nope.so\n")
    assert root.dlopen("/libask.so").error is None
    ours = resolve(str(root.path / "libask.so"), root=str(root.path), host="/host")
    told = {finding.rule: finding.message for finding in ours.findings}
    assert "only by /etc/ld.so.preload" in told["preload-only"]
    assert told["ignored-preload"] == (
        "object '/nope.so' from /etc/ld.so.preload cannot be preloaded "
        "(cannot open shared object file): ignored."
    )
