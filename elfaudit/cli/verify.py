"""``elfaudit verify``."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from typing import Any

import click

from ..api.verifying import BuildReport, checklist_named, shipped_checklists
from ..api.verifying import verify as judge
from ..errors import RequestError
from ..findings import Severity
from ..findings.checks import CheckStatus, Runner
from ..report.checklist import verification_document, verification_text
from .options import format_option, loader_inputs, surroundings
from .output import Progress, terminal_style, write

__all__ = ["verify"]

_DEFAULT = "python-wheel"


def _pairs(_: click.Context, __: click.Parameter, given: tuple[str, ...]) -> dict[str, str]:
    """``NAME=VALUE`` of however many options."""
    pairs: dict[str, str] = {}
    for text in given:
        name, equals, value = text.partition("=")
        if not equals or not name:
            raise click.BadParameter(f"{text!r} is not NAME=VALUE")
        pairs[name] = value
    return pairs


@click.command(no_args_is_help=True)
@click.argument("targets", nargs=-1, metavar="TARGET...")
@click.option(
    "-c",
    "--checklist",
    "checklists",
    multiple=True,
    metavar="NAME|FILE",
    help=f"A checklist that is shipped, or a TOML file. Repeatable.  [default: {_DEFAULT}]",
)
@click.option(
    "--set",
    "settings",
    multiple=True,
    callback=_pairs,
    metavar="NAME=VALUE",
    help="Fill in a variable of a checklist. Repeatable.",
)
@click.option("--list", "list_", is_flag=True, help="List the checklists, or what is in one.")
@click.option(
    "--init", is_flag=True, help="Write a checklist that holds the next build to what this one is."
)
@click.option(
    "--together/--apart",
    default=None,
    help="Take the targets as one build, or each as its own. By default wheels of different "
    "projects are one build.",
)
@surroundings
@click.option("--run", is_flag=True, help="Also run the commands of checks that run one.")
@click.option(
    "--run-prefix",
    default="",
    metavar="WORDS",
    help='With --run: words in front of every command ("docker run --rm IMAGE"); no shell.',
)
@click.option(
    "--python",
    default=None,
    metavar="PATH",
    help="With --run: the interpreter that {python} stands for.",
)
@format_option("table", "json")
@click.option(
    "--fail-on",
    type=click.Choice([severity.name.lower() for severity in reversed(Severity)]),
    default="error",
    show_default=True,
    help="The least severe failed check to exit with 1 for; an undecided one is a warning.",
)
@click.option("-q", "--quiet", is_flag=True, help="Print what did not pass only.")
@click.option("-v", "--verbose", is_flag=True, help="Print all evidence, and all skipped checks.")
@click.pass_context
def verify(
    ctx: click.Context,
    /,
    targets: tuple[str, ...],
    *,
    checklists: tuple[str, ...],
    settings: dict[str, str],
    list_: bool,
    init: bool,
    together: bool | None,
    run: bool,
    run_prefix: str,
    python: str | None,
    form: str,
    fail_on: str,
    quiet: bool,
    verbose: bool,
    **surrounding: Any,
) -> None:
    """Check builds against a checklist, without running anything of them.

    A TARGET is a wheel, a directory of wheels, a site-packages, a build tree, the root of a file
    system, or a file. Wheels of different projects are one build; of anything else each TARGET is
    one, and several are shown side by side.

    \b
    Examples:
      elfaudit verify dist/torch.whl --checklist pytorch-rocm --set gpu_target=gfx1151
      elfaudit verify torch.whl vllm.whl --checklist pytorch-rocm --checklist vllm-rocm
      elfaudit verify /srv/image-1 /srv/image-2 --checklist vllm-rocm
      elfaudit verify .venv/lib/python3.12/site-packages --checklist ./ours.toml --format json
      elfaudit verify dist/torch.whl --init > ours.toml
      elfaudit verify --list
      elfaudit verify --list --checklist pytorch-rocm
    """  # noqa: D301
    if list_:
        write(_listing(checklists))
        return
    if not targets:
        raise click.UsageError("Missing argument 'TARGET...'.")
    if not run and (run_prefix or python):
        raise click.UsageError(f"{'--run-prefix' if run_prefix else '--python'} needs --run.")
    inputs = loader_inputs(**surrounding)
    with Progress() as progress:
        if init:
            if checklists or settings or run or form == "json":
                raise click.UsageError(
                    "--init writes a checklist: it takes no --checklist, --set, --run or json."
                )
            from ..api.first_checklist import first_checklist  # noqa: PLC0415  needs a TOML writer

            write(first_checklist(targets, progress=progress, **inputs))
            return
        reports = judge(
            targets,
            checklists or (_DEFAULT,),
            settings=settings,
            together=together,
            runner=_runner(run_prefix, python) if run else None,
            progress=progress,
            **inputs,
        )
    style = terminal_style(quiet=quiet, verbose=verbose)
    if form == "json":
        write(verification_document(reports))
    else:
        write(verification_text(reports, style) + "\n")
    ctx.exit(_exit_code(reports, Severity[fail_on.upper()]))


def _runner(prefix: str, python: str | None) -> Runner:
    try:
        words = tuple(shlex.split(prefix))
    except ValueError as error:
        raise RequestError(f"--run-prefix: {error}") from error
    return Runner(python, words)


def _exit_code(reports: Sequence[BuildReport], least: Severity) -> int:
    judgements = [one for each in reports for one in each.judgements]
    for one in judgements:
        if one.status is CheckStatus.FAIL and one.check.severity >= least:
            return 1
        undecided = min(Severity.WARNING, one.check.severity)
        if one.status is CheckStatus.UNDECIDED and undecided >= least:
            return 1
    made = [any(one.status is not CheckStatus.SKIP for one in each.judgements) for each in reports]
    erred = any(one.status is CheckStatus.ERROR for one in judgements)
    return 2 if erred or not all(made) else 0


def _listing(names: Sequence[str]) -> str:
    """The shipped checklists, or the checks of some."""
    lines: list[str] = []
    for name in names or shipped_checklists():
        checklist = checklist_named(name)
        lines.append(f"{checklist.name:<14}  {checklist.summary}")
        for variable in checklist.variables:
            default = "no default" if variable.default is None else f"default {variable.default}"
            lines.append(f"  --set {variable.name}=…  {variable.help} ({default})")
        lines += [
            f"  {check.id:<28}  {check.kind:<16}  {check.problem or check.title}"
            for check in (checklist.checks if names else ())
        ]
    return "\n".join(lines) + "\n"
