"""What is known of these very files, by hand and from public issues: elfaudit must find it."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import elfaudit
from elfaudit import Passed, Resolution, Side, Verdict, resolve, resolve_all
from elfaudit.loader import Status

from .conftest import Unpack

pytestmark = pytest.mark.real

_PROVIDER = "onnxruntime/capi/libonnxruntime_providers_rocm.so"
_RSMI = {
    "rsmi_init",
    "rsmi_shut_down",
    "rsmi_dev_memory_total_get",
    "rsmi_dev_memory_usage_get",
}
_PARTS_OF_ROCM = ("hipblas", "hipfft", "hiprand", "hipsolver", "hipsparse")
_MISSING = {
    "bitsandbytes/libbitsandbytes_rocm64.so": ["libhipblas.so.2", "libhipblaslt.so.0"],
    "bitsandbytes/libbitsandbytes_rocm70.so": ["libhipblas.so.3", "libhipblaslt.so.1"],
    "bitsandbytes/libbitsandbytes_rocm71.so": ["libhipblas.so.3", "libhipblaslt.so.1"],
    "bitsandbytes/libbitsandbytes_rocm72.so": ["libhipblas.so.3", "libhipblaslt.so.1"],
    "bitsandbytes/libbitsandbytes_rocm714.so": [
        "libhipblas.so.3", "libhipblaslt.so.1", "librocrand.so.1",
    ],
    "bitsandbytes/libbitsandbytes_rocm715.so": [
        "libhipblas.so.3", "libhipblaslt.so.1", "librocrand.so.1",
    ],
}  # fmt: skip
_JAX_MISSING = {
    "_hybrid.so": ["libamdhip64.so.7"],
    "_linalg.so": ["libhipblas.so.3"],
    "_prng.so": ["libamdhip64.so.7"],
    "_rnn.so": ["libMIOpen.so.1"],
    "_solver.so": ["librocsolver.so.0", "libhipblas.so.3", "libhipsolver.so.1"],
    "_sparse.so": ["libhipsparse.so.4"],
    "_triton.so": ["libamdhip64.so.7"],
    "rocm_plugin_extension.so": ["libamdhip64.so.7"],
}


@pytest.fixture
def no_rocm() -> None:
    """These facts are about a machine without ROCm."""
    if Path("/opt/rocm").exists():
        pytest.skip("ROCm is installed here, the libraries are not missing")


def _open_names(result: Resolution, status: Status) -> set[str]:
    """What the subject itself leaves open, of one status."""
    return {
        binding.name
        for binding in result.bindings.open_references()
        if binding.status is status and binding.reference is result.link_map.subject
    }


def _missing(result: Resolution) -> list[str]:
    return [entry.name for entry in result.link_map.missing]


def _hip(names: set[str]) -> set[str]:
    """Those of the HIP runtime itself, not of the libraries built on it."""
    return {
        name for name in names
        if name.startswith(("hip", "__hip")) and not name.startswith(_PARTS_OF_ROCM)
    }  # fmt: skip


@pytest.mark.usefixtures("no_rocm")
def test_bitsandbytes_lacks_libraries_so_its_hip_symbols_are_undecided(
    wheel: Callable[[str], Path],
) -> None:
    found = dict(_rocm_members(wheel("bitsandbytes")))
    assert {name: _missing(result) for name, result in found.items()} == _MISSING
    for result in found.values():
        assert result.verdict is Verdict.FAILS
        first = _missing(result)[0]
        assert result.error == f"{first}: cannot open shared object file: No such file or directory"
        undecided = _open_names(result, Status.UNDECIDED)
        assert len(_hip(undecided)) == 13
        assert "rocblas_create_handle" in undecided
        assert not _open_names(result, Status.UNRESOLVED)
        needed = result.link_map.subject.elf
        assert needed is not None
        assert not [n for n in needed.needed if n.startswith(("libamdhip64", "librocblas"))]


def _rocm_members(wheel: Path) -> Iterator[tuple[str, Resolution]]:
    for result in resolve_all([str(wheel)]):
        if not isinstance(result, Passed) and "_rocm" in result.subject:
            yield result.subject.partition("::")[2], result


@pytest.mark.usefixtures("no_rocm")
def test_the_jax_plugin_lacks_what_is_not_in_it(wheel: Callable[[str], Path]) -> None:
    found: dict[str, list[str]] = {}
    hip = {}
    for result in resolve_all([str(wheel("jax-rocm7-plugin"))]):
        if not isinstance(result, Passed):
            name = result.subject.rpartition("/")[2]
            found[name] = _missing(result)
            assert not _open_names(result, Status.UNRESOLVED), name
            hip[name] = _open_names(result, Status.UNDECIDED)
    assert found == _JAX_MISSING
    assert len(_hip(hip["_linalg.so"])) == 11
    assert "rocblas_set_workspace" in hip["_solver.so"]


@pytest.mark.usefixtures("no_rocm")
def test_onnxruntime_uses_rsmi_and_the_debian_package_has_it(
    wheel: Callable[[str], Path], debian: Callable[[str], Path]
) -> None:
    target = f"{wheel('onnxruntime-rocm')}::{_PROVIDER}"
    alone = resolve(target)
    assert _missing(alone) == [
        "libhipblas.so.3",
        "libMIOpen.so.1",
        "libhipfft.so.0",
        "librocm_smi64.so.1",
        "libroctracer64.so.4",
        "libamdhip64.so.7",
    ]
    used = {name for name in _open_names(alone, Status.UNDECIDED) if name.startswith("rsmi_")}
    assert used == _RSMI
    result = resolve(target, with_=[str(debian("librocm-smi64-1"))])
    finding = next(f for f in result.findings if _RSMI & set(f.symbols))
    assert set(finding.symbols) == _RSMI
    assert "(SONAME librocm_smi64.so.1) exports rsmi_" in finding.evidence[0]
    missing = next(f for f in result.findings if f.message.startswith("librocm_smi64.so.1:"))
    assert any(edit.kind == "add-runpath" for fix in missing.fixes for edit in fix.edits)


def test_the_search_ends_at_the_current_directory_for_an_empty_element(
    wheel: Callable[[str], Path],
) -> None:
    """The RUNPATH of the provider ends with a colon: the loader looks where it was started."""
    result = resolve(f"{wheel('onnxruntime-rocm')}::{_PROVIDER}")
    elf = result.link_map.subject.elf
    assert elf is not None
    assert elf.dynamic is not None
    assert str(elf.dynamic.runpath).endswith(":")
    entry = next(e for e in result.link_map.entries if e.name == "libMIOpen.so.1")
    assert entry.name in {step.path for step in entry.steps}


def test_debian_exports_every_rsmi_symbol_by_the_name_it_is_needed_by(
    debian: Callable[[str], Path],
) -> None:
    library = next(debian("librocm-smi64-1").rglob("librocm_smi64.so.1.*"))
    elf = elfaudit.read_elf(library)
    assert elf.soname == "librocm_smi64.so.1"
    exported = {symbol.name for symbol in elf.symbols.exports()}
    assert exported >= _RSMI
    assert len([name for name in exported if name.startswith("rsmi_")]) >= 92


def test_c10d_is_counted_by_namespace_and_not_by_text(
    wheel: Callable[[str], Path], unpacked: Unpack, nm: str
) -> None:
    torch = wheel("torch")
    cpu = "torch/lib/libtorch_cpu.so"
    count = elfaudit.count_symbols(f"{torch}::{cpu}", side=Side.EXPORTS, namespace="c10d")
    assert count == 629
    core = f"{torch}::torch/lib/libc10.so"
    assert elfaudit.count_symbols(core, side=Side.EXPORTS, namespace="c10d") == 0
    # A text search also finds division in c10 and what merely mentions a type of c10d.
    assert _grep_c10d(nm, unpacked("torch", cpu) / cpu) == 690
    assert _grep_c10d(nm, unpacked("torch", "torch/lib/libc10.so") / "torch/lib/libc10.so") == 12


def _grep_c10d(nm: str, path: Path) -> int:
    done = subprocess.run(
        [nm, "-D", "--defined-only", path], capture_output=True, text=True, check=True, timeout=120
    )
    return sum("c10d" in line for line in done.stdout.splitlines())


def test_the_cpu_wheel_of_torch_loads(wheel: Callable[[str], Path]) -> None:
    """All but one of its programs, which looks for its libraries beside itself."""
    verdicts: dict[Verdict, list[str]] = {verdict: [] for verdict in Verdict}
    for result in resolve_all([str(wheel("torch"))]):
        if not isinstance(result, Passed):
            verdicts[result.verdict].append(result.subject.partition("::")[2])
    assert "torch/lib/libtorch_python.so" in verdicts[Verdict.LOADS]
    assert verdicts[Verdict.FAILS] == ["torch/bin/test_shim"]
    assert not verdicts[Verdict.UNDECIDED]
