"""Modules of the user's, by name: those that are installed, and files of the current folder."""

from __future__ import annotations

import importlib
import os
import re
import sys
from types import ModuleType

from homebody.envs.text import one_line

_OWN = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*", re.ASCII)


class UserModuleError(Exception):
    """A module that cannot be imported; the message is one line."""


def is_own(name: str) -> bool:
    """Tell whether a name is written as `module:Class`."""
    return _OWN.fullmatch(name) is not None


def import_module(name: str, through: tuple[type[Exception], ...] = ()) -> ModuleType:
    """Import a module. From then on the current folder is looked into, after all others.

    Args:
        name: of the module, as `package.module`.
        through: errors of the module that are passed on as they are.

    Raises:
        UserModuleError: there is no such module, or it fails when it is imported.
    """
    # A command that is installed does not look into the current folder, where a user's file lies.
    if os.getcwd() not in sys.path:
        sys.path.append(os.getcwd())
    try:
        return importlib.import_module(name)
    except through:
        raise
    except ModuleNotFoundError as error:
        if error.name is None or not f"{name}.".startswith(f"{error.name}."):
            raise UserModuleError(f"module {name} needs {error.name}, which is not installed; install it") from None
        raise UserModuleError(f"there is no module {name!r}; install it, or run where {name}.py lies") from None
    except (Exception, SystemExit) as error:
        raise UserModuleError(f"module {name!r} cannot be imported: {type(error).__name__}: {one_line(str(error))}") from None
