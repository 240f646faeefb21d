"""What we say of a process under musl, and the real answer and ours side by side."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from elfaudit.errors import ElfAuditError
from elfaudit.loader import LinkMap, LinkMapEntry, LoaderEnvironment, ObjectStore, Origin
from elfaudit.loader.environment import Dlopen, Libc
from elfaudit.loader.lookup import SymbolIndex
from elfaudit.loader.musl import MuslProcess
from elfaudit.loader.musl_bindings import MuslBindings, bind_musl
from elfaudit.loader.musl_failure import first_musl_failure
from elfaudit.loader.musl_lookup import index_symbols_musl
from elfaudit.loader.musl_search import MuslSearcher
from elfaudit.sources import TreeSource

from .musl import MuslAnswer, run_musl

__all__ = ["Prediction", "judge_musl", "predict"]


@dataclass(frozen=True)
class Prediction:
    """What we say.

    Attributes:
        link_map, bindings: of the whole process.
        error: the first message.
        doubt: why nothing can be told, if nothing else is wrong.
    """

    link_map: LinkMap
    bindings: MuslBindings
    error: str | None
    doubt: str | None = None

    @property
    def objects(self) -> tuple[str, ...]:
        """Paths in load order, without the program."""
        entries = self.link_map.entries[1:]
        return tuple(entry.path for entry in entries if entry.path and not entry.missing)

    def entry(self, name: str) -> LinkMapEntry:
        """The entry that a name or path stands for, or the missing one."""
        known = self.link_map.names.get(name)
        return known or next(e for e in self.link_map.entries if e.name == name)

    def providers(self, path: str | Path, symbol: str) -> list[str | None]:
        """The paths of what a symbol of an object is bound to, one for each kind of use."""
        entry = self.link_map.names[str(path)]
        found = self.bindings.all_of(entry, symbol)
        return [binding.provider.path if binding.provider else None for binding in found]


def predict(
    program: str | Path,
    *dlopens: Dlopen,
    preload: Iterable[str | Path] = (),
    library_path: str | None = None,
    cwd: Path | None = None,
    root: str = "/",
) -> Prediction:
    """What we say of the same; a ``dlopen`` that fails leaves nothing behind, as in the process."""
    environment = LoaderEnvironment(
        TreeSource(root),
        main_program=str(program),
        preload=tuple(map(str, preload)),
        library_path=tuple(library_path.split(":")) if library_path else (),
        directory=str(cwd or os.getcwd()),
        libc=Libc.MUSL,
    )
    store = ObjectStore()
    prediction = _predict(environment, store, [])
    wanted: list[Dlopen] = []
    for dlopen in dlopens:
        prediction = _predict(environment, store, [*wanted, dlopen])
        if prediction.error is None:
            wanted.append(dlopen)
    return prediction


def _predict(
    environment: LoaderEnvironment, store: ObjectStore, dlopens: list[Dlopen]
) -> Prediction:
    path = environment.main_program
    assert isinstance(path, str)
    member = environment.root.find(path)
    assert member is not None
    model = store.read(member)
    searcher = MuslSearcher(environment, store, model)
    process = MuslProcess(environment, searcher)
    program = process.find_program(path)
    process.start(program)
    for dlopen in dlopens:
        subject = process.find(dlopen.name)
        process.open(subject, dlopen.mode)
    link_map = process.link_map()
    indices: dict[LinkMapEntry, SymbolIndex] = {}
    for entry in link_map.entries:
        if entry.elf is not None:
            try:
                indices[entry] = index_symbols_musl(entry.elf)
            except ElfAuditError:
                continue
    unknown = (Origin.EXTERNAL, Origin.UNTOLD)
    undecided = any(entry.origin in unknown for entry in link_map.entries)
    bindings = bind_musl(link_map, indices, undecided=undecided)
    failure = first_musl_failure(bindings)
    doubts = [entry.doubt for entry in link_map.entries if entry.doubt is not None]
    damaged = sum(entry.elf is not None for entry in link_map.entries) > len(indices)
    doubt = doubts[0] if doubts else "damaged" if damaged else None
    return Prediction(link_map, bindings, failure.message if failure else None, doubt)


def judge_musl(
    program: Path,
    *dlopens: Dlopen | Path | str,
    probes: Iterable[str] = (),
    preload: Iterable[str | Path] = (),
    library_path: str | None = None,
    cwd: Path | None = None,
) -> tuple[MuslAnswer, Prediction]:
    """The real answer and ours, which must agree in load order and in the message."""
    opens = [d if isinstance(d, Dlopen) else Dlopen(str(d)) for d in dlopens]
    preload = [str(each) for each in preload]
    real = run_musl(
        program, *opens, probes=probes, preload=preload, library_path=library_path, cwd=cwd
    )
    ours = predict(program, *opens, preload=preload, library_path=library_path, cwd=cwd)
    if real.start:
        assert ours.error == real.start[0]
    else:
        error = real.errors[-1] if real.errors else None
        assert ours.error == error
        if error is None:
            at = str(cwd or os.getcwd())
            assert ours.objects == tuple(os.path.join(at, path) for path in real.objects)
    return real, ours
