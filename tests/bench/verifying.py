"""Checklists: the imports of vLLM, and what is done with every byte of the torch wheel."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from tests.real.fetch import Unavailable, wheel

from .pair import Command, Pair

__all__ = ["verifying"]

# What nobody can do without: every member inflated and hashed, by the same libraries, one thread.
_INFLATE = """
import hashlib, struct, sys, zipfile, zlib
try:
    from isal import isal_zlib as zlib
except ImportError:
    pass
with zipfile.ZipFile(sys.argv[1]) as archive:
    entries = archive.infolist()
with open(sys.argv[1], "rb") as file:
    for entry in entries:
        file.seek(entry.header_offset + 26)
        file.seek(sum(struct.unpack("<HH", file.read(4))), 1)
        digest, left = hashlib.sha256(), entry.compress_size
        inflate = zlib.decompressobj(-15) if entry.compress_type else None
        while left:
            data = file.read(min(256 << 10, left))
            left -= len(data)
            digest.update(inflate.decompress(data) if inflate else data)
"""
_PARSE = """
import ast, sys, warnings, zipfile
warnings.simplefilter("ignore")
with zipfile.ZipFile(sys.argv[1]) as archive:
    for name in archive.namelist():
        if name.endswith(".py"):
            ast.parse(archive.read(name))
"""
_IMPORTS = "name = 'imports'\n[[check]]\nkind = 'imports'\npackage = 'vllm'\nall = true\n"
_RECORD = "name = 'record'\n[[check]]\nkind = 'record'\n"


def verifying(binaries: Path, torch: Path, scratch: Path) -> Iterator[Pair]:
    """The pairs about checklists."""
    elfaudit, python = str(binaries / "elfaudit"), str(binaries / "python")
    lists = {"imports": _IMPORTS, "record": _RECORD}
    for name, text in lists.items():
        (scratch / f"{name}.toml").write_text(text)

    def ours(shown: str, target: Path, checklist: str) -> Command:
        arguments = (elfaudit, "verify", str(target), "--checklist", checklist, "--root", "none")
        return Command(f"elfaudit verify {shown}", arguments, (0, 1))

    try:
        vllm = wheel("vllm-0.12.0")
    except Unavailable:
        pass
    else:
        yield Pair(
            "l",
            "every import of vLLM 0.12.0 from itself, in the wheel",
            ours("WHEEL (imports, all = true)", vllm, str(scratch / "imports.toml")),
            Command("python: ast.parse of every .py of it", (python, "-c", _PARSE, str(vllm))),
            "≤ 4 s",
            most_wall=4.0,
        )
    inflate = Command("python: inflate and sha256 of it", (python, "-c", _INFLATE, str(torch)))
    yield Pair(
        "m",
        "RECORD of the torch wheel against its bytes",
        ours("WHEEL (record)", torch, str(scratch / "record.toml")),
        inflate,
        "≥ 0.8 times as fast",
        least=0.8,
    )
    yield Pair(
        "n",
        "all checks of `pytorch-rocm` on the torch wheel",
        ours("WHEEL -c pytorch-rocm", torch, "pytorch-rocm"),
        inflate,
        "≤ 1.5 times the time",
        least=1 / 1.5,
    )
