"""The import surface of real packages: judged by importing them, and by what is known of vLLM."""

# ruff: noqa: E501 - checks are read best as one line each

from __future__ import annotations

import json
import re
import subprocess
import venv
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

import elfaudit
from elfaudit import CheckStatus
from elfaudit.api.build_targets import builds_of
from elfaudit.api.surroundings import Surroundings
from elfaudit.checklist.build import Build
from elfaudit.pydist import Grade, ModuleKind, Presence, ask, audit, refusal_of

from .mix import STALE, mix

pytestmark = pytest.mark.real
IMPORTED = Path(__file__).resolve().parents[1] / "pydist" / "imported.py"
# Not bound by any statement: C code sets them, or the warnings machinery does.
_UNSEEN = re.compile(r"__warningregistry__|_pandas_\w+_CAPI")


def build_of(path: Path) -> Build:
    (build,) = builds_of(((str(path),),), Surroundings())
    return build


@pytest.fixture(scope="module")
def vllm(wheel: Callable[[str], Path]) -> Build:
    return build_of(wheel("vllm-0.12.0"))


@pytest.mark.parametrize(("module", "name", "status", "home"), [
    ("vllm.utils", "supports_xccl", Presence.ABSENT, "vllm.utils.torch_utils"),
    ("vllm.utils", "resolve_obj_by_qualname", Presence.ABSENT, "vllm.utils.import_utils"),
    ("vllm.utils", "make_tensor_with_bytes", Presence.ABSENT, None),
    ("vllm.platforms", "CudaPlatform", Presence.ABSENT, "vllm.platforms.cuda"),
    ("vllm.platforms", "RocmPlatform", Presence.ABSENT, "vllm.platforms.rocm"),
    ("vllm.platforms.interface", "_Backend", Presence.ABSENT, "vllm.attention.backends.registry"),
    ("vllm.utils", "get_open_port", Presence.PRESENT, None),
    ("vllm.utils.torch_utils", "supports_xccl", Presence.PRESENT, None),
    ("vllm.platforms", "current_platform", Presence.PRESENT, None),
    ("vllm.platforms.interface", "Platform", Presence.PRESENT, None),
])  # fmt: skip
def test_ten_names_of_vllm(
    vllm: Build, module: str, name: str, status: Presence, home: str | None
) -> None:
    """Six invalid, four valid, read out of the sources of 0.12.0 by hand."""
    answer = ask(vllm.modules, module, name)
    assert answer.status is status
    assert next(iter(answer.homes), None) == home


@pytest.mark.parametrize(("name", "package", "least"), [
    ("vllm-0.11.0", "vllm", 10_000), ("vllm-0.12.0", "vllm", 12_000), ("torch", "torch", 20_000),
    ("numpy", "numpy", 3_000), ("scipy", "scipy", 5_000), ("pandas", "pandas", 9_000),
    ("django", "django", 4_000),
])  # fmt: skip
def test_no_false_alarm(wheel: Callable[[str], Path], name: str, package: str, least: int) -> None:
    """What these packages import when they are imported is there, or nobody could use them.

    So is each module of them one that can be imported; both are asked of what was parsed once.
    """
    modules = build_of(wheel(name)).modules
    found = audit(modules, package)
    assert found.imports > least
    wrong = [
        each
        for each in found.findings
        if each.status is Presence.ABSENT and each.grade is Grade.PLAIN
    ]
    assert wrong == []
    refused = {each.name: refusal_of(modules, each.name) for each in modules.below(package)}
    assert len(refused) > 400
    told = [refusal for refusal in refused.values() if refusal is not None]
    assert [each for each in told if each.is_sure] == []
    # Undecided are modules of another Python alone (torch has one of 3.12): CPython is the judge.
    with zipfile.ZipFile(wheel(name)) as archive:
        for each in told:
            with pytest.raises(SyntaxError):
                compile(archive.read(each.file), each.file, "exec", dont_inherit=True)


def test_the_mix_is_named_by_its_record_and_its_imports(
    wheel: Callable[[str], Path], tmp_path: Path
) -> None:
    mix(wheel("vllm-0.11.0"), wheel("vllm-0.12.0"), tmp_path / "site")
    found = audit(build_of(tmp_path / "site").modules, "vllm")
    stale = [each for each in found.findings if each.file == STALE]
    assert [(each.line, each.module, each.name) for each in stale] == [
        (10, "vllm.utils", "resolve_obj_by_qualname"), (10, "vllm.utils", "supports_xccl"),
        (12, "vllm.platforms.interface", "_Backend"), (60, "vllm.utils", "import_pynvml"),
    ]  # fmt: skip
    assert all(each.status is Presence.ABSENT for each in stale)
    # What is not Python is not unpacked.
    others = [each for each in found.findings if not each.module.startswith("vllm._")]
    assert [each for each in others if each.file != STALE and each.grade is Grade.PLAIN] == []
    (tmp_path / "record.toml").write_text("name='r'\n[[check]]\nkind='record'\n")
    report = elfaudit.verify(str(tmp_path / "site"), str(tmp_path / "record.toml"))
    (record,) = report[0].judgements
    assert record.status is CheckStatus.FAIL
    assert record.message.startswith(f"{STALE} has ")
    assert ";" not in record.message
    assert record.evidence == ()


@pytest.fixture(scope="module")
def installed(wheel: Callable[[str], Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An environment with packages that can be imported here."""
    folder = tmp_path_factory.mktemp("environment")
    venv.create(folder, with_pip=True)
    wheels = [str(wheel(name)) for name in ("numpy", "django")]
    pip = [str(folder / "bin/python"), "-m", "pip", "install", "--quiet", *wheels]
    if subprocess.run(pip, check=False, capture_output=True).returncode:
        pytest.skip("the wheels cannot be installed here")
    return folder


@pytest.mark.parametrize("package", ["numpy", "django"])
def test_what_modules_have_once_they_are_imported(installed: Path, package: str) -> None:
    """No name that a module really has is said to be absent; no invented one to be there."""
    (site,) = installed.glob("lib/python3*/site-packages")
    modules = build_of(site).modules
    asked = [
        each
        for each in modules.below(package)
        if each.kind is not ModuleKind.NAMESPACE and not re.search(r"\.(tests?|conftest)\b|__main__", each.name)
    ]  # fmt: skip
    names = "\n".join(each.name for each in asked)
    done = subprocess.run([installed / "bin/python", IMPORTED], input=names, text=True,
                          capture_output=True, check=True)  # fmt: skip
    really = dict(json.loads(line) for line in done.stdout.splitlines())
    assert sum(found is not None for found in really.values()) > 200
    for module in asked:
        for name in really.get(module.name) or ():
            answer = ask(modules, module.name, name)
            assert answer.status is not Presence.ABSENT or _UNSEEN.fullmatch(name), (module, name)
        if really.get(module.name) is not None:
            surface = modules.surface(module)
            assert surface.bound - surface.conditional <= set(really[module.name] or ()), module
            invented = ask(modules, module.name, "nobody_has_this")
            assert invented.status is not Presence.PRESENT


def test_requirements_are_those_of_pip_check(installed: Path, tmp_path: Path) -> None:
    (site,) = installed.glob("lib/python3*/site-packages")
    (tmp_path / "r.toml").write_text("name='r'\n[[check]]\nkind='requires'\nextras=false\n")
    for remove in (None, "sqlparse"):
        if remove is not None:
            subprocess.run(
                [installed / "bin/python", "-m", "pip", "uninstall", "-q", "-y", remove], check=True
            )
        (judgement,) = elfaudit.verify(str(site), str(tmp_path / "r.toml"))[0].judgements
        pip = subprocess.run([installed / "bin/python", "-m", "pip", "check"], capture_output=True,
                             text=True, check=False)  # fmt: skip
        assert (judgement.status is CheckStatus.PASS) is (pip.returncode == 0)
    assert "which is not installed" in judgement.message
    assert "sqlparse" in judgement.message
    assert "sqlparse" in pip.stdout


def test_torch_for_the_cpu_fails_the_list_for_rocm_at_its_flavor(
    wheel: Callable[[str], Path],
) -> None:
    report = elfaudit.verify(str(wheel("torch")), "pytorch-rocm", root=None)
    flavor = next(each for each in report[0].judgements if each.check.id == "flavor")
    assert flavor.status is CheckStatus.FAIL
    assert flavor.message == "torch is of the CPU, not of ROCm"
    values, libraries = flavor.evidence
    assert values == "torch/version.py: hip = None, rocm = None, cuda = None"
    assert "in DT_NEEDED" in libraries
