"""What the tags promise, held to the policies of auditwheel."""

from __future__ import annotations

import json
import re
import zipfile
from pathlib import Path
from typing import Any

import pytest

from elfaudit.checklist.platform_tags import promised, true_tag
from tests.real.fetch import Unavailable, wheel


@pytest.fixture(scope="module")
def policies() -> list[dict[str, Any]]:
    try:
        path: Path = wheel("auditwheel")
    except Unavailable as reason:
        pytest.skip(str(reason))
    with zipfile.ZipFile(path) as archive:
        found = json.loads(archive.read("auditwheel/policy/manylinux-policy.json"))
    return [each for each in found if each["name"] != "linux"]


@pytest.mark.real
def test_policies_are_those_of_auditwheel(
    policies: list[dict[str, Any]],
) -> None:
    compared = 0
    for policy in policies:
        for machine, versions in policy["symbol_versions"].items():
            tag = promised(f"p-1-py3-none-{policy['name']}_{machine}.whl")
            assert tag is not None
            assert tag[0] == policy["name"]
            for prefix in ("GLIBCXX", "CXXABI"):
                plain = [v for v in versions[prefix] if re.fullmatch(r"[0-9.]+", v)]
                newest = max(tuple(map(int, v.split("."))) for v in plain)
                assert tag[1][prefix] == newest, (policy["name"], machine, prefix)
                compared += 1
    assert compared > 100


def test_older_names_and_other_tags() -> None:
    assert promised("p-1-py3-none-manylinux2014_x86_64.whl") == (
        "manylinux2014", {"GLIBC": (2, 17), "GLIBCXX": (3, 4, 19), "CXXABI": (1, 3, 7)},
    )  # fmt: skip
    both = promised("p-1-py3-none-manylinux_2_28_x86_64.manylinux2010_x86_64.whl")
    assert both is not None
    assert both[0] == "manylinux2010"
    for name in ("p-1-py3-none-any.whl", "p-1-py3-none-linux_x86_64.whl", "no wheel"):
        assert promised(name) is None
        assert true_tag(name, {}) is None


@pytest.mark.parametrize(("needs", "tag"), [
    ({"GLIBC": (2, 14)}, "manylinux_2_14_x86_64"),
    ({"GLIBC": (2, 2, 5)}, "manylinux_2_5_x86_64"),
    ({"GLIBC": (2, 32), "GLIBCXX": (3, 4, 30)}, "manylinux_2_35_x86_64"),
    ({"GLIBC": (2, 17), "CXXABI": (1, 3, 15)}, "manylinux_2_39_x86_64"),
    ({"GLIBCXX": (3, 4, 99)}, None),
])  # fmt: skip
def test_the_tag_that_is_true(needs: dict[str, tuple[int, ...]], tag: str | None) -> None:
    assert true_tag("p-1-py3-none-manylinux_2_12_x86_64.whl", needs) == tag
