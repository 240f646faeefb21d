/* What is added to the files: a library that is only looked for among those loaded. */
int MARKER(void) { return 1; }
