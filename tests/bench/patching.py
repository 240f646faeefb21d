"""One DT_NEEDED added: to a large library, and to a small member of a large wheel."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from pathlib import Path

from .pair import Command, Pair

__all__ = ["patching"]

_LIBRARY = "torch/lib/libtorch_cpu.so"
_MEMBER = "torch/lib/libshm.so"
_NAME = "librocm_smi64.so.1"
_LIEF = """
import sys, lief
binary = lief.ELF.parse(sys.argv[1])
binary.add_library(sys.argv[3])
binary.write(sys.argv[2])
"""
_BY_HAND = """
set -e
rm -rf "$3" && mkdir "$3" && cd "$3"
unzip -q "$1"
"$4" --add-needed "$5" "$2"
zip -q -r ../by-hand.whl .
"""


def patching(binaries: Path, torch: Path, scratch: Path) -> Iterator[Pair]:
    """The pairs about patching; ``scratch`` is on the disk that is written to."""
    with zipfile.ZipFile(torch) as archive:
        library = archive.extract(_LIBRARY, scratch / "patching")
    ours = _ours(binaries, library, str(scratch / "ours.so"))
    out = str(scratch / "theirs.so")
    question = "add one library to `libtorch_cpu.so` (434 MB)"
    copied = Command("cp FILE OUT", ("cp", library, out))
    target = "≤ 1.3 times the time, < 60 MB"
    yield Pair("f", question, ours, copied, target, least=1 / 1.3, most_peak=60e6)
    synced = _shell("cp FILE OUT; sync OUT", 'cp "$1" "$2"; sync "$2"', library, out)
    yield Pair("g", question, ours, synced, "none")
    yield Pair("h", question, ours, _patchelf(binaries, library, out), "none")
    yield Pair("i", question, ours, _lief(binaries, library, out), "none")
    yield from _of_wheel(binaries, torch, scratch)


def _of_wheel(binaries: Path, torch: Path, scratch: Path) -> Iterator[Pair]:
    out = str(scratch / "ours.whl")
    options = ("--member", _MEMBER, "--add", _NAME, "--no-check", "--quiet", "--output", out)
    ours = Command(
        "elfaudit patch-needed WHEEL --member … --add … --no-check --output OUT",
        (str(binaries / "elfaudit"), "patch-needed", str(torch), *options),
    )
    question = "the same to `libshm.so` in the torch wheel (183 MB)"
    copied = Command("cp WHEEL OUT", ("cp", str(torch), str(scratch / "theirs.whl")))
    yield Pair("j", question, ours, copied, "≤ 1.5 times the time", least=1 / 1.5)
    by_hand = _shell(
        "unzip WHEEL; patchelf --add-needed …; zip", _BY_HAND, str(torch), _MEMBER,
        str(scratch / "unpacked"), str(binaries / "patchelf"), _NAME,
    )  # fmt: skip
    yield Pair("k", question, ours, by_hand, "none")


def _ours(binaries: Path, library: str, out: str) -> Command:
    options = ("--add", _NAME, "--no-check", "--quiet", "--output", out)
    return Command(
        "elfaudit patch-needed FILE --add … --no-check --output OUT",
        (str(binaries / "elfaudit"), "patch-needed", library, *options),
    )


def _patchelf(binaries: Path, library: str, out: str) -> Command:
    program = str(binaries / "patchelf")
    return Command(
        "patchelf --add-needed … --output OUT FILE",
        (program, "--add-needed", _NAME, "--output", out, library),
    )


def _lief(binaries: Path, library: str, out: str) -> Command:
    program = str(binaries / "python")
    return Command("LIEF: add_library, write", (program, "-c", _LIEF, library, out, _NAME))


def _shell(shown: str, script: str, *arguments: str) -> Command:
    return Command(shown, ("sh", "-c", script, "sh", *arguments))
