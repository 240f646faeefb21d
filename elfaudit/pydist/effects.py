"""What the modules of a package do to each other: names they set, modules they make."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from .answers import Answer, Presence
from .resolving import absolute
from .surface import MadeModule, SetName, Surface

__all__ = ["Effects", "effects_of"]


@dataclass(frozen=True, slots=True)
class Effects:
    """What the modules of one package do.

    Attributes:
        sets: by the module to which it is done, in full: who does what.
        makes: who puts which modules into ``sys.modules``.
    """

    sets: Mapping[str, tuple[tuple[str, SetName], ...]]
    makes: tuple[tuple[str, MadeModule], ...]

    def name(self, module: str, name: str) -> Answer | None:
        """Whether a name is set on a module by another; None: nobody does that."""
        found: Answer | None = None
        for maker, each in self.sets.get(module, ()):
            if each.name is not None and each.name != name:
                continue
            line = f"{maker}, line {each.line}"
            if each.name is not None and each.certain and _runs_before(maker, module):
                return Answer(Presence.PRESENT, f"set by {line}")
            does = "may set it" if each.name is None else "sets it"
            found = found or Answer(Presence.UNDECIDED, f"{line}, {does}")
        return found

    def module(self, module: str) -> Answer | None:
        """Whether a module without a file is made by another; None: nobody does that."""
        doubt: Answer | None = None
        for maker, each in self.makes:
            line = f"{maker}, line {each.line}"
            if each.complete and each.module == module:
                if each.certain and _runs_before(maker, module):
                    return Answer(Presence.PRESENT, f"made by {line}")
                doubt = Answer(Presence.UNDECIDED, f"{line}, may make it")
            elif not each.complete and module.startswith(each.module):
                doubt = doubt or Answer(Presence.UNDECIDED, f"{line}, may make it")
        return doubt


def _runs_before(maker: str, module: str) -> bool:
    """Whether a module is imported whenever another one is: a package is, before its modules."""
    return module == maker or module.startswith(f"{maker}.")


def effects_of(modules: Iterable[tuple[str, bool, Surface]]) -> Effects:
    """Gather what modules do.

    Args:
        modules: the name of each, whether it is a package, and its facts.
    """
    sets: dict[str, list[tuple[str, SetName]]] = {}
    makes: list[tuple[str, MadeModule]] = []
    for name, is_package, surface in modules:
        for one in surface.sets:
            target = absolute(name, one.level, one.module, is_package=is_package)
            if target is not None:
                sets.setdefault(target, []).append((name, one))
        makes += [(name, made) for made in surface.makes]
    return Effects({key: tuple(values) for key, values in sets.items()}, tuple(makes))
