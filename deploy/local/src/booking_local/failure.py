"""The one way a command of this package says no: a sentence that tells what to do, exit code 1."""


class Failure(Exception):
    """Something that a person can put right. The message is that sentence."""


DISK_FULL = "The disk of {folder} is full: free some space, then run the same command again."
