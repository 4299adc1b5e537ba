"""Models, the harness, and one episode. Knows no particular environment."""

from homebody.agents.episode import run_episode
from homebody.agents.errors import AgentError
from homebody.agents.harness.spec import HarnessSpec
from homebody.agents.record import EpisodeRecord
from homebody.agents.rollout import Job, RolloutConfig, Rollouts

__all__ = ["AgentError", "EpisodeRecord", "HarnessSpec", "Job", "RolloutConfig", "Rollouts", "run_episode"]
