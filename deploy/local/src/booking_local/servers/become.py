"""A program of its own: becomes another user for good, then runs a command, tests or watches folders.

    become.py UID GID KEEP_DAC_OVERRIDE DIE_WITH_PARENT exec PROGRAM ARGUMENT...
    become.py UID GID KEEP_DAC_OVERRIDE 0 reaches FOLDER...
    become.py UID GID KEEP_DAC_OVERRIDE 0 working-in FOLDER...

A program and no `preexec_fn`, since Python code between fork and exec can deadlock where threads run. UID -1 stays who
we are. Standard library only: it is started without site-packages.
"""

import contextlib
import ctypes
import os
import signal
import sys
from pathlib import Path

PR_SET_PDEATHSIG, PR_SET_SECUREBITS, PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE = 1, 28, 47, 2
NO_SETUID_FIXUP = 1 << 2  # else access(2), which initdb asks, would answer as if there were no capability
CAP_DAC_OVERRIDE = 1
CAPABILITY_VERSION_3 = 0x20080522


def become(uid: int, gid: int, *, keep_dac_override: bool) -> None:
    """Gives up root. With `keep_dac_override` file permissions still don't stop it, through exec as well."""
    libc = ctypes.CDLL(None, use_errno=True) if keep_dac_override else None
    if libc is not None and libc.prctl(PR_SET_SECUREBITS, NO_SETUID_FIXUP, 0, 0, 0):
        raise PermissionError("CAP_DAC_OVERRIDE can't be kept")
    os.setgroups([])
    os.setgid(gid)
    os.setuid(uid)
    if libc is not None:
        bit = 1 << CAP_DAC_OVERRIDE
        header = (ctypes.c_uint32 * 2)(CAPABILITY_VERSION_3, 0)
        capabilities = (ctypes.c_uint32 * 6)(bit, bit, bit, 0, 0, 0)
        if libc.capset(header, capabilities) or libc.prctl(
            PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_DAC_OVERRIDE, 0, 0
        ):
            raise PermissionError("CAP_DAC_OVERRIDE can't be kept")


def reaches(folders: list[str]) -> bool:
    """Whether this user may enter and list all these folders."""
    return all(os.access(folder, os.R_OK | os.X_OK) for folder in folders)


def working_in(folders: list[str]) -> list[int]:
    """The processes whose working directory is one of these: a postmaster and all its backends."""
    wanted = {os.path.realpath(folder) for folder in folders}
    found: list[int] = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                if str((entry / "cwd").readlink()) in wanted:
                    found.append(int(entry.name))
    return found


def main(arguments: list[str]) -> int:
    """Exit code 1: not reached; 111: the user can't be changed."""
    uid, gid, keep, die = (int(text) for text in arguments[:4])
    action, rest = arguments[4], arguments[5:]
    try:
        if uid >= 0:
            become(uid, gid, keep_dac_override=bool(keep))
    except OSError as refused:
        print(f"can't become user {uid}: {refused}", file=sys.stderr)
        return 111
    if action == "reaches":
        return 0 if reaches(rest) else 1
    if action == "working-in":
        print(*working_in(rest))
        return 0
    if die and sys.platform == "linux":  # after the change of user, which clears it
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    return os.execv(rest[0], rest)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
