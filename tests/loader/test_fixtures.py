"""Every fixture that this machine's loader would look at, against that loader."""

from __future__ import annotations

import os
import struct
from pathlib import Path

import pytest

from elfaudit.api import resolve
from elfaudit.errors import ElfAuditError
from tests.conftest import PREBUILT
from tests.oracle import dlopen, trace
from tests.oracle.compare import answer_of, differences

pytestmark = pytest.mark.oracle

_X86_64, _INTERP = 62, 3
_OTHERS = ("aarch64", "armhf", "i386", "ppc64le", "riscv64", "s390x")


def _files() -> list[Path]:
    """Files that say they are ELF, but for programs of other machines, which none here starts."""
    foreign = {PREBUILT / "machines" / name / "demo" for name in _OTHERS}
    paths = (Path(folder) / name for folder, _, names in os.walk(PREBUILT) for name in names)
    return sorted(
        path
        for path in paths
        if path not in foreign and path.is_file() and _head(path)[:4] == b"\x7fELF"
    )


def _head(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(64)


def _is_program(path: Path) -> bool:
    raw = path.read_bytes()
    if raw[:6] != b"\x7fELF\x02\x01" or struct.unpack_from("<H", raw, 18)[0] != _X86_64:
        return False
    start, count = struct.unpack_from("<Q", raw, 32)[0], struct.unpack_from("<H", raw, 56)[0]
    rows = (struct.unpack_from("<I", raw, start + 56 * row)[0] for row in range(count))
    return any(kind == _INTERP for kind in rows)


@pytest.mark.parametrize("path", _files(), ids=lambda path: str(path.relative_to(PREBUILT)))
def test_every_fixture(path: Path, host: Path) -> None:
    real = trace(path, program=True) if _is_program(path) else dlopen(host, path)
    try:
        ours = answer_of(resolve(str(path), host="auto" if _is_program(path) else str(host)))
    except ElfAuditError:
        assert real.error is not None
        return
    assert not differences(real, ours)
    if _is_program(path):
        assert (set(real.missing), real.undefined) == (set(ours.missing), ours.undefined)
