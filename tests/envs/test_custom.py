"""Anybody's own environment by `module:Class`: ten lines are enough, and what is wrong with it is said in one."""

import os
import sys
import textwrap

import gymnasium
import pytest

from homebody.envs import EnvError, TaskSpec, make, task_source, tasks
from homebody.envs.core import TaskCountError, UnknownSplitError

LAMP = """
import gymnasium
from gymnasium.spaces import Text

class Lamp(gymnasium.Env):
    observation_space = action_space = Text(99)
    def info(self):
        return {"goal": "light the lamp", "admissible_commands": ["press", "wait"], "won": self.lit, "task_id": "lamp"}
    def reset(self, *, seed=None, options=None):
        self.lit = False
        return "It is dark", self.info()
    def step(self, action):
        self.lit = self.lit or action == "press"
        return "It is light" if self.lit else "It is dark", float(self.lit), self.lit, False, self.info()
"""


@pytest.fixture
def write(tmp_path, monkeypatch):
    """Write a module of the user's into the current folder: `write(text)`; returns its name."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    before, names = set(sys.modules), iter(f"own{tmp_path.name.replace('-', '_')}_{n}" for n in range(9))

    def write(text=LAMP, name=None):
        name = name or next(names)
        (tmp_path / f"{name}.py").write_text(textwrap.dedent(text))
        return name

    yield write
    for name in set(sys.modules) - before:
        del sys.modules[name]


def test_class_in_the_current_folder_is_made_and_played(write):
    env = make(f"{write()}:Lamp")
    _, info = env.reset(options={"task": "lamp"})
    assert info["goal"] == "light the lamp"
    assert env.step("press")[:4] == ("It is light", 1.0, True, False)
    assert sys.path[-1] == os.getcwd()


def test_without_a_task_source_it_has_one_task_in_every_split(write):
    env_id = f"{write()}:Lamp"
    for split in ("train", "validation", "test"):
        assert tasks(env_id, split) == tasks(env_id, split, 1) == [TaskSpec("lamp", "Lamp", split)]
    with pytest.raises(UnknownSplitError, match="unknown split 'tset'; did you mean test"):
        tasks(env_id, "tset")
    with pytest.raises(TaskCountError):
        tasks(env_id, "test", 2)


def test_its_own_task_source_is_asked(write):
    own = """
    @classmethod
    def task_source(cls, **kwargs):
        return cls(**kwargs)
    def __init__(self, colour="red"):
        self.colour = colour
    def tasks(self, split, n=None):
        from homebody.envs import TaskSpec
        return [TaskSpec(f"{self.colour} {number}", "lamp", split) for number in range(3)][:n]
"""
    name = write(LAMP + own)
    assert tasks(f"{name}:Lamp", "train", 2, colour="blue") == [TaskSpec("blue 0", "lamp", "train"), TaskSpec("blue 1", "lamp", "train")]
    assert make(f"{name}:Lamp", colour="green").unwrapped.colour == "green"


def test_module_may_register_ids_as_before(write):
    registering = LAMP + "gymnasium.register('OwnLamp-v3', entry_point=Lamp, disable_env_checker=True)\n"
    name = write(registering)
    try:
        assert type(make(f"{name}:OwnLamp-v3").unwrapped).__name__ == "Lamp"
        with pytest.warns(UserWarning, match="OwnLamp-v3"):
            assert type(make(f"{name}:OwnLamp").unwrapped).__name__ == "Lamp"
        with pytest.raises(EnvError, match="no task source"):
            task_source(f"{name}:OwnLamp-v3")
    finally:
        gymnasium.registry.pop("OwnLamp-v3", None)


@pytest.mark.parametrize(
    ("change", "what", "message"),
    [
        (None, "nomodule:Lamp", "environment 'nomodule:Lamp': there is no module 'nomodule'; install it, or run where nomodule.py lies"),
        (None, ":Lamp", "environment ':Lamp': module '' cannot be imported: ValueError: Empty module name"),
        (
            ("import gymnasium\n", "import gymnasium, nosuchthing\n"),
            "{}:Lamp",
            "module {} needs nosuchthing, which is not installed; install it",
        ),
        (("class Lamp", "clas Lamp"), "{}:Lamp", "module '{}' cannot be imported: SyntaxError: "),
        (("class Lamp", "1 / 0\nclass Lamp"), "{}:Lamp", "module '{}' cannot be imported: ZeroDivisionError: division by zero"),
        (None, "{}:Lmap", "module {} has no class 'Lmap' and registers no such id; did you mean Lamp?"),
        (None, "{}:Heater", "module {} has no class 'Heater' and registers no such id; its environments: Lamp"),
        (None, "{}:", "module {} has no class '' and registers no such id; its environments: Lamp"),
        (None, "{}:Text", "Text is no subclass of gymnasium.Env; give a gymnasium.Env with Text in and out, whose info has goal, "),
        (None, "{}:gymnasium", "gymnasium is no subclass of gymnasium.Env"),
        (("def info", "def __init__(self, size): pass\n    def info"), "{}:Lamp", "Lamp() raised TypeError: "),
        (("def info", "def __init__(self): raise OSError('no lamp')\n    def info"), "{}:Lamp", "Lamp() raised OSError: no lamp; give a "),
        (("self, *, seed=None, options=None", "self"), "{}:Lamp", "reset(seed=0) raised TypeError: "),
        ((", options=None", ""), "{}:Lamp", "reset(seed=0, options={'task': 'lamp'}) raised TypeError: "),
        (("self.lit = self.lit or", "self.lit = self.lamp or"), "{}:Lamp", "step('press') raised AttributeError: "),
        (("float(self.lit), ", ""), "{}:Lamp", "step('press') returned ('It is light', True, False, {'goal': "),
        (('"goal": "light the lamp", ', ""), "{}:Lamp", "info['goal'] of reset(seed=0) is 'missing', not a str"),
        (('"won": self.lit', '"won": 0'), "{}:Lamp", "info['won'] of reset(seed=0) is 0, not a bool"),
        (('["press", "wait"]', '["wait", "press"]'), "{}:Lamp", "info['admissible_commands'] of reset(seed=0) is not sorted"),
        (('["press", "wait"]', "[1]"), "{}:Lamp", "info['admissible_commands'] of reset(seed=0) holds something other than texts"),
        (('"It is dark", self.info()', '"It is dark", None'), "{}:Lamp", "the info of reset(seed=0) is a NoneType, not a dict"),
        (('return "It is dark"', "return 5"), "{}:Lamp", "the observation of reset(seed=0) is 5, not a text"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(change, what, message, write):
    name = write(LAMP if change is None else LAMP.replace(*change))
    assert change is None or change[0] in LAMP
    with pytest.raises(EnvError) as caught:
        make(what.format(name))
    assert message.replace("{}", name) in str(caught.value)
    assert "\n" not in str(caught.value)
