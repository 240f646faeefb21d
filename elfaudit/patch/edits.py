"""What can be changed about a file, and what its dynamic section says afterwards.

Pure: the entries before and some edits give the entries after; where they and their texts are put
in the file is not decided here. Source of the order that is kept: ``_dl_map_object_deps`` (glibc
``elf/dl-deps.c``) loads the NEEDED libraries as they are listed, so whoever stands in front answers
for a symbol that several have.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from ..elf.dynamic import DynamicTag
from ..elf.header import SegmentType
from ..errors import PatchError
from .image import Image, Row

__all__ = [
    "AddNeeded",
    "AddRunpath",
    "Change",
    "ClearExecstack",
    "PatchEdit",
    "RemoveNeeded",
    "RemoveRunpath",
    "ReplaceNeeded",
    "RpathToRunpath",
    "SetRunpath",
    "SetSoname",
    "changed",
]


@dataclass(frozen=True, slots=True)
class AddNeeded:
    """List a library: behind all others, or in front of ``before``, or in front of all.

    A library that stands further in front answers for the symbols that it shares with others.
    """

    name: str
    before: str | None = None
    first: bool = False


@dataclass(frozen=True, slots=True)
class RemoveNeeded:
    """List a library no more."""

    name: str


@dataclass(frozen=True, slots=True)
class ReplaceNeeded:
    """List another library in the place of one; what is required of its versions goes with it."""

    old: str
    new: str


@dataclass(frozen=True, slots=True)
class SetSoname:
    """Give the file another SONAME, or one if it has none."""

    name: str


@dataclass(frozen=True, slots=True)
class SetRunpath:
    """Give the file another RUNPATH, or one if it has none; an RPATH goes."""

    path: str


@dataclass(frozen=True, slots=True)
class AddRunpath:
    """Put a directory, or several, behind those of the RUNPATH; an RPATH without one becomes it."""

    path: str


@dataclass(frozen=True, slots=True)
class RemoveRunpath:
    """Take RUNPATH and RPATH away."""


@dataclass(frozen=True, slots=True)
class RpathToRunpath:
    """Make the RPATH a RUNPATH: LD_LIBRARY_PATH then comes first, and nobody inherits it."""


@dataclass(frozen=True, slots=True)
class ClearExecstack:
    """Do not ask for an executable stack (``PT_GNU_STACK`` without PF_X)."""


PatchEdit = (
    AddNeeded
    | RemoveNeeded
    | ReplaceNeeded
    | SetSoname
    | SetRunpath
    | AddRunpath
    | RemoveRunpath
    | RpathToRunpath
    | ClearExecstack
)


@dataclass(frozen=True, slots=True)
class Change:
    """What a file's dynamic section is to be.

    Attributes:
        rows: its entries; those with a ``text`` have no value yet.
        renamed: libraries whose version requirements go to another name (``vn_file``).
        clear_execstack: whether the stack is not to be executable any more.
        told: what was done, edit by edit, for whoever asked.
    """

    rows: tuple[Row, ...]
    renamed: tuple[tuple[bytes, bytes], ...] = ()
    clear_execstack: bool = False
    told: tuple[str, ...] = ()


def changed(image: Image, edits: Iterable[PatchEdit], required: Sequence[bytes]) -> Change:
    """The entries after some edits, one after the other.

    Args:
        image: the file.
        edits: what to do.
        required: the libraries that the file's version requirements name (``vn_file``).

    Raises:
        PatchError: an edit cannot be done, or would leave what the loader aborts on.
    """
    draft = _Draft(image, list(image.rows), list(required))
    for edit in edits:
        draft.apply(edit)
    return Change(tuple(draft.rows), draft.renamed, draft.clear, tuple(draft.told))


class _Draft:
    """The entries of one file while they are edited."""

    def __init__(self, image: Image, rows: list[Row], required: list[bytes]) -> None:
        self._image = image
        self.rows = rows
        self.clear = False
        self.told: list[str] = []
        self._required_first = tuple(required)
        self._required = required

    @property
    def renamed(self) -> tuple[tuple[bytes, bytes], ...]:
        """What versions were required from, and what they are required from now."""
        pairs = dict(zip(self._required_first, self._required, strict=True))
        return tuple((old, new) for old, new in pairs.items() if old != new)

    def apply(self, edit: PatchEdit) -> None:
        match edit:
            case AddNeeded():
                self._add(edit)
            case RemoveNeeded(name):
                self._remove(self._bytes(name))
            case ReplaceNeeded(old, new):
                self._replace(self._bytes(old), self._bytes(new))
            case SetSoname(name):
                self._set(DynamicTag.SONAME, self._bytes(name), "the SONAME")
            case SetRunpath(path):
                self._set_runpath(self._bytes(path))
            case AddRunpath(path):
                self._add_runpath(self._bytes(path))
            case RemoveRunpath():
                self._drop_paths()
            case RpathToRunpath():
                self._rpath_to_runpath()
            case ClearExecstack():
                self._clear_execstack()

    def _text(self, row: Row) -> bytes:
        return row.text if row.text is not None else self._image.string(row.value)

    def _places(self, tag: int, text: bytes | None = None) -> list[int]:
        """Where entries with a tag stand, and if given a text."""
        return [
            place
            for place, row in enumerate(self.rows)
            if row.tag == tag and (text is None or self._text(row) == text)
        ]

    def _add(self, edit: AddNeeded) -> None:
        name = self._bytes(edit.name)
        listed = self._places(DynamicTag.NEEDED)
        if self._places(DynamicTag.NEEDED, name):
            self.told.append(f"{edit.name} is listed already")
            return
        if edit.before is not None:
            before = self._places(DynamicTag.NEEDED, self._bytes(edit.before))
            if not before:
                raise self._refusal(f"{edit.before} is not listed, nothing can stand before it")
            place = before[0]
        elif edit.first or not listed:
            place = listed[0] if listed else 0
        else:
            place = listed[-1] + 1
        self.rows.insert(place, Row(DynamicTag.NEEDED, 0, name))
        self.told.append(f"{edit.name} is added")

    def _remove(self, name: bytes) -> None:
        places = self._places(DynamicTag.NEEDED, name)
        if not places:
            self.told.append(f"{_text(name)} is not listed")
            return
        if name in self._required:
            raise self._refusal(
                f"{_text(name)} cannot be removed: versions are required from it, and a loader "
                "aborts where it is not there (replace it, or build without it)"
            )
        for place in reversed(places):
            del self.rows[place]
        self.told.append(f"{_text(name)} is removed")

    def _replace(self, old: bytes, new: bytes) -> None:
        places = self._places(DynamicTag.NEEDED, old)
        if not places:
            raise self._refusal(f"{_text(old)} is not listed, there is nothing to replace")
        if old == new:
            self.told.append(f"{_text(old)} is listed already")
            return
        if old in self._required and new in self._required:
            raise self._refusal(
                f"{_text(old)} cannot become {_text(new)}, which is listed as well: versions are "
                "required from both"
            )
        already = self._places(DynamicTag.NEEDED, new)
        for place in reversed(places):
            if already or place != places[0]:
                del self.rows[place]
            else:
                self.rows[place] = Row(DynamicTag.NEEDED, 0, new)
        self._required = [new if name == old else name for name in self._required]
        self.told.append(f"{_text(new)} is listed in the place of {_text(old)}")

    def _set(self, tag: DynamicTag, text: bytes, what: str) -> None:
        """Set the one entry of a tag; the last one is what counts."""
        places = self._places(tag)
        if places and self._text(self.rows[places[-1]]) == text:
            self.told.append(f"{what} is {_text(text)} already")
            return
        if places:
            self.rows[places[-1]] = Row(tag, 0, text)
        else:
            listed = self._places(DynamicTag.NEEDED)
            self.rows.insert(listed[-1] + 1 if listed else 0, Row(tag, 0, text))
        self.told.append(f"{what} is {_text(text)}")

    def _drop(self, tag: DynamicTag) -> bytes | None:
        """Take all entries of a tag away; the text that counted."""
        places = self._places(tag)
        text = self._text(self.rows[places[-1]]) if places else None
        for place in reversed(places):
            del self.rows[place]
        return text

    def _set_runpath(self, path: bytes, told: str | None = None) -> None:
        rpath = self._places(DynamicTag.RPATH)
        if rpath and not self._places(DynamicTag.RUNPATH):
            self.rows[rpath[-1]] = Row(DynamicTag.RUNPATH, 0, path)
            self.told.append(told or f"the RUNPATH is {_text(path)}")
        else:
            self._set(DynamicTag.RUNPATH, path, "the RUNPATH")
        self._drop(DynamicTag.RPATH)

    def _add_runpath(self, path: bytes) -> None:
        runpath = self._places(DynamicTag.RUNPATH)
        places = runpath or self._places(DynamicTag.RPATH)
        old = self._text(self.rows[places[-1]]) if places else b""
        listed = old.split(b":") if old else []
        new = [each for each in dict.fromkeys(path.split(b":")) if each not in listed]
        if not new:
            self.told.append(f"{_text(path)} is in the {'RUNPATH' if runpath else 'RPATH'} already")
            return
        self._set_runpath(b":".join([*listed, *new]))

    def _drop_paths(self) -> None:
        paths = [self._drop(tag) for tag in (DynamicTag.RUNPATH, DynamicTag.RPATH)]
        told = [_text(path) for path in paths if path is not None]
        self.told += [f"the path {path} is removed" for path in told] or ["there is no RUNPATH"]

    def _rpath_to_runpath(self) -> None:
        places = self._places(DynamicTag.RPATH)
        if not places:
            self.told.append("there is no RPATH")
            return
        path = self._text(self.rows[places[-1]])
        if self._places(DynamicTag.RUNPATH):  # _dl_init_paths: RPATH is not looked at then
            self._drop(DynamicTag.RPATH)
            told = f"the RPATH {_text(path)}, which counts for nothing, is removed"
            self.told.append(told)
            return
        self._set_runpath(path, f"the RPATH {_text(path)} is the RUNPATH")

    def _clear_execstack(self) -> None:
        if not any(each.type == SegmentType.GNU_STACK for each in self._image.segments):
            raise self._refusal("has no PT_GNU_STACK that could say the stack is not executable")
        is_news = self._image.has_execstack and not self.clear
        self.told.append(f"the stack is not executable {'any more' if is_news else 'already'}")
        self.clear = True

    def _bytes(self, text: str) -> bytes:
        """A name as the file has it; one that no dynamic section can hold is refused."""
        try:
            raw = text.encode("utf-8", "surrogateescape")
        except UnicodeEncodeError:
            raw = b""
        if not raw or 0 in raw:
            raise self._refusal(f"{text!r} is no name that a dynamic section can hold")
        return raw

    def _refusal(self, problem: str) -> PatchError:
        return PatchError(self._image.name, problem)


def _text(raw: bytes) -> str:
    return raw.decode("utf-8", "surrogateescape")
