"""Facts to text: a pure function per format. Width and colour are arguments."""
