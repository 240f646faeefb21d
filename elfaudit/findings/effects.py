"""What a patch is, for whoever tells of it: what changes about a file, and about its process."""

from __future__ import annotations

from dataclasses import dataclass

from .model import Verdict

__all__ = ["Effects", "FilePatch", "Rebound"]


@dataclass(frozen=True, slots=True)
class Rebound:
    """A reference that binds to something else after a patch.

    Attributes:
        object: the file that refers, as the user can name it.
        name, version: the symbol (mangled); version None where none is asked for.
        before: the file that supplies it now, or None.
        after: the file that will, or None.
    """

    object: str
    name: str
    version: str | None
    before: str | None
    after: str | None


@dataclass(frozen=True, slots=True)
class Effects:
    """What becomes of a file's process.

    Attributes:
        before: the verdict on the file as it is.
        error: the message the loader prints first now; None unless it FAILS.
        after: the verdict on the file as it will be.
        error_after: the message then.
        missing: libraries that the loader does not find then and does not miss now.
        lent: libraries that the loader only finds because they were named as providers.
        bound: references that nobody answers now, and somebody will.
        moved: references that somebody else answers then: interposition.
        lost: references that somebody answers now, and nobody will.
    """

    before: Verdict
    error: str | None
    after: Verdict
    error_after: str | None
    missing: tuple[str, ...]
    lent: tuple[str, ...]
    bound: tuple[Rebound, ...]
    moved: tuple[Rebound, ...]
    lost: tuple[Rebound, ...]

    @property
    def spoils(self) -> bool:
        """Whether a file that loads now will not, by more than a library that is not here."""
        fails = self.before is Verdict.LOADS and self.after is Verdict.FAILS
        return fails and not self.missing


@dataclass(frozen=True, slots=True)
class FilePatch:
    """What is changed about one ELF file.

    Attributes:
        name: the file, as the user can name it.
        needed: whether it changes at all.
        done: what is done, a clause each; also what there is nothing to do about.
        how: where in the file that is put, a clause each.
        notes: what could not be checked, and other things to know, a sentence each.
        old_size: of the file now, in bytes.
        new_size: of the file then.
        written: how many bytes are written over what is there, or behind it.
        effects: what becomes of its process; None where that was not asked or cannot be told.
        reversible: whether the new file carries the way back to what it was first.
    """

    name: str
    needed: bool
    done: tuple[str, ...]
    how: tuple[str, ...]
    notes: tuple[str, ...]
    old_size: int
    new_size: int
    written: int
    effects: Effects | None
    reversible: bool = False

    @property
    def warns(self) -> bool:
        """Whether a binding changes its provider or is lost, or the file will not load any more."""
        effects = self.effects
        return effects is not None and bool(effects.moved or effects.lost or effects.spoils)
