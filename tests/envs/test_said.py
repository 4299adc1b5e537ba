"""Goals as people say them: one reading each, no wording in two splits, unseen names in the test, and the same house behind them."""

import json
import os
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from homebody.envs import check_env, make, task_source, tasks
from homebody.envs.core import SPLITS, EnvError
from homebody.envs.household.alfworld.errors import GameFileError
from homebody.envs.household.alfworld.games import AlfWorldSource
from homebody.envs.household.engine.engine import TextGame
from homebody.envs.household.engine.game import compile_game
from homebody.envs.household.engine.problem import Goal, GoalKind
from homebody.envs.household.engine.vocabulary import object_flags, receptacle_kinds
from homebody.envs.household.expert.expert import plan
from homebody.envs.household.export import export_houses
from homebody.envs.household.goals.said import AnnotationError, GoalsError, read_table, say_goal, split_suffix
from homebody.envs.household.houses.building import ROOMS
from homebody.envs.household.houses.houses import HouseSource

SLOT = re.compile(r"\{(\w+)\}")
POLITE = set(re.findall(r"\w+", "please kindly could would can will you thanks thank mind sorry hello hi excuse me"))
GAMES = Path(__file__).resolve().parents[2].parent / "shared" / "data" / "alfworld"


# ---- an independent reader: every wording of every split as a pattern, every name of every kind in its slots


@cache
def kinds_by_name() -> dict[str, dict[str, set[str]]]:
    """Return, for things and places, the kinds that each spelling stands for, in lower case."""
    found: dict[str, dict[str, set[str]]] = {"things": {}, "places": {}, "many": {}}
    for group in ("things", "places"):
        for kind, row in read_table()[group].items():
            for text in (text for split in SPLITS for text in row.get(split, ())):
                one, _, many = text.partition("/")
                found[group].setdefault(one.lower(), set()).add(kind)
                if group == "things":
                    found["many"].setdefault((many or one + "s").lower(), set()).add(kind)
    return found


def spellings(text: str) -> set[str]:
    """Return a name of the table in one and in many, in lower case."""
    one, _, many = text.lower().partition("/")
    return {one, many or f"{one}s"}


@cache
def trained_names() -> set[str]:
    """Return every spelling that a training goal may have."""
    return {
        name for group in ("things", "places") for row in read_table()[group].values() for text in row["train"] for name in spellings(text)
    }


@cache
def pattern(wording: str) -> tuple[re.Pattern[str], list[tuple[str, str]]]:
    """Return a wording's pattern, and what each group names: a role and a group of names."""
    names = {group: "|".join(sorted(map(re.escape, table), key=len, reverse=True)) for group, table in kinds_by_name().items()}
    thing, place, many = (f"({names[group]})" for group in ("things", "places", "many"))
    forms = {
        "o": thing, "a": f"an? {thing}", "the": f"the {thing}", "s": many, "r": place, "in": f"(?:in|on) the {place}",
        "into": f"(?:into|onto) the {place}", "lamp": thing, "other": place, "elsewhere": f"(?:in|on) the {place}", "not_o": thing,
    }  # fmt: skip
    roles = {"r": "target", "in": "target", "into": "target", "lamp": "target", "other": "no", "elsewhere": "no", "not_o": "no"}
    parts, groups = [], []
    for n, piece in enumerate(SLOT.split(wording)):
        if n % 2:
            slot = piece.lower()
            parts.append(forms[slot])
            group = "many" if slot == "s" else "things" if forms[slot].endswith(thing) else "places"
            groups.append((roles.get(slot, "object"), group))
        else:
            parts.append(re.escape(piece))
    polite = read_table()["polite"]
    before, after = ("|".join(map(re.escape, polite[key])) for key in ("before", "after"))
    return re.compile(f"(?:{before})?{''.join(parts)}(?:{after})?", re.IGNORECASE), groups


@cache
def wordings() -> list[tuple[GoalKind, str, str, list[str]]]:
    """Return every wording with its kind of goal, its split, and its words between the slots."""
    table = read_table()["wordings"]
    return [
        (kind, split, wording, [piece.lower() for piece in SLOT.split(wording)[::2]])
        for kind in GoalKind
        for split, texts in table[kind.name.lower()].items()
        for wording in texts
    ]


def read(sentence: str) -> Iterator[tuple[str, Goal]]:
    """Yield every reading of a sentence, with the split that its wording belongs to."""
    return ((split, goal) for split, goal, _ in read_names(sentence))


def read_names(sentence: str) -> Iterator[tuple[str, Goal, tuple[set[str], set[str]]]]:
    """Yield every reading of a sentence, with the names of the object and of the target."""
    lower = sentence.lower()
    for kind, split, wording, fixed in wordings():
        if not all(piece in lower for piece in fixed):  # which is much faster than to match
            continue
        form, groups = pattern(wording)
        if match := form.fullmatch(sentence):
            meant: dict[str, set[str]] = {"object": set(), "target": set(), "no": set()}
            names: dict[str, set[str]] = {"object": set(), "target": set(), "no": set()}
            for (role, group), text in zip(groups, match.groups(), strict=True):
                meant[role] |= kinds_by_name()[group][text.lower()]
                names[role].add(text.lower())
            assert not meant["no"] & (meant["object"] | meant["target"]), f"{sentence!r} asks for what it rules out"
            for object_ in meant["object"]:
                for target in meant["target"]:
                    yield split, Goal(kind, object_, target), (names["object"], names["target"])


def bare(wording: str) -> str:
    """Return a wording without names, articles, polite words and punctuation."""
    words = re.findall(r"[a-z']+", SLOT.sub(" ", wording).lower())
    return " ".join(word for word in words if word not in POLITE | {"a", "an", "the"})


# ---- the tables


def test_no_wording_is_in_two_splits() -> None:
    for kind, splits in read_table()["wordings"].items():
        told = {split: {bare(w) for w in texts} for split, texts in splits.items()}
        assert all(len(told[split]) == len(texts) for split, texts in splits.items()), f"{kind}: two wordings are one"
        assert len(told["train"]) >= 40
        assert len(told["test"]) >= 20
        assert len(told["validation"]) >= 10
        assert not told["train"] & told["test"]
        assert not told["validation"] & (told["test"] | told["train"])
    everywhere = {split: {bare(w) for splits in read_table()["wordings"].values() for w in splits[split]} for split in SPLITS}
    assert not everywhere["test"] & (everywhere["train"] | everywhere["validation"])


def test_wordings_of_a_task_type_are_of_no_other() -> None:
    kinds: dict[str, set[str]] = {}
    for kind, splits in read_table()["wordings"].items():
        for text in (w for texts in splits.values() for w in texts):
            kinds.setdefault(re.sub(r"\{s\}|\{\w*o\}|\{a\}|\{the\}|\{lamp\}|\{r\}", "_", text.lower()), set()).add(kind)
    assert [text for text, found in kinds.items() if len(found) > 1] == []


def test_wordings_have_what_people_use() -> None:
    for kind, splits in read_table()["wordings"].items():
        for split, texts in splits.items():
            joined = " ".join(texts)
            assert re.search(r"\b(it|them|that|those)\b", joined), f"{kind}/{split}: no pronoun"
            assert any(len(re.findall(r"[.?!:](?: |$)", text)) > 1 for text in texts), f"{kind}/{split}: no two sentences"
        assert any("{other}" in t or "{elsewhere}" in t or "{not_o}" in t for texts in splits.values() for t in texts)
        for text in (w for texts in splits.values() for w in texts):
            assert re.fullmatch(r"[A-Za-z0-9 !'(),./:?{}_-]+", text), f"{text!r} cannot be written to a game file"


def test_a_name_stands_for_one_kind() -> None:
    spelled: dict[str, set[str]] = {}
    for table in kinds_by_name().values():
        for name, kinds in table.items():
            spelled.setdefault(name, set()).update(kinds)
    assert {name: kinds for name, kinds in spelled.items() if len(kinds) > 1} == {}
    # The game's own words; fixtures, as the bathtub around its basin, are in no goal.
    own = {kind.lower(): kind for kind in (*receptacle_kinds(), *(kind for kind, flags in object_flags().items() if flags))}
    assert [name for name, kinds in spelled.items() if own.get(name.replace(" ", ""), *kinds) not in kinds] == []


def test_every_kind_of_a_goal_has_names() -> None:
    table = read_table()
    movable = {kind for kind, flags in object_flags().items() if flags & {"pickupable", "toggleable"}}
    assert set(table["things"]) == movable
    assert set(table["places"]) == set(receptacle_kinds())
    assert len(movable) + len(receptacle_kinds()) >= 60


def test_new_names_share_no_stem_with_their_kind() -> None:
    for group in ("things", "places"):
        rows = read_table()[group]
        for kind, row in rows.items():
            short = {word for word in re.findall(r"[A-Z]+[a-z]*", kind) if len(word) < 4}
            for name in (name for split in ("validation", "test") for text in row[split] for name in spellings(text)):
                assert name not in trained_names()
                stems = {kind.lower()[at : at + 4] for at in range(len(kind) - 3)}
                assert not any(stem in name.replace(" ", "") for stem in stems), f"{kind}: {name}"
                assert not {word.lower() for word in short} & set(re.findall(r"[a-z]+", name)), f"{kind}: {name}"


# ---- the goals


@pytest.mark.parametrize("split", SPLITS)
def test_goals_have_one_reading(split: str, capsys: pytest.CaptureFixture[str]) -> None:
    kinds, targets = object_flags(), receptacle_kinds()
    movable = sorted(kind for kind, flags in kinds.items() if "pickupable" in flags)
    trained = trained_names()
    unseen, number, told = 0, 2000, set()
    for n in range(number):
        kind, object_ = GoalKind(n % 6), movable[n * 7 % len(movable)]
        target = ("DeskLamp", "FloorLamp")[n % 5 == 0] if kind == GoalKind.LIGHT else sorted(targets)[n * 5 % len(targets)]
        sentence = say_goal(Goal(kind, object_, target), split, f"{split}/{n}")
        found = list(read_names(sentence))
        assert [reading[:2] for reading in found] == [(split, Goal(kind, object_, target))], sentence
        told.add(sentence)
        unseen += any(not names & trained for names in found[0][2])
    with capsys.disabled():
        print(f"\n{split}: {number} goals, {len(told)} different, one reading each, {unseen / number:.1%} with a name of no training goal")
    assert len(told) > 0.9 * number
    assert unseen == 0 if split == "train" else unseen >= 0.5 * number


def test_houses_have_one_reading_and_the_expert_solves_them() -> None:
    source, plain = HouseSource(goals="said"), HouseSource()
    for split in SPLITS:
        for spec, bare_spec in zip(source.tasks(split, 60), plain.tasks(split, 60), strict=True):
            house, other = source.build(spec.task_id), plain.build(bare_spec.task_id)
            assert spec.task_id == f"{bare_spec.task_id}+said"
            assert spec.hash != bare_spec.hash
            assert list(read(house.problem.task)) == [(split, other.problem.goal)]
            assert house.plain == other.problem.task != house.problem.task
            play = TextGame(compile_game(house.problem))
            for code in plan(play.game, play.state):
                play.step(play.language.command(code))
            assert play.won


def test_goals_are_the_same_in_another_process() -> None:
    program = (
        "from homebody.envs.household.houses.houses import HouseSource as H; s = H(goals='said');"
        "print(*[s.load(t.task_id).task for t in s.tasks('test', 12)], sep='\\n')"
    )
    source = HouseSource(goals="said")
    here = [source.load(spec.task_id).task for spec in source.tasks("test", 12)]
    for seed in ("0", "1"):
        env = {**os.environ, "PYTHONHASHSEED": seed}
        told = subprocess.run([sys.executable, "-P", "-c", program], capture_output=True, text=True, check=True, env=env)
        assert told.stdout.splitlines() == here


def test_golden_sentences() -> None:
    mug = Goal(GoalKind.CLEAN, "Mug", "Cabinet")
    assert [say_goal(mug, split, "7") for split in SPLITS] == GOLDEN


def test_kind_without_names_keeps_the_games_word() -> None:
    for n in range(30):
        assert "gramophone" in say_goal(Goal(GoalKind.PLACE, "Gramophone", "Shelf"), "test", str(n))


# ---- the environments


def test_environment_with_said_goals_keeps_the_contract() -> None:
    check_env(make("homebody/Household-v0", goals="said"))


def test_agent_sees_only_the_said_goal() -> None:
    env = make("homebody/Household-v0", goals="said", explain=True)
    for spec in tasks("homebody/Household-v0", "test", 12, goals="said"):
        observation, info = env.reset(options={"task": spec.task_id})
        game = env.unwrapped.play.game  # type: ignore[attr-defined]
        assert observation.endswith(f"Your task is to: {info['goal']}")
        assert info["goal"] == game.task != game.plain
        assert game.plain.rstrip(".") not in json.dumps([observation, info])
        steps = env.unwrapped.expert()  # type: ignore[attr-defined]
        for command in steps:
            observation, _, terminated, _, info = env.step(command)
            assert game.plain.rstrip(".") not in json.dumps([observation, info])
        assert terminated


def test_id_without_an_end_goes_by_the_parameter() -> None:
    task = "test/kitchen-clean-000003"
    goals = {}
    for how in ("plain", "said"):
        env = make("homebody/Household-v0", goals=how)
        for name in (task, f"{task}+said"):
            observation, info = env.reset(options={"task": name})
            goals[how, name] = info["goal"]
            assert observation.partition("Your task")[0].startswith("-= Welcome")
    assert goals["said", task] == goals["said", f"{task}+said"] == goals["plain", f"{task}+said"] != goals["plain", task]


@pytest.mark.parametrize(
    ("env_id", "kwargs", "error", "words"),
    [
        ("Household", {"goals": "sad"}, GoalsError, "goals='sad' is not possible; did you mean said?; choose one of: plain, said"),
        ("Household", {"goals": "human"}, GoalsError, "choose one of: plain, said"),
        ("Household", {"goals": None}, GoalsError, "goals=None"),
        ("Household", {"goals": ["said"]}, GoalsError, "choose one of"),
        ("AlfWorld", {"goals": "humane"}, GoalsError, "did you mean human?; choose one of: plain, said, human"),
        ("AlfWorld", {"goals": "human", "annotation": -1}, AnnotationError, "annotation=-1"),
        ("AlfWorld", {"goals": "human", "annotation": True}, AnnotationError, "annotation=True"),
        ("AlfWorld", {"goals": "human", "annotation": "0"}, AnnotationError, "a whole number"),
    ],
)
def test_wrong_parameter_is_one_clear_line(env_id: str, kwargs: dict[str, Any], error: type[EnvError], words: str, tmp_path: Path) -> None:
    folder = {"data_dir": tmp_path} if env_id == "AlfWorld" else {}
    for act in (make, task_source):
        with pytest.raises(error, match=re.escape(words)) as caught:
            act(f"homebody/{env_id}-v0", **kwargs, **folder)
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize("task", ["test/kitchen-clean-000003+human-0", "test/kitchen-clean-000003+plain", "test/kitchen-clean-000003+"])
def test_unknown_end_of_an_id_is_refused(task: str) -> None:
    with pytest.raises(EnvError, match="not a house"):
        HouseSource(goals="said").load(task)


# ---- ALFWorld's games


@pytest.fixture
def games(tmp_path: Path) -> Path:
    """Twelve houses as game files, in ALFWorld's folders; their annotations are taken away."""
    source = HouseSource()
    for split in ("train", "test"):
        for _ in export_houses(source, source.tasks(split, 6), tmp_path):
            pass
    for path in tmp_path.rglob("traj_data.json"):
        path.unlink()
    return tmp_path


def test_alfworld_goals_are_said_by_split(games: Path) -> None:
    source, plain = AlfWorldSource(games, goals="said"), AlfWorldSource(games)
    for split in ("train", "test"):
        for spec, bare_spec in zip(source.tasks(split), plain.tasks(split), strict=True):
            said, other = source.load(spec.task_id).game, plain.load(bare_spec.task_id).game
            assert split_suffix(spec.task_id) == (bare_spec.task_id, "said")
            assert list(read(said.task)) == [(split, other.goal)]
            assert said.plain == other.task == other.plain
            play = TextGame(said)
            assert play.reset() == TextGame(other).reset().replace(other.task, said.task)
    assert source.load(plain.tasks("train")[0].task_id).game.task != plain.load(plain.tasks("train")[0].task_id).game.task


def annotate(game: Path, *sentences: object) -> None:
    content = {"turk_annotations": {"anns": [{"task_desc": sentence, "high_descs": []} for sentence in sentences]}}
    game.with_name("traj_data.json").write_text(json.dumps(content))


def test_human_goals(games: Path) -> None:
    plain = AlfWorldSource(games)
    first, second, third, *rest = (spec.task_id for spec in plain.tasks("test"))
    annotate(games / first, "Put the  cup\non the \u201cgood\u201d table, s'il vous pla\u00eet \U0001f375", "Zweitens.")
    annotate(games / second, "\u8336\u306e\u7bb1\u3092\u68da\u306b \u202e\ud83c")
    annotate(games / third)
    env = make("homebody/AlfWorld-v0", data_dir=games, goals="human", split="test")
    found = {}
    for spec in tasks("homebody/AlfWorld-v0", "test", data_dir=games, goals="human"):
        observation, info = env.reset(options={"task": spec.task_id})
        base, suffix = split_suffix(spec.task_id)
        assert suffix == "human-0"
        assert observation.endswith(f"Your task is to: {info['goal']}")
        assert info["goal"] in env.observation_space or env.observation_space.contains(observation)
        found[base] = info["goal"]
        for command in env.unwrapped.expert():  # type: ignore[attr-defined]
            _, _, terminated, _, _ = env.step(command)
        assert terminated
    assert found[first] == "Put the cup on the \u201cgood\u201d table, s'il vous pla\u00eet \U0001f375"
    assert found[second] == "\u8336\u306e\u7bb1\u3092\u68da\u306b \ufffd\ufffd"
    for kept in (third, *rest):
        assert found[kept] == plain.load(kept).game.task
    assert AlfWorldSource(games, goals="human", annotation=1).load(first).game.task == "Zweitens."
    assert AlfWorldSource(games, goals="human", annotation=1).load(second).game.task == plain.load(second).game.task


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("{", "is not JSON"),
        ("[]", "holds a JSON list"),
        ('{"turk_annotations": []}', "'turk_annotations' in turk_annotations is of type list"),
        ('{"turk_annotations": {"anns": ["Put it away."]}}', "is of type str"),
        ('{"turk_annotations": {"anns": [{"task_desc": 3}]}}', "'task_desc' in turk_annotations is of type int"),
        (json.dumps({"turk_annotations": {"anns": [{"task_desc": "x" * 501}]}}), "longer than 500"),
    ],
)
def test_bad_annotations_are_a_named_error(games: Path, content: str, words: str) -> None:
    source = AlfWorldSource(games, goals="human")
    spec = source.tasks("test")[0]
    (games / split_suffix(spec.task_id)[0]).with_name("traj_data.json").write_text(content)
    with pytest.raises(GameFileError, match=re.escape(words)) as caught:
        source.load(spec.task_id)
    assert "\n" not in str(caught.value)
    assert AlfWorldSource(games).load(spec.task_id.partition("+")[0])


@pytest.mark.parametrize(
    "content",
    ["{}", '{"turk_annotations": {}}', '{"turk_annotations": {"anns": []}}', '{"turk_annotations": {"anns": [{}]}}',
     '{"turk_annotations": {"anns": [{"task_desc": "  "}]}}'],
)  # fmt: skip
def test_game_without_a_sentence_keeps_its_own(games: Path, content: str) -> None:
    source = AlfWorldSource(games, goals="human")
    base = AlfWorldSource(games).tasks("test")[0].task_id
    (games / base).with_name("traj_data.json").write_text(content)
    assert source.load(base).game.task == AlfWorldSource(games).load(base).game.task


def test_exported_houses_say_their_goals(tmp_path: Path) -> None:
    source = HouseSource(goals="said")
    for split in ("train", "test"):
        for _ in export_houses(source, source.tasks(split, 24), tmp_path):
            pass
    read_back = AlfWorldSource(tmp_path)
    human = AlfWorldSource(tmp_path, goals="human")
    for split in ("train", "test"):
        assert Counter(read_back.load(spec.task_id).game.task for spec in read_back.tasks(split)) == Counter(
            source.load(spec.task_id).task for spec in source.tasks(split, 24)
        )
        assert {human.load(spec.task_id).game.task for spec in human.tasks(split)} == {
            read_back.load(spec.task_id).game.task for spec in read_back.tasks(split)
        }


@pytest.mark.skipif(not (GAMES / "json_2.1.1").is_dir(), reason="ALFWorld's games are not here")
@pytest.mark.parametrize("split", ["train", "validation"])
def test_real_games_have_one_reading(split: str) -> None:
    source = AlfWorldSource(GAMES, goals="said")
    for spec in source.tasks(split, 60):
        game = source.load(spec.task_id).game
        assert list(read(game.task)) == [(split, game.goal)], game.task
        play = TextGame(game)
        for code in plan(game, play.state):
            play.step(play.language.command(code))
        assert play.won


def test_rooms_all_say_goals() -> None:
    source = HouseSource(goals="said")
    assert {spec.task_id.split("/")[1].split("-")[0] for spec in source.tasks("train", 240)} == set(ROOMS)


GOLDEN = [
    "Hi there. The mug needs a rinse. After that it goes in the cabinet.",
    "Sorry to trouble you. In the locker I expect a mug without any dirt. Thanks in advance.",
    "The tankard is grubby. Spotless, it may live in the cabinet. Thanks!",
]
