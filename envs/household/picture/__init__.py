"""The house as a picture: a floor plan with what the agent knows, does and holds.

Imports the engine and the canvas; the environments import `HousePicture`.
"""

from __future__ import annotations

from homebody.envs.household.picture.picture import LEAST_SIZE, HousePicture

__all__ = ["LEAST_SIZE", "HousePicture"]
