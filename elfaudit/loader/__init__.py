"""What the dynamic loader would do with the facts, in pure functions over them."""

from .bindings import Binding, Bindings, Status
from .environment import AnyProgram, Dlopen, Libc, LoaderEnvironment, Mode
from .failed import Cause, Failure
from .libc import libc_of, loaders_in
from .linkmap import AS_NAMED, Asked, LinkMap, LinkMapEntry, Opening, Origin, Outcome, SearchStep
from .process import Loader
from .store import ObjectStore

__all__ = [
    "AS_NAMED",
    "AnyProgram",
    "Asked",
    "Binding",
    "Bindings",
    "Cause",
    "Dlopen",
    "Failure",
    "Libc",
    "LinkMap",
    "LinkMapEntry",
    "Loader",
    "LoaderEnvironment",
    "Mode",
    "ObjectStore",
    "Opening",
    "Origin",
    "Outcome",
    "SearchStep",
    "Status",
    "libc_of",
    "loaders_in",
]
