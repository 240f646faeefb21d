"""The public names: all there, documented, and free to import."""

from __future__ import annotations

import ast
import inspect
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

import elfaudit
from elfaudit import api

CHECKOUT = Path(__file__).resolve().parents[2]
HEAVY = ("click", "lief", "tabulate", "elftools", "zipfile", "demangle", "abi3info", "jsonschema")


def modules_after(statement: str) -> set[str]:
    """Names of the modules that a new interpreter has imported after a statement."""
    code = f"{statement}\nimport json, sys\nprint(json.dumps(sorted(sys.modules)))"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=CHECKOUT
    )
    return set(json.loads(done.stdout.splitlines()[-1]))


@pytest.mark.parametrize("module", [elfaudit, api])
def test_all_is_sorted_and_complete(module: object) -> None:
    names: list[str] = module.__all__  # type: ignore[attr-defined]
    assert names == sorted(names)
    for name in names:
        assert getattr(module, name) is not None


def test_what_type_checkers_see_is_what_there_is() -> None:
    for module in (elfaudit, api):
        tree = ast.parse(inspect.getsource(module))
        seen = {
            alias.name
            for node in ast.walk(tree)
            if isinstance(node, ast.If)
            for statement in node.body
            if isinstance(statement, ast.ImportFrom)
            for alias in statement.names
        }
        assert seen == set(module.__all__) - {"__version__"}


def test_every_public_name_is_documented() -> None:
    for name in set(elfaudit.__all__) - {"__version__"}:
        thing = getattr(elfaudit, name)
        assert inspect.getdoc(thing), name
        if inspect.isfunction(thing):
            text = inspect.getdoc(thing) or ""
            missing = [p for p in inspect.signature(thing).parameters if f"{p}:" not in text]
            assert not missing or "are those of" in text, (name, missing)


def test_what_public_objects_hand_out_is_public() -> None:
    """The types of all public attributes and results, but those the loader keeps to itself."""
    homes = [import_module(home, "elfaudit") for home in elfaudit._HOMES]
    ours = {name for home in homes for name in getattr(home, "__all__", ())}
    seen = set()
    for name in set(elfaudit.__all__) - {"__version__"}:
        for told in annotations_of(getattr(elfaudit, name)):
            seen |= set(re.findall(r"\w+", told)) & ours
    assert seen - set(elfaudit.__all__) == set()


def annotations_of(thing: Any) -> Iterator[str]:
    if inspect.isfunction(thing):
        yield str(thing.__annotations__.get("return"))
    if not inspect.isclass(thing):
        return
    yield from map(str, vars(thing).get("__annotations__", {}).values())
    for name, value in vars(thing).items():
        get = getattr(value, "fget", None) or getattr(value, "func", None) or value
        if not name.startswith("_") and inspect.isfunction(get):
            yield str(get.__annotations__.get("return"))


def test_a_public_name_is_one_thing_wherever_it_is_found() -> None:
    homes = [import_module(home, "elfaudit") for home in elfaudit._HOMES]
    for name in set(elfaudit.__all__) - {"__version__"}:
        found = [getattr(home, name) for home in homes if hasattr(home, name)]
        found = [thing for thing in found if not inspect.ismodule(thing)]
        assert found
        assert all(thing is getattr(elfaudit, name) for thing in found), name


def test_dir_tells_the_public_names() -> None:
    assert dir(elfaudit) == elfaudit.__all__


def test_an_unknown_name_is_no_attribute() -> None:
    for module in (elfaudit, api):
        with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
            module.nothing  # noqa: B018


def test_the_version_is_that_of_the_distribution(monkeypatch: pytest.MonkeyPatch) -> None:
    from importlib import metadata

    def absent(name: str) -> str:
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(metadata, "version", lambda name: f"{name} 1")
    assert elfaudit._version() == "elfaudit 1"
    monkeypatch.setattr(metadata, "version", absent)
    assert elfaudit._version() == "0+uninstalled"


def test_importing_the_package_imports_nothing_heavy() -> None:
    loaded = modules_after("import elfaudit")
    assert loaded.isdisjoint((*HEAVY, "elfaudit.elf", "elfaudit.api", "importlib.metadata"))


def test_showing_a_file_needs_neither_loader_nor_archives(prebuilt: Path) -> None:
    target = prebuilt / "machines/x86_64/libdemo.so"
    for command in ("show", "symbols"):
        loaded = modules_after(
            "from elfaudit.cli import cli\n"
            f"cli([{command!r}, {str(target)!r}], standalone_mode=False)"
        )
        assert "click" in loaded
        heavy = ("elfaudit.loader", "elfaudit.findings", "elfaudit.sources")
        assert loaded.isdisjoint((*(set(HEAVY) - {"click"}), *heavy))


def test_the_library_says_what_the_command_says(story: Path) -> None:
    wheel = story / "torch-2.9.1+rocm7.1-cp311-cp311-linux_x86_64.whl"
    result = elfaudit.resolve(f"{wheel}::torch/lib/libtorch_hip.so", root=str(story / "root"))
    assert result.verdict is elfaudit.Verdict.FAILS
    assert result.error == "torch/lib/libtorch_hip.so: undefined symbol: rsmi_init"
    assert result.findings[0].fixes[0].edits[0].value == "librocm_smi64.so.1"


def test_an_unknown_schema_is_told() -> None:
    with pytest.raises(elfaudit.RequestError, match="there is no such schema; there are "):
        elfaudit.json_schema("nothing")
    assert json.loads(elfaudit.json_schema())["$id"] == "urn:elfaudit:resolve:1"
