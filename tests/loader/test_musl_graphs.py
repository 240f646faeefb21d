"""Random small graphs under musl: ours is what musl's loader says, whatever the graph."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from elfaudit.loader.environment import Dlopen, Mode
from tests.oracle import Workshop
from tests.oracle.musl import UNBOUND, MuslAnswer, build_musl_host, run_musl
from tests.oracle.musl_prediction import Prediction, predict

pytestmark = pytest.mark.oracle

SYMBOLS = ("s0", "s1", "s2", "s3")
NAMES = tuple(f"lib{number}.so" for number in range(5))
PATHS = (
    "$ORIGIN/../a:$ORIGIN/../b",
    "$ORIGIN/../a:$ORIGIN/../b",
    "${ORIGIN}/../b:$ORIGIN/../a",
    "$ORIGIN/../a",
    "$ORIGIN",
    None,
    "$LIB:{b}",
)
USES = ("call", "call", "got", "data", "weak")
MODES = (Mode.LOCAL, Mode.LOCAL, Mode.GLOBAL, Mode.LAZY, Mode.LAZY | Mode.GLOBAL)
TYPES = ("", "", "", "__attribute__((weak)) ", "hidden version", "protected", "ifunc")
FLAGS = ((), (), ("-Wl,--hash-style=sysv",), ("-Wl,-z,now",), ("-Wl,-Bsymbolic",))


@dataclass(frozen=True)
class Library:
    """One object to build; ``number`` is what its definitions return."""

    number: int
    folder: str
    name: str
    needed: tuple[str, ...]
    tag: str
    paths: str | None
    defined: tuple[tuple[str, str], ...]
    used: tuple[tuple[str, str], ...]
    flags: tuple[str, ...]

    @property
    def code(self) -> str:
        """C that defines, and a probe for each reference."""
        parts = ["int constant(void) { return 99; }"]
        for symbol, kind in self.defined:
            body = f"(void) {{ return {self.number}; }}"
            if kind == "hidden version":
                parts.append(f'__asm__(".symver v_{symbol},{symbol}@V1"); int v_{symbol}{body}')
            elif kind == "protected":
                parts.append(f'__attribute__((visibility("protected"))) int {symbol}{body}')
            elif kind == "ifunc":
                parts.append(
                    f"static int i_{symbol}{body} "
                    f"static void *r_{symbol}(void) {{ return i_{symbol}; }} "
                    f'int {symbol}(void) __attribute__((ifunc("r_{symbol}")));'
                )
            else:
                parts.append(f"{kind}int {symbol}{body}")
        for symbol, use in self.used:
            parts += _probe(f"probe_{self.number}_{symbol}_{use}", symbol, use)
        return "\n".join(parts)

    @property
    def script(self) -> str | None:
        """A version node where a definition has a hidden version."""
        if not any(kind == "hidden version" for _, kind in self.defined):
            return None
        return "V1 { };"

    @property
    def probes(self) -> list[str]:
        """The names of its probes."""
        return [f"probe_{self.number}_{symbol}_{use}" for symbol, use in self.used]


def _probe(name: str, symbol: str, use: str) -> list[str]:
    """A function that tells what a reference of one kind is bound to."""
    weak = "__attribute__((weak)) " if use == "weak" else ""
    declared = f"{weak}int {symbol}(void);"
    if use == "call":
        return [declared, f"int {name}(void) {{ return {symbol}(); }}"]
    if use == "data":
        table = f"t_{name}"
        pointer = f"int (*{table})(void) = {symbol};"
        return [declared, pointer, f"int {name}(void) {{ return {table}(); }}"]
    body = f"int (*volatile p)(void) = {symbol}; return p ? p() : {UNBOUND};"
    return [declared, f"int {name}(void) {{ {body} }}"]


@st.composite
def libraries(draw: st.DrawFn) -> list[Library]:
    """The objects, the roots last."""
    count = draw(st.integers(2, len(NAMES)))
    built: list[Library] = []
    for place in reversed(range(count)):
        for folder in draw(st.sampled_from(("a", "a", "b", "ab"))):
            missing = ("libgone.so",) if draw(st.integers(0, 15)) == 0 else ()
            own = ("libc.so",) if draw(st.integers(0, 5)) == 0 else ()
            needed = draw(st.lists(st.sampled_from(NAMES[:count]), max_size=3, unique=True))
            defined = draw(st.lists(st.sampled_from(SYMBOLS), max_size=3, unique=True))
            used = draw(st.lists(st.sampled_from(SYMBOLS), max_size=2, unique=True))
            built.append(
                Library(
                    len(built) + 1,
                    folder,
                    NAMES[place],
                    (*own, *needed, *missing),
                    draw(st.sampled_from(("rpath", "runpath"))),
                    draw(st.sampled_from(PATHS)),
                    tuple((symbol, draw(st.sampled_from(TYPES))) for symbol in defined),
                    tuple((symbol, draw(st.sampled_from(USES))) for symbol in used),
                    draw(st.sampled_from(FLAGS)),
                )
            )
    return built


@dataclass(frozen=True)
class Scene:
    """A graph, and what is done with it."""

    made: list[Library]
    opens: tuple[tuple[int, Mode], ...]
    preloaded: tuple[int, ...]
    library_path: tuple[str, ...]
    needed: tuple[str, ...]


@st.composite
def scenes(draw: st.DrawFn) -> Scene:
    """A graph, one to three ``dlopen`` calls; preloads, paths, what the program needs itself."""
    made = draw(libraries())
    which = st.integers(0, len(made) - 1)
    earlier = draw(st.lists(st.tuples(which, st.sampled_from(MODES)), max_size=2))
    last = (len(made) - 1, draw(st.sampled_from(MODES)))
    preloaded = draw(st.sampled_from(((), (), (0,), (1,), (0, 1))))
    folders = draw(st.sampled_from(((), (), ("a",), ("b",), ("b", "a"))))
    needed = draw(st.sampled_from(((), (), ("lib0.so",), ("lib1.so", "lib0.so"))))
    return Scene(made, (*earlier, last), preloaded, folders, needed)


def build(workshop: Workshop, made: Iterable[Library]) -> list[Path]:
    """Build all of it."""
    paths: list[Path] = []
    for library in made:
        own = library.paths.replace("{b}", str(workshop.directory / "b")) if library.paths else None
        paths.append(
            workshop.library(
                f"{library.folder}/{library.name}",
                library.code,
                needed=library.needed,
                script=library.script,
                # With RELRO musl crashes where it fills a GOT entry it had put off.
                flags=["-Wl,-z,norelro", *library.flags],
                **({library.tag: own} if own else {}),
            )
        )
    return paths


def differences(
    real: MuslAnswer, ours: Prediction, made: list[Library], paths: list[Path]
) -> list[str]:
    """Everything in which the two differ."""
    if real.start:
        return [] if real.start[0] == ours.error else [f"start: {real.start} ours {ours.error}"]
    found = []
    if real.errors[-1] != ours.error:
        found.append(f"error: real {real.errors[-1]!r}, ours {ours.error!r}")
    if real.errors[-1] is None and real.objects != ours.objects:
        found.append(f"objects: real {real.objects}, ours {ours.objects}")
    if real.errors[-1] is not None:
        return found
    numbers = {str(path): library.number for library, path in zip(made, paths, strict=True)}
    for entry in ours.link_map.entries[1:]:
        number = numbers.get(os.path.realpath(entry.path or ""))
        if number is None:
            continue
        library = made[number - 1]
        for (symbol, _), probe in zip(library.used, library.probes, strict=True):
            bound = [b.provider for b in ours.bindings.all_of(entry, symbol)]
            if symbol not in ours.bindings.references(entry).names:  # the linker has bound it
                bound = [entry]
            told = [numbers[os.path.realpath(p.path or "")] if p else UNBOUND for p in bound]
            if [real.probes.get(probe)] != told:
                found.append(f"{probe}: real {real.probes.get(probe)}, ours {told}")
    return found


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(scene=scenes())
def test_random_graphs(
    tmp_path_factory: pytest.TempPathFactory, stubs: Path, musl_host: Path, scene: Scene
) -> None:
    workshop = Workshop(tmp_path_factory.mktemp("graph").resolve(), stubs)
    paths = build(workshop, scene.made)
    opens = [Dlopen(str(paths[number]), mode) for number, mode in scene.opens]
    preload = [str(paths[number]) for number in scene.preloaded]
    library_path = ":".join(str(workshop.directory / f) for f in scene.library_path) or None
    probes = [probe for library in scene.made for probe in library.probes]
    program = musl_host
    if scene.needed:
        flags = ["-Wl,-rpath,$ORIGIN/a:$ORIGIN/b"]
        program = build_musl_host(workshop, needed=scene.needed, flags=flags)
    real = run_musl(program, *opens, probes=probes, preload=preload, library_path=library_path)
    ours = predict(program, *opens, preload=preload, library_path=library_path)
    assert not (found := differences(real, ours, scene.made, paths)), found
