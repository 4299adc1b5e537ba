"""Plays games in the real ALFWorld engine; run by the interpreter that has it, which need not be the one of the tests.

Standard input: a JSON list of `[path of a game.tw-pddl, list of commands]`. Standard output, last line: for each game a JSON list of
`[observation, admissible commands, reward, won]`, the first for the reset. It imports nothing of homebody.
"""

import json
import sys

import textworld
from alfworld.agents.environment.alfred_tw_env import AlfredDemangler, AlfredInfos

INFOS = textworld.EnvInfos(won=True, admissible_commands=True, extras=["gamefile"])


def play(path, commands):
    """Play one game as AlfredTWEnv does, without its step limit."""
    env = textworld.start(path, INFOS, [AlfredDemangler, AlfredInfos])
    state = env.reset()
    record = [[state.feedback, state.admissible_commands, 0, state.won]]
    for command in commands:
        state, reward, _ = env.step(command)
        record.append([state.feedback, state.admissible_commands, reward, state.won])
    return record


if __name__ == "__main__":
    played = [play(path, commands) for path, commands in json.load(sys.stdin)]
    print("\n" + json.dumps(played))
