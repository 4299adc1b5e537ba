"""Scripts that solve the pages of the suite: the gold check. They know the pages, and no seed.

Imports the reading of a page; the environment alone imports it.
"""

from homebody.envs.miniwob.expert import clicks, forms, sites
from homebody.envs.miniwob.expert.script import SCRIPTS, NoScriptError, next_command

__all__ = ["SCRIPTS", "NoScriptError", "clicks", "forms", "next_command", "sites"]
