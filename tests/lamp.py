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
