"""The stories: a package, so that its stack ends with its last test, not with the run."""
