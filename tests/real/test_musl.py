"""The files of wheels for musl, opened by musl's own loader and by us."""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from elfaudit.elf import DynamicTag
from elfaudit.loader.environment import Dlopen, Mode
from tests.oracle.musl import build_musl_host, require_musl, run_musl
from tests.oracle.musl_prediction import Prediction, predict
from tests.oracle.workshop import Workshop

from .fetch import MUSL_WHEELS

pytestmark = [pytest.mark.real, pytest.mark.oracle]


@pytest.fixture(scope="module")
def musl_host(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A program for musl that opens what its arguments say."""
    require_musl()
    directory = tmp_path_factory.mktemp("musl-host").resolve()
    return build_musl_host(Workshop(directory, directory))


@pytest.mark.parametrize("name", MUSL_WHEELS)
def test_every_file_loads_as_predicted(
    name: str, wheel: Callable[[str], Path], musl_host: Path, tmp_path: Path
) -> None:
    path = wheel(name)
    with zipfile.ZipFile(path) as archive:
        archive.extractall(tmp_path)
    compared = 0
    for file in sorted(tmp_path.resolve().rglob("*.so*")):
        for mode in (Mode.LOCAL, Mode.LAZY):
            opened = Dlopen(str(file), mode)
            real, ours = run_musl(musl_host, opened), predict(musl_host, opened)
            if not real.errors:
                # musl 1.2.3 does not know DT_RELR: what it calls first is not relocated.
                assert ours.error is None, file
                assert _has_relr(ours), file
                continue
            assert ours.error == real.errors[0]
            if ours.error is None:
                assert ours.objects == real.objects
            compared += 1
    assert compared


def _has_relr(ours: Prediction) -> bool:
    dynamics = (entry.elf.dynamic for entry in ours.link_map.entries if entry.elf)
    return any(d is not None and d.value(DynamicTag.RELR) is not None for d in dynamics)
