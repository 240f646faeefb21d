"""What is looked at around a patch: the libraries that are there, and the process of the file."""

from __future__ import annotations

import os
from collections.abc import Hashable, Mapping, Sequence

from ..elf import ElfObject, read_elf
from ..findings import Effects
from ..loader import ObjectStore
from ..patch.edits import PatchEdit
from ..patch.overwritten import OverwrittenStream
from ..patch.planning import Plan
from ..sources import FileSource, open_source, split_address
from ..stream import ByteStream
from .effects import effects_of
from .right_name import rightly_named
from .session import Session
from .surroundings import Surroundings

__all__ = ["Checks"]


class Checks:
    """Where libraries are looked for, and the process that a file is resolved in.

    Args:
        target: the file, wheel or directory.
        root, providers, force: as for :func:`plan_patch`.
    """

    def __init__(
        self, target: str, root: str | None, providers: Sequence[str], *, force: bool
    ) -> None:
        folders = [each for each in providers if os.path.isdir(each)]
        folders += [os.path.dirname(each) or "." for each in providers if os.path.isfile(each)]
        self.surroundings = Surroundings(
            root=root,
            with_=tuple(providers),
            library_path=tuple(dict.fromkeys(os.path.abspath(each) for each in folders)),
        )
        self.store = ObjectStore()
        self.libraries = Session([target], self.surroundings, self.store).catalogue
        self.force = force
        self.notes: dict[str, tuple[str, ...]] = {}

    def named(
        self, name: str, edits: Sequence[PatchEdit], stream: ByteStream
    ) -> Sequence[PatchEdit]:
        """The edits with the names that are there; what there is to say is kept.

        Raises:
            PatchError: a library is there by another name only.
        """
        model = read_elf(stream, name=name)
        found = rightly_named(name, edits, model, self.libraries, force=self.force)
        self.notes[name] = found.notes
        return found.edits

    def effects(self, name: str, changed: Mapping[Hashable, ElfObject]) -> Effects:
        """What becomes of the process of one file.

        Raises:
            ElfAuditError: that cannot be told.
        """
        return effects_of(name, changed, self.surroundings, self.store)

    @staticmethod
    def changed(plans: Sequence[Plan]) -> dict[Hashable, ElfObject]:
        """The facts that files will have, by the identities that their sources give them."""
        found: dict[Hashable, ElfObject] = {}
        for each in plans:
            container, inside = split_address(each.name)
            source = open_source(container)
            member = source.find(f"/{inside}") if inside is not None else None
            if isinstance(source, FileSource):
                member = source.member
            if member is not None:
                stream = OverwrittenStream(each.image.reader, each.size, each.writes, each.kept)
                found[member.identity] = read_elf(stream, name=each.name)
        return found
