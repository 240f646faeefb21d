"""The real loader as a judge, for the tests of this room."""

from tests.oracle.fixtures import host, stubs, workshop

__all__ = ["host", "stubs", "workshop"]
