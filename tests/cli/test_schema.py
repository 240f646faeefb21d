"""The JSON Schemas, and that everything the commands print is as they say."""

from __future__ import annotations

import json
import os
import re
from enum import Enum
from pathlib import Path
from typing import Any

import jsonschema
import pytest

import elfaudit
from elfaudit import json_schema
from elfaudit.api.schemas import SCHEMAS
from elfaudit.report.jsontext import identifier

from .conftest import Run

COMMANDS = SCHEMAS


def check(text: str, command: str) -> Any:
    """The document, if it is valid."""
    document = json.loads(text)
    schema = json.loads(elfaudit.json_schema(command))
    jsonschema.Draft202012Validator(schema).validate(document)
    return document


def elf_files(prebuilt: Path) -> list[Path]:
    found = [path for path in sorted(prebuilt.rglob("*")) if path.is_file()]
    return [path for path in found if path.read_bytes()[:4] == b"\x7fELF"]


@pytest.mark.parametrize("command", COMMANDS)
def test_the_schemas_are_sound_and_strict(run: Run, command: str) -> None:
    result = run("schema", command)
    assert result.exit_code == 0
    schema = json.loads(result.output)
    jsonschema.Draft202012Validator.check_schema(schema)
    assert schema["properties"]["schema_version"]["const"] == 1
    for part in objects(schema):
        assert part["additionalProperties"] is False
        assert set(part["required"]) <= set(part["properties"])


def objects(schema: Any) -> list[dict[str, Any]]:
    if isinstance(schema, list):
        return [found for item in schema for found in objects(item)]
    if not isinstance(schema, dict):
        return []
    own = [schema] if schema.get("type") == "object" else []
    return own + [found for item in schema.values() for found in objects(item)]


@pytest.mark.parametrize(
    ("command", "member"),
    [
        ("resolve", elfaudit.Origin),
        ("resolve", elfaudit.Outcome),
        ("resolve", elfaudit.Status),
        ("resolve", elfaudit.Severity),
        ("resolve", elfaudit.Applicability),
        ("show", elfaudit.Kind),
        ("show", elfaudit.Stack),
    ],
)
def test_what_has_a_name_is_called_by_it(command: str, member: type[Enum]) -> None:
    names = {identifier(each) for each in member}
    assert all(re.fullmatch("[a-z]+(-[a-z]+)*", name) for name in names)
    assert names in [set(values) for values in enumerations(json.loads(json_schema(command)))]


def test_references_are_counted_by_the_names_of_their_states() -> None:
    bindings = json.loads(json_schema("resolve"))["$defs"]["file"]["properties"]["bindings"]
    names = {identifier(status) for status in elfaudit.Status}
    assert set(bindings["properties"]["counts"]["properties"]) == names


def enumerations(schema: Any) -> list[list[str]]:
    parts = schema if isinstance(schema, list) else list(schema.values())
    own = [schema["enum"]] if isinstance(schema, dict) and "enum" in schema else []
    nested = [part for part in parts if isinstance(part, (dict, list))]
    return own + [found for part in nested for found in enumerations(part)]


def test_the_schema_of_resolve_is_the_default(run: Run) -> None:
    assert run("schema").output == run("schema", "resolve").output
    assert run("schema", "nothing").exit_code == 2


@pytest.mark.parametrize("options", [(), ("--verbose", "--demangle"), ("--root", "none")])
def test_resolve_of_every_fixture_is_valid(
    run: Run, prebuilt: Path, options: tuple[str, ...]
) -> None:
    result = run("resolve", prebuilt, "--format", "json", *options)
    document = check(result.output, "resolve")
    assert document["summary"]["files"] > 60


def test_resolve_of_the_story_is_valid(run: Run, wheel: Path, story: Path, smi: Path) -> None:
    for options in ((), ("--preload", str(smi)), ("--preload", "/absent.so")):
        result = run("resolve", wheel, "--root", story / "root", "--format", "json", *options)
        document = check(result.output, "resolve")
    assert document["files"][0]["ignored_preloads"] == ["/absent.so"]


def test_show_of_every_fixture_is_valid(run: Run, prebuilt: Path, wheel: Path) -> None:
    targets = [*elf_files(prebuilt), f"{wheel}::torch/lib/libc10.so"]
    for options in ((), ("--symbols-count",)):
        result = run("show", *targets, "--format", "json", *options)
        assert result.exit_code == 0
        assert len(check(result.output, "show")["files"]) == len(targets) > 60


def test_symbols_of_every_fixture_are_valid(run: Run, prebuilt: Path) -> None:
    for path in elf_files(prebuilt):
        document = check(run("symbols", path, "--format", "json", "-C").output, "symbols")
        assert document["count"] == len(document["symbols"])
    empty = run("symbols", path, "--format", "json", "--match", "no such name")
    assert check(empty.output, "symbols")["symbols"] == []


def test_providers_are_valid(run: Run, prebuilt: Path) -> None:
    names = ("rsmi_init", "dep_call", "old_api", "_ZN4c10d5Store3getEv", "absent")
    result = run("providers", *names, "--in", prebuilt, "--format", "json", "-C")
    symbols = check(result.output, "providers")["symbols"]
    assert [symbol["name"] for symbol in symbols] == list(names)
    assert symbols[-1]["providers"] == []


def test_json_is_valid_whatever_a_file_is_called(run: Run, prebuilt: Path, tmp_path: Path) -> None:
    odd = tmp_path / os.fsdecode(b"lib\xff\x1b\xc5\x82.so")
    odd.write_bytes((prebuilt / "shapes/libdep.so.1").read_bytes())
    (shown,) = check(run("show", odd, "--format", "json").output, "show")["files"]
    assert os.fsencode(shown["file"]) == os.fsencode(odd)
    (resolved,) = check(run("resolve", odd, "--format", "json").output, "resolve")["files"]
    assert resolved["verdict"] == "LOADS"
    # What the document says can be asked for again, alone or as part of its directory.
    again = check(run("resolve", resolved["subject"], "--format", "json").output, "resolve")
    assert again["files"][0]["subject"] == resolved["subject"] == str(odd)
    inside = check(run("resolve", tmp_path, "--format", "json").output, "resolve")["files"]
    assert [each["subject"] for each in inside] == [str(odd)]
