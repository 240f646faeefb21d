"""Random small graphs of objects, as hypothesis strategies: all that a linker can be made to write.

A graph has a few names; each name may stand for another object in each of a few directories. What
an object is linked with need not be what is found when it is loaded: versions go missing that way.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from hypothesis import strategies as st

from .assembly import Define, Kind, Refer, Way
from .foundry import Foundry, Part, needed_stub

__all__ = ["CALM", "WILD", "Features", "Graph", "graphs", "place"]

SYMBOLS = ("s0", "s1", "s2", "s3")
THREAD = ("t0", "t1")
NAMES = ("lib0.so", "lib1.so", "lib2.so", "lib3.so", "lib4.so")
FOLDERS = ("a", "b", "c")
NODES = ("V1", "V2")
_PATHS = (
    "$ORIGIN", "$ORIGIN/../a", "$ORIGIN/../b", "${ORIGIN}/../c", "{here}/a", "{here}/b/",
    "/nowhere", "$ORIGIN/../a/../b",
)  # fmt: skip
_RELATIVE = ("", "c")
_LIBRARY_PATHS = (None, None, "{here}/b", "{here}/a/;{here}/c", "$ORIGIN", "")
_RELATIVE_PATHS = ("a", "c:;{here}/a", ":b")


@dataclass(frozen=True)
class Features:
    """Which rarer things a graph may have."""

    kinds: tuple[Kind, ...] = (*Kind,)
    filters: bool = False
    relative: bool = False
    no_default: bool = False
    ifunc_of_program: bool = False


CALM = Features()
WILD = Features(filters=True, relative=True, no_default=True, ifunc_of_program=True)


@dataclass(frozen=True)
class Graph:
    """Everything of one example; ``{here}`` in paths is the directory it is put in.

    Attributes:
        parts: the objects in the order in which they are built; a later one replaces an earlier
            one of the same path.
        links: (path, what it leads to, whether it is a hard link).
        subject: path of the object that is asked about.
        preload: LD_PRELOAD.
        library_path: LD_LIBRARY_PATH.
        opens: what the program opens before, ``PATH`` or ``PATH:FLAGS``.
    """

    parts: tuple[Part, ...]
    links: tuple[tuple[str, str, bool], ...]
    subject: str
    preload: tuple[str, ...] = ()
    library_path: str | None = None
    opens: tuple[str, ...] = ()


def place(graph: Graph, foundry: Foundry, here: Path, inside: Path | None = None) -> Path:
    """Build a graph in a directory, which is emptied first; the path of its subject.

    ``inside`` is how the directory is called where the graph is looked at, if that is elsewhere.
    """
    shutil.rmtree(here, ignore_errors=True)
    for folder in FOLDERS:
        (here / folder).mkdir(parents=True)
    for part in graph.parts:
        foundry.build(here, _placed(part, inside or here))
    for path, target, hard in graph.links:
        link = here / path
        if link.exists() or link.is_symlink() or not (here / target).exists():
            continue
        if hard:
            link.hardlink_to(here / target)
        else:
            link.symlink_to(os.path.relpath(here / target, link.parent))
    return here / graph.subject


def _placed(part: Part, here: Path) -> Part:
    def put(text: str | None) -> str | None:
        return None if text is None else text.replace("{here}", str(here))

    return replace(part, rpath=put(part.rpath), runpath=put(part.runpath))


@st.composite
def _definitions(draw: st.DrawFn, features: Features) -> tuple[tuple[str, ...], tuple[Define, ...]]:
    """Version nodes, and what is defined: of each name one plain or default one, some hidden."""
    nodes = draw(st.sampled_from(((), (), NODES[:1], NODES)))
    found = []
    for name in sorted(draw(st.frozensets(st.sampled_from((*SYMBOLS, *THREAD)), max_size=4))):
        kinds = [kind for kind in features.kinds if kind is not Kind.TLS]
        kind = Kind.TLS if name in THREAD else draw(st.sampled_from(kinds))
        version = draw(st.sampled_from((None, *nodes, *nodes)))
        weak = kind is not Kind.UNIQUE and draw(st.integers(0, 3)) == 0
        visibility = None
        if kind is not Kind.UNIQUE:
            visibility = draw(st.sampled_from((None, None, None, None, "protected", "hidden")))
        default = version is None or draw(st.booleans())
        found.append(Define(name, kind, version, default, weak, visibility))
        others = [node for node in nodes if node != version and draw(st.integers(0, 2)) == 0]
        found += [Define(name, kind, node, default=False) for node in others]
    return nodes, tuple(found)


@st.composite
def _references(
    draw: st.DrawFn,
    linked: Sequence[Part],
    own: Sequence[Define],
    features: Features,
    *,
    program: bool = False,
    fixed: bool = False,
) -> tuple[Refer, ...]:
    # The assembler knows the value of its own absolute symbols.
    known = {d.name for d in own if d.kind in (Kind.ABSOLUTE, Kind.ZERO)}
    # The linker turns one TLS access into another where a symbol has both.
    threads = {name: draw(st.sampled_from((Way.TLS, Way.DYNAMIC_TLS))) for name in THREAD}
    versions = {d.name: d.version for part in linked for d in part.defined if d.version}
    ways = [Way.CALL, Way.GOT, Way.WORD]
    if fixed:
        ways += [Way.FIXED, Way.FIXED]
    found = []
    for name in draw(st.lists(st.sampled_from((*SYMBOLS, *THREAD)), max_size=5)):
        if name in known:
            continue
        if name in THREAD:
            way = Way.TLS if program else threads[name]
        else:
            way = draw(st.sampled_from(ways))
        version = versions.get(name) if draw(st.booleans()) else None
        weak = way is not Way.FIXED and draw(st.integers(0, 4)) == 0
        found.append(Refer(name, way, version, weak))
    return tuple(dict.fromkeys(found))


@st.composite
def _parts(draw: st.DrawFn, features: Features) -> tuple[Part, ...]:
    """The libraries, the one that should be the root of the graph last."""
    count = draw(st.integers(2, len(NAMES)))
    names = NAMES[:count]
    interfaces = {name: draw(_definitions(features)) for name in names}
    sonames = {
        name: draw(st.sampled_from((name, name, name, f"{name}.1", names[0], None)))
        for name in names
    }
    found = []
    for name in reversed(names):
        for folder in draw(st.sampled_from(("a", "a", "b", "ab", "abc"))):
            same = draw(st.integers(0, 3))
            nodes, defined = interfaces[name] if same else draw(_definitions(features))
            linked = draw(_linked(names, sonames, interfaces))
            found.append(
                Part(
                    f"{folder}/{name}",
                    sonames[name],
                    defined,
                    draw(_references(linked, defined, features)),
                    nodes,
                    linked,
                    *draw(_search_paths(features)),
                    filters=draw(_filters(names)) if features.filters else (),
                    flags=draw(_flags(features)),
                    symbolic=draw(st.integers(0, 7)) == 0,
                )
            )
    return tuple(found)


@st.composite
def _linked(
    draw: st.DrawFn,
    names: Sequence[str],
    sonames: dict[str, str | None],
    interfaces: dict[str, tuple[tuple[str, ...], tuple[Define, ...]]],
) -> tuple[Part, ...]:
    """Stubs of what an object is linked with, under the SONAME or another name."""
    found = []
    for name in draw(st.lists(st.sampled_from(names), max_size=3, unique=True)):
        nodes, defined = interfaces[name]
        listed = draw(
            st.sampled_from((sonames[name] or name, sonames[name] or name, name, f"$ORIGIN/{name}"))
        )
        found.append(needed_stub(listed, defined, nodes))
    if draw(st.integers(0, 20)) == 0:
        found.append(needed_stub("libgone.so"))
    return tuple({part.soname: part for part in found}.values())


@st.composite
def _search_paths(draw: st.DrawFn, features: Features) -> tuple[str | None, str | None]:
    """(RPATH, RUNPATH)."""
    paths = (*_PATHS, *_PATHS, *_RELATIVE) if features.relative else _PATHS
    elements = draw(st.lists(st.sampled_from(paths), min_size=1, max_size=3))
    text = ":".join(("$ORIGIN/../a", *elements) if draw(st.booleans()) else elements)
    tag = draw(st.sampled_from(("rpath", "runpath", "runpath", "none")))
    return (text if tag == "rpath" else None, text if tag == "runpath" else None)


@st.composite
def _filters(draw: st.DrawFn, names: Sequence[str]) -> tuple[tuple[str, str], ...]:
    if draw(st.integers(0, 5)):
        return ()
    option = draw(st.sampled_from(("-F", "-f")))
    return ((option, draw(st.sampled_from((*names, "libgone.so")))),)


@st.composite
def _flags(draw: st.DrawFn, features: Features) -> tuple[str, ...]:
    found = [f"--hash-style={draw(st.sampled_from(('gnu', 'gnu', 'sysv', 'both')))}"]
    if draw(st.integers(0, 9)) == 0:
        found.append("-znow")
    if features.no_default and draw(st.integers(0, 15)) == 0:
        found.append("-znodefaultlib")
    return tuple(found)


@st.composite
def _links(draw: st.DrawFn, parts: Sequence[Part]) -> tuple[tuple[str, str, bool], ...]:
    found = []
    for part in draw(st.lists(st.sampled_from(parts), max_size=3)):
        name = draw(
            st.sampled_from((part.soname or "x.so", f"{Path(part.path).name}.1", "lib4.so"))
        )
        folder = draw(st.sampled_from(FOLDERS))
        found.append((f"{folder}/{name}", part.path, draw(st.booleans())))
    return tuple(found)


@st.composite
def graphs(
    draw: st.DrawFn, features: Features = CALM, *, program: bool = False, opens: bool = False
) -> Graph:
    """A graph whose subject is a library, or a program; with ``opens`` also what was opened."""
    parts = draw(_parts(features))
    libraries = parts
    if program:
        root = parts[-1]
        # Without anything needed a program at a fixed address is static.
        kind = draw(st.sampled_from(("pie", "fixed") if root.needed else ("pie",)))
        linked = root.needed
        defined = tuple(
            d
            for d in root.defined
            if (d.visibility, d.version) == (None, None)
            and (d.kind is not Kind.IFUNC or features.ifunc_of_program)
        )
        refers = draw(_references(linked, defined, features, program=True, fixed=kind == "fixed"))
        main = replace(
            root, path="a/program", soname=None, referred=refers, kind=kind, symbolic=False,
            nodes=(), defined=defined, filters=(),
            flags=(*root.flags, "--export-dynamic"),
        )  # fmt: skip
        parts = (*parts, main)
    loose = [f"{{here}}/{part.path}" for part in libraries if part is not parts[-1]]
    preload: tuple[str, ...] = ()
    if loose and draw(st.integers(0, 2)) == 0:
        choices = st.sampled_from((*loose, "lib1.so", "{here}/a/gone.so"))
        preload = tuple(draw(st.lists(choices, min_size=1, max_size=2, unique=True)))
    opened: list[str] = []
    if opens and loose:
        for path in draw(st.lists(st.sampled_from(loose), min_size=1, max_size=3)):
            flags = draw(
                st.sampled_from(("", "", ":global", ":lazy", ":lazy,deepbind", ":global,deepbind"))
            )
            opened.append(path + flags)
    return Graph(
        parts,
        draw(_links(libraries)),
        parts[-1].path,
        preload,
        draw(st.sampled_from(_LIBRARY_PATHS + (_RELATIVE_PATHS if features.relative else ()))),
        tuple(opened),
    )
