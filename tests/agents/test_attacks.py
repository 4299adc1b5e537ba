"""Every attack of the written corpus is contained, and the host is unharmed."""

import json
import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from homebody.scripts.commands import sandbox
from homebody.scripts.commands.sandbox import Attack, Host, attacks, host

CORPUS = attacks()


@pytest.fixture(scope="module")
def prey() -> Iterator[Host]:
    with host() as found:
        yield found


def test_corpus_is_large_and_every_attack_says_what_must_come_out() -> None:
    assert len(CORPUS) >= 60
    assert [name for name, count in Counter(attack.name for attack in CORPUS).items() if count > 1] == []
    assert [attack.name for attack in CORPUS if attack.kind != "program" and bool(attack.stopped) == (attack.harmless is not None)] == []
    # Code is tried twice: as a processor, and as a program to be repaired.
    kinds = Counter(attack.kind for attack in CORPUS)
    assert kinds["program"] == kinds["code"]


@pytest.mark.parametrize("attack", CORPUS, ids=lambda attack: attack.name)
def test_attack_is_contained(attack: Attack, prey: Host) -> None:
    outcome = prey.attack(attack)
    assert outcome.damage == (), outcome.outcome


# The watch must see what it watches for: harmless texts whose outcome is not the one that was promised, or that do what must not be done.


def test_other_outcome_than_promised_is_damage(prey: Host) -> None:
    answers = Attack("answers", "code", "", "def process(event):\n    return 1\n", ("PermissionError",), None)
    assert prey.attack(answers).damage == ("came out as 1",)
    fails = Attack("fails", "template", "", "{{ gone }}", (), "1")
    assert prey.attack(fails).damage == ("came out as UndefinedError",)


def test_leak_is_damage(prey: Host) -> None:
    source = f"def process(event):\n    return {prey.secret!r}\n"
    assert prey.attack(Attack("leak", "code", "", source, (), prey.secret)).damage == ("read the canary",)


def test_harm_to_the_host_is_damage(prey: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    def harm(source: str, event: Any) -> tuple[str, Any]:
        if event is prey.event:
            event["goal"] = "forged"
        prey.file.write_text("mine now", "utf-8")
        (prey.folder / "dropped.txt").touch()
        return "", "broken"

    monkeypatch.setitem(sandbox.RUN, "code", harm)
    before = dict(prey.event)
    try:
        damage = prey.attack(Attack("harm", "code", "", "", (), "broken")).damage
    finally:
        prey.event = before
        prey.file.write_text(prey.secret, "utf-8")
        (prey.folder / "dropped.txt").unlink()
    assert damage == ("changed the event", "changed the canary", "left a file", "broke the sandbox")


def test_command_prints_a_row_for_each_attack_and_fails_if_one_is_not_contained(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    good = Attack("good", "code", "return one", "def process(event):\n    return 1\n", (), 1)
    bad = Attack("bad", "template", "write [one]", "{{ 1 }}", ("SyntaxError",), None)
    monkeypatch.chdir(tmp_path)
    for corpus, code, last in (([good], 0, "1 of 1 contained"), ([good, bad], 1, "1 of 2 contained")):
        monkeypatch.setattr(sandbox, "attacks", lambda corpus=corpus: corpus)
        answer = CliRunner().invoke(sandbox.harness_sandbox, ["--json", "outcomes.json"])
        assert answer.exit_code == code
        rows = answer.stdout.splitlines()
        assert rows[0].split() == ["attack", "tries", "to", "outcome", "ms", "contained"]
        assert rows[1].split()[:5] == ["good", "return", "one", "harmless:", "1"]
        assert rows[1].split()[-1] == "yes"
        assert rows[-1].startswith(last)
        assert [item["name"] for item in json.loads(Path("outcomes.json").read_text("utf-8"))] == [attack.name for attack in corpus]
    assert "write [one]" in rows[2]
    assert rows[2].endswith('NO: came out as "1"')
    assert "HOMEBODY_CANARY" not in os.environ
