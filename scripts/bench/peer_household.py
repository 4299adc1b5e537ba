"""Plays recorded commands in the real ALFWorld engine and times it. Run by the interpreter that has it; imports nothing of homebody.

Standard input: a JSON list of `[path of a game.tw-pddl, commands]`. Standard output, last line: a JSON object with `engine`, and a list for
each of `load_s` (load and reset), `step_s` (mean of the commands, answer, admissible commands and win test included) and `said` (what the
game said, had on offer, and whether it was won: at the reset and after each command).
"""

import importlib
import importlib.metadata
import json
import sys
import time
from typing import Any


def play(textworld: Any, wrappers: list[Any], path: str, commands: list[str]) -> tuple[float, float, list[list[Any]]]:
    """Play one game as AlfredTWEnv does, without its step limit; return the two times in seconds, and what was said."""
    wanted = textworld.EnvInfos(won=True, admissible_commands=True, extras=["gamefile"])
    started = time.perf_counter()
    env = textworld.start(path, wanted, wrappers)
    state = env.reset()
    loaded = time.perf_counter()
    states = [state]
    for command in commands:
        states.append(env.step(command)[0])
    ended = time.perf_counter()
    said = [[state.feedback, state.admissible_commands, bool(state.won)] for state in states]
    return loaded - started, (ended - loaded) / len(commands), said


def main() -> None:
    """Read games, play them, and print the times."""
    textworld = importlib.import_module("textworld")
    module = importlib.import_module("alfworld.agents.environment.alfred_tw_env")
    wrappers = [module.AlfredDemangler, module.AlfredInfos]
    games = json.load(sys.stdin)
    play(textworld, wrappers, games[0][0], games[0][1][:1])  # what is done once a process is not charged to a game
    played = [play(textworld, wrappers, path, commands) for path, commands in games]
    versions = ", ".join(f"{name} {importlib.metadata.version(name)}" for name in ("alfworld", "textworld", "fast-downward-textworld"))
    load_s, step_s, said = (list(part) for part in zip(*played, strict=True))
    print("\n" + json.dumps({"engine": versions, "load_s": load_s, "step_s": step_s, "said": said}))


if __name__ == "__main__":
    main()
