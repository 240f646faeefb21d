"""The real loader as a judge, for the tests of this room."""

from tests.oracle.fixtures import host, stubs, workshop
from tests.oracle.musl import musl_host

__all__ = ["host", "musl_host", "stubs", "workshop"]
