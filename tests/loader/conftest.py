"""The real loader as a judge, for the tests of this room."""

from tests.oracle.fixtures import foundry, host, opener, stubs, workshop
from tests.oracle.musl import musl_host

__all__ = ["foundry", "host", "musl_host", "opener", "stubs", "workshop"]
