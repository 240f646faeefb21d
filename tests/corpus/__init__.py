"""Files of many linkers and machines, patched by several tools, and really loaded."""
