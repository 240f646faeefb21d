"""Random small graphs of shared objects: ours is what the real loader says, whatever the graph."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from elfaudit.api import resolve
from tests.oracle import Workshop, dlopen
from tests.oracle.compare import answer_of, differences

pytestmark = pytest.mark.oracle

SYMBOLS = ("s0", "s1", "s2", "s3")
NAMES = tuple(f"lib{number}.so" for number in range(5))
PATHS = ("$ORIGIN", "$ORIGIN/../a", "$ORIGIN/../b", "$ORIGIN/../a:$ORIGIN/../b")


@dataclass(frozen=True)
class Library:
    """One object to build. ``needed`` holds names; versions are required of those built before."""

    folder: str
    name: str
    needed: tuple[str, ...]
    tag: str
    paths: str
    defined: frozenset[str]
    weak: frozenset[str]
    used: frozenset[str]
    weakly: frozenset[str]

    @property
    def code(self) -> str:
        """C that defines, calls and weakly refers to what the library should."""
        weak = "__attribute__((weak)) "
        parts = [
            f"{weak if s in self.weak else ''}int {s}(void) {{ return 0; }}"
            for s in sorted(self.defined)
        ]
        parts += [
            f"{weak if s in self.weakly else ''}int {s}(void);"
            for s in sorted(self.used | self.weakly)
        ]
        unique = f"{self.folder}_{self.name[:-3]}"
        calls = " + ".join(f"{s}()" for s in sorted(self.used | self.weakly)) or "0"
        return "\n".join([*parts, f"int call_{unique}(void) {{ return {calls}; }}"])


@st.composite
def libraries(draw: st.DrawFn) -> tuple[list[Library], frozenset[str]]:
    """The objects in the order in which they are built, and the names that have versions."""
    versioned = draw(st.frozensets(st.sampled_from(NAMES), max_size=2))
    some = st.frozensets(st.sampled_from(SYMBOLS), max_size=2)
    built = []
    count = draw(st.integers(2, len(NAMES)))
    for number in reversed(range(count)):
        for folder in draw(st.sampled_from(("a", "a", "b", "ab"))):
            missing = ("libgone.so",) if draw(st.integers(0, 15)) == 0 else ()
            needed = draw(st.lists(st.sampled_from(NAMES[:count]), max_size=3, unique=True))
            defined = draw(some)
            built.append(
                Library(
                    folder,
                    NAMES[number],
                    (*needed, *missing),
                    draw(st.sampled_from(("rpath", "runpath", "runpath"))),
                    draw(st.sampled_from(PATHS)),
                    defined,
                    draw(some) & defined,
                    draw(some) - defined if draw(st.integers(0, 2)) else frozenset(),
                    draw(some) - defined,
                )
            )  # fmt: skip
    return built, versioned


def build(workshop: Workshop, graph: tuple[list[Library], frozenset[str]]) -> Path:
    """Build all of it; the path of the last one, which is the root of the graph."""
    made, versioned = graph
    done: dict[str, Path] = {}
    path = workshop.directory
    for library in made:
        script = None
        if library.name in versioned:
            number = NAMES.index(library.name)
            # A node of its own for each name, there from the start, whatever symbols are in it.
            script = f"V{number} {{ global: s*; call_*; }};"
        path = workshop.library(
            f"{library.folder}/{library.name}",
            library.code,
            needed=[done.get(name, name) if name in versioned else name for name in library.needed],
            script=script,
            **{library.tag: library.paths},
        )
        done[library.name] = path
    return path


def kind_of(error: str) -> tuple[str, ...]:
    """Which of its messages it is, and what about; of an undefined symbol only where."""
    if ": undefined symbol: " in error:
        return "undefined symbol", error.partition(": undefined")[0]
    if match := re.match(r"(.*): version `(.*)' not found", error):
        return "version", match[1], match[2]
    return "file", error


@settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
@given(graph=libraries(), preloaded=st.sampled_from((None, None, "a/lib1.so", "a/lib2.so")))
def test_random_graphs(
    tmp_path_factory: pytest.TempPathFactory,
    stubs: Path,
    host: Path,
    graph: tuple[list[Library], frozenset[str]],
    preloaded: str | None,
) -> None:
    workshop = Workshop(tmp_path_factory.mktemp("graph").resolve(), stubs)
    subject = build(workshop, graph)
    preload = [workshop.directory / preloaded] if preloaded else []
    preload = [path for path in preload if path.exists() and path != subject]
    real = dlopen(host, subject, preload=preload, now=False)
    bound = dlopen(host, subject, preload=preload)
    resolution = resolve(str(subject), host=str(host), preload=map(str, preload))
    ours = answer_of(resolution)
    if real.error is None or ours.error is None:
        # Bindings are told of what is bound; a preload that would fail then is bound when called.
        found = differences(bound if bound.error is None else replace(real, bindings={}), ours)
        if bound.error is not None:
            found = [line for line in found if not line.startswith("binding")]
        assert not found, found
    else:
        assert kind_of(ours.error) == kind_of(real.error)
        if " undefined symbol: " in real.error:
            name = real.error.rpartition("undefined symbol: ")[2].partition(",")[0]
            assert name in {s for finding in resolution.findings for s in finding.symbols}
