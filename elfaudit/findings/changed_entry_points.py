"""What changed of the commands and plugins that a distribution installs.

Source: "Entry points specification" (packaging.python.org): ``entry_points.txt``, of which the
groups ``console_scripts`` and ``gui_scripts`` become commands.
"""

from __future__ import annotations

from collections.abc import Iterator

from .changes import Aspect, BuildChange, ChangedItem, ChangeSeverity, some

__all__ = ["changed_entry_points", "read_entry_points"]

_COMMANDS = ("console_scripts", "gui_scripts")


def read_entry_points(text: str) -> dict[tuple[str, str], str]:
    """What each (group, name) stands for; lines that are none are passed over."""
    found: dict[tuple[str, str], str] = {}
    group = ""
    for line in map(str.strip, text.splitlines()):
        if line.startswith("[") and line.endswith("]"):
            group = line[1:-1].strip()
        elif group and not line.startswith(("#", ";")):
            name, sign, value = line.partition("=")
            if sign:
                found[group, name.strip()] = value.strip()
    return found


def changed_entry_points(old: str, new: str) -> Iterator[BuildChange]:
    """The changes of ``entry_points.txt``."""
    was, now = read_entry_points(old), read_entry_points(new)
    gone = [key for key in was if key not in now]
    commands = [key for key in gone if key[0] in _COMMANDS]
    plugins = [key for key in gone if key[0] not in _COMMANDS]
    for keys, what in ((commands, "command"), (plugins, "entry point")):
        if keys:
            nouns = what if len(keys) == 1 else f"{what}s"
            text = f"does not install the {nouns} {some([name for _, name in keys])} any more"
            items = tuple(ChangedItem(f"{group}: {name}") for group, name in keys)
            yield BuildChange(Aspect.ENTRY_POINTS, ChangeSeverity.BREAKING, text, items)
    rest = [
        ChangedItem(f"{group}: {name}", None, was.get((group, name)), value)
        for (group, name), value in now.items()
        if was.get((group, name)) != value
    ]
    if rest:
        noun = "entry point" if len(rest) == 1 else "entry points"
        text = f"has {len(rest):,} new or changed {noun}"
        yield BuildChange(Aspect.ENTRY_POINTS, ChangeSeverity.HARMLESS, text, tuple(rest))
