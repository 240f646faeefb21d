"""Archives that are not looked into, and how they are unpacked."""

from __future__ import annotations

import shlex

from ..errors import SourceError
from .compared_builds import ComparedBuild
from .compared_bytes import head_of

__all__ = ["unpacking_of"]

_COMMANDS = {
    b"!<arch>\ndebian-binary": "dpkg-deb -x {} DIRECTORY",
    b"\xed\xab\xee\xdb": "rpm2cpio {} | cpio -idmD DIRECTORY",
    b"\x1f\x8b": "tar -xf {} -C DIRECTORY",
    b"\xfd7zXZ\0": "tar -xf {} -C DIRECTORY",
    b"BZh": "tar -xf {} -C DIRECTORY",
    b"\x28\xb5\x2f\xfd": "tar -xf {} -C DIRECTORY",
}
_TAR = b"ustar"
_TAR_AT = 257


def unpacking_of(build: ComparedBuild) -> str | None:
    """What to do with a single file that is such an archive, in a sentence; None if it is none."""
    member = next(iter(build.members.values()))
    try:
        head = head_of(member, _TAR_AT + len(_TAR))
    except SourceError:
        return None
    commands = [text for magic, text in _COMMANDS.items() if head.startswith(magic)]
    if head[_TAR_AT:] == _TAR:
        commands.append("tar -xf {} -C DIRECTORY")
    if not commands:
        return None
    command = commands[0].format(shlex.quote(build.target))
    return f"{build.target} is an archive that is not looked into; unpack it first: {command}"
