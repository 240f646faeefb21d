"""A few files of the corpus through all that is done with them; ``run.py`` does it with all."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path

import pytest

from .build import MARKERS, Recipe, Workshop, recipes
from .cycle import Outcome, Verdict, judged
from .judge import Judge, Sample
from .machines import Missing
from .table import failures
from .tools import Ours

_HERE = {
    "bfd": (
        "default", "nospare", "versions", "relr", "ifunc", "tls", "page2m", "sysv", "debug", "pie",
        "nopie", "nosections", "bare", "bare-nospare",
    ),
    "gold": ("default", "rosegment", "nospare", "pie", "nopie"),
    "lld": ("default", "bare", "norelro", "tls", "pie", "nopie", "nosections-pie"),
    "mold": ("default", "now", "versions", "pie", "nopie-norelro", "nosections"),
}  # fmt: skip
_BIG_ENDIAN = {"bfd": ("default", "nospare", "sysv", "tls", "pie", "nopie", "nosections-pie")}


def _chosen(machine: str, wanted: Mapping[str, tuple[str, ...]]) -> list[Recipe]:
    return [
        each
        for each in recipes()
        if each.machine.name == machine and each.variant.name in wanted.get(each.linker, ())
    ]


@pytest.fixture(scope="module")
def workshop(tmp_path_factory: pytest.TempPathFactory) -> Workshop:
    return Workshop(tmp_path_factory.mktemp("corpus"))


def _verdict(recipe: Recipe, workshop: Workshop, place: Path) -> Verdict:
    machine, target = recipe.machine, place / "file.so"
    try:
        workshop.build(recipe, target)
        machine.runner()
        opener, markers = workshop.opener(machine), workshop.markers(machine)
    except Missing as error:
        pytest.skip(str(error))
    sample = Sample(recipe.name, machine, target, recipe.variant.kind)
    return judged(sample, Judge(sample, opener, markers), [Ours()], place)


def _passes(recipe: Recipe, workshop: Workshop, place: Path) -> Outcome:
    """Put a file through everything and expect all of it to go well."""
    verdict = _verdict(recipe, workshop, place)
    assert verdict.baseline.problem is None
    outcome = verdict.outcomes[Ours.name]
    assert not failures([verdict], Ours.name)
    assert (outcome.add, outcome.again, outcome.back) == ("ok", "ok", "ok")
    assert not outcome.complaints.get("readelf")
    if "bare" not in recipe.variant.name:  # empty sections there keep the address of what is gone
        assert not outcome.complaints.get("eu-elflint")
    if recipe.variant.after != "sections":
        assert outcome.strips["GNU strip"] == "ok"
    return outcome


@pytest.mark.oracle
@pytest.mark.parametrize("recipe", _chosen("x86_64", _HERE), ids=lambda recipe: recipe.name)
def test_added_loaded_added_undone_stripped(
    recipe: Recipe, workshop: Workshop, tmp_path: Path
) -> None:
    _passes(recipe, workshop, tmp_path)


@pytest.mark.foreign
@pytest.mark.parametrize("recipe", _chosen("s390x", _BIG_ENDIAN), ids=lambda recipe: recipe.name)
def test_big_endian(recipe: Recipe, workshop: Workshop, tmp_path: Path) -> None:
    _passes(recipe, workshop, tmp_path)


@pytest.mark.oracle
def test_static_program_is_refused(workshop: Workshop, tmp_path: Path) -> None:
    (recipe,) = _chosen("x86_64", {"bfd": ("static-pie",)})
    verdict = _verdict(recipe, workshop, tmp_path)
    assert verdict.baseline.problem is None
    assert "static program" in verdict.outcomes[Ours.name].add


@pytest.mark.oracle
@pytest.mark.parametrize(
    "recipe",
    _chosen("x86_64", {"bfd": ("nospare",), "lld": ("default", "bare"), "mold": ("pie",)}),
    ids=lambda recipe: recipe.name,
)
def test_eight_libraries_each_stripped(recipe: Recipe, workshop: Workshop, tmp_path: Path) -> None:
    """What is stripped has no way back, so all that earlier patches left stays: it must not add up
    to a file that the next strip breaks.
    """
    before = _verdict(recipe, workshop, tmp_path)
    assert before.baseline.problem is None
    machine, current = recipe.machine, tmp_path / "file.so"
    judge = Judge(
        Sample(recipe.name, machine, current, recipe.variant.kind, (str(tmp_path),)),
        workshop.opener(machine),
        workshop.markers(machine),
    )
    added: list[str] = []
    for number in range(8):
        added.append(f"libcorpus_more_{number}.so")
        shutil.copy(workshop.markers(machine) / MARKERS[0], tmp_path / added[-1])
        patched, stripped = tmp_path / f"patched{number}", tmp_path / f"stripped{number}"
        assert Ours().add(current, patched, added[-1]) is None
        assert judge.strip("GNU strip", patched, stripped) is None
        assert judge.problem(stripped, added) is None
        current = stripped


class _Breaking:
    """A tool that says nothing and writes a file that cannot be loaded."""

    name = "breaking"

    def add(self, source: Path, target: Path, library: str) -> None:  # noqa: ARG002
        data = bytearray(source.read_bytes())
        data[16] = 1  # e_type: an object file
        target.write_bytes(data)

    def remove(self, source: Path, target: Path, libraries: object) -> None:  # noqa: ARG002
        target.write_bytes(source.read_bytes())


class _Forgetting(_Breaking):
    """A tool that changes nothing."""

    def add(self, source: Path, target: Path, library: str) -> None:  # noqa: ARG002
        target.write_bytes(source.read_bytes())


@pytest.mark.oracle
@pytest.mark.parametrize(
    ("tool", "expected"),
    [(_Breaking(), "broken: exit 2"), (_Forgetting(), "broken: libcorpus_added_first.so.1 is not")],
    ids=["breaks", "does nothing"],
)
def test_judge_sees_what_is_wrong(
    tool: _Breaking, expected: str, workshop: Workshop, tmp_path: Path
) -> None:
    (recipe,) = _chosen("x86_64", {"bfd": ("default",)})
    target = tmp_path / "file.so"
    workshop.build(recipe, target)
    machine = recipe.machine
    sample = Sample(recipe.name, machine, target)
    judge = Judge(sample, workshop.opener(machine), workshop.markers(machine))
    verdict = judged(sample, judge, [tool], tmp_path)
    assert verdict.outcomes["breaking"].add.startswith(expected)
    assert len(failures([verdict], "breaking")) == 1
