"""What a link map answers about itself."""

from __future__ import annotations

from pathlib import Path

from elfaudit.api import resolve
from elfaudit.loader import LinkMapEntry, Origin


def test_labels(story: Path) -> None:
    (wheel,) = story.glob("*.whl")
    inside = resolve(f"{wheel}::torch/lib/libtorch_hip.so", root=None).link_map
    assert inside.subject.label == "torch/lib/libtorch_hip.so"
    assert inside.subject.display == f"{wheel}::torch/lib/libtorch_hip.so"
    assert inside.subject.soname == "libtorch_hip.so"
    assert inside.own == inside.local_scope
    absent = LinkMapEntry("libx.so.1", None, "libx.so.1", None, None, None, Origin.MISSING)
    assert (absent.label, absent.soname, absent.missing) == ("libx.so.1", "libx.so.1", True)


def test_dependencies_are_bound_before_their_users(story: Path) -> None:
    link_map = resolve(str(story / "variants/transitive/lib/libtorch_hip.so"), root=None).link_map
    order = [entry.soname for entry in link_map.relocated]
    assert sorted(order) == sorted(entry.soname for entry in link_map.entries)
    for entry, needed in link_map.edges.items():
        assert all(order.index(other.soname) < order.index(entry.soname) for other in needed)
