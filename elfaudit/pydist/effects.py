"""What the modules of a package do to each other: names they set, modules they make."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from .answers import Answer, Presence
from .resolving import absolute
from .surface import MadeModule, SetName, Surface

__all__ = ["Effects", "effects_of", "is_test"]


@dataclass(frozen=True, slots=True)
class Effects:
    """What the modules of one package do.

    Attributes:
        sets: by the module to which it is done, in full, and the name, None for those that are
            computed: who does what.
        makes: by the module that is put into ``sys.modules``: who does it.
        begins: by how the names of such modules begin, where the rest is computed: who does it,
            if possible no test, which would do it for other tests only.
    """

    sets: Mapping[str, Mapping[str | None, Sequence[tuple[str, SetName]]]]
    makes: Mapping[str, Sequence[tuple[str, MadeModule]]]
    begins: Mapping[str, tuple[str, MadeModule]]

    def name(self, module: str, name: str) -> Answer | None:
        """Whether a name is set on a module by another; None: nobody does that."""
        found: Answer | None = None
        to_it = self.sets.get(module, {})
        for maker, each in (*to_it.get(name, ()), *to_it.get(None, ())[:1]):
            line = f"{maker}, line {each.line}"
            if each.name is not None and each.certain and _runs_before(maker, module):
                return Answer(Presence.PRESENT, f"set by {line}")
            does = "may set it" if each.name is None else "sets it"
            found = found or Answer(Presence.UNDECIDED, f"{line}, {does}")
        return found

    def module(self, module: str) -> Answer | None:
        """Whether a module without a file is made by another; None: nobody does that."""
        doubt: Answer | None = None
        for maker, each in self.makes.get(module, ()):
            line = f"{maker}, line {each.line}"
            if each.certain and _runs_before(maker, module):
                return Answer(Presence.PRESENT, f"made by {line}")
            doubt = doubt or Answer(Presence.UNDECIDED, f"{line}, may make it")
        for end in range(len(module) + 1) if doubt is None and self.begins else ():
            begun = self.begins.get(module[:end])
            if begun is not None and (is_test(module) or not is_test(begun[0])):
                return Answer(Presence.UNDECIDED, f"{begun[0]}, line {begun[1].line}, may make it")
        return doubt


def is_test(module: str) -> bool:
    """Whether a module is part of the tests of its package: what it computes is for them alone."""
    _, *parts = module.split(".")  # the package itself may be called so
    last = parts[-1] if parts else ""
    return "tests" in parts or last == "conftest" or last.startswith("test_")


def _runs_before(maker: str, module: str) -> bool:
    """Whether a module is imported whenever another one is: a package is, before its modules."""
    return module == maker or module.startswith(f"{maker}.")


def effects_of(modules: Iterable[tuple[str, bool, Surface]]) -> Effects:
    """Gather what modules do.

    Args:
        modules: the name of each, whether it is a package, and its facts.
    """
    sets: dict[str, dict[str | None, list[tuple[str, SetName]]]] = {}
    makes: dict[str, list[tuple[str, MadeModule]]] = {}
    begins: dict[str, tuple[str, MadeModule]] = {}
    for name, is_package, surface in modules:
        for one in surface.sets:
            target = absolute(name, one.level, one.module, is_package=is_package)
            if target is not None:
                sets.setdefault(target, {}).setdefault(one.name, []).append((name, one))
        for made in surface.makes:
            if made.complete:
                makes.setdefault(made.module, []).append((name, made))
            elif made.module not in begins or is_test(begins[made.module][0]):
                begins[made.module] = (name, made)
    return Effects(sets, makes, begins)
