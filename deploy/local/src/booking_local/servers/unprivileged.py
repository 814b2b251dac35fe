"""PostgreSQL refuses to run as root: as root it runs as `nobody`, or as the first other user of this machine.

No user is added and no folder of anybody is opened to others. Where the state folder lies below one that only root may
enter (a checkout in /root), the server keeps the single capability CAP_DAC_OVERRIDE, as an ambient one.
"""

import os
import pwd
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from booking_local.failure import Failure

_BECOME = str(Path(__file__).with_name("become.py"))


@dataclass(frozen=True, slots=True)
class Identity:
    """A user to become, and whether file permissions shall not stop it. uid -1 is who we are."""

    uid: int = -1
    gid: int = -1
    override_permissions: bool = False

    def running(self, *action: str, die_with_parent: bool = False) -> list[str]:
        """The command line that does one of become.py's actions as this user."""
        flags = [str(self.uid), str(self.gid), str(int(self.override_permissions)), str(int(die_with_parent))]
        return [sys.executable, "-I", "-S", _BECOME, *flags, *action]

    def reaches(self, *folders: Path) -> bool:
        """Whether this user can enter all these folders."""
        asked = subprocess.run(  # noqa: S603
            self.running("reaches", *map(str, folders)), check=False, capture_output=True
        )
        return asked.returncode == 0

    def working_in(self, folder: Path) -> list[int]:
        """The processes of this user that work in that folder (nobody else may look, root in a container neither)."""
        asked = subprocess.run(  # noqa: S603
            self.running("working-in", str(folder)), check=True, capture_output=True, text=True
        )
        return [int(word) for word in asked.stdout.split()]


MYSELF = Identity()


def for_postgres(*folders: Path) -> Identity:
    """Whom PostgreSQL runs as, so that it reaches these folders.

    Raises Failure when root has no way to give the folders to another user.
    """
    if os.geteuid() != 0:
        return MYSELF
    plain = _somebody_else()
    if plain.reaches(*folders):
        return plain
    overriding = replace(plain, override_permissions=True)
    if sys.platform == "linux" and overriding.reaches(*folders):
        return overriding
    raise Failure(
        f"PostgreSQL doesn't run as root, and user {plain.uid} may not enter {folders[-1]}: "
        "give a folder that others may enter, such as --state /var/tmp/booking, or run as a plain user."
    )


def _somebody_else() -> Identity:
    others = sorted((user for user in pwd.getpwall() if user.pw_uid != 0), key=lambda user: user.pw_name != "nobody")
    if not others:
        raise Failure(
            "PostgreSQL doesn't run as root, and this machine has no other user: add one, or run as a plain user."
        )
    return Identity(others[0].pw_uid, others[0].pw_gid)


def command_as(identity: Identity, argv: Sequence[str], *, die_with_parent: bool) -> list[str]:
    """`argv`, through become.py where that is needed."""
    if identity == MYSELF and not die_with_parent:
        return list(argv)
    return identity.running("exec", *argv, die_with_parent=die_with_parent)
