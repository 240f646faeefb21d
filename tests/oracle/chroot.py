"""A small root file system with the machine's own loader and C library, to start programs in."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from .loader import HOST, Answer, read_answer
from .workshop import LOADER, Workshop

__all__ = ["Root"]

_SETTINGS = {"LC_ALL": "C", "LD_BIND_NOW": "1", "LD_DEBUG": "bindings,libs"}


class Root:
    """A root directory; everything is named by its path inside.

    Args:
        workshop: builds below the directory that is ``/``.
    """

    def __init__(self, workshop: Workshop) -> None:
        self.workshop = workshop
        self.path = workshop.directory
        self.triplet = "x86_64-linux-gnu"
        if not Path(f"/lib/{self.triplet}/libc.so.6").exists():
            pytest.skip("the C library is not in a multiarch directory")
        libraries = self.path / "lib" / self.triplet
        libraries.mkdir(parents=True)
        (self.path / "etc").mkdir()
        (self.path / "usr/lib" / self.triplet).mkdir(parents=True)
        (self.path / "lib64").mkdir()
        shutil.copy(f"/lib/{self.triplet}/libc.so.6", libraries)
        shutil.copy(os.path.realpath(LOADER), libraries / "ld-linux-x86-64.so.2")
        (self.path / "lib64/ld-linux-x86-64.so.2").symlink_to(
            f"/lib/{self.triplet}/ld-linux-x86-64.so.2"
        )
        workshop.program("host", HOST)
        self._command = self._entering()

    def make_cache(self, *directories: str) -> None:
        """Run ``ldconfig`` for the root."""
        ldconfig = shutil.which("ldconfig", path="/sbin:/usr/sbin:/bin:/usr/bin")
        if ldconfig is None:
            pytest.skip("ldconfig is not installed")
        (self.path / "etc/ld.so.conf").write_text("".join(f"{each}\n" for each in directories))
        subprocess.run([ldconfig, "-X", "-r", self.path], check=True, capture_output=True)

    def dlopen(self, path: str, **settings: str) -> Answer:
        """``dlopen`` in a process that has this root."""
        inside = [f"{name}={value}" for name, value in {**_SETTINGS, **settings}.items()]
        command = [*self._command, "/host", path, *inside]
        environment = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin"}
        done = subprocess.run(
            command, env=environment, capture_output=True, text=True, timeout=60, check=False
        )
        assert done.stdout, done.stderr
        return read_answer(done.stdout, done.stderr)

    def _entering(self) -> list[str]:
        for command in (["chroot", str(self.path)], ["unshare", "-r", "chroot", str(self.path)]):
            environment = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin"}
            try:
                done = subprocess.run(
                    [*command, "/host", "/nowhere"],
                    env=environment,
                    capture_output=True,
                    check=False,
                )
            except OSError:
                continue
            if done.returncode == 0 and done.stdout:
                return command
        pytest.skip("chroot is not permitted here")
