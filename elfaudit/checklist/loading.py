"""A checklist from its TOML: the form checked, the variables filled in.

A file that is no TOML, or no checklist, is an error. A check that is not sound (a kind that does
not exist, a parameter of the wrong type) is kept with its problem, so the others can be judged.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

from jsonschema import Draft202012Validator, FormatChecker
from jsonschema.exceptions import ValidationError, best_match
from packaging.specifiers import SpecifierSet

from ..errors import ChecklistError
from ..findings import Severity
from ..findings.checks import Check, Condition
from .globs import name_pattern, path_pattern
from .kinds import KINDS
from .patterns import Pattern
from .schema import FRAME, check_schema

__all__ = ["Checklist", "Variable", "load_checklist"]

_VARIABLE = re.compile(r"\$(?:(\$\{)|\{([A-Za-z_][A-Za-z0-9_]*)\})")
_FORMATS = FormatChecker(formats=())
_COMMON = ("id", "kind", "title", "severity", "requires", "when", "advice", "precondition")
_MOST_BYTES = 4 << 20
_LARGEST = (1 << 63) - 1


@dataclass(frozen=True, slots=True)
class Variable:
    """What ``--set`` can fill in: its name, its default (None: it has none), what it means."""

    name: str
    default: str | None
    help: str


@dataclass(frozen=True, slots=True)
class Checklist:
    """A checklist.

    Attributes:
        name: what it is called.
        summary: what it is for, one line.
        variables: what can be set.
        checks: its checks, in order.
    """

    name: str
    summary: str
    variables: tuple[Variable, ...]
    checks: tuple[Check, ...]


def load_checklist(data: bytes, where: str, settings: Mapping[str, str] | None = None) -> Checklist:
    """A checklist from the bytes of its file.

    Args:
        data: TOML.
        where: how the user names the file.
        settings: variable to value; those that the checklist does not have are ignored.

    Raises:
        ChecklistError: it is no TOML, or not the form of a checklist; ``key_path`` says where.
    """
    document = _parsed(data, where)
    error = best_match(Draft202012Validator(dict(FRAME)).iter_errors(document))
    if error is not None:
        raise ChecklistError(where, _path(error.absolute_path), _told(error))
    variables = tuple(
        Variable(name, row.get("default"), row.get("help", ""))
        for name, row in document.get("variables", {}).items()
    )
    values = {each.name: each.default for each in variables if each.default is not None}
    given = settings or {}
    values |= {each.name: given[each.name] for each in variables if each.name in given}
    checks = tuple(_checks(document["check"], {each.name for each in variables}, values))
    return Checklist(document["name"], document.get("summary", ""), variables, checks)


def _parsed(data: bytes, where: str) -> dict[str, Any]:
    if len(data) > _MOST_BYTES:
        raise ChecklistError(where, "", f"has more than {_MOST_BYTES:,} bytes: no checklist")
    try:
        document = tomllib.loads(data.decode("utf-8-sig"))
        too_large = next(_too_large(document, ()), None)
    except UnicodeDecodeError as error:
        raise ChecklistError(where, "", f"is not UTF-8 at offset {error.start:#x}") from error
    except tomllib.TOMLDecodeError as error:
        raise ChecklistError(where, "", f"is no TOML: {error}") from error
    except (RecursionError, ValueError) as error:  # an integer of 5,000 digits
        raise ChecklistError(where, "", f"cannot be read as TOML: {error}") from error
    if too_large is not None:
        raise ChecklistError(where, _path(too_large), "is an integer of more than 64 bits")
    return document


def _too_large(value: object, path: tuple[str | int, ...]) -> Iterator[tuple[str | int, ...]]:
    """Where integers are that TOML 1.0 does not have; Python takes any, but not to print them."""
    if isinstance(value, int) and not -_LARGEST - 1 <= value <= _LARGEST:
        yield path
    inner: list[tuple[str | int, object]] = []
    if isinstance(value, dict):
        inner = [*value.items()]
    elif isinstance(value, list):
        inner = [*enumerate(value)]
    for key, each in inner:
        yield from _too_large(each, (*path, key))


def _checks(
    rows: Sequence[Mapping[str, Any]], known: set[str], values: Mapping[str, str]
) -> Iterator[Check]:
    seen: dict[str, int] = {}
    names = [_identity(row, number) for number, row in enumerate(rows)]
    for number, row in enumerate(rows):
        place = f"check[{number}]"
        unset: dict[str, set[str]] = {key: set() for key in row}
        try:
            filled = {
                key: _number(row, key, _filled(value, f"{place}.{key}", known, values, unset[key]))
                for key, value in row.items()
            }
            _require_sound(filled, place, {key for key, names in unset.items() if names})
            _require_order(names, number, filled, seen)
        except ChecklistError as error:
            yield Check(names[number], str(row.get("kind", "")), _title(row, names[number]),
                        problem=str(error))  # fmt: skip
        else:
            yield _check(filled, names[number], tuple(sorted(set().union(*unset.values()))))
        seen.setdefault(names[number], number)


def _identity(row: Mapping[str, Any], number: int) -> str:
    given = row.get("id")
    return given if isinstance(given, str) and given else f"{row.get('kind', 'check')}-{number}"


def _title(row: Mapping[str, Any], name: str) -> str:
    title = row.get("title")
    return title if isinstance(title, str) and title else name


def _check(row: Mapping[str, Any], name: str, unset: tuple[str, ...]) -> Check:
    when = row.get("when")
    return Check(
        name,
        row["kind"],
        _title(row, name),
        Severity[row.get("severity", "error").upper()],
        {key: value for key, value in row.items() if key not in _COMMON},
        tuple(row.get("requires", ())),
        None if when is None else Condition(when["distribution"], when.get("version")),
        row.get("advice", ""),
        row.get("precondition", False),
        unset=unset,
    )


def _number(row: Mapping[str, Any], key: str, filled: Any) -> Any:
    """A parameter that is a number and was written as a variable, as the number."""
    kind = KINDS.get(str(row.get("kind")))
    wanted = kind.parameters.get(key, {}).get("type") if kind is not None else None
    if wanted not in ("integer", "number") or not isinstance(filled, str):
        return filled
    if not _VARIABLE.fullmatch(str(row[key])):
        return filled
    digits = filled.replace("_", "")
    return int(digits) if digits.isascii() and digits.isdigit() and len(digits) < 20 else filled


def _require_sound(row: Mapping[str, Any], place: str, unset: set[str]) -> None:
    """Raise what is wrong with a check by the schema of its kind.

    Args:
        row: the check.
        place: where it is.
        unset: parameters that have a variable without a value, and are not yet what they will be.
    """
    name = row.get("kind")
    if name is None:
        raise ChecklistError("", f"{place}.kind", "is missing: it says what is checked")
    if not isinstance(name, str):
        raise ChecklistError("", f"{place}.kind", f"{str(name)[:60]} is no kind of check: no text")
    kind = KINDS.get(name)
    if kind is None:
        near = get_close_matches(name, KINDS, n=1)
        hint = f"; did you mean {near[0]}?" if near else f"; there are {', '.join(KINDS)}"
        raise ChecklistError("", f"{place}.kind", f"{name!r} is no kind of check{hint}")
    validator = Draft202012Validator(check_schema(kind), format_checker=_FORMATS)
    errors = (e for e in validator.iter_errors(row) if not unset & set(e.absolute_path))
    error = best_match(errors)
    if error is not None:
        raise ChecklistError("", place + _path(error.absolute_path, "."), _told(error))


@_FORMATS.checks("regex", raises=ChecklistError)
def _is_regex(value: object) -> bool:
    return not isinstance(value, str) or Pattern(value, "") is not None


@_FORMATS.checks("specifier", raises=ValueError)
def _is_specifier(value: object) -> bool:
    return not isinstance(value, str) or SpecifierSet(value) is not None


@_FORMATS.checks("glob", raises=ChecklistError)
def _is_glob(value: object) -> bool:
    return not isinstance(value, str) or None not in (path_pattern(value), name_pattern(value))


def _require_order(
    names: Sequence[str], number: int, row: Mapping[str, Any], seen: Mapping[str, int]
) -> None:
    """Raise where a check has the name of another, or requires what does not come before it."""
    place = f"check[{number}]"
    if names[number] in seen:
        first = seen[names[number]]
        raise ChecklistError("", f"{place}.id", f"{names[number]!r} is that of check[{first}], too")
    for position, required in enumerate(row.get("requires", ())):
        if required not in seen:
            why = "comes later" if required in names[number:] else "is no check of this list"
            raise ChecklistError("", f"{place}.requires[{position}]", f"{required!r} {why}")


def _filled(
    value: Any,
    place: str,
    known: set[str],
    values: Mapping[str, str],
    unset: set[str],
) -> Any:
    """A value with its variables filled in; those without a value are noted, and stay."""
    if isinstance(value, dict):
        return {
            key: _filled(each, f"{place}.{key}", known, values, unset)
            for key, each in value.items()
        }
    if isinstance(value, list):
        return [
            _filled(each, f"{place}[{number}]", known, values, unset)
            for number, each in enumerate(value)
        ]
    if not isinstance(value, str):
        return value

    def one(match: re.Match[str]) -> str:
        name = match[2]
        if name is None:
            return match[1]  # $${x} is ${x}
        if name not in known:
            raise ChecklistError("", place, f"there is no variable {name!r} in [variables]")
        if name not in values:
            unset.add(name)
        return values.get(name, match[0])

    return _VARIABLE.sub(one, value)


def _unknown(error: ValidationError) -> str:
    """A key that nobody knows, and those there are."""
    properties = error.schema.get("properties", {}) if isinstance(error.schema, dict) else {}
    given = error.instance if isinstance(error.instance, dict) else {}
    unknown = str(next((key for key in given if key not in properties), ""))[:60]
    own = [key for key in properties if key not in _COMMON]
    near = get_close_matches(unknown, own, 1, 0.5) or get_close_matches(unknown, properties, 1)
    hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(properties)}"
    return f"{unknown!r} is not known here; {hint}"


def _path(parts: Sequence[str | int], before: str = "") -> str:
    """``check[3].match``."""
    text = ""
    for part in parts:
        text += f"[{part}]" if isinstance(part, int) else f".{part}"
    return text if before else text.lstrip(".")


def _told(error: ValidationError) -> str:
    """What is wrong, in words about TOML."""
    value = repr(error.instance)
    shown = value if len(value) <= 60 else f"{value[:57]}..."
    if error.validator == "type":
        return f"{shown} is not of type {error.validator_value}"
    allowed = error.validator_value
    if error.validator == "enum" and isinstance(allowed, list):
        return f"{shown} is none of {', '.join(map(str, allowed))}"
    if error.validator == "format":
        return str(error.cause)
    if error.validator == "required" and isinstance(allowed, list):
        given = error.instance if isinstance(error.instance, dict) else {}
        missing = [repr(each) for each in allowed if each not in given]
        return f"{', '.join(missing)} is missing"
    if error.validator == "additionalProperties":
        return _unknown(error)
    if error.validator == "anyOf" and isinstance(allowed, list):
        names = [each["required"][0] for each in allowed]
        return f"asks nothing: it says none of {', '.join(names)}"
    if error.validator == "pattern":
        return f"{shown} is not of the form {error.validator_value}"
    return error.message if len(error.message) <= 200 else f"{error.message[:197]}..."
