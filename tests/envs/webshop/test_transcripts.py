"""The environment beside recordings of the real one: every step's text, rich text, address, clickables and reward.

The recorded limits on the price were drawn without a seed, so each recorded goal is put in the place of ours, which differs in them alone.
"""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from homebody.envs.webshop.env import WebShopEnv

DATA = Path(__file__).resolve().parents[3].parent / "shared" / "data" / "webshop"
pytestmark = pytest.mark.skipif(not DATA.is_dir(), reason="WebShop's data is not beside this repository (../shared/data/webshop)")


def lines(name: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (DATA / name).read_text(encoding="utf-8").strip().split("\n")]


@pytest.fixture(scope="module")
def recordings() -> list[dict[str, Any]]:
    return lines("text_transcripts.jsonl")


def make(observation: str, show_score: bool = True) -> WebShopEnv:
    """An environment with the recorded prices, and with the nouns that upstream's tagger told."""
    env = WebShopEnv(DATA, observation=observation, max_steps=1000, prices=DATA / "transcript_product_prices.json", show_score=show_score)
    nouns = {
        record["name"]: [word.lower() for word, kind in record["tokens"] if kind in ("NOUN", "PROPN")]
        for record in lines("title_nouns_en_core_web_sm.jsonl")
    }
    env.goal_shop = replace(env.goal_shop, tag=nouns.__getitem__)
    return env


def begin(env: WebShopEnv, recorded: dict[str, Any]) -> tuple[str, list[str]]:
    """Reset to a recorded goal, whose number upstream puts into the addresses."""
    ours, goal = env.goal_shop.source.goals[recorded["goal_index"]], recorded["goal"]
    env.reset(options={"task": ours.goal_id})
    assert (ours.asin, dict(ours.options), list(ours.attributes)) == (goal["asin"], goal["goal_options"], goal["attributes"])
    number, text = str(recorded["goal_index"]), goal["instruction_text"]
    env._goal = replace(ours, goal_id=number, instruction=text, price_upper=goal["price_upper"])
    return env._observe(), list(env.page.clickables)


def offered(clickables: list[str]) -> list[str]:
    """What recorded clickables are as commands: all but the search button, which is no command upstream either."""
    return sorted(f"click[{text}]" for text in clickables if text != "search")


@pytest.mark.parametrize(("observation", "field"), [("text", "obs"), ("text_rich", "text_rich"), ("url", "url")])
def test_every_step_is_as_recorded(observation: str, field: str, recordings: list[dict[str, Any]]) -> None:
    env = make(observation)
    n_steps = 0
    for recorded in recordings:
        seen, clickables = begin(env, recorded)
        assert clickables == recorded["reset"]["available"]["clickables"]
        assert observation != "text" or seen == recorded["reset"]["obs"]
        for step in recorded["steps"]:
            seen, reward, terminated, _, info = env.step(step["action"])
            assert (seen, reward, terminated) == (step[field], step["reward"], step["done"])
            assert list(env.page.clickables) == step["available"]["clickables"]
            assert env.page.has_search_bar == step["available"]["has_search_bar"]
            assert [command for command in info["admissible_commands"] if command != "search[{text}]"] == offered(list(env.page.clickables))
            n_steps += 1
    assert n_steps == 323


def test_a_hidden_score_is_the_only_difference(recordings: list[dict[str, Any]]) -> None:
    env = make("text", show_score=False)
    for recorded in recordings[:8]:
        begin(env, recorded)
        for step in recorded["steps"]:
            seen = env.step(step["action"])[0]
            score = f"[SEP] {step['reward']} [SEP] Reward Details"
            assert seen == (step["obs"].replace(score, "[SEP] hidden [SEP] Reward Details") if step["done"] else step["obs"])
