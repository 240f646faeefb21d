"""Every kind of check on files made for it; readelf, nm and pip are asked where they have a say."""

# ruff: noqa: E501 - checks are read best as one line each

from __future__ import annotations

import base64
import hashlib
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

import elfaudit
from elfaudit import CheckStatus, Judgement

Ask = Callable[..., Judgement]
PASS, FAIL, SKIP = CheckStatus.PASS, CheckStatus.FAIL, CheckStatus.SKIP
UNDECIDED, ERROR = CheckStatus.UNDECIDED, CheckStatus.ERROR


@pytest.fixture
def ask(tmp_path: Path) -> Ask:
    """Judges one check, given as TOML, on targets."""

    def judged(toml: str, *targets: Path, **options: object) -> Judgement:
        path = tmp_path / "list.toml"
        path.write_text(f"name = 'x'\n[[check]]\n{toml}\n")
        reports = elfaudit.verify([str(each) for each in targets], str(path), **options)  # type: ignore[arg-type]
        (only,) = reports[0].judgements
        return only

    return judged


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """A site-packages with one distribution, its record right."""
    folder = tmp_path / "python3.11" / "site-packages"
    files = {
        "pkg/__init__.py": b"from .a import x\n__version__ = '1.5'\n",
        "pkg/a.py": b"x = 1\n",
        "pkg-1.5.dist-info/METADATA": b"Metadata-Version: 2.1\nName: pkg\nVersion: 1.5\n\nHi\n",
        "pkg-1.5.dist-info/WHEEL": b"Wheel-Version: 1.0\n",
    }
    write(folder, files)
    return folder


def write(folder: Path, files: dict[str, bytes]) -> None:
    """Files, and the RECORD of the distribution among them."""
    rows = []
    for name, data in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
        digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
        rows.append(f"{name},sha256={digest},{len(data)}")
    info = next(name.partition("/")[0] for name in files if ".dist-info/" in name)
    (folder / info / "RECORD").write_text("\n".join([*rows, f"{info}/RECORD,,"]) + "\n")


def zipped(folder: Path, target: Path) -> Path:
    """A wheel of the files of a directory."""
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                archive.write(path, path.relative_to(folder).as_posix())
    return target


@pytest.fixture
def library(tmp_path: Path) -> Path:
    """A library with something of everything, beside nothing else."""
    folder = tmp_path / "lib"
    folder.mkdir()
    (folder / "a.c").write_text(
        '#include <stdio.h>\nconst char *text = "_c10d_init";\nint shown(void) { return puts(text); }\n'
        "extern int elsewhere(void);\nint other(void) { return elsewhere(); }\n"
    )
    subprocess.run(
        ["gcc", "-shared", "-fPIC", "-o", folder / "liba.so", folder / "a.c", "-Wl,-soname,liba.so.1",
         "-Wl,-rpath,$ORIGIN:/build/lib", "-Wl,--enable-new-dtags", "-Wl,-z,now"],
        check=True,
    )  # fmt: skip
    (folder / "a.c").unlink()
    return folder


@pytest.mark.parametrize(("toml", "status"), [
    ("kind='needed'\nfile='liba.so'\nhas=['libc.so.*']", PASS),
    ("kind='needed'\nfile='liba.so'\nhas=['libm.so.6']", FAIL),
    ("kind='needed'\nfile='liba.so'\nlacks=['libc*']", FAIL),
    ("kind='needed'\nfile='nothing.so'\nhas=['x']", FAIL),
    ("kind='soname'\nfile='liba.so'\nis='liba.so.1'", PASS),
    ("kind='soname'\nfile='liba.so'\nis=''", FAIL),
    ("kind='runpath'\nfile='liba.so'\nhas=['$ORIGIN']\ntag='runpath'", PASS),
    ("kind='runpath'\nfile='liba.so'\nlacks=['/build/*']", FAIL),
    ("kind='runpath'\nfile='liba.so'\nonly=['$ORIGIN*']", FAIL),
    ("kind='runpath'\nfile='liba.so'\nonly=['$ORIGIN','/*']", PASS),
    ("kind='runpath'\nfile='liba.so'\ntag='rpath'", FAIL),
    ("kind='symbols'\nfile='liba.so'\nmatch='^shown$'\nexact=1", PASS),
    ("kind='symbols'\nfile='liba.so'\nmatch='^nobody$'", FAIL),
    ("kind='symbols'\nfile='liba.so'\nmatch='^nobody$'\nmax=0", PASS),
    ("kind='symbols'\nfile='liba.so'\nside='undefined'\nmatch='elsewhere'\nmax=0", FAIL),
    ("kind='symbols'\nfile='liba.so'\nside='undefined'\nversion='GLIBC_2.*'\nmin=1", PASS),
    ("kind='symbols'\nfile='liba.so'\nmatch='('", ERROR),
    ("kind='string'\nfile='liba.so'\ntext='_c10d_init'", PASS),
    ("kind='string'\nfile='liba.so'\ntext='c10d_init'", PASS),  # the end of a longer one
    ("kind='string'\nfile='liba.so'\ntext='_c10d'", FAIL),
    ("kind='string'\nfile='liba.so'\ntext='elsewhere'", FAIL),  # the name of a symbol
    ("kind='string'\nfile='liba.so'\ntext='elsewhere'\npresent=false", PASS),
    ("kind='hardening'\nfile='*.so'\nrelro='full'\nnow=true\nstack=true\npie=true", PASS),
    ("kind='glibc'\nfile='*.so'\nmax={GLIBC='2.1'}", FAIL),
    ("kind='glibc'\nfile='*.so'\nmax={GLIBC='3.0'}", PASS),
    ("kind='glibc'\nfile='*.so'\ntag=true", SKIP),
    ("kind='loads'\nfile='liba.so'", FAIL),
    ("kind='loads'\nfile='liba.so'\nerror='undefined symbol: elsewhere'", PASS),
    ("kind='loads'\nfile='liba.so'\nerror='cannot open'", FAIL),
    ("kind='gpu-targets'\nfile='liba.so'\nhas=['gfx1151']", FAIL),
    ("kind='file'\npath='liba.so'\nmin_size=100", PASS),
    ("kind='file'\npath='liba.so'\nmax_size=100", FAIL),
    ("kind='file'\npath='libb.so'\nexists=false", PASS),
    ("kind='file'\npath='liba.so'\nexists=false", FAIL),
    ("kind='file'\nwheel=true\nmin_size=1", SKIP),
    ("kind='count'\nwhat='files'\npath='*.so'\nexact=1", PASS),
    ("kind='count'\nwhat='distributions'\nmin=1", FAIL),
    ("kind='record'", SKIP),
    ("kind='requires'", SKIP),
    ("kind='device'", SKIP),
    ("kind='run'\ncommand=['true']", SKIP),
    ("kind='flavor'", SKIP),
])  # fmt: skip
def test_a_library(ask: Ask, library: Path, toml: str, status: CheckStatus) -> None:
    judgement = ask(toml, library)
    assert judgement.status is status, judgement


def test_it_loads_only_with_a_preload(ask: Ask, library: Path, tmp_path: Path) -> None:
    """The real loader says the same: with the preload the library opens, without it does not."""
    helper = tmp_path / "libhelp.so"
    (tmp_path / "h.c").write_text("int elsewhere(void) { return 1; }")
    subprocess.run(["gcc", "-shared", "-fPIC", "-o", helper, tmp_path / "h.c"], check=True)
    toml = f"kind='loads'\nfile='liba.so'\npreload=['{helper}']"
    judgement = ask(toml, library)
    assert judgement.status is FAIL
    assert "loads only with LD_PRELOAD" in judgement.message
    assert ask(f"{toml}\npreload_is_enough=true", library).status is PASS
    load = [
        sys.executable,
        "-c",
        f"import ctypes, os; ctypes.CDLL('{library}/liba.so', os.RTLD_NOW)",
    ]
    assert subprocess.run(load, capture_output=True, check=False).returncode
    assert not subprocess.run(load, env={"LD_PRELOAD": str(helper)}, check=False).returncode


def test_what_is_external_leaves_it_undecided(ask: Ask, tmp_path: Path) -> None:
    folder = tmp_path / "l"
    folder.mkdir()
    (tmp_path / "h.c").write_text("int elsewhere(void) { return 1; }")
    help_ = tmp_path / "libamdhip64.so"
    subprocess.run(["gcc", "-shared", "-fPIC", "-o", help_, tmp_path / "h.c"], check=True)
    subprocess.run(["gcc", "-shared", "-fPIC", "-o", folder / "libu.so", "-Wl,--no-as-needed", help_],
                   check=True, cwd=tmp_path)  # fmt: skip
    toml = "kind='loads'\nfile='libu.so'"
    help_.unlink()
    assert ask(toml, folder).status is FAIL
    assert ask(f"{toml}\nexternal=['*libamd*']", folder).status is UNDECIDED


@pytest.mark.parametrize("wheel", [True, False])
def test_record_names_the_one_stale_file(ask: Ask, site: Path, tmp_path: Path, wheel: bool) -> None:
    target = tmp_path / "pkg-1.5-py3-none-any.whl"

    def judged() -> Judgement:
        return ask("kind='record'", zipped(site, target) if wheel else site)

    assert judged().status is PASS
    (site / "pkg/a.py").write_bytes(b"x = 2\n")
    stale = judged()
    assert stale.status is FAIL
    assert stale.message == (
        "pkg/a.py is not the file that RECORD describes: its sha256 is another"
    )
    (site / "pkg/a.py").write_bytes(b"x = 22\n")
    assert judged().message == "pkg/a.py has 7 bytes, not 6"
    (site / "pkg/a.py").unlink()
    assert judged().message == "pkg/a.py is listed and not there"
    (site / "pkg/a.py").write_bytes(b"x = 1\n")
    (site / "pkg/left.py").write_bytes(b"")
    assert "pkg/left.py" in judged().message


@pytest.mark.parametrize(("row", "status"), [
    ("pkg/a.py,whirlpool=abc,6", UNDECIDED), ("pkg/a.py,sha256=short,6", FAIL),
    ("pkg/a.py,,six", FAIL), ("pkg/a.py,,", PASS), ("pkg/a.py", FAIL), ("pkg/a.py,,6,7", FAIL),
    ("pkg/a.py,md5=" + base64.urlsafe_b64encode(hashlib.md5(b"x = 1\n").digest()).decode() + ",6", PASS),
    ("pkg/a.py,,99999999999999999999999999", FAIL), ('"pkg/a.py,,6', FAIL), ("/etc/passwd,,6", PASS),
    ("pkg/a.py\0,,6", FAIL),
])  # fmt: skip
def test_a_record_that_lies_or_is_none(ask: Ask, site: Path, row: str, status: CheckStatus) -> None:
    record = site / "pkg-1.5.dist-info/RECORD"
    lines = [line for line in record.read_text().splitlines() if not line.startswith("pkg/a.py")]
    record.write_text("\n".join([*lines, row]) + "\n")
    assert ask("kind='record'\nunlisted='ignore'", site).status is status


def test_two_versions_of_one_project(ask: Ask, site: Path) -> None:
    old = site / "Pkg-1.4.dist-info"
    old.mkdir()
    (old / "METADATA").write_text("Name: Pkg\nVersion: 1.4\n")
    (old / "RECORD").write_text("Pkg-1.4.dist-info/METADATA,,\n")
    message = ask("kind='record'", site).message
    assert "is there twice: Pkg-1.4.dist-info and pkg-1.5.dist-info" in message


@pytest.mark.parametrize(("toml", "status"), [
    ("kind='imports'\nnames=['from pkg import x, a', 'import pkg.a']", PASS),
    ("kind='imports'\nnames=['from pkg import y']", FAIL),
    ("kind='imports'\nabsent=['from pkg import y']", PASS),
    ("kind='imports'\nabsent=['from pkg import x']", FAIL),
    ("kind='imports'\nnames=['print(1)']", ERROR),
    ("kind='imports'\nnames=['from . import x']", ERROR),
    ("kind='imports'", ERROR),
    ("kind='imports'\nall=true", ERROR),
    ("kind='imports'\nall=true\npackage='pkg'", PASS),
    ("kind='imports'\nall=true\npackage='nothing'", FAIL),
    ("kind='module-inventory'\nmodule='pkg'\nhas=['x']\nmin=1", PASS),
    ("kind='module-inventory'\nmodule='pkg'\nhas=['z']", FAIL),
    ("kind='module-inventory'\nmodule='pkg'\nmin=100", FAIL),
    ("kind='module-inventory'\nmodule='gone'", FAIL),
    ("kind='value'\nmodule='pkg'\nname='__version__'\nis='1.5'", PASS),
    ("kind='value'\nmodule='pkg'\nname='__version__'\nmatch='^2'", FAIL),
    ("kind='value'\nmodule='pkg'\nname='__version__'\nnone=true", FAIL),
    ("kind='value'\nmodule='pkg'\nname='x'\nis=1", UNDECIDED),
    ("kind='value'\nmodule='pkg.a'\nname='x'\nis=1", PASS),
    ("kind='value'\nmodule='pkg.a'\nname='x'\nis=true", FAIL),
    ("kind='value'\nmodule='pkg.a'\nname='x'", ERROR),
    ("kind='value'\nmodule='pkg'\nname='nothing'\nnone=true", FAIL),
    ("kind='count'\nwhat='distributions'\nexact=1", PASS),
    ("kind='requires'", PASS),
    ("kind='record'\ndistribution='gone'", FAIL),
    ("kind='requires'\nwhen={distribution='pkg',version='>=2'}", SKIP),
    ("kind='requires'\nwhen={distribution='pkg',version='>=1'}", PASS),
    ("kind='requires'\nwhen={distribution='pkg',version='one'}", ERROR),
    ("kind='requires'\nwhen={distribution='gone'}", SKIP),
])  # fmt: skip
def test_modules(ask: Ask, site: Path, toml: str, status: CheckStatus) -> None:
    judgement = ask(toml, site)
    assert judgement.status is status, judgement


_METADATA = (
    "Name: a\nVersion: 1\nRequires-Dist: b>=2\nRequires-Dist: c[x] ; python_version >= '3'\n"
    "Requires-Dist: never ; sys_platform == 'win32'\nRequires-Dist: (((\nRequires-Python: >=3.8\n"
)


def test_requirements_as_pip_check(ask: Ask, tmp_path: Path) -> None:
    """pip itself is asked about the same directory."""
    folder = tmp_path / "site"
    for name, text in {
        "a-1": _METADATA.replace("Requires-Dist: (((\n", ""),
        "b-1.5": "Name: B\nVersion: 1.5\n",
        "c-3": "Name: c\nVersion: 3\nProvides-Extra: x\nRequires-Dist: d ; extra == 'x'\n",
    }.items():
        (folder / f"{name}.dist-info").mkdir(parents=True)
        (folder / f"{name}.dist-info/METADATA").write_text(f"Metadata-Version: 2.1\n{text}")
    judgement = ask("kind='requires'\npython='3.11'\nextras=false", folder)
    assert judgement.status is FAIL
    assert judgement.message == "a 1 requires b>=2, but B 1.5 is installed"
    script = (
        "from importlib.metadata import distributions\n"
        "from pip._vendor.packaging.requirements import Requirement\n"
    )
    code = f"import sys; sys.path.insert(0, {str(folder)!r})\n{script}"
    code += "there = {d.metadata['Name'].lower(): d.version for d in distributions(path=sys.path[:1])}\n"
    code += (
        "for d in distributions(path=sys.path[:1]):\n  for text in d.requires or ():\n"
        "    r = Requirement(text)\n"
        "    if r.marker is None or r.marker.evaluate({'extra': ''}):\n"
        "      if r.name not in there or not r.specifier.contains(there[r.name]): print(r.name)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["b"]
    with_extras = ask("kind='requires'\npython='3.11'", folder)
    assert "c 3 [x] requires d, which is not installed" in with_extras.message
    assert ask("kind='requires'\npython='3.11'\nignore=['B', 'D']", folder).status is PASS
    old = ask("kind='requires'\npython='3.7'\nignore=['B', 'D']", folder)
    assert old.message == "a 1 requires Python >=3.8, and this is 3.7"


@pytest.mark.parametrize("text", ["", "Version: 1\n", "\xff\xfe\0", "Name: " + "x" * 100_000,
                                  "Requires-Dist: " + "(" * 100_000, ": :\n \n", _METADATA])  # fmt: skip
def test_metadata_of_any_text(ask: Ask, tmp_path: Path, text: str) -> None:
    folder = tmp_path / "site"
    (folder / "x-1.dist-info").mkdir(parents=True)
    (folder / "x-1.dist-info/METADATA").write_bytes(text.encode("latin-1"))
    (folder / "x-1.dist-info/RECORD").write_bytes(text.encode("latin-1"))
    for kind in ("requires", "record"):
        assert ask(f"kind='{kind}'", folder).status in CheckStatus


def test_logs(ask: Ask, site: Path, tmp_path: Path) -> None:
    log = tmp_path / "build.log"
    log.write_text("start\n\x1b[32mUSE_ROCM      : ON\x1b[0m\nwarning: x\n" + "y" * (3 << 20))
    head = f"kind='log'\npath='{log}'\n"
    good = ask(head + r"must=['USE_ROCM\s*: ON$']", site)
    assert good.status is PASS
    assert good.message.startswith(f"{log}:2 has ")
    bad = ask(head + "must=['nothing']\nmust_not=['^warning']", site)
    assert bad.status is FAIL
    assert f"{log}:3: warning: x" in bad.message
    assert ask(head + "must=['(']", site).status is ERROR
    assert ask("kind='log'\npath='/nothing'\nmust=['x']", site).status is ERROR
    assert ask("kind='log'\npath='/dev/zero'\nmust=['x']", site).status is ERROR


def test_a_pattern_that_explodes_is_an_error_in_time(
    ask: Ask, site: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from elfaudit.checklist import patterns

    monkeypatch.setattr(patterns, "_SECONDS", 0.2)
    log = tmp_path / "build.log"
    log.write_text("a" * 5000 + "b\n")
    judgement = ask(
        f"kind='log'\npath='{log}'\nmust=['^(a|a)*$', '^(a+)+$', '(x+x+)+y|(a+a+)+c']", site
    )
    assert judgement.status in (ERROR, FAIL)


def test_run(ask: Ask, site: Path) -> None:
    runner = elfaudit.Runner(sys.executable)
    head = "kind='run'\ncommand=['{python}', '-c', 'import os; print(os.environ.get(\"A\")); "
    assert (
        ask(f"{head}']\nenvironment={{A='7.1'}}\nexpect='^7'", site, runner=runner).status is PASS
    )
    assert ask(f"{head}']\nexpect='^7'", site, runner=runner).status is FAIL
    failed = ask(f"{head}os._exit(3)']", site, runner=runner)
    assert "ended with exit code 3" in failed.message
    late = ask("kind='run'\ncommand=['sleep', '60']\ntimeout=0.2", site, runner=runner)
    assert late.message == "did not end within 0.2 s"
    prefixed = elfaudit.Runner("python3", ("echo", "in the container"))
    assert ask(f"{head}']", site, runner=prefixed).message.startswith("in the container python3 -c")
    gone = ask("kind='run'\ncommand=['/nothing/here']", site, runner=runner)
    assert gone.status is ERROR


def test_flavor_says_what_disagrees(ask: Ask, tmp_path: Path) -> None:
    folder = tmp_path / "site-packages"
    (folder / "torch/lib").mkdir(parents=True)
    (folder / "vllm").mkdir()
    (folder / "torch/version.py").write_text("hip = '7.1'\ncuda = None\n")
    (tmp_path / "libcudart.so.12").write_bytes(b"")
    source = tmp_path / "e.c"
    source.write_text("int e;")
    stub = tmp_path / "libcudart.so.12"
    subprocess.run(
        ["gcc", "-shared", "-o", stub, source, "-Wl,-soname,libcudart.so.12"], check=True
    )
    subprocess.run(
        ["gcc", "-shared", "-o", folder / "vllm/_C.so", "-Wl,--no-as-needed", stub], check=True
    )
    judgement = ask("kind='flavor'\nis='rocm'", folder)
    assert judgement.status is FAIL
    assert judgement.message == "vllm is of CUDA, not of ROCm"
    assert any("vllm/_C.so lists libcudart.so.12" in each for each in judgement.evidence)
    assert any("hip = '7.1'" in each for each in judgement.evidence)
    assert ask("kind='flavor'", folder).message.startswith("not everything is of one kind")


def test_a_package_whose_modules_do_not_parse_is_told(ask: Ask, site: Path) -> None:
    (site / "pkg/broken.py").write_text("def (\n")
    judgement = ask("kind='imports'\nall=true\npackage='pkg'", site)
    assert judgement.status is PASS
    assert any("pkg/broken.py does not parse" in each for each in judgement.evidence)
    for name in ("__init__", "a"):
        (site / f"pkg/{name}.py").write_text("def (\n")
    judgement = ask("kind='imports'\nall=true\npackage='pkg'", site)
    assert judgement.status is UNDECIDED
    assert "does not parse" in judgement.message


def test_a_wheel_that_pip_does_not_install(ask: Ask, tmp_path: Path) -> None:
    path = tmp_path / "p-1-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("p.py", "")
    done = subprocess.run([sys.executable, "-m", "pip", "install", "--no-deps", "--target",
                           tmp_path / "t", path], capture_output=True, check=False)  # fmt: skip
    assert done.returncode
    assert (
        ask("kind='record'", path).message
        == f"{path.name} has no .dist-info: pip does not install it"
    )


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_members_that_are_there_twice_or_lead_out(ask: Ask, site: Path, tmp_path: Path) -> None:
    path = zipped(site, tmp_path / "pkg-1.5-py3-none-any.whl")
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("pkg/a.py", "x = 1\n")
        archive.writestr("../evil.py", "")
    message = ask("kind='record'", path).message
    assert "pkg/a.py: the archive has this member twice" in message
    assert "../evil.py: the name leads out of the archive" in message


def test_a_distribution_without_a_name(ask: Ask, site: Path) -> None:
    (site / "pkg-1.5.dist-info/METADATA").write_text("Version: 1.5\n")
    judgement = ask("kind='requires'", site)
    assert judgement.status is FAIL
    assert judgement.message == "pkg-1.5.dist-info: METADATA has no Name"


def test_a_damaged_library_is_not_passed_over(ask: Ask, library: Path) -> None:
    data = (library / "liba.so").read_bytes()
    (library / "text.so").write_text("no ELF")
    assert ask("kind='hardening'\nfile='*.so'\nstack=true", library).status is PASS
    (library / "libb.so").write_bytes(data[:1000])
    assert ask("kind='hardening'\nfile='*.so'\nstack=true", library).status is ERROR
    assert ask("kind='hardening'\nfile='text.so'\nstack=true", library).status is ERROR


def test_each_wheel_is_held_to_its_own_tag(ask: Ask, tmp_path: Path) -> None:
    source = tmp_path / "m.c"
    source.write_text(
        "#include <string.h>\nvoid *f(void *a, void *b, unsigned long n) { return memcpy(a, b, n); }"
    )
    subprocess.run(["gcc", "-shared", "-fPIC", "-O0", "-o", tmp_path / "m.so", source], check=True)
    told = subprocess.run(
        ["readelf", "-VW", tmp_path / "m.so"], capture_output=True, text=True, check=True
    )
    if "GLIBC_2.14" not in told.stdout:
        pytest.skip("memcpy has another version on this machine")
    wheels = []
    for name, tag in (("old", "manylinux_2_12_x86_64"), ("new", "manylinux_2_17_x86_64")):
        wheels.append(tmp_path / f"{name}-1-py3-none-{tag}.whl")
        with zipfile.ZipFile(wheels[-1], "w") as archive:
            if name == "new":
                archive.write(tmp_path / "m.so", f"{name}/m.so")
            else:
                archive.writestr("old.py", "")
    toml = "kind='glibc'\nfile='**/*.so'\ntag=true"
    assert ask(toml, *wheels).status is PASS
    moved = tmp_path / "old-2-py3-none-manylinux_2_12_x86_64.whl"
    wheels[1].rename(moved)
    judgement = ask(toml, moved)
    assert judgement.status is FAIL
    assert judgement.message == "new/m.so needs GLIBC_2.14, and manylinux_2_12 promises 2.12"


@pytest.mark.parametrize("size", [(1 << 20) - 4, (1 << 20) - 1, 1 << 20, (1 << 20) + 3])
def test_a_log_is_searched_line_by_line_whatever_its_size(
    ask: Ask, site: Path, tmp_path: Path, size: int
) -> None:
    """grep -n is the judge, where a line lies across what is read at once."""
    log = tmp_path / "build.log"
    log.write_text("x" * 40 + "\n" + "y" * (size - 50) + "\nstart here\nand here\n" + "z\n" * 10)
    head = f"kind='log'\npath='{log}'\n"
    for pattern in ("^start here$", "here$", "^and", "^z$"):
        grep = subprocess.run(
            ["grep", "-nE", "-m1", pattern, log], capture_output=True, text=True, check=True
        )
        number = grep.stdout.partition(":")[0]
        assert ask(head + f"must=['{pattern}']", site).message == f"{log}:{number} has {pattern}"
    assert ask(head + r"must=['here\s+and']", site).status is FAIL
    assert ask(head + r"must=['here\nand']", site).status is FAIL
    assert ask(head + r"must_not=['here\s+and', '(?s)start.*and']", site).status is PASS
