"""Makes a process a known-bad build: Python imports this at its start where this folder is on PYTHONPATH.

`KNOWN_BAD` names a function of `builds.py` beside this file; it changes one module of the product right after that
module was imported. Without the variable nothing happens.
"""

import importlib.abc
import importlib.util
import os
import sys
from pathlib import Path


class _After(importlib.abc.MetaPathFinder):
    """Lets the ordinary finders find the module, and has the change made once it is loaded."""

    def __init__(self, wanted, change):
        self._wanted, self._change = wanted, change

    def find_spec(self, name, path=None, target=None):
        if name != self._wanted:
            return None
        sys.meta_path.remove(self)
        spec = importlib.util.find_spec(name)
        assert spec is not None
        assert spec.loader is not None
        load, change = spec.loader.exec_module, self._change

        def load_and_change(module):
            load(module)
            change(module)

        spec.loader.exec_module = load_and_change
        return spec


def _install():
    path = Path(__file__).with_name("builds.py")
    spec = importlib.util.spec_from_file_location("known_bad_builds", path)
    assert spec is not None
    assert spec.loader is not None
    builds = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(builds)
    module, change = builds.BUILDS[os.environ["KNOWN_BAD"]]
    if module:
        sys.meta_path.insert(0, _After(module, change))


if os.environ.get("KNOWN_BAD"):
    _install()
