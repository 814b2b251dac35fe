"""Which Python the figures were taken on: one built without optimisations needs up to 1.7 times the time."""

import platform
import sys
import sysconfig

_PLACES = (
    (".pyenv", "pyenv's"),
    ("/uv/python/", "uv's"),
    ("conda", "conda's"),
    ("/Library/Frameworks/", "python.org's"),
)


def described() -> str:
    """Version, origin and build in a few words, without any path of the machine."""
    return f"{platform.python_version()}, {_origin()}, {_build()}"


def _origin() -> str:
    for part, name in _PLACES:
        if part in sys.base_prefix:
            return name
    if sys.base_prefix == "/usr":
        return f"{_distribution()}'s own"
    return "a build of somebody's own"


def _distribution() -> str:
    try:
        return platform.freedesktop_os_release()["NAME"].partition(" ")[0]
    except (OSError, KeyError):
        return platform.system()


def _build() -> str:
    if sys.base_prefix == "/usr" and "deb_system" in sysconfig.get_scheme_names():
        # Debian links its program from a build of its own; sysconfig tells of the other one, that of the library.
        return "built with optimisations (profile and link time, by Debian's recipe)"
    told = " ".join(
        str(sysconfig.get_config_var(name) or "") for name in ("CONFIG_ARGS", "PY_CORE_CFLAGS", "PY_CORE_LDFLAGS")
    )
    profiled = "--enable-optimizations" in told or "-fprofile-use" in told or "-fprofile-instr-use" in told
    linked = "--with-lto" in told or "-flto" in told
    if not profiled and not linked:
        return "built without optimisations"
    kinds = " and ".join(word for word, is_so in (("profile", profiled), ("link time", linked)) if is_so)
    return f"built with optimisations ({kinds})"
