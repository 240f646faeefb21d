"""A process, built up call by call: for scripts that ask what comes after what."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from ..errors import RequestError
from ..findings import DEFAULT, Resolution
from ..loader import Dlopen, Mode, ObjectStore
from .resolving import resolve_name, resolve_one
from .surroundings import Surroundings

__all__ = ["Process"]


class Process:
    """A program and what it has opened so far; nothing of it runs.

    ::

        process = elfaudit.Process("/usr/bin/python3", root="/srv/image")
        process.dlopen("/opt/torch/lib/libtorch_global_deps.so", Mode.GLOBAL)
        result = process.dlopen("/opt/torch/_C.cpython-312-x86_64-linux-gnu.so")

    Args:
        program: path of the main program; ``auto``: for Python extensions an interpreter of the
            root, for other libraries a program that has the C library and nothing else.
        root: as for :func:`~elfaudit.resolve`, like the next four.
        with_: likewise.
        preload: likewise.
        library_path: likewise.
        libc: likewise.
    """

    def __init__(
        self,
        program: str = "auto",
        *,
        root: str | None = "/",
        with_: Iterable[str] = (),
        preload: Iterable[str] = (),
        library_path: Iterable[str] = (),
        libc: str = "auto",
    ) -> None:
        if program == "none":
            raise RequestError("a process has a program; name one, or say auto")
        self._surroundings = Surroundings.of(
            root=root, with_=with_, host=program, preload=preload, library_path=library_path,
            dlopen=(), libc=libc,
        )  # fmt: skip
        self._store = ObjectStore()

    @property
    def opened(self) -> tuple[Dlopen, ...]:
        """What was opened with success, in order."""
        return self._surroundings.dlopens

    def dlopen(self, target: str, mode: Mode = Mode.LOCAL) -> Resolution:
        """Open a file as the process is now.

        Args:
            target: a path, ``archive::member``, or a name without a slash, which is searched for
                and never a file of the current directory (that is ``./name``).
            mode: RTLD_GLOBAL, RTLD_LAZY, RTLD_DEEPBIND; otherwise RTLD_NOW and RTLD_LOCAL.

        Returns:
            What becomes of it. Unless it FAILS, it is in the process from now on.

        Raises:
            as :func:`~elfaudit.resolve` does.

        Source: ``dl_open_worker`` (glibc ``elf/dl-open.c``).
        """
        surroundings = replace(self._surroundings, mode=mode, opens=True)
        named = "/" not in target and "::" not in target
        verb = resolve_name if named else resolve_one
        result = verb(target, surroundings, DEFAULT, self._store)
        if result.error is None:
            opened = (*self.opened, Dlopen(target, mode))
            self._surroundings = replace(self._surroundings, dlopens=opened)
        return result
