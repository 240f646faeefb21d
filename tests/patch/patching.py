"""Files of the fixtures, copied, patched and unpatched, as the tests of this directory do it."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from elfaudit.patch.edits import PatchEdit
from elfaudit.patch.files import carry_out
from elfaudit.patch.image import Image, read_image
from elfaudit.patch.planning import Plan, plan, plan_undo
from elfaudit.stream import FileStream
from tests.conftest import PREBUILT
from tests.elf.judge import fixture_names

UNCHANGEABLE = ("shapes/static-exe", "shapes/relocatable.o")
DYNAMIC = [name for name in fixture_names() if name not in UNCHANGEABLE]
every_dynamic_fixture = pytest.mark.parametrize("name", DYNAMIC)

X86 = "linkers/bfd/libdemo.so"
BIG_ENDIAN = "machines/s390x/libdemo.so"
SMALL = "shapes/libempty.so"


def copied(name: str, directory: Path, as_name: str | None = None) -> Path:
    """A copy of a fixture that may be written to."""
    target = directory / (as_name or Path(name).name)
    shutil.copy(PREBUILT / name, target)
    target.chmod(0o644)
    return target


def image_of(path: Path) -> Image:
    """A file as the editor sees it."""
    return read_image(FileStream(str(path)), str(path))


def planned(path: Path, *edits: PatchEdit) -> Plan:
    """What some edits would do."""
    return plan(FileStream(str(path)), str(path), edits)


def patched(path: Path, *edits: PatchEdit) -> Plan:
    """Edit a file in place, if the edits change anything."""
    made = planned(path, *edits)
    if made.is_needed:
        carry_out(made, str(path), str(path))
    return made


def undone(path: Path) -> Plan:
    """Give a file its first state back."""
    made = plan_undo(FileStream(str(path)), str(path))
    carry_out(made, str(path), str(path))
    return made


def nothing_is_left_over(directory: Path) -> bool:
    """Whether no temporary file is in a directory."""
    return not list(directory.rglob("*.elfaudit")) and not list(directory.rglob(".*.elfaudit"))
