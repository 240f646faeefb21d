"""Options that several commands have."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

__all__ = ["demangle_option", "format_option", "loader_inputs", "rule_options", "surroundings"]

Command = TypeVar("Command", bound=Callable[..., Any])


def format_option(*formats: str) -> Callable[[Command], Command]:
    """``--format``; the first one given is the default."""
    return click.option(
        "--format",
        "form",
        type=click.Choice(formats),
        default=formats[0],
        show_default=True,
        help="How to print it.",
    )


def demangle_option(command: Command) -> Command:
    """``--demangle``."""
    text = "Show C++ and Rust names demangled (in JSON: beside the mangled ones)."
    return click.option("-C", "--demangle", is_flag=True, help=text)(command)


def _names(_: click.Context, __: click.Parameter, given: tuple[str, ...]) -> tuple[str, ...]:
    """Rule names, separated by commas, of however many options."""
    parts = (part.strip() for text in given for part in text.split(","))
    return tuple(part for part in parts if part)


def rule_options(command: Command) -> Command:
    """``--select`` and ``--ignore``."""
    select = click.option(
        "--select",
        multiple=True,
        callback=_names,
        metavar="RULE[,RULE]",
        help="Report and count these rules only (elfaudit explain lists them); also: all, and "
        "default. The verdict stays what it is. Repeatable.",
    )
    ignore = click.option(
        "--ignore",
        multiple=True,
        callback=_names,
        metavar="RULE[,RULE]",
        help="Neither report nor count these rules; stronger than --select. Repeatable.",
    )
    return select(ignore(command))


_SURROUNDINGS = (
    click.option(
        "--root",
        default="/",
        show_default=True,
        metavar="DIR|none",
        help="What is / for the process: a sysroot, an unpacked image. none: nothing but the "
        "targets exists.",
    ),
    click.option(
        "--with",
        "with_",
        multiple=True,
        metavar="PATH",
        help="A directory, wheel or file that could supply what is missing; it is suggested, "
        "not loaded. Repeatable.",
    ),
    click.option(
        "--host",
        default="auto",
        show_default=True,
        metavar="auto|none|PATH",
        help="The program whose process it is. auto: for Python extensions an interpreter of "
        "the root, for other libraries one that has the C library and nothing else. none: a "
        "library is taken for the program, as ldd does.",
    ),
    click.option(
        "--preload",
        multiple=True,
        metavar="LIB",
        help="As LD_PRELOAD: loaded before everything else. Repeatable.",
    ),
    click.option(
        "--dlopen",
        multiple=True,
        metavar="LIB[:HOW]",
        help="What the process opens before the target: a path, a name or ARCHIVE::MEMBER. HOW is "
        "global, lazy or deepbind, or several of them with commas between. Repeatable, in order.",
    ),
    click.option(
        "--library-path",
        multiple=True,
        metavar="DIRS",
        help="As LD_LIBRARY_PATH: directories, separated by : or ;. Repeatable.",
    ),
    click.option(
        "--libc",
        type=click.Choice(["auto", "glibc", "musl"]),
        default="auto",
        show_default=True,
        help="Whose loader it is. auto: the one the files ask for.",
    ),
    click.option(
        "--env",
        is_flag=True,
        help="Take LD_PRELOAD and LD_LIBRARY_PATH of this shell, too.",
    ),
)


def surroundings(command: Command) -> Command:
    """The process a file is put in: root, host, preloads, search paths."""
    for option in reversed(_SURROUNDINGS):
        command = option(command)
    return command


def loader_inputs(
    *,
    root: str,
    with_: tuple[str, ...],
    host: str,
    preload: tuple[str, ...],
    library_path: tuple[str, ...],
    dlopen: tuple[str, ...],
    libc: str,
    env: bool,
) -> dict[str, Any]:
    """The arguments of ``resolve_all`` that the :func:`surroundings` stand for."""
    # Not at the top: `show` has options, too, but needs no loader.
    from ..loader.environment import host_library_path, host_preload  # noqa: PLC0415

    paths = tuple(
        path for given in library_path for path in host_library_path({"LD_LIBRARY_PATH": given})
    )
    return {
        "root": None if root == "none" else root,
        "with_": with_,
        "host": host,
        "preload": preload + (host_preload() if env else ()),
        "library_path": paths + (host_library_path() if env else ()),
        "dlopen": dlopen,
        "libc": libc,
    }
