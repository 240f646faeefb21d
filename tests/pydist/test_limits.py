"""What is kept of large and hostile modules is bounded, and found without going through all."""

from __future__ import annotations

from collections.abc import Iterable

from elfaudit.pydist import Modules, Presence, ask, audit
from elfaudit.pydist.modules import Module
from elfaudit.pydist.reading import read_surface
from elfaudit.pydist.surface import Surface

from .files import MemoryFiles, modules


def test_the_texts_that_a_module_puts_together_have_one_limit() -> None:
    lines = ["s = '" + "a" * 1_900 + "'"]
    lines += [f"s{n} = f'{{s}}{n}'\nt{n} = s + '{n}'" for n in range(2_000)]
    surface = read_surface("\n".join([*lines, "plain = 'b'"]).encode(), "m")
    texts = [each.value for each in surface.constants.values() if isinstance(each.value, str)]
    assert sum(map(len, texts)) < (1 << 20) + 2_000
    assert surface.constants["s0"].value == "a" * 1_900 + "0"
    assert surface.constants["t1999"].problem == "it is computed"
    assert surface.constants["plain"].value == "b"
    assert "t1999" in surface.bound


class _Counting(Modules):
    """Modules that count how often they are gone through."""

    counted = 0

    def below(self, package: str) -> tuple[Module, ...]:
        self.counted += 1
        return super().below(package)


def _counting(files: dict[str, str]) -> _Counting:
    return _Counting((MemoryFiles(files),))


def test_the_modules_are_not_gone_through_for_each_name_that_is_absent() -> None:
    names: Iterable[int] = range(200)
    lines = [f"from .a import gone{n}\nfrom .no{n} import x{n}\n" for n in names]
    found = _counting({"p/__init__.py": "", "p/a.py": "", "p/b.py": "gone7 = 1\n",
                       "p/c/no9.py": "x9 = 1\n", "p/x.py": "".join(lines)})  # fmt: skip
    findings = audit(found, "p").findings
    assert len(findings) == 400
    assert found.counted < 10
    assert {each.homes for each in findings} == {(), ("p.b",), ("p.c.no9",)}


def test_many_modules_of_one_name_are_looked_into_to_some_number() -> None:
    files = {f"p/a{n}/gone.py": "x = 1\n" for n in range(1000)}
    found = _counting({"p/__init__.py": "", **files})
    read: list[str] = []
    surface = found.surface

    def noted(module: Module) -> Surface:
        read.append(module.name)
        return surface(module)

    found.surface = noted  # type: ignore[method-assign]
    assert ask(found, "p.gone", "y").homes == ()
    read.clear()  # all are read once; what follows are questions
    assert ask(found, "p.gone", "z").homes == ()
    assert len(read) < 300


def test_a_name_that_hundreds_define_has_no_homes() -> None:
    files = {f"p/m{n}.py": "main = 1\n" for n in range(300)} | {"p/x.py": ""}
    assert ask(modules(files), "p.x", "main").homes == ()


def test_what_modules_do_to_each_other_is_found_by_name() -> None:
    made = "".join(f"sys.modules['p.k{n}'] = 1\n" for n in range(50))
    many = "".join(f"p.s{n} = 1\n" for n in range(50))
    found = modules({"p/__init__.py": f"import sys\n{made}", "p/a.py": f"import p\n{many}",
                     "p/x.py": "import sys\ndef f(n): sys.modules['p.y' + n] = 1\n"})  # fmt: skip
    effects = found.effects("p")
    assert len(effects.makes) == 50
    assert all(len(each) == 1 for each in effects.makes.values())
    assert len(effects.sets["p"]) == 50
    for name, status in (("p.k49", Presence.PRESENT), ("p.yes", Presence.UNDECIDED),
                         ("p.no", Presence.ABSENT)):  # fmt: skip
        assert ask(found, name, None).status is status


def test_a_mesh_of_star_imports_is_gone_through_once() -> None:
    stars = "".join(f"from .m{n} import *\n" for n in range(30))
    files = {f"p/m{n}.py": f"{stars}x{n} = 1\n" for n in range(30)}
    found = modules({**files, "p/__init__.py": stars, "p/late.py": "from . import *\n"})
    assert ask(found, "p", "x29").status is Presence.PRESENT
    assert ask(found, "p", "gone").status is Presence.ABSENT
    kept = found.star_names["p"]
    assert kept is not None
    assert {"x0", "x29"} <= kept
    assert ask(found, "p.late", "x7").status is Presence.PRESENT


def test_tables_that_hold_too_much_are_not_followed() -> None:
    def surface(count: int) -> bool:
        chain = "".join(f"T{n + 1} = T{n} + ['b{n}']\n" for n in range(count))
        text = f"T0 = ['a']\n{chain}def __getattr__(name):\n    return T0[name]\n"
        lazy = read_surface(text.encode(), "m").lazy
        assert lazy is not None
        return lazy.complete

    assert surface(100)
    assert not surface(900)
