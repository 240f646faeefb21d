"""Checklists that are not sound: where the fault is, and that the others can be judged."""

from __future__ import annotations

import json
import tomllib

import pytest
from jsonschema import Draft202012Validator

from elfaudit import ChecklistError, json_schema
from elfaudit.api.verifying import checklist_named, shipped_checklists
from elfaudit.checklist import Checklist, load_checklist
from elfaudit.checklist.kinds import KINDS


def _load(text: str, **settings: str) -> Checklist:
    return load_checklist(text.encode(), "x.toml", settings)


@pytest.mark.parametrize(("text", "told"), [
    ("name = ", "x.toml: is no TOML: Invalid value"),
    ("name = 'a'", "x.toml: 'check' is missing"),
    ("name = 'a'\ncheck = 1", "x.toml: check: 1 is not of type array"),
    ("name = 'a'\n[[check]]\nkind='count'\n[variables.A]\ndefault='x'", "x.toml: variables"),
    ("\ud800", None),
    ("a = 1" * 1_000_000, "x.toml: has more than"),
    ("a = " + "[" * 100_000, "x.toml: cannot be read as TOML"),
    ("a = " + "1" * 10_000, "x.toml: "),
    ("name = 'a'\n[[check]]\nkind='count'\nmin=0x" + "f" * 6000, "x.toml: check[0].min: is an int"),
    ("name = 'a'\n[[check]]\nkind='file'\nx=[1, 9223372036854775808]", "x.toml: check[0].x[1]: is"),
    ("0x" + "f" * 6000 + " = 1", "x.toml: "),
    (".".join("a" * 3000) + " = 1", "x.toml: cannot be read as TOML"),
])  # fmt: skip
def test_a_file_that_is_no_checklist_is_an_error(text: str, told: str | None) -> None:
    data = text.encode("utf-8", "surrogatepass")
    with pytest.raises(ChecklistError) as error:
        load_checklist(data, "x.toml")
    assert told is None or str(error.value).startswith(told)


@pytest.mark.parametrize(("body", "told"), [
    ("kind = 'requird'", "check[1].kind: 'requird' is no kind of check; did you mean requires?"),
    ("kind = 3", "check[1].kind: 3 is no kind of check: no text"),
    ("id = 'z'", "check[1].kind: is missing"),
    ("kind = 'symbols'\nfile = 'a'\nmatch = 7", "check[1].match: 7 is not of type string"),
    ("kind = 'symbols'", "check[1]: 'file' is missing"),
    ("kind = 'needed'\nfile = 'a'\nhas = [1]", "check[1].has[0]: 1 is not of type string"),
    ("kind = 'count'\nwhat = 'bees'", "check[1].what: 'bees' is none of distributions, installed"),
    ("kind = 'requires'\ntypo = 1", "check[1]: 'typo' is not known here; there are id,"),
    ("kind='needed'\nfile='a'\nhave=['b']", "check[1]: 'have' is not known here; did you mean has"),
    ("kind = 'requires'\nwhen={distribution='a', version='b'}", "check[1].when.version: Invalid"),
    ("kind = 'requires'\nwhen={distribution='a', version='>=" + "3" * 20 + "x'}",
     "check[1].when.version: Invalid"),
    ("kind = 'requires'\nid = 'first'", "check[1].id: 'first' is that of check[0], too"),
    ("kind = 'requires'\nrequires = ['later']", "check[1].requires[0]: 'later' comes later"),
    ("kind = 'requires'\nrequires = ['no']", "check[1].requires[0]: 'no' is no check of this"),
    ("kind = 'log'\npath = '${nobody}'", "check[1].path: there is no variable 'nobody'"),
    ("kind = 'requires'\nseverity = 'fatal'", "check[1].severity: 'fatal' is none of error"),
    ("kind = 'log'\npath = 'a'\nmust = ['b', 'a(']", "check[1].must[1]: 'a(' is not a regular"),
    ("kind = 'run'\ncommand = ['a']\nexpect = '['", "check[1].expect: '[' is not a regular expr"),
    ("kind = 'file'\npath = 'p/[z-a].so'", "check[1].path: 'p/[z-a].so' is no pattern"),
    ("kind = 'log'\npath = 'a'", "check[1]: asks nothing: it says none of must, must_not"),
    ("kind = 'needed'\nfile = 'a'", "check[1]: asks nothing: it says none of has, lacks"),
    ("kind = 'hardening'\nfile = 'a'", "check[1]: asks nothing: it says none of relro, now,"),
    ("kind = 'file'", "check[1]: asks nothing: it says none of path, wheel"),
    ("kind = 'file'\npath = 'lib${Foo}.so'", "check[1].path: there is no variable 'Foo'"),
    ("kind = 'loads'\nfile = 'a'\npreload = ['']", "check[1].preload[0]: '' should be non-empty"),
])  # fmt: skip
def test_a_check_that_is_not_sound_leaves_the_others(body: str, told: str) -> None:
    text = (
        "name = 'x'\n[[check]]\nid = 'first'\nkind = 'requires'\n"
        f"[[check]]\n{body}\n[[check]]\nid = 'later'\nkind = 'requires'\n"
    )
    first, broken, last = _load(text).checks
    assert first.problem is None
    assert last.problem is None
    assert broken.problem is not None
    assert broken.problem.startswith(told)


def test_variables_are_filled_in() -> None:
    text = (
        "name = 'x'\n[variables]\na = { default = '1' }\nb = { help = 'h' }\n"
        "[[check]]\nkind = 'log'\npath = '${a}/${b}'\nmust = ['x$', '${a}{2}']\n"
    )
    (check,) = _load(text).checks
    assert check.unset == ("b",)
    (check,) = _load(text, b="2", a="3").checks
    assert check.unset == ()
    assert check.parameters == {"path": "3/2", "must": ["x$", "3{2}"]}


def test_variables_stand_for_numbers_and_can_be_meant_literally() -> None:
    text = (
        "name = 'x'\n[variables]\nn = { help = 'h' }\n"
        "[[check]]\nkind = 'file'\npath = 'lib$${n}.so'\nmin_size = '${n}'\n"
    )
    (check,) = _load(text).checks
    assert (check.unset, check.problem) == (("n",), None)
    (check,) = _load(text, n="2_000").checks
    assert check.parameters == {"path": "lib${n}.so", "min_size": 2000}
    (check,) = _load(text, n="many").checks
    assert check.problem == "check[0].min_size: 'many' is not of type integer"


@pytest.mark.parametrize("name", shipped_checklists())
def test_what_is_shipped_is_sound_and_of_the_schema(name: str) -> None:
    checklist = checklist_named(name)
    assert [check.problem for check in checklist.checks if check.problem] == []
    assert checklist.name == name
    from importlib.resources import files

    path = files("elfaudit") / "checklist" / "profiles" / f"{name}.toml"
    schema = json.loads(json_schema("checklist"))
    Draft202012Validator.check_schema(schema)
    Draft202012Validator(schema).validate(tomllib.loads(path.read_text()))


@pytest.mark.parametrize("name", KINDS)
def test_every_kind_has_a_page_with_an_example_that_is_sound(name: str) -> None:
    document = KINDS[name].document or ""
    for head in ("## What it asks", "## Why", "## How it is decided"):
        assert head in document
    example = document.partition("```toml\n")[2].partition("```")[0]
    variables = "[variables]\ngpu_target = {}\nbuild_log = {}\n"
    (check,) = _load(f"name = 'x'\n{variables}{example}").checks
    assert check.problem is None
    assert check.kind == name
