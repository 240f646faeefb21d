"""``elfaudit patch-needed``."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

import click

from ..api.patching import PatchPlan, apply_patch, plan_patch, undo_patch
from ..elf import read_elf
from ..errors import ElfAuditError
from ..patch.edits import (
    AddNeeded,
    AddRunpath,
    ClearExecstack,
    PatchEdit,
    RemoveNeeded,
    RemoveRunpath,
    ReplaceNeeded,
    RpathToRunpath,
    SetRunpath,
    SetSoname,
)
from ..report.patch import Failure, Outcome, patch_document, patch_text
from .options import demangle_option, format_option
from .output import Progress, complain, terminal_style, told, write

__all__ = ["patch_needed"]

Command = TypeVar("Command", bound=Callable[..., Any])


def _pairs(
    _: click.Context, __: click.Parameter, given: tuple[str, ...]
) -> tuple[tuple[str, str], ...]:
    """OLD=NEW, of however many options."""
    pairs = [(old, new) for old, equals, new in (text.partition("=") for text in given) if equals]
    if len(pairs) != len(given) or not all(old and new for old, new in pairs):
        raise click.BadParameter("say OLD=NEW, as in libfoo.so.1=libfoo.so.2")
    return tuple(pairs)


_EDITS = (
    click.option("--add", multiple=True, metavar="NAME", help="List a library. Repeatable."),
    click.option("--before", metavar="NAME", help="What is added goes in front of this one."),
    click.option(
        "--first", is_flag=True,
        help="What is added goes in front of all others; by default it goes behind them.",
    ),
    click.option("--remove", multiple=True, metavar="NAME", help="List it no more. Repeatable."),
    click.option(
        "--replace", multiple=True, metavar="OLD=NEW", callback=_pairs,
        help="List another library in its place. Repeatable.",
    ),
    click.option("--set-soname", metavar="NAME", help="Give the file this SONAME."),
    click.option("--set-runpath", metavar="PATH", help="Give the file this RUNPATH; RPATH goes."),
    click.option(
        "--add-runpath", multiple=True, metavar="DIR",
        help="Put a directory behind those of the RUNPATH. Repeatable.",
    ),
    click.option("--remove-runpath", is_flag=True, help="Take RUNPATH and RPATH away."),
    click.option("--rpath-to-runpath", is_flag=True, help="Make the RPATH a RUNPATH."),
    click.option("--clear-execstack", is_flag=True, help="Do not ask for an executable stack."),
    click.option(
        "--undo", is_flag=True,
        help="Restore what the file was before it was first patched, bit for bit.",
    ),
)  # fmt: skip

_WHERE = (
    click.option(
        "--member", "members", multiple=True, metavar="PATTERN",
        help="Which files of a wheel or a directory: a path, a pattern, or a SONAME. Repeatable.",
    ),
    click.option(
        "--provider", "providers", multiple=True, metavar="PATH",
        help="A library, a directory or a wheel that has what is added; a library without --add "
        "is added by its SONAME. Repeatable.",
    ),
    click.option(
        "--root", default="/", show_default=True, metavar="DIR|none",
        help="What is / for the process: a sysroot, an unpacked image.",
    ),
    click.option(
        "--force", is_flag=True,
        help="List a name though the library is there by another one only.",
    ),
    click.option(
        "--no-check", is_flag=True,
        help="Neither look for the libraries nor resolve the file before and after: faster.",
    ),
)  # fmt: skip

_OUTPUT = (
    click.option(
        "-o", "--output", metavar="PATH", help="The file to write, or the directory to write into."
    ),
    click.option("--in-place", is_flag=True, help="Replace the file; the default."),
    click.option(
        "--backup", metavar="SUFFIX", help="Keep the old file with this behind its name: .orig"
    ),
    click.option("--dry-run", is_flag=True, help="Print the plan, write nothing."),
    click.option("--keep-times", is_flag=True, help="The new file has the times of the old one."),
    click.option(
        "--build-tag", metavar="TAG", help="Give the wheel a build tag, and so another name: 1"
    ),
    click.option(
        "--local-version", metavar="TEXT",
        help="Put a local version behind that of the wheel, and so give it another name: patched1",
    ),
    click.option(
        "--drop-signature", is_flag=True,
        help="Take RECORD.jws or RECORD.p7s out of the wheel, which would be wrong.",
    ),
)  # fmt: skip


def _options(command: Command) -> Command:
    for option in reversed((*_EDITS, *_WHERE, *_OUTPUT)):
        command = option(command)
    return command


@click.command("patch-needed", no_args_is_help=True)
@click.argument("targets", nargs=-1, required=True, metavar="TARGET...")
@_options
@format_option("table", "json")
@demangle_option
@click.option("-q", "--quiet", is_flag=True, help="Print warnings only.")
@click.option("-v", "--verbose", is_flag=True, help="Leave nothing out.")
@click.pass_context
def patch_needed(
    ctx: click.Context,
    /,
    targets: tuple[str, ...],
    *,
    form: str,
    demangle: bool,
    quiet: bool,
    verbose: bool,
    **given: Any,
) -> None:
    """Change what ELF files list: in a file, in members of a wheel, in an installed distribution.

    The new file is written beside the old one, read again by three readers and compared; only then
    does it take the old one's place. No code or data moves. RECORD is put right. Edits are made in
    this order: --rpath-to-runpath, --remove, --replace, --add, --set-soname, --remove-runpath,
    --set-runpath, --add-runpath, --clear-execstack. Exits with 1 if a symbol that is supplied now
    would come from another library, or from none, or a file that loads would load no more; 2 if a
    target was refused: it is as it was, and the others are done.

    \b
    Examples:
      elfaudit patch-needed libtorch_hip.so --add librocm_smi64.so.1
      elfaudit patch-needed libtorch_hip.so --add librocm_smi64.so.1 --dry-run
      elfaudit patch-needed dist/torch.whl --member 'torch/lib/libtorch_hip.so' --add librccl.so.1
      elfaudit patch-needed _C.so --replace libfoo.so.1=libfoo.so.2 --add-runpath '$ORIGIN/lib'
      elfaudit patch-needed dist/torch.whl --member 'libc10*.so' --remove-runpath --build-tag 1
      elfaudit patch-needed libtorch_hip.so --undo
    """  # noqa: D301
    style = terminal_style(demangle=demangle, quiet=quiet, verbose=verbose)
    edits = () if given["undo"] else tuple(_edits_of(given))
    _require_sense(targets, edits, given)
    outcomes: list[Outcome] = []
    failures: list[Failure] = []
    with Progress() as progress:
        for target in targets:
            progress(target)
            try:
                outcomes.append(_carried_out(_planned(target, edits, given), given))
            except ElfAuditError as error:
                failures.append(Failure(target, told(error)))
                continue
            finally:
                progress.clear()
            if form == "table" and (text := patch_text(outcomes[-1], style)):
                write(text + "\n")
                sys.stdout.flush()
    if form == "json":
        write(patch_document(outcomes, failures, demangled=demangle))
    for failure in failures:
        complain(failure.error)
    if failures:
        ctx.exit(2)
    if any(file.warns for outcome in outcomes for file in outcome.files):
        ctx.exit(1)


def _outcome(
    plan: PatchPlan,
    paths: tuple[str, ...] | None,
    backups: tuple[str, ...] = (),
    *,
    undo: bool = False,
) -> Outcome:
    """A plan and what became of it, for the report."""
    return Outcome(plan.target, plan.files, plan.needed, paths, backups, undo)


def _planned(target: str, edits: tuple[PatchEdit, ...], given: dict[str, Any]) -> PatchPlan:
    if given["undo"]:
        return undo_patch(target, members=given["members"], drop_signature=given["drop_signature"])
    return plan_patch(
        target,
        edits,
        members=given["members"],
        root=None if given["root"] == "none" else given["root"],
        providers=given["providers"],
        force=given["force"],
        check=not given["no_check"],
        build_tag=given["build_tag"],
        local_version=given["local_version"],
        drop_signature=given["drop_signature"],
    )


def _carried_out(plan: PatchPlan, given: dict[str, Any]) -> Outcome:
    if given["dry_run"]:
        return _outcome(plan, None, undo=given["undo"])
    result = apply_patch(
        plan, output=given["output"], backup=given["backup"], keep_times=given["keep_times"]
    )
    return _outcome(plan, result.paths, result.backups, undo=given["undo"])


def _edits_of(given: dict[str, Any]) -> Iterator[PatchEdit]:
    """The edits that the options ask for, in the order in which they are made."""
    if given["rpath_to_runpath"]:
        yield RpathToRunpath()
    yield from map(RemoveNeeded, given["remove"])
    yield from (ReplaceNeeded(old, new) for old, new in given["replace"])
    names = given["add"] or tuple(_sonames(given["providers"]))
    # In front of one library they are to stand in the order in which they were given.
    for name in reversed(names) if given["first"] else names:
        yield AddNeeded(name, given["before"], given["first"])
    if given["set_soname"] is not None:
        yield SetSoname(given["set_soname"])
    if given["remove_runpath"]:
        yield RemoveRunpath()
    if given["set_runpath"] is not None:
        yield SetRunpath(given["set_runpath"])
    yield from map(AddRunpath, given["add_runpath"])
    if given["clear_execstack"]:
        yield ClearExecstack()


def _sonames(providers: tuple[str, ...]) -> Iterator[str]:
    """The SONAMEs of the providers that are libraries."""
    for path in providers:
        if os.path.isfile(path) and not path.endswith((".whl", ".zip")):
            yield read_elf(path).soname or os.path.basename(path)


def _require_sense(
    targets: tuple[str, ...], edits: tuple[PatchEdit, ...], given: dict[str, Any]
) -> None:
    """Refuse options that do not go together."""
    output, several = given["output"], len(targets) > 1
    if given["undo"] and any(given[each] for each in _CHANGING):
        raise click.UsageError("--undo restores a file; it goes with no other change.")
    if not edits and not given["undo"]:
        raise click.UsageError("Say what to change: --add NAME, say.")
    placed = given["before"] is not None or given["first"]
    if placed and not any(isinstance(each, AddNeeded) for each in edits):
        raise click.UsageError("--before and --first say where --add puts a library.")
    if given["before"] is not None and given["first"]:
        raise click.UsageError("--before and --first are two places.")
    if output is not None and given["in_place"]:
        raise click.UsageError("--output and --in-place are two places.")
    if output is not None and several and not (output.endswith("/") or os.path.isdir(output)):
        raise click.UsageError("--output has to be a directory where there are several targets.")


_CHANGING = (
    "add", "remove", "replace", "set_soname", "set_runpath", "add_runpath", "remove_runpath",
    "rpath_to_runpath", "clear_execstack", "build_tag", "local_version",
)  # fmt: skip
