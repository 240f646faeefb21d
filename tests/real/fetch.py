"""Fetches the real files that the tests in this directory read.

    python tests/real/fetch.py [NAME…]

Everything comes through the ordinary clients: ``pip download`` of the interpreter that runs this,
and ``apt-get download``. It is kept in ``.cache/elfaudit-real`` of the checkout, or in the
directory that ELFAUDIT_REAL_CACHE names; what is there already is not asked for again. Standard
library only.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

__all__ = ["DEBIAN", "MUSL_WHEELS", "WHEELS", "Unavailable", "cache_directory", "debian", "wheel"]

_TIMEOUT = 900  # seconds for one download
_MANYLINUX = tuple(
    option for minor in (17, 24, 27, 28, 31, 32, 34) for option in
    ("--platform", f"manylinux_2_{minor}_x86_64")
)  # fmt: skip
# These wheels are read, never imported: any machine and any Python may look at them.
_FOREIGN = ("--python-version", "3.11", "--implementation", "cp", *_MANYLINUX)


class Unavailable(Exception):  # noqa: N818 - a state of the world that skips a test, no error
    """A file that cannot be had here; ``str()`` says why in one sentence."""


@dataclass(frozen=True, slots=True)
class _Wheel:
    """What to ask pip for, the beginning of the file's name, and the options that select it."""

    requirement: str
    stem: str
    options: tuple[str, ...] = ()


# torch is asked for by its local version: only a build for the CPU has it. Without it, pip would
# take the default build, which is made for CUDA and weighs gigabytes.
WHEELS = {
    "torch": _Wheel("torch==2.13.0+cpu", "torch-2.13.0+cpu-"),
    "numpy": _Wheel("numpy==2.4.6", "numpy-2.4.6-"),
    "scipy": _Wheel("scipy==1.17.1", "scipy-1.17.1-"),
    "pyarrow": _Wheel("pyarrow==26.0.1", "pyarrow-26.0.1-"),
    "cryptography": _Wheel("cryptography==50.0.2", "cryptography-50.0.2-"),
    "onnxruntime-rocm": _Wheel(
        "onnxruntime-rocm==1.22.2.post3", "onnxruntime_rocm-1.22.2.post3-", _FOREIGN
    ),
    "bitsandbytes": _Wheel("bitsandbytes==0.50.2", "bitsandbytes-0.50.2-", _FOREIGN),
    "jax-rocm7-plugin": _Wheel("jax-rocm7-plugin==0.10.2", "jax_rocm7_plugin-0.10.2-", _FOREIGN),
    "pillow": _Wheel("pillow==13.0.0", "pillow-13.0.0-"),
    "lxml": _Wheel("lxml==6.1.3", "lxml-6.1.3-"),
    "psycopg2-binary": _Wheel("psycopg2-binary==2.9.13", "psycopg2_binary-2.9.13-"),
    "torch-scatter-rocm": _Wheel(
        "torch-scatter-rocm==2.1.2.post6", "torch_scatter_rocm-2.1.2.post6-", _FOREIGN
    ),
}
_MUSLLINUX = ("--platform", "musllinux_1_2_x86_64", "--platform", "musllinux_1_1_x86_64")
_ALPINE = ("--python-version", "3.11", "--implementation", "cp", *_MUSLLINUX)
MUSL_WHEELS = {
    "pillow-musl": _Wheel("pillow==13.0.0", "pillow-13.0.0-cp311-cp311-musllinux", _ALPINE),
    "pyyaml-musl": _Wheel("pyyaml==6.0.3", "pyyaml-6.0.3-cp311-cp311-musllinux", _ALPINE),
}
# Only their Python is read; half a gigabyte each, so nothing else is asked of them.
_VLLM = ("--python-version", "3.12", "--platform", "manylinux1_x86_64", *_MANYLINUX)
LARGE_WHEELS = {
    "vllm-0.11.0": _Wheel("vllm==0.11.0", "vllm-0.11.0-", _VLLM),
    "vllm-0.12.0": _Wheel("vllm==0.12.0", "vllm-0.12.0-", _VLLM),
}
PURE_WHEELS = {
    "pandas": _Wheel("pandas==3.1.1", "pandas-3.1.1-", _FOREIGN),
    "django": _Wheel("django==5.2.19", "django-5.2.19-", _FOREIGN),
    "auditwheel": _Wheel("auditwheel==6.8.2", "auditwheel-6.8.2-", _FOREIGN),
}
_WHEELS = {**WHEELS, **MUSL_WHEELS, **LARGE_WHEELS, **PURE_WHEELS}
DEBIAN = ("librocm-smi64-1",)
_answers: dict[str, Path | Unavailable] = {}
_ABI = {
    "torch",
    "numpy",
    "scipy",
    "pyarrow",
    "pillow",
    "lxml",
    "psycopg2-binary",
}  # loaded by the tests: for this very Python


def cache_directory() -> Path:
    """Where fetched files are kept."""
    named = os.environ.get("ELFAUDIT_REAL_CACHE")
    if named:
        return Path(named).absolute()
    return Path(__file__).resolve().parents[2] / ".cache" / "elfaudit-real"


def wheel(name: str) -> Path:
    """The path of a wheel, fetched if it is not there yet.

    Raises:
        Unavailable: pip does not offer it here, or cannot reach what it would ask.
    """
    return _once(name, _fetch_wheel)


def debian(name: str) -> Path:
    """The root of a Debian package's files, fetched and unpacked if it is not there yet.

    Raises:
        Unavailable: there is no apt here, or it does not know the package.
    """
    return _once(name, _fetch_debian)


def _once(name: str, fetch: Callable[[str], Path]) -> Path:
    """A path or a refusal, asked for once in a process: a registry out of reach takes its time."""
    if name not in _answers:
        try:
            _answers[name] = fetch(name)
        except Unavailable as reason:
            _answers[name] = reason
    answer = _answers[name]
    if isinstance(answer, Unavailable):
        raise answer
    return answer


def _fetch_wheel(name: str) -> Path:
    wanted = _WHEELS[name]
    directory = cache_directory()
    found = _cached(directory, name)
    if found is not None:
        return found
    directory.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check"]
    command += ["--no-deps", "--only-binary=:all:", "--retries=1", *wanted.options]
    partial = directory / f".partial-{os.getpid()}"  # pip writes in place: a killed one leaves half
    try:
        _run([*command, "--dest", str(partial), wanted.requirement], wanted.requirement)
        for file in partial.glob("*.whl"):
            file.replace(directory / file.name)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    found = _cached(directory, name)
    if found is None:
        raise Unavailable(f"{wanted.requirement}: pip gave something else than was asked for")
    return found


def _fetch_debian(name: str) -> Path:
    directory = cache_directory() / "debian"
    root = directory / name
    if root.is_dir():
        return root
    for tool in ("apt-get", "dpkg-deb"):
        if shutil.which(tool) is None:
            raise Unavailable(f"{name}: {tool} is not installed, this is no Debian")
    partial = directory / f".partial-{os.getpid()}"
    partial.mkdir(parents=True, exist_ok=True)
    try:
        _run(["apt-get", "download", "--quiet", name], name, cwd=partial)
        packages = list(partial.glob("*.deb"))
        if not packages:
            raise Unavailable(f"{name}: apt-get downloaded nothing")
        _run(["dpkg-deb", "-x", str(packages[0]), str(partial / "root")], name)
        (partial / "root").replace(root)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return root


def _cached(directory: Path, name: str) -> Path | None:
    tag = f"cp{sys.version_info[0]}{sys.version_info[1]}-" if name in _ABI else ""
    found = sorted(directory.glob(f"{_WHEELS[name].stem}{tag}*.whl"))
    return found[0] if found else None


def _run(command: list[str], what: str, cwd: Path | None = None) -> None:
    try:
        done = subprocess.run(
            command, cwd=cwd, capture_output=True, text=True, check=False, timeout=_TIMEOUT
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Unavailable(f"{what}: {error}") from error
    if done.returncode:
        lines = [line for line in done.stderr.splitlines() if line.startswith(("ERROR", "E:"))]
        reason = (lines or done.stderr.splitlines() or ["no reason given"])[-1]
        raise Unavailable(f"{what}: {Path(command[0]).name} does not offer it here: {reason}")


def main(arguments: Sequence[str] | None = None) -> int:
    """Fetch what is named, or everything; 1 if something cannot be had."""
    parser = argparse.ArgumentParser(description="Fetch the files the real-input tests read.")
    known = [*_WHEELS, *DEBIAN]
    parser.add_argument("names", metavar="NAME", nargs="*", help=f"of: {', '.join(known)}")
    names = parser.parse_args(arguments).names or known
    for name in names:
        if name not in known:
            parser.error(f"{name}: is not among {', '.join(known)}")
    failed = 0
    for name in names:
        try:
            print(debian(name) if name in DEBIAN else wheel(name))  # noqa: T201
        except Unavailable as reason:
            failed = 1
            print(f"{name}: not to be had: {reason}", file=sys.stderr)  # noqa: T201
    return failed


if __name__ == "__main__":
    sys.exit(main())
