"""Objects by their dependencies: the order in which glibc relocates them, read backwards.

Source: ``_dl_sort_maps`` (glibc ``elf/dl-sort-maps.c``), which is another since 2.35.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import TypeVar

__all__ = ["after_dependencies", "moved_behind_users"]

_Object = TypeVar("_Object")

_MOST_LOOKS = 1 << 23  # at objects of one list; a tangle that takes more is left as it is by then


def after_dependencies(
    starts: Iterable[_Object],
    edges: Mapping[_Object, Sequence[_Object]],
    visited: set[_Object],
) -> Iterator[_Object]:
    """What some objects lead to and was not visited before, each behind what it needs itself.

    Source: ``_dl_sort_maps_dfs``, read backwards.
    """
    for start in starts:
        if start not in visited:
            visited.add(start)
            yield from _from(start, edges, visited)


def _from(
    root: _Object, edges: Mapping[_Object, Sequence[_Object]], visited: set[_Object]
) -> Iterator[_Object]:
    stack = [(root, iter(edges.get(root, ())))]
    while stack:
        entry, rest = stack[-1]
        for child in rest:
            if child not in visited:
                visited.add(child)
                stack.append((child, iter(edges.get(child, ()))))
                break
        else:
            stack.pop()
            yield entry


def moved_behind_users(
    objects: Iterable[_Object], needed: Callable[[_Object], Iterable[_Object]]
) -> list[_Object]:
    """The objects, each moved behind the last one that needs it, as far as cycles allow.

    An object at the front that was moved there too often stays (``seen``): it is in a cycle.

    Args:
        objects: in the order in which they were found.
        needed: what each of them needs.

    Source: ``_dl_sort_maps_original``.
    """
    order = list(objects)
    users = _users(order, needed)
    seen = [0] * len(order)
    looks = first = 0
    while first < len(order) and looks < _MOST_LOOKS:
        seen[first] += 1
        entry = order[first]
        last = _last(order, first, users.get(entry, frozenset()))
        looks += len(order) - last
        if last > first:
            order.insert(last, order.pop(first))
            looks += last - first
            if seen[first + 1] <= len(order) - first:
                seen.insert(last, seen.pop(first))
                continue
        first += 1
        seen[first:] = [0] * (len(order) - first)
        looks += len(order) - first
    return order


def _users(
    objects: Sequence[_Object], needed: Callable[[_Object], Iterable[_Object]]
) -> Mapping[_Object, AbstractSet[_Object]]:
    users: dict[_Object, set[_Object]] = {}
    for user in objects:
        for each in needed(user):
            users.setdefault(each, set()).add(user)
    return users


def _last(order: Sequence[_Object], first: int, users: AbstractSet[_Object]) -> int:
    """The place of the last of some objects behind ``first``; without any ``first``."""
    if not users:
        return first
    return next((k for k in range(len(order) - 1, first, -1) if order[k] in users), first)
