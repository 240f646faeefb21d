"""Roots of a newer Debian and of other machines: their own loaders, asked inside them.

The roots are made of a few packages, fetched with the machine's apt from the mirror it uses, and
kept in ``.cache/elfaudit-roots`` of the checkout.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, given, reject, settings

from elfaudit.api import Passed, resolve, resolve_all
from elfaudit.loader.environment import host_library_path
from tests.oracle.compare import answer_of, traced_differences
from tests.oracle.foreign import ARCHITECTURES, ForeignRoot, Unavailable, make_root
from tests.oracle.foundry import CannotBuildError, Foundry
from tests.oracle.graphs import CALM, Graph, graphs, place

pytestmark = [pytest.mark.real, pytest.mark.foreign]

_CACHE = Path(__file__).resolve().parents[2] / ".cache" / "elfaudit-roots"
_GIVEN = os.environ.get("ELFAUDIT_GRAPHS")
_EVERY = int(os.environ.get("ELFAUDIT_EVERY", "5"))


@pytest.fixture(scope="module", params=ARCHITECTURES)
def root(request: pytest.FixtureRequest) -> ForeignRoot:
    """A root of each architecture; the test is skipped where it cannot be had."""
    try:
        return make_root(_CACHE, request.param)
    except Unavailable as reason:
        pytest.skip(str(reason))


@pytest.fixture(scope="module")
def smith(root: ForeignRoot, tmp_path_factory: pytest.TempPathFactory) -> Foundry:
    """Builds objects for the machine of the root."""
    return Foundry(tmp_path_factory.mktemp("kept"), root.architecture.machine)


def test_every_file_of_a_root(root: ForeignRoot) -> None:
    files = root.files()
    # Each of those that are alike, and some of the modules that are there by the hundred.
    paths = [path for path in files if path.count("/") < 5] + files[::_EVERY]
    paths = list(dict.fromkeys(paths))
    assert paths
    compared, differing = 0, {}
    targets = [f"{root.path}{path}" for path in paths]
    for path, result in zip(
        paths, resolve_all(targets, root=str(root.path), host="none"), strict=True
    ):
        assert not isinstance(result, Passed), result
        real, ours = root.trace(path), answer_of(result)
        if (
            real.error == "signal 11"
        ):  # glibc 2.41 crashes where it traces one without its libraries
            assert ours.missing
            continue
        compared += len(real.providers)
        found = traced_differences(real, ours)
        if found:
            differing[path] = found[:5]
    print(f"{root.path.name}: {compared} references of {len(paths)} files, {len(differing)} differ")  # noqa: T201
    assert compared
    assert not differing, differing


@settings(
    max_examples=int(_GIVEN or 15),
    deadline=None,
    derandomize=not _GIVEN,
    database=None,
    phases=(Phase.generate,),
    suppress_health_check=list(HealthCheck),
)
@given(graph=graphs(CALM, program=True))
def test_random_programs_of_another_machine(
    graph: Graph, root: ForeignRoot, smith: Foundry
) -> None:
    inside = Path("/graph")
    try:
        place(graph, smith, root.path / "graph", inside)
    except CannotBuildError:
        reject()
    program = str(inside / graph.subject)
    preload = [path.replace("{here}", "/graph") for path in graph.preload]
    paths = None if graph.library_path is None else graph.library_path.replace("{here}", "/graph")
    ours = answer_of(
        resolve(
            f"{root.path}{program}",
            root=str(root.path),
            preload=preload,
            library_path=host_library_path({"LD_LIBRARY_PATH": paths or ""}),
        )
    )
    assert root.start(program, preload=preload, library_path=paths) == ours.error
    if graph.parts[-1].needed:
        real = root.trace(program, started=True, preload=preload, library_path=paths)
        if real.error is None:
            found = traced_differences(real, ours)
            assert not found, found
