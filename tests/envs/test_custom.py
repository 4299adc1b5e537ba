"""Anybody's own environment by `module:Class`: ten lines are enough, and what is wrong with it is said in one."""

import os
import sys
import textwrap
from pathlib import Path

import gymnasium
import pytest

from homebody.envs import EnvError, TaskSpec, make, task_source, tasks
from homebody.envs.core import TaskCountError, UnknownSplitError

LAMP = "\n" + Path(__file__).parents[1].joinpath("lamp.py").read_text("utf-8")


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
        (
            ('["press", "wait"]', '["a {text}", "say {text}{text}"]'),
            "{}:Lamp",
            "holds 'say {text}{text}'; give a command at most one {text}",
        ),
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


INFO = '{"goal": "light the lamp", "admissible_commands": ["press", "wait"], "won": self.lit, "task_id": "lamp"}'
STEP = 'return "It is light" if self.lit else "It is dark", float(self.lit), self.lit, False, self.info()'


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            ('return "It is dark", self.info()', 'return "It is dark"'),
            "reset(seed=0) returned 'It is dark', not an observation and an info",
        ),
        (
            ('return "It is dark", self.info()', 'return "It is dark", 0.0, False, self.info()'),
            "reset(seed=0) returned ('It is dark', 0.0, False, {",
        ),
        (
            ("float(self.lit), self.lit, False", 'float("nan"), self.lit, False'),
            "terminated, truncated = nan, True, False, not a ",
        ),
        (("float(self.lit), self.lit, False", "10**400, self.lit, False"), "0000..., True, False, not a finite number and two bools"),
        (("float(self.lit), self.lit, False", "10**5000, self.lit, False"), "a int, True, False, not a finite number and two bools"),
        (("float(self.lit), self.lit, False", '"1", self.lit, False'), "reward, terminated, truncated = '1', True, False, not a finite"),
        (("float(self.lit), self.lit, False", "0.0, None, False"), "reward, terminated, truncated = 0.0, None, False, not a finite"),
        (("float(self.lit), self.lit, False", "0.0, 0.0, False"), "reward, terminated, truncated = 0.0, 0.0, False, not a finite"),
        (('["press", "wait"]', "[]"), "info['admissible_commands'] of reset(seed=0) is empty, and the episode goes on; offer a command"),
        (('["press", "wait"]', '["press", "press"]'), "info['admissible_commands'] of reset(seed=0) is not sorted, or has a command twice"),
        (('["press", "wait"]', '["press\\nnow", "wait"]'), "of reset(seed=0) holds 'press\\nnow', not one line without control characters"),
        (('["press", "wait"]', '["press", "wait\\ud83d"]'), "of reset(seed=0) holds 'wait\\ud83d', not one line"),
        (('"task_id": "lamp"', '"task_id": "la\\x1bmp"'), "info['task_id'] of reset(seed=0) holds 'la\\x1bmp', not one line"),
        (('"goal": "light the lamp"', '"goal": b"light"'), "info['goal'] of reset(seed=0) is b'light', not a str"),
        (('"won": self.lit', '"won": self.lit, "success_strict": 1.0'), "info['success_strict'] of reset(seed=0) is 1.0, not a bool"),
        (('"won": self.lit', '"won": self.lit, "why": ["no"]'), "info['why'] of reset(seed=0) is ['no'], not a str"),
        ((STEP, 'raise SystemExit("gone")'), "step('press') raised SystemExit: gone; give a gymnasium.Env"),
        ((STEP, 'raise ValueError("two\\nlines \\ud83d\\x1b")'), "step('press') raised ValueError: two lines \ufffd\ufffd; give a "),
    ],
)
def test_what_it_returns_is_checked(change, message, write):
    assert change[0] in LAMP
    with pytest.raises(EnvError) as caught:
        make(f"{write(LAMP.replace(*change))}:Lamp")
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_what_it_returns_is_cleaned_and_pythons_own(write):
    info = INFO.replace("light the lamp", "light\\x00 the\\n \\ud83d lamp").replace("self.lit,", "np.bool_(self.lit), 'why': 'no\\x1b[0m',")
    step = 'return "dark\\ud83d \\x1b[2Jroom\\u202e \\ud83d\\ude00", np.float32(0.5), np.bool_(self.lit), np.bool_(False), self.info()'
    env = make(f"{write('import numpy as np' + LAMP.replace(INFO, info).replace(STEP, step))}:Lamp")
    _, info = env.reset(options={"task": "lamp"})
    assert (info["goal"], info["won"], info["why"]) == ("light\ufffd the\n \ufffd lamp", False, "no\ufffd[0m")
    observation, reward, terminated, truncated, info = env.step("press")
    assert observation == "dark\ufffd \ufffd[2Jroom\ufffd \U0001f600"
    assert (reward, terminated, truncated, info["won"]) == (0.5, True, False, True)
    assert {type(value) for value in (reward, terminated, truncated, info["won"])} == {float, bool}


def test_long_texts_are_cut_and_commands_may_be_gone_at_the_end(write):
    name = write(LAMP.replace('"It is light"', "'x' * 3_000_000").replace('["press", "wait"]', '[] if self.lit else ["press"]'))
    env = make(f"{name}:Lamp")
    env.reset(seed=1)
    observation, _, terminated, _, info = env.step("press")
    assert (len(observation), terminated, info["admissible_commands"]) == (2**20, True, [])


def test_registered_env_is_checked_too(write):
    name = write(LAMP.replace("float(self.lit)", "float('inf')") + "gymnasium.register('InfLamp-v0', entry_point=Lamp)\n")
    try:
        env = make(f"{name}:InfLamp-v0")
        env.reset()
        with pytest.raises(EnvError, match=r"returned reward, terminated, truncated = inf, False, False, not a finite number"):
            env.step("wait")
    finally:
        gymnasium.registry.pop("InfLamp-v0", None)


def test_what_close_raises_is_named(write):
    env = make(f"{write(LAMP + '    def close(self): raise OSError(5)')}:Lamp")
    with pytest.raises(EnvError, match=r"close\(\) raised OSError: 5"):
        env.close()


SOURCE = """
    @classmethod
    def task_source(cls):
        return cls()
    def tasks(self, split, n=None):
        return {listed}
"""


@pytest.mark.parametrize(
    ("listed", "message"),
    [
        ("None", "tasks('test', 2) of its task source raised TypeError: 'NoneType' object is not iterable"),
        ("1 / 0", "tasks('test', 2) of its task source raised ZeroDivisionError: division by zero"),
        ("['lamp', 'lamp']", "tasks('test', 2) of its task source lists 'lamp'; give each task as a TaskSpec of three texts"),
        ("[homebody.envs.TaskSpec('a\\nb', 'lamp', split)] * 2", "lists TaskSpec(task_id='a\\nb', type='lamp', split='test'); give each"),
        ("[homebody.envs.TaskSpec('a\\ud83d', 'lamp', split)] * 2", "lists TaskSpec(task_id='a\\ud83d'"),
        ("[homebody.envs.TaskSpec('a', 3, split)] * 2", "lists TaskSpec(task_id='a', type=3"),
        ("[]", "split 'test' has no tasks in "),
        ("[homebody.envs.TaskSpec('a', 'lamp', split)]", "2 tasks of split 'test' were asked for; give at most 1"),
    ],
)
def test_what_its_task_source_lists_is_checked(listed, message, write):
    name = write("import homebody.envs" + LAMP + SOURCE.format(listed=listed))
    with pytest.raises(EnvError) as caught:
        tasks(f"{name}:Lamp", "test", 2)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)
