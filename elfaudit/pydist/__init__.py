"""The Python side of what is audited: what distributions say of themselves."""

from .metadata import Metadata, read_metadata
from .wheel_info import WheelInfo, read_wheel_info

__all__ = ["Metadata", "WheelInfo", "read_metadata", "read_wheel_info"]
