"""Random small graphs of objects: ours is what the real loader says, whatever the graph.

``ELFAUDIT_GRAPHS`` in the environment is how many graphs each test makes instead of a few;
``ELFAUDIT_SHRINK`` looks for a smaller example of what differs, which takes minutes.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, given, reject, settings

from tests.oracle.examples import disagreements
from tests.oracle.foundry import CannotBuildError, Foundry
from tests.oracle.graphs import CALM, WILD, Graph, graphs, place

pytestmark = pytest.mark.oracle

_GIVEN = os.environ.get("ELFAUDIT_GRAPHS")
_SETTINGS = settings(
    max_examples=int(_GIVEN or 15),
    deadline=None,
    derandomize=not _GIVEN,
    database=None,
    phases=(Phase.generate, *((Phase.shrink,) if "ELFAUDIT_SHRINK" in os.environ else ())),
    suppress_health_check=list(HealthCheck),
)
Judge = Callable[[Graph, Path | None], None]


@pytest.fixture(scope="session")
def agree(tmp_path_factory: pytest.TempPathFactory, foundry: Foundry) -> Judge:
    """Fails with what we and the loader differ in, about one graph."""
    directory = tmp_path_factory.mktemp("graph").resolve()

    def judge(graph: Graph, opener: Path | None) -> None:
        here = directory / "here"
        try:
            place(graph, foundry, here)
        except CannotBuildError:
            reject()
        found = disagreements(graph, here, opener)
        if found is None:
            reject()
        assert not found, found

    return judge


@_SETTINGS
@given(graph=graphs(CALM))
def test_opening_a_library(graph: Graph, agree: Judge, opener: Path) -> None:
    agree(graph, opener)


@_SETTINGS
@given(graph=graphs(CALM, program=True))
def test_starting_a_program(graph: Graph, agree: Judge) -> None:
    agree(graph, None)


@_SETTINGS
@given(graph=graphs(WILD))
def test_opening_a_library_of_an_odd_graph(graph: Graph, agree: Judge, opener: Path) -> None:
    agree(graph, opener)


@_SETTINGS
@given(graph=graphs(WILD, program=True))
def test_starting_a_program_of_an_odd_graph(graph: Graph, agree: Judge) -> None:
    agree(graph, None)


@_SETTINGS
@given(graph=graphs(CALM, opens=True))
def test_opening_several(graph: Graph, agree: Judge, opener: Path) -> None:
    agree(graph, opener)
