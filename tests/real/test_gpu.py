"""Device code in wheels, and what a search for names finds in it."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from elfaudit.elf.fatbin import gpu_targets
from elfaudit.sources import WheelSource


@pytest.mark.real
def test_the_targets_of_a_wheel_are_the_strings_in_it(wheel: Callable[[str], Path]) -> None:
    """The names in plain bundles can be found by a search for them, which is the judge here."""
    source = WheelSource(str(wheel("bitsandbytes")))
    seen = 0
    for name in source.names():
        member = source.find(name) if re.search(r"rocm\d+\.so$", name) else None
        if member is None:
            continue
        data = member.open().read()
        plain = {m.decode() for m in re.findall(rb"amdhsa--(gfx[0-9a-f]+)\0?", data)}
        found = gpu_targets(member.open(), name)
        assert found.unknown == ()
        assert found.bundles
        assert plain <= set(found.hip)
        seen += 1
    assert seen >= 5
