"""Another file name for a changed wheel: a build tag, or a local version.

``pip`` keeps what it has downloaded or built by name and version, and takes a wheel that it has
installed for the same one. Source: the binary distribution format and the version specifiers
(packaging.python.org), "File name convention" and "Local version identifiers".
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from packaging.utils import parse_wheel_filename
from packaging.version import Version

from ..errors import PatchError

__all__ = ["Release", "released"]

_BUILD_TAG = re.compile(r"[0-9][0-9A-Za-z_.]*")
_BUILD = re.compile(rb"(?mi)^Build:[^\r\n]*(\r?\n|\Z)")
_FIRST_LINE = re.compile(rb"[^\r\n]*(\r?\n)")
_VERSION = re.compile(rb"(?mi)^(Version:[ \t]*)([^\r\n]*?)[ \t]*\r?$")


@dataclass(frozen=True, slots=True)
class Release:
    """What names a wheel: its file, its directories, and what is written in them.

    Attributes:
        file_name: of the wheel.
        old, new: how the names of its ``.dist-info`` and ``.data`` directories begin.
        metadata: of ``METADATA``, its new bytes; None if it stays.
        wheel: of ``WHEEL``, likewise.
    """

    file_name: str
    old: str
    new: str
    metadata: bytes | None
    wheel: bytes | None

    def renamed(self, path: str) -> str:
        """The path that a file of the wheel has afterwards."""
        head, slash, rest = path.partition("/")
        if slash and head in (f"{self.old}.dist-info", f"{self.old}.data"):
            return f"{self.new}{head[len(self.old) :]}/{rest}"
        return path


def released(  # noqa: PLR0917
    file_name: str,
    dist_info: str,
    metadata: bytes,
    wheel: bytes,
    build_tag: str | None,
    local_version: str | None,
) -> Release:
    """Give a wheel another name.

    Args:
        file_name: of the wheel, without its directory.
        dist_info: the name of its ``.dist-info`` directory.
        metadata: its ``METADATA``.
        wheel: its ``WHEEL``.
        build_tag: begins with a digit: of two wheels of a version pip takes the one with the higher
            tag.
        local_version: is put behind the version, behind the local version it has.

    Raises:
        PatchError: the old name is none, or the new one would be none.
    """
    try:
        _, version, _, _ = parse_wheel_filename(file_name)
    except ValueError as error:  # InvalidWheelFilename, InvalidVersion, or digits without end
        raise PatchError(file_name, f"has no name of a wheel: {error}") from error
    parts = file_name.removesuffix(".whl").split("-")
    old = new = dist_info.removesuffix(".dist-info")
    new_metadata = new_wheel = None
    if build_tag is not None:
        if not _BUILD_TAG.fullmatch(build_tag):
            problem = f"{build_tag!r} is no build tag: a digit, then letters, digits, _ and ."
            raise PatchError(file_name, problem)
        parts[2:-3] = [build_tag]
        new_wheel = _with_build(wheel, build_tag)
    if local_version is not None:
        text = _with_local(file_name, version, local_version)
        parts[1] = text.replace("-", "_")
        name, dash, _ = old.rpartition("-")
        new = f"{name}{dash}{parts[1]}"
        new_metadata = _with_version(file_name, metadata, version, text)
    return Release("-".join(parts) + ".whl", old, new, new_metadata, new_wheel)


def _with_build(wheel: bytes, tag: str) -> bytes:
    """``WHEEL`` with a build tag, behind its first line where it had none."""
    line = f"Build: {tag}".encode()
    if _BUILD.search(wheel):
        return _BUILD.sub(lambda match: line + match[1], wheel, count=1)
    return _FIRST_LINE.sub(lambda match: match[0] + line + match[1], wheel, count=1)


def _with_local(file_name: str, version: Version, local: str) -> str:
    try:
        separator = "." if version.local else "+"
        return str(Version(f"{version}{separator}{local}"))
    except ValueError as error:
        problem = f"{local!r} is no local version: letters and digits, separated by ."
        raise PatchError(file_name, problem) from error


def _with_version(file_name: str, metadata: bytes, version: Version, text: str) -> bytes:
    """``METADATA`` with another version, which must have been that of the file name."""
    header = re.split(rb"\r?\n\r?\n", metadata, maxsplit=1)[0]
    found = _VERSION.search(header)
    told = found[2].decode("utf-8", "replace") if found else ""
    try:
        same = Version(told) == version
    except ValueError:
        same = False
    if found is None or not same:
        problem = f"METADATA says version {told!r}, the file name says {version}"
        raise PatchError(file_name, problem)
    return metadata[: found.start(2)] + text.encode() + metadata[found.end(2) :]
