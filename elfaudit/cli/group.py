"""The ``elfaudit`` command: its subcommands are imported when they are run, errors end in one line.

Exit codes: 0 clean, 1 findings, 2 could not run; 130 after Ctrl-C and 141 when whoever reads the
output has gone, as a shell reports a program that died of SIGINT or SIGPIPE.
"""

from __future__ import annotations

import gc
import os
import sys
from importlib import import_module

import click

from ..errors import ElfAuditError
from .output import printable

__all__ = ["cli", "main"]

_COMMANDS = {
    "diff": "What changed between two builds, and what it breaks.",
    "explain": "What a rule means, why it matters and how to repair it.",
    "patch-needed": "Change what ELF files list (DT_NEEDED, RUNPATH, SONAME), proven, reversible.",
    "providers": "Who exports a symbol.",
    "resolve": "What the dynamic loader would do, and how to repair it.",
    "schema": "The JSON Schema of a command's JSON output.",
    "show": "The dynamic facts of ELF files.",
    "symbols": "The dynamic symbols of one file.",
    "verify": "Whether builds are what a checklist says they must be.",
}
_INTERRUPTED = 130
_NOBODY_READS = 141


class _Failure(click.ClickException):
    """An error of ours as Click shows it: one line on stderr, exit code 2."""

    exit_code = 2

    def show(self, file: object = None) -> None:  # noqa: ARG002 - Click's signature
        click.echo(printable(f"elfaudit: {self.message}", sys.stderr), err=True)


class _Commands(click.Group):
    """Imports a subcommand when it is asked for, and turns what it raises into exit codes."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        if cmd_name not in _COMMANDS:
            return None
        name = cmd_name.replace("-", "_")
        module = import_module(f".{name}", __package__)
        command: click.Command = getattr(module, name)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        with formatter.section("Commands"):
            formatter.write_dl(list(_COMMANDS.items()))

    def invoke(self, ctx: click.Context) -> object:
        try:
            result: object = super().invoke(ctx)
            sys.stdout.flush()
        except ElfAuditError as error:
            raise _Failure(str(error)) from error
        except BrokenPipeError:
            _discard_output()
            raise click.exceptions.Exit(_NOBODY_READS) from None
        except OSError as error:  # what is read raises errors of ours; this is what is written
            _discard_output()
            raise _Failure(f"the output cannot be written: {error.strerror}") from error
        except KeyboardInterrupt:
            raise click.exceptions.Exit(_INTERRUPTED) from None
        except MemoryError:
            raise _Failure("out of memory") from None
        return result


def _show_version(ctx: click.Context, _: click.Parameter, value: bool) -> None:  # noqa: FBT001
    if value and not ctx.resilient_parsing:
        from .. import __version__  # noqa: PLC0415  reads the package's metadata

        click.echo(f"elfaudit {__version__}")
        ctx.exit()


@click.group(
    cls=_Commands,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Exit codes: 0 clean, 1 findings, 2 could not run.",
)
@click.option(
    "--version",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_show_version,
    help="Show the version and exit.",
)
def cli() -> None:
    """Say what the dynamic loader would do with ELF files, without running a byte of them.

    \b
    Examples:
      elfaudit resolve torch-2.9.1-cp311-cp311-linux_x86_64.whl
      elfaudit resolve libtorch_hip.so --with /opt/rocm/lib
      elfaudit show /usr/lib/x86_64-linux-gnu/libcurl.so.4
      elfaudit providers rsmi_init --in /opt/rocm/lib
      elfaudit patch-needed libtorch_hip.so --add librocm_smi64.so.1

    A TARGET is a file, a wheel, a directory, or one member of a wheel or directory:
    torch.whl::torch/lib/libc10.so
    """  # noqa: D301 - \b is Click's mark for lines to keep


# What is read is kept and has no cycles: to look for them every 700 objects takes a few percent.
_GARBAGE = (50_000, 20, 50)


def _leave_memory() -> None:
    """Leave what is in memory to the end of the process, unsearched for garbage: 0.1 s of 2."""
    if "lief" not in sys.modules:  # it complains of all that is alive at the end
        gc.freeze()


def main() -> None:
    """Run the command line; never returns."""
    gc.set_threshold(*_GARBAGE)
    if sys.stderr is None:  # closed by whoever started us; nobody is to be told
        sys.stderr = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115 - to the very end
    if sys.stdout is None:
        click.echo("elfaudit: standard output is closed", err=True)
        raise SystemExit(2)
    try:
        try:
            cli(prog_name="elfaudit")
        finally:
            _leave_memory()
            sys.stdout.flush()
    except KeyboardInterrupt:  # while a command is imported
        raise SystemExit(_INTERRUPTED) from None
    except BrokenPipeError:  # --help into a closed pipe
        _discard_output()
        raise SystemExit(_NOBODY_READS) from None
    except OSError as error:  # --help onto a full disk
        _discard_output()
        click.echo(f"elfaudit: the output cannot be written: {error.strerror}", err=True)
        raise SystemExit(2) from None


def _discard_output() -> None:
    """Send what is still buffered nowhere: the interpreter flushes once more when it ends."""
    try:
        descriptor = sys.stdout.fileno()
    except (OSError, ValueError):  # not a file at all, in tests
        return
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, descriptor)
    os.close(null)
