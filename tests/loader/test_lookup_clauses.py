"""One test for each clause of ``check_match`` and ``do_lookup_x`` (glibc ``elf/dl-lookup.c``).

Each asks for a symbol that two libraries have: a clause decides whether the first one serves. Where
no linker writes what a clause is about, the built file is changed.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest

from elfaudit.api import resolve
from elfaudit.elf import read_elf
from elfaudit.loader.lookup import answers_plain, plain_names
from tests.oracle import dlopen, start, trace
from tests.oracle.assembly import Define, Kind, Refer, Way
from tests.oracle.compare import agree, answer_of, differing_bindings
from tests.oracle.edit import dynamic_value, patch, set_symbol, set_version, symbol_rows
from tests.oracle.foundry import Foundry, Part, needed_stub
from tests.oracle.opener import open_each

pytestmark = pytest.mark.oracle

_DT_VERNEED = 0x6FFFFFFE
HIDDEN = 0x8000
NODES = ("V1", "V2", "V3")
PLAIN = (Define("f"),)
Edit = Callable[[Path], None]


class Duel:
    """Two libraries, ``first`` and ``second``, and ``ask``, which needs both and refers to ``f``.

    Args:
        directory: where they are built.
        foundry, host: builds and opens them.
    """

    def __init__(self, directory: Path, foundry: Foundry, host: Path) -> None:
        self.directory = directory
        self._foundry = foundry
        self.host = host

    def build(self, part: Part) -> Path:
        return self._foundry.build(self.directory, part)

    def library(self, name: str, defined: Iterable[Define], nodes: Iterable[str] = ()) -> Path:
        file = f"lib{name}.so"
        return self.build(Part(file, file, tuple(defined), nodes=tuple(nodes)))

    def ask(self, refer: Refer | None = None, versions: tuple[Define, ...] = ()) -> Path:
        """The library that asks: for a version if it is linked with a ``second`` that has it."""
        nodes = NODES if versions else ()
        needed = (needed_stub("libfirst.so"), needed_stub("libsecond.so", versions, nodes))
        refers = (refer or Refer("f", Way.WORD),)
        return self.build(Part("libask.so", "libask.so", (), refers, (), needed, runpath="$ORIGIN"))

    def winner(self, ask: Path, name: str = "f", version: str | None = None) -> str | None:
        """Whom the loader binds a reference to, which must be whom we do."""
        real = dlopen(self.host, ask)
        agree(real, resolve(str(ask), host=str(self.host)))
        assert real.error is None
        found = real.bindings.get((str(ask), name, version))
        return Path(found).name[3:-3] if found else None


@pytest.fixture
def duel(tmp_path: Path, foundry: Foundry, host: Path) -> Duel:
    return Duel(tmp_path.resolve(), foundry, host)


def of(path: Path, name: str = "f", *, at: int = 0) -> int:
    """The row of a symbol, of several the one at that place."""
    return symbol_rows(path, name)[at]


class TestWhatIsADefinition:
    """The value, the section and the type, before any version."""

    def test_value_zero_is_none(self, duel: Duel) -> None:
        first = duel.library("first", PLAIN)
        set_symbol(first, of(first), value=0)
        duel.library("second", PLAIN)
        assert duel.winner(duel.ask()) == "second"

    def test_value_zero_is_one_if_absolute(self, duel: Duel) -> None:
        duel.library("first", [Define("f", Kind.ZERO)])
        duel.library("second", PLAIN)
        assert duel.winner(duel.ask()) == "first"

    @pytest.mark.parametrize("way", [Way.TLS, Way.DYNAMIC_TLS])
    def test_value_zero_is_one_if_thread_local(self, duel: Duel, way: Way) -> None:
        first = duel.library("first", [Define("f", Kind.TLS)])
        set_symbol(first, of(first), value=0)
        duel.library("second", [Define("f", Kind.TLS)])
        assert duel.winner(duel.ask(Refer("f", way))) == "first"

    @pytest.mark.parametrize(
        ("kind", "counts"),
        [(0, True), (1, True), (2, True), (3, False), (4, False), (5, True), (6, True)]
        + [(kind, False) for kind in (7, 8, 9, 11, 12, 13, 14, 15)],
    )
    def test_types_that_count(self, duel: Duel, kind: int, counts: bool) -> None:
        first = duel.library("first", PLAIN)
        set_symbol(first, of(first), kind=kind)
        duel.library("second", PLAIN)
        assert duel.winner(duel.ask()) == ("first" if counts else "second")

    def test_an_indirect_function_counts(self, duel: Duel) -> None:
        duel.library("first", [Define("f", Kind.IFUNC)])
        duel.library("second", PLAIN)
        assert duel.winner(duel.ask()) == "first"

    @pytest.mark.parametrize(("visibility", "counts"), [(1, False), (2, False), (3, True)])
    def test_visibilities_that_count(self, duel: Duel, visibility: int, counts: bool) -> None:
        first = duel.library("first", PLAIN)
        set_symbol(first, of(first), visibility=visibility)
        duel.library("second", PLAIN)
        assert duel.winner(duel.ask()) == ("first" if counts else "second")

    @pytest.mark.parametrize(
        ("binding", "counts"), [(0, False), (1, True), (2, True), (3, False), (10, True)]
    )
    def test_bindings_that_count(self, duel: Duel, binding: int, counts: bool) -> None:
        first = duel.library("first", PLAIN)
        set_symbol(first, of(first), binding=binding)
        duel.library("second", PLAIN)
        assert duel.winner(duel.ask()) == ("first" if counts else "second")

    def test_an_undefined_symbol_is_none(self, duel: Duel) -> None:
        duel.build(Part("libfirst.so", "libfirst.so", (), (Refer("f", weak=True),)))
        duel.library("second", PLAIN)
        assert duel.winner(duel.ask()) == "second"

    @pytest.mark.parametrize(("binding", "winner"), [(0, None), (1, "first"), (2, "first")])
    def test_a_local_reference_is_none(self, duel: Duel, binding: int, winner: str | None) -> None:
        """Whoever has the name: it is what stands there (``RESOLVE_MAP``)."""
        duel.library("first", PLAIN)
        duel.library("second", PLAIN)
        ask = duel.ask()
        set_symbol(ask, of(ask), binding=binding)
        assert duel.winner(ask) == winner

    def test_nobody_need_have_what_is_weak(self, duel: Duel) -> None:
        duel.library("first", ())
        duel.library("second", ())
        assert duel.winner(duel.ask(Refer("f", Way.GOT, weak=True))) is None


class TestAReferenceWithAVersion:
    """It asks for ``V1``, which ``second`` has."""

    V1 = (Define("f", version="V1"),)

    def asked(self, duel: Duel) -> str | None:
        duel.library("second", self.V1, NODES)
        return duel.winner(duel.ask(Refer("f", Way.CALL, "V1"), self.V1), version="V1")

    def test_takes_any_definition_without_a_version_table(self, duel: Duel) -> None:
        duel.library("first", PLAIN)
        assert self.asked(duel) == "first"

    @pytest.mark.parametrize("default", [True, False])
    def test_takes_its_version_hidden_or_not(self, duel: Duel, default: bool) -> None:
        duel.library("first", [Define("f", version="V1", default=default)], NODES)
        assert self.asked(duel) == "first"

    def test_takes_its_version_from_whatever_file(self, duel: Duel) -> None:
        """The name of the file in the Verneed is for the check of versions alone."""
        duel.library("first", self.V1, NODES[:1])
        assert self.asked(duel) == "first"

    @pytest.mark.parametrize("default", [True, False])
    def test_refuses_another_version(self, duel: Duel, default: bool) -> None:
        duel.library("first", [Define("f", version="V2", default=default)], NODES)
        assert self.asked(duel) == "second"

    def test_takes_the_global_version_of_an_object_that_has_others(self, duel: Duel) -> None:
        duel.library("first", PLAIN, NODES)
        assert self.asked(duel) == "first"

    @pytest.mark.parametrize(("index", "winner"), [(0, "first"), (1, "first")])
    def test_takes_index_zero_and_one(self, duel: Duel, index: int, winner: str) -> None:
        first = duel.library("first", [Define("f", version="V2")], NODES)
        set_version(first, of(first), index)
        assert self.asked(duel) == winner

    @pytest.mark.parametrize("index", [0, 1])
    def test_refuses_the_global_version_if_that_is_hidden(self, duel: Duel, index: int) -> None:
        first = duel.library("first", PLAIN, NODES)
        set_version(first, of(first), HIDDEN | index)
        assert self.asked(duel) == "second"

    def test_a_hidden_reference_takes_nothing_but_its_version(self, duel: Duel) -> None:
        duel.library("second", self.V1, NODES)
        ask = duel.ask(Refer("f", Way.CALL, "V1"), self.V1)
        other = dynamic_value(ask, _DT_VERNEED) + 16 + 6
        (index,) = struct.unpack_from("<H", ask.read_bytes(), other)
        patch(ask, other, struct.pack("<H", HIDDEN | index))
        duel.library("first", PLAIN, NODES)
        assert duel.winner(ask, version="V1") == "second"
        duel.library("first", [Define("f", version="V1", default=False)], NODES)
        assert duel.winner(ask, version="V1") == "first"
        duel.library("first", PLAIN)  # without a table of versions nothing is compared
        assert duel.winner(ask, version="V1") == "first"


class TestAReferenceWithoutAVersion:
    """Version indices 0 to 2 at once, else the only one that is not hidden."""

    @pytest.mark.parametrize(
        ("index", "winner"),
        [
            *((index, "first") for index in range(5)),
            *((HIDDEN | index, "first") for index in range(3)),
            *((HIDDEN | index, "second") for index in (3, 4)),
        ],
    )
    def test_by_index(self, duel: Duel, index: int, winner: str) -> None:
        first = duel.library("first", [Define("f", version="V3")], NODES)
        set_version(first, of(first), index)
        duel.library("second", PLAIN)
        assert duel.winner(duel.ask()) == winner
        assert self.told_alone(first) == (winner == "first")

    @pytest.mark.parametrize("way", [Way.CALL, Way.GOT])
    @pytest.mark.parametrize(
        ("indices", "winner"),
        [
            ((3, 4), "second"),
            ((HIDDEN | 3, 4), "first"),
            ((3, HIDDEN | 4), "first"),
            ((HIDDEN | 3, HIDDEN | 4), "second"),
            ((2, 4), "first"),
            ((4, HIDDEN | 2), "first"),
        ],
    )
    def test_of_two(self, duel: Duel, indices: tuple[int, int], winner: str, way: Way) -> None:
        both = [Define("f", version="V3"), Define("f", version="V2", default=False)]
        first = duel.library("first", both, NODES)
        for place, index in enumerate(indices):
            set_version(first, of(first, at=place), index)
        duel.library("second", PLAIN)
        assert duel.winner(duel.ask(Refer("f", way))) == winner
        assert self.told_alone(first) == (winner == "first")

    def told_alone(self, path: Path) -> bool:
        """Whether a library answers, by what is asked of one that is in no process."""
        symbols = read_elf(path).symbols
        told = answers_plain(symbols, [each for each in symbols.exports() if each.name == "f"])
        assert told == ("f" in plain_names(symbols))
        return told

    def test_the_index_of_the_reference_says_whether_it_has_one(self, duel: Duel) -> None:
        """A reference at the global index asks for no version, whatever the object requires."""
        versions = (Define("f", version="V1"), Define("g", version="V1"))
        duel.library("first", [Define("f", version="V2", default=False)], NODES[1:2])
        duel.library("second", versions, NODES)
        ask = duel.ask(Refer("f", Way.CALL, "V1"), versions)
        set_version(ask, of(ask), 1)
        assert duel.winner(ask) == "first"


class TestPrograms:
    """What only a program at a fixed address has; its references are told by a trace."""

    def program(self, duel: Duel, refers: Iterable[Refer], stub: Define) -> Path:
        needed = (needed_stub("libask.so"), needed_stub("libsecond.so", [stub]))
        return duel.build(
            Part("p", None, (), tuple(refers), (), needed, None, "$ORIGIN", kind="fixed")
        )

    def both(self, program: Path) -> dict[tuple[str, str, str | None], frozenset[str]]:
        real, ours = trace(program, program=True), resolve(str(program))
        assert not differing_bindings(real, answer_of(ours))
        return {key: frozenset(value) for key, value in real.providers.items()}

    @pytest.mark.parametrize(
        ("way", "winner"), [(Way.WORD, "p"), (Way.GOT, "p"), (Way.CALL, "libsecond.so")]
    )
    def test_an_undefined_symbol_with_a_value(self, duel: Duel, way: Way, winner: str) -> None:
        duel.library("second", PLAIN)
        ask = duel.build(Part("libask.so", "libask.so", (), (Refer("f", way),)))
        found = self.both(self.program(duel, [Refer("f", Way.FIXED)], Define("f")))
        assert found[(str(ask), "f", None)] == {str(duel.directory / winner)}

    def test_a_copy_skips_the_program(self, duel: Duel) -> None:
        variable = Define("f", Kind.DATA)
        second = duel.library("second", [variable])
        ask = duel.build(Part("libask.so", "libask.so", (), (Refer("f", Way.WORD),)))
        program = self.program(duel, [Refer("f", Way.FIXED)], variable)
        found = self.both(program)
        assert found[(str(ask), "f", None)] == {str(program)}
        assert found[(str(program), "f", None)] == {str(second)}

    @pytest.mark.parametrize(("kind", "refused"), [(Kind.IFUNC, True), (Kind.FUNC, False)])
    def test_an_indirect_function_that_cannot_be_resolved_yet(
        self, duel: Duel, kind: Kind, refused: bool
    ) -> None:
        """The program is relocated last; whoever refers to its IFUNC before cannot be served."""
        duel.build(Part("libask.so", "libask.so", (), (Refer("f", Way.WORD),)))
        needed = (needed_stub("libask.so"),)
        defined = (Define("f", kind),)
        flags = ("--export-dynamic",)
        program = duel.build(
            Part("p", None, defined, (), (), needed, None, "$ORIGIN", (), flags, kind="pie")
        )
        real = start(program, now=False)
        assert (real.error is not None) == refused
        assert resolve(str(program)).error == real.error


class TestScope:
    """Whose definitions are looked at, and in which order."""

    def test_the_first_wins_even_if_weak(self, duel: Duel) -> None:
        duel.library("first", [Define("f", weak=True)])
        duel.library("second", PLAIN)
        assert duel.winner(duel.ask()) == "first"

    @pytest.mark.parametrize(("symbolic", "winner"), [(False, "first"), (True, "own")])
    def test_an_object_that_looks_in_itself_first(
        self, duel: Duel, symbolic: bool, winner: str
    ) -> None:
        duel.library("first", PLAIN)
        refers = (Refer("f", Way.WORD),)
        own = duel.build(Part("libown.so", "libown.so", PLAIN, refers, symbolic=symbolic))
        needed = (needed_stub("libfirst.so"), needed_stub("libown.so"))
        top = duel.build(Part("libtop.so", None, (), (), (), needed, runpath="$ORIGIN"))
        real = dlopen(duel.host, top)
        agree(real, resolve(str(top), host=str(duel.host)))
        assert Path(real.bindings[(str(own), "f", None)]).name == f"lib{winner}.so"

    @pytest.mark.parametrize("version", [None, "V1"])
    def test_a_unique_symbol_is_that_of_the_first_who_was_asked(
        self, duel: Duel, version: str | None
    ) -> None:
        unique = (Define("f", Kind.UNIQUE, version),)
        nodes = NODES if version else ()
        duel.library("first", unique, nodes)
        refers = (Refer("f", Way.WORD),)
        duel.build(Part("libown.so", "libown.so", unique, refers, nodes, symbolic=True))
        asked = Part(
            "libasked.so", "libasked.so", (), refers, (), (needed_stub("libfirst.so"),),
            runpath="$ORIGIN",
        )  # fmt: skip
        duel.build(asked)
        # Without the one table `own` would find itself, and `asked` what comes first in the scope.
        needed = tuple(needed_stub(f"lib{name}.so") for name in ("first", "own", "asked"))
        top = duel.build(Part("libtop.so", None, (), (), (), needed, runpath="$ORIGIN"))
        real = dlopen(duel.host, top)
        agree(real, resolve(str(top), host=str(duel.host)))
        bound = {key[0]: to for key, to in real.bindings.items() if key[1] == "f"}
        users = {Path(user).name: Path(to).name for user, to in bound.items()}
        assert users["libown.so"] == users["libasked.so"]

    @pytest.mark.parametrize(
        ("before", "winner"),
        [("first:global", "first"), ("first", "second"), ("first:global,deepbind", "first")],
    )
    def test_the_global_scope_comes_before_the_local_one(
        self, duel: Duel, opener: Path, before: str, winner: str
    ) -> None:
        name, colon, flags = before.partition(":")
        first = duel.library(name, PLAIN)
        duel.library("second", PLAIN)
        needed = (needed_stub("libsecond.so"),)
        refers = (Refer("f", Way.WORD),)
        ask = duel.build(Part("libask.so", "libask.so", (), refers, (), needed, runpath="$ORIGIN"))
        opens = [f"{first}{colon}{flags}"]
        real = open_each(opener, [*opens, ask], now=True)
        agree(real.answer, resolve(str(ask), host=str(opener), dlopen=opens))
        assert Path(real.answer.bindings[(str(ask), "f", None)]).name == f"lib{winner}.so"

    @pytest.mark.parametrize(("flags", "winner"), [("", "first"), (":deepbind", "second")])
    def test_deepbind_puts_the_local_scope_first(
        self, duel: Duel, opener: Path, flags: str, winner: str
    ) -> None:
        first = duel.library("first", PLAIN)
        duel.library("second", PLAIN)
        needed = (needed_stub("libsecond.so"),)
        refers = (Refer("f", Way.WORD),)
        deep = duel.build(Part("libdeep.so", None, (), refers, (), needed, runpath="$ORIGIN"))
        last = duel.library("last", ())
        opens = [f"{first}:global", f"{deep}{flags}"]
        real = open_each(opener, [*opens, last], now=True)
        agree(real.answer, resolve(str(last), host=str(opener), dlopen=opens))
        assert Path(real.answer.bindings[(str(deep), "f", None)]).name == f"lib{winner}.so"
