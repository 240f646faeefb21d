"""Checks of ELF files among others; readelf, nm and the commands that are advised are the judges."""

# ruff: noqa: E501 - checks are read best as one line each

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from elfaudit import Judgement, verify
from elfaudit.checklist.kinds import gpu_targets
from tests.checklist.test_kinds import ERROR, FAIL, PASS, SKIP, UNDECIDED, Ask, ask, write, zipped

__all__ = ["ask"]


def gcc(target: Path, source: str, *options: str, shared: bool = True) -> Path:
    target.parent.mkdir(parents=True, exist_ok=True)
    code = target.with_suffix(".c")
    code.write_text(source)
    how = ("-shared", "-fPIC") if shared else ()
    subprocess.run(["gcc", *how, "-o", target, code, *options], check=True)
    code.unlink()
    return target


def carry_out(judgement: Judgement, elfaudit: Sequence[str]) -> None:
    """The commands that are advised, as a shell takes them."""
    for line in judgement.advice.splitlines():
        words = shlex.split(line)
        assert words[0] == "elfaudit"
        subprocess.run([*elfaudit, *words[1:]], check=True, capture_output=True)


@pytest.fixture
def elfaudit() -> list[str]:
    return [sys.executable, "-m", "elfaudit"]


def test_the_command_repairs_the_file_that_is_at_fault(
    ask: Ask, tmp_path: Path, elfaudit: list[str]
) -> None:
    gcc(tmp_path / "lib/liba.so", "int a;")
    gcc(tmp_path / "lib/libb.so", "int b;", "-z", "execstack")
    gcc(tmp_path / "lib/libc.so", "int c;", "-z", "execstack")
    toml = "kind='hardening'\nfile='*.so'\nstack=true"
    judgement = ask(toml, tmp_path / "lib")
    assert judgement.status is FAIL
    assert (
        judgement.message
        == "libb.so asks for an executable stack; libc.so asks for an executable stack"
    )
    carry_out(judgement, elfaudit)
    assert ask(toml, tmp_path / "lib").status is PASS


_RUNPATHS = [
    ("$ORIGIN:/opt/rocm/lib:", "lacks=['']", "$ORIGIN:/opt/rocm/lib"),
    ("/build/x:/opt/lib", "lacks=['/build/*']\nhas=['$ORIGIN']", "/opt/lib:$ORIGIN"),
    ("$ORIGIN:/home/x", "only=['$ORIGIN*']", "$ORIGIN"),
    ("/build/x", "lacks=['/build/*']", None),
]


@pytest.mark.parametrize("case", _RUNPATHS)
def test_what_is_good_of_a_runpath_is_kept(
    ask: Ask, tmp_path: Path, elfaudit: list[str], case: tuple[str, str, str | None]
) -> None:
    before, toml, after = case
    file = gcc(tmp_path / "lib/liba.so", "int a;", f"-Wl,-rpath,{before},--enable-new-dtags")
    carry_out(ask(f"kind='runpath'\nfile='*.so'\n{toml}", tmp_path / "lib"), elfaudit)
    told = subprocess.run(
        ["readelf", "-dW", file], capture_output=True, text=True, check=True
    ).stdout
    paths = [
        line.partition("[")[2].rstrip("]") for line in told.splitlines() if "(RUNPATH)" in line
    ]
    assert paths == ([] if after is None else [after])


def test_an_empty_path_is_none(ask: Ask, tmp_path: Path) -> None:
    """``ld.so --list`` looks nowhere for it, and so does the check."""
    gcc(tmp_path / "lib/liba.so", "int a;", "-Wl,-rpath,,--enable-new-dtags", "-Wl,-rpath,")
    assert ask("kind='runpath'\nfile='*.so'\nlacks=['']", tmp_path / "lib").status is PASS


def test_a_library_is_added_by_the_name_that_is_there(ask: Ask, tmp_path: Path) -> None:
    gcc(tmp_path / "lib/liba.so", "int a;")
    toml = "kind='needed'\nfile='liba.so'\nhas=['librocm_smi64.so*']"
    nowhere = ask(toml, tmp_path / "lib")
    assert "--add" not in nowhere.advice
    gcc(tmp_path / "lib/librocm_smi64.so.1", "int b;", "-Wl,-soname,librocm_smi64.so.1")
    assert ask(toml, tmp_path / "lib").advice.endswith("--add librocm_smi64.so.1")


def test_a_damaged_file_hides_no_fault_of_another(ask: Ask, tmp_path: Path) -> None:
    good = gcc(tmp_path / "lib/liba.so", "int a;")
    gcc(tmp_path / "lib/libb.so", "int b;", "-z", "execstack")
    (tmp_path / "lib/libc.so").write_bytes(good.read_bytes()[:200])
    (tmp_path / "lib/libd.so").write_text("GROUP ( libc.so.6 )")
    for toml in ("kind='hardening'\nfile='*.so'\nstack=true", "kind='needed'\nfile='*.so'\nhas=['libm.so.6']",
                 "kind='symbols'\nfile='*.so'\nmatch='^a$'", "kind='string'\nfile='*.so'\ntext='zzz'",
                 "kind='glibc'\nfile='*.so'\nmax={GLIBC='2.1'}", "kind='loads'\nfile='*.so'\nerror='no'"):  # fmt: skip
        judgement = ask(toml, tmp_path / "lib")
        assert judgement.status in (FAIL, ERROR), toml
        assert judgement.status is FAIL or "glibc" in toml
        assert any("libc.so" in line for line in (judgement.message, *judgement.evidence)), toml
    (tmp_path / "lib/libb.so").unlink()
    left = ask("kind='hardening'\nfile='*.so'\nstack=true", tmp_path / "lib")
    assert left.status is ERROR
    (tmp_path / "lib/libc.so").unlink()
    left = ask("kind='hardening'\nfile='*.so'\nstack=true", tmp_path / "lib")
    assert left.status is PASS
    assert left.evidence == ("passed over, no ELF files: libd.so",)


def test_static_programs_bind_nothing_lazily(ask: Ask, tmp_path: Path) -> None:
    for name, options in (("a", ("-static",)), ("b", ("-static-pie",)), ("c.o", ("-c",))):
        gcc(tmp_path / "bin" / name, "int main(void) { return 0; }", *options, shared=False)
    assert ask("kind='hardening'\nfile='*'\nnow=true", tmp_path / "bin").status is PASS
    gcc(tmp_path / "bin/d", "int main(void) { return 0; }", "-Wl,-z,lazy", shared=False)
    assert (
        ask("kind='hardening'\nfile='*'\nnow=true", tmp_path / "bin").message
        == "d binds functions lazily"
    )


def test_a_text_behind_many_names_of_symbols(ask: Ask, tmp_path: Path) -> None:
    """1,500 names in .dynstr end like the constant in .rodata, which ``readelf -p`` shows."""
    names = "".join(f"int f{n}_init(void) {{ return {n}; }}\n" for n in range(1500))
    file = gcc(tmp_path / "lib/liba.so", f'{names}const char *x(void) {{ return "_init"; }}')
    told = subprocess.run(
        ["readelf", "-p", ".rodata", file], capture_output=True, text=True, check=True
    )
    assert "  _init\n" in told.stdout
    assert ask("kind='string'\nfile='liba.so'\ntext='_init'", tmp_path / "lib").status is PASS


def test_relative_relocations_that_are_packed_need_a_glibc(ask: Ask, tmp_path: Path) -> None:
    """Older loaders say: version `GLIBC_ABI_DT_RELR' not found."""
    gcc(
        tmp_path / "w/r/librelr.so",
        '#include <stdio.h>\nint a; int *p[100] = {&a, &a}; int f(void) { return puts(""); }',
        "-Wl,-z,pack-relative-relocs",
    )
    files = {"r/__init__.py": b"", "r-1.dist-info/METADATA": b"Name: r\nVersion: 1\n"}
    write(tmp_path / "w", files)
    for tag, status in (("manylinux_2_17_x86_64", FAIL), ("manylinux_2_36_x86_64", PASS)):
        wheel = zipped(tmp_path / "w", tmp_path / f"r-1-py3-none-{tag}.whl")
        judgement = ask("kind='glibc'\nfile='*.so'\ntag=true", wheel)
        assert judgement.status is status, judgement
    assert (
        "python3 -m wheel tags --remove --platform-tag manylinux_2_36_x86_64"
        in ask(
            "kind='glibc'\nfile='*.so'\ntag=true",
            tmp_path / "r-1-py3-none-manylinux_2_17_x86_64.whl",
        ).advice
    )


def test_a_sure_failure_is_not_hidden_by_what_is_installed_elsewhere(
    ask: Ask, tmp_path: Path
) -> None:
    folder = tmp_path / "lib"
    script = tmp_path / "v.map"
    script.write_text("V_1 { *; };")
    gcc(
        folder / "libv.so",
        "int v(void) { return 1; }",
        f"-Wl,--version-script,{script}",
        "-Wl,-soname,libv.so",
    )
    gcc(folder / "libhipfoo.so", "int h(void) { return 1; }", "-Wl,-soname,libhipfoo.so")
    other = tmp_path / "new"
    script.write_text("V_1 { nothing; }; V_2 { *; } V_1;")
    gcc(
        other / "libv.so",
        "int v(void) { return 1; }",
        f"-Wl,--version-script,{script}",
        "-Wl,-soname,libv.so",
    )
    gcc(folder / "liba.so", "int v(void); int h(void); int a(void) { return v() + h(); }",
        f"-L{other}", "-lv", f"-L{folder}", "-lhipfoo", "-Wl,-rpath,$ORIGIN")  # fmt: skip
    real = subprocess.run(
        ["python3", "-c", f"import ctypes; ctypes.CDLL('{folder}/liba.so')"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert "version `V_2' not found" in real.stderr
    (folder / "libhipfoo.so").unlink()
    toml = "kind='loads'\nfile='liba.so'\nexternal=['libhip*']"
    judgement = ask(toml, folder)
    assert judgement.status is FAIL
    assert "V_2" in judgement.message
    shutil.copy(other / "libv.so", folder)
    assert ask(toml, folder).status is UNDECIDED


def test_a_library_of_the_build_is_opened_before(ask: Ask, tmp_path: Path) -> None:
    """As torch is imported before vLLM, whose extension modules know its libraries by SONAME."""
    gcc(
        tmp_path / "s/torch/lib/libtorch.so", "int t(void) { return 1; }", "-Wl,-soname,libtorch.so"
    )
    gcc(tmp_path / "s/vllm/_C.abi3.so", "int t(void); int c(void) { return t(); }",
        f"-L{tmp_path}/s/torch/lib", "-ltorch")  # fmt: skip
    toml = "kind='loads'\nfile='vllm/_*.so'"
    assert ask(toml, tmp_path / "s").status is FAIL
    for after in ("torch/lib/libtorch.so", "torch/lib/libtorch.so:global", "torch/lib/lib*.so"):
        assert ask(f"{toml}\nafter=['nothing/there.so', '{after}']", tmp_path / "s").status is PASS
    write(tmp_path / "s", {"torch-1.dist-info/METADATA": b"Name: torch\nVersion: 1\n"})
    wheel = zipped(tmp_path / "s", tmp_path / "torch-1-cp311-abi3-linux_x86_64.whl")
    assert ask(f"{toml}\nafter=['torch/lib/libtorch.so:global']", wheel).status is PASS


@pytest.mark.parametrize(("names", "toml", "status"), [
    ({"x/libx_cuda126.so": "libcudart.so.12", "x/libx_rocm71.so": "libamdhip64.so.7"}, "", PASS),
    ({"x/libx_cuda126.so": "libcudart.so.12", "x/libx_rocm71.so": "libamdhip64.so.7"}, "is='rocm'", PASS),
    ({"x/libx_cuda126.so": "libcudart.so.12", "x/libx_rocm71.so": "libamdhip64.so.7"}, "is='cpu'", FAIL),
    ({"x/_C.so": "libcudart.so.12", "x/_rocm_C.so": "libamdhip64.so.7"}, "", FAIL),
    ({"x/_cuda.so": "libamdhip64.so.7"}, "is='rocm'", PASS),
    ({"x/_C.so": "libcudart.so.12", "y/_C.so": "libamdhip64.so.7"}, "", FAIL),
    ({"x/_C.so": "libcudart.so.12", "y/lib_cuda.so": "libcudart.so.12", "y/lib_rocm.so": "libamdhip64.so.7"}, "", PASS),
])  # fmt: skip
def test_a_package_that_chooses_when_it_runs(
    ask: Ask, tmp_path: Path, names: dict[str, str], toml: str, status: object
) -> None:
    for name, needed in names.items():
        stub = gcc(tmp_path / "stub" / needed, "int s;", f"-Wl,-soname,{needed}")
        gcc(tmp_path / "s" / name, "int a;", "-Wl,--no-as-needed", str(stub))
    assert ask(f"kind='flavor'\n{toml}", tmp_path / "s").status is status


def test_what_the_system_has_is_of_no_package(ask: Ask, tmp_path: Path) -> None:
    """An MPI plugin in /usr that knows of CUDA makes no image for ROCm one for CUDA."""
    stub = gcc(tmp_path / "stub/libcuda.so.1", "int s;", "-Wl,-soname,libcuda.so.1")
    root = tmp_path / "root"
    gcc(root / "usr/lib/openmpi/mca_accelerator_cuda.so", "int a;", "-Wl,--no-as-needed", str(stub))
    site = root / "usr/lib/python3/dist-packages"
    write(
        site,
        {
            "torch/version.py": b"hip = '7.1'\ncuda = None\n",
            "torch-1.dist-info/METADATA": b"Name: torch\nVersion: 1\n",
        },
    )
    (root / "etc").mkdir()
    assert ask("kind='flavor'\nis='rocm'", root).status is PASS


def test_a_directory_that_is_a_link(ask: Ask, tmp_path: Path) -> None:
    """/opt/rocm is a link to /etc/alternatives/rocm, and that to /opt/rocm-7.1.1."""
    root = tmp_path / "root"
    gcc(root / "opt/rocm-7.1.1/lib/libamdhip64.so.7", "int a;", "-Wl,-soname,libamdhip64.so.7")
    (root / "etc/alternatives").mkdir(parents=True)
    (root / "usr").mkdir()
    (root / "etc/alternatives/rocm").symlink_to("/opt/rocm-7.1.1")
    (root / "opt/rocm").symlink_to("/etc/alternatives/rocm")
    for path in (
        "/opt/rocm/lib/libamdhip64.so.7",
        "/opt/rocm/lib/libamdhip64.so*",
        "/opt/rocm",
        "/opt/rocm/lib",
    ):
        assert ask(f"kind='file'\npath='{path}'", root).status is PASS, path
    assert ask("kind='file'\npath='/opt/rocm/bin'", root).status is FAIL
    assert ask("kind='file'\npath='/opt/rocm'\nexists=false", root).status is FAIL
    assert (
        ask("kind='soname'\nfile='/opt/rocm/lib/lib*.so*'\nis='libamdhip64.so.7'", root).status
        is PASS
    )
    site = tmp_path / "site"
    write(site, {"p-1.dist-info/METADATA": b"Name: p\nVersion: 1\n"})
    for path in ("/opt/rocm/lib/libamdhip64.so.7", "/opt/rocm/lib/libamdhip64.so*", "/opt/rocm"):
        assert ask(f"kind='file'\npath='{path}'", site, root=str(root)).status is PASS, path
        assert ask(f"kind='file'\npath='{path}'", site, root=None).status is FAIL, path


def test_the_symbol_of_a_version_is_no_export(ask: Ask, tmp_path: Path) -> None:
    """``nm -D`` shows it as ``A FOO_1.0``; nobody can call it."""
    script = tmp_path / "v.map"
    script.write_text("FOO_1.0 { *; };")
    file = gcc(
        tmp_path / "lib/liba.so", "int f(void) { return 1; }", f"-Wl,--version-script,{script}"
    )
    told = subprocess.run(["nm", "-D", file], capture_output=True, text=True, check=True).stdout
    assert " A FOO_1.0" in told
    assert ask("kind='symbols'\nfile='liba.so'\nexact=1", tmp_path / "lib").status is PASS


def test_a_text_that_is_named_as_a_library_is_hashed_all_the_same(tmp_path: Path) -> None:
    files = {
        "p/__init__.py": b"",
        "p/x.so": b"GROUP ( libx.so.1 )",
        "p-1.dist-info/METADATA": b"Name: p\nVersion: 1\n",
        "p-1.dist-info/WHEEL": b"Wheel-Version: 1.0\n",
    }
    write(tmp_path / "s", files)
    wheel = zipped(tmp_path / "s", tmp_path / "p-1-py3-none-any.whl")
    toml = "kind='record'\n[[check]]\nkind='gpu-targets'\nfile='*.so'\nlacks=['gfx900']"
    path = tmp_path / "both.toml"
    path.write_text(f"name='x'\n[[check]]\n{toml}\n")
    record, targets = verify(str(wheel), str(path))[0].judgements
    assert record.status is PASS
    assert targets.status is ERROR


@pytest.mark.parametrize(("tag", "told"), [
    ("linux_aarch64", "p/liba.so is built for another machine (e_machine 62) than the tag names, aarch64"),
    ("manylinux_2_28_aarch64", "p/liba.so is built for another machine"),
    ("musllinux_1_2_x86_64", "p/liba.so needs GLIBC_2.2.5, and a wheel for musl promises no glibc"),
    ("manylinux_2_17_x86_64", "needs GLIBC_2.2.5"),
    ("any", None), ("linux_x86_64", None), ("linux_x86_64.linux_aarch64", None),
])  # fmt: skip
def test_the_machine_and_the_c_library_of_the_tag(
    ask: Ask, tmp_path: Path, tag: str, told: str | None
) -> None:
    """``readelf -h`` says which machine it is, ``readelf -V`` whose versions it needs."""
    gcc(tmp_path / "w/p/liba.so", '#include <stdio.h>\nint f(void) { return puts(""); }')
    write(
        tmp_path / "w", {"p/__init__.py": b"", "p-1.dist-info/METADATA": b"Name: p\nVersion: 1\n"}
    )
    wheel = zipped(tmp_path / "w", tmp_path / f"p-1-py3-none-{tag}.whl")
    judgement = ask("kind='glibc'\nfile='*.so'\ntag=true", wheel)
    if told is None:
        assert judgement.status is SKIP
    else:
        assert judgement.status is (FAIL if told.startswith("p/") else PASS)
        assert judgement.message.startswith(told)


def test_what_the_checklist_allows_counts_without_a_tag(ask: Ask, tmp_path: Path) -> None:
    gcc(tmp_path / "lib/liba.so", '#include <stdio.h>\nint f(void) { return puts(""); }')
    toml = "kind='glibc'\nfile='*.so'\ntag=true\nmax={GLIBC='2.1'}"
    assert ask(toml, tmp_path / "lib").status is FAIL


def test_a_private_version_hides_no_other(ask: Ask, tmp_path: Path) -> None:
    """``readelf -V`` shows GLIBC_PRIVATE beside the one that is too new."""
    script = tmp_path / "v.map"
    script.write_text("GLIBC_PRIVATE { p; }; GLIBC_2.34 { q; };")
    stub = gcc(tmp_path / "stub/libc.so.6", "int p(void) { return 1; } int q(void) { return 1; }",
               "-nostdlib", f"-Wl,--version-script,{script}", "-Wl,-soname,libc.so.6")  # fmt: skip
    gcc(tmp_path / "lib/liba.so", "int p(void); int q(void); int a(void) { return p() + q(); }",
        "-nostdlib", str(stub))  # fmt: skip
    told = subprocess.run(
        ["readelf", "-VW", tmp_path / "lib/liba.so"], capture_output=True, text=True, check=True
    ).stdout
    assert "GLIBC_PRIVATE" in told
    judgement = ask("kind='glibc'\nfile='liba.so'\nmax={GLIBC='2.17'}", tmp_path / "lib")
    assert judgement.status is FAIL
    assert "needs GLIBC_2.34" in judgement.message


def test_a_name_is_asked_for(ask: Ask, tmp_path: Path) -> None:
    gcc(tmp_path / "lib/liba.so", "int a;")
    assert ask("kind='soname'\nfile='liba.so'\nis='*'", tmp_path / "lib").status is FAIL
    assert ask("kind='soname'\nfile='liba.so'\nis=''", tmp_path / "lib").status is PASS


def test_other_rocks_than_those_of_amd(ask: Ask, tmp_path: Path) -> None:
    stub = gcc(tmp_path / "stub/librocksdb.so.9", "int s;", "-Wl,-soname,librocksdb.so.9")
    gcc(tmp_path / "s/x/_C.so", "int a;", "-Wl,--no-as-needed", str(stub))
    assert ask("kind='flavor'", tmp_path / "s").status is SKIP


def test_a_function_with_the_name_of_a_version(ask: Ask, tmp_path: Path) -> None:
    """``nm -D`` shows ``T zlib@@V1``; the SONAME is a version definition, too."""
    script = tmp_path / "v.map"
    script.write_text("V1 { *; };")
    file = gcc(tmp_path / "lib/libz.so", "int zlib(void) { return 1; }",
               f"-Wl,--version-script,{script}", "-Wl,-soname,zlib")  # fmt: skip
    told = subprocess.run(["nm", "-D", file], capture_output=True, text=True, check=True).stdout
    assert " T zlib@@V1" in told
    assert (
        ask("kind='symbols'\nfile='libz.so'\nmatch='^zlib$'\nexact=1", tmp_path / "lib").status
        is PASS
    )


def test_packages_of_one_flavor_each_are_compared(ask: Ask, tmp_path: Path) -> None:
    for name, needed in {
        "aa/_rocm_C.so": "libamdhip64.so.7",
        "bb/_cuda_C.so": "libcudart.so.12",
    }.items():
        stub = gcc(tmp_path / "stub" / needed, "int s;", f"-Wl,-soname,{needed}")
        gcc(tmp_path / "s" / name, "int a;", "-Wl,--no-as-needed", str(stub))
    judgement = ask("kind='flavor'", tmp_path / "s")
    assert judgement.status is FAIL
    assert judgement.message == "not everything is of one kind: aa is of ROCm; bb is of CUDA"


def test_many_files_that_are_no_elf_files_are_not_kept_open(ask: Ask, tmp_path: Path) -> None:
    (tmp_path / "s").mkdir()
    for number in range(300):
        (tmp_path / f"s/lib{number}.so").write_text("GROUP ( libx.so.1 )")
    gcc(tmp_path / "s/liba.so", "int a;")
    before = len(os.listdir("/proc/self/fd"))
    toml = "kind='gpu-targets'\nfile='*.so'\nlacks=['gfx900']"
    assert ask(toml, tmp_path / "s").status is PASS
    assert len(os.listdir("/proc/self/fd")) <= before + 5


@pytest.mark.parametrize(("target", "asked", "met"), [
    ("gfx90a", "gfx90a:xnack-", True), ("gfx90a:sramecc+:xnack-", "gfx90a:xnack-", True),
    ("gfx90a:xnack+", "gfx90a:xnack-", False), ("gfx90a:xnack-", "gfx90a", True),
    ("gfx11-generic", "gfx1151", True), ("gfx11-generic", "gfx1200", False),
    ("sm_90a", "sm_90", True), ("sm_90", "sm_90a", False), ("gfx9-4-generic:xnack-", "gfx942:xnack+", False),
])  # fmt: skip
def test_what_runs_on_a_gpu(target: str, asked: str, met: bool) -> None:
    assert gpu_targets._is(target, asked) is met


def test_a_library_is_listed_by_its_soname(ask: Ask, tmp_path: Path) -> None:
    gcc(tmp_path / "lib/liba.so", "int a;")
    gcc(tmp_path / "lib/librocm_smi64.so.1.0.2", "int b;", "-Wl,-soname,librocm_smi64.so.1")
    toml = "kind='needed'\nfile='liba.so'\nhas=['librocm_smi64.so*']"
    assert ask(toml, tmp_path / "lib").advice.endswith("--add librocm_smi64.so.1")


def test_a_link_below_the_modules_of_a_root(ask: Ask, tmp_path: Path) -> None:
    site = tmp_path / "root/usr/lib/python3.11/site-packages"
    gcc(site / "torch/lib/libq.so.1.0", "int q;", "-Wl,-soname,libq.so.1")
    (site / "torch/lib/libq.so.1").symlink_to("libq.so.1.0")
    (tmp_path / "root/etc").mkdir()
    write(site, {"torch-1.dist-info/METADATA": b"Name: torch\nVersion: 1\n"})
    for target in (tmp_path / "root", site):
        toml = "kind='soname'\nfile='torch/lib/libq.so.1'\nis='libq.so.1'"
        assert ask(toml, target).status is PASS


def test_only_the_wheel_that_breaks_its_promise_gets_another_tag(ask: Ask, tmp_path: Path) -> None:
    wheels = []
    for name, tag in (("p", "manylinux_2_5_x86_64"), ("q", "manylinux_2_31_x86_64")):
        gcc(
            tmp_path / name / name / "liba.so",
            "#include <math.h>\ndouble f(double x) { return exp(x); }",
            "-lm",
        )
        write(
            tmp_path / name,
            {f"{name}-1.dist-info/METADATA": f"Name: {name}\nVersion: 1\n".encode()},
        )
        wheels.append(zipped(tmp_path / name, tmp_path / f"{name}-1-py3-none-{tag}.whl"))
    told = subprocess.run(
        ["readelf", "-VW", tmp_path / "p/p/liba.so"], capture_output=True, text=True, check=True
    )
    assert "GLIBC_2.29" in told.stdout
    judgement = ask("kind='glibc'\nfile='*.so'\ntag=true", *wheels)
    assert judgement.status is FAIL
    assert [line.rpartition("/")[2] for line in judgement.advice.splitlines()[1:]] == [
        wheels[0].name
    ]
