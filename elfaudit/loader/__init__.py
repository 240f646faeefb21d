"""What the dynamic loader would do with the facts, in pure functions over them."""

from .bindings import Binding, Bindings, Status, bind
from .environment import LoaderEnvironment
from .glibc import Loader
from .linkmap import LinkMap, LinkMapEntry, Origin, Outcome, SearchStep
from .store import ObjectStore

__all__ = [
    "Binding",
    "Bindings",
    "LinkMap",
    "LinkMapEntry",
    "Loader",
    "LoaderEnvironment",
    "ObjectStore",
    "Origin",
    "Outcome",
    "SearchStep",
    "Status",
    "bind",
]
