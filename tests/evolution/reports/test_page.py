"""The page of a run as a document: what is on it, that it is sound, bounded, the same each time, and safe. How it behaves: test_browser."""

import re
import shutil
from collections import Counter
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from homebody.evolution.reports.page import build_page, script_hash, source
from homebody.evolution.reports.summary import markdown, read_run
from homebody.evolution.store import RunError, Store

VOID = {"meta", "input", "br", "img"}
HOSTILE = """<script>document.title = "x"</script><img src=x onerror="document.title='x'">'"&{{ 7*7 }}</pre></details>"""


class Document(HTMLParser):
    """Checks that elements close in order, and keeps what the tests ask for."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: Counter[str] = Counter()
        self.attributes: list[tuple[str, dict[str, str | None]]] = []
        self.texts: dict[str, list[str]] = {}
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        names = [name for name, _ in attributes]
        assert len(names) == len(set(names)), (tag, names)
        self.tags[tag] += 1
        self.attributes.append((tag, dict(attributes)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.tags[tag] += 1
        self.attributes.append((tag, dict(attributes)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open
        assert self.open.pop() == tag, tag

    def handle_data(self, data: str) -> None:
        if self.open and data.strip():
            self.texts.setdefault(self.open[-1], []).append(" ".join(data.split()))

    def values(self, name: str, tag: str = "") -> list[str]:
        return [value for kind, found in self.attributes if kind == (tag or kind) and (value := found.get(name))]


@pytest.fixture(scope="module")
def text(told_run: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory) -> str:
    return build_page(told_run(tmp_path_factory.mktemp("told")))


@pytest.fixture(scope="module")
def page(text: str) -> Document:
    return Document(text)


def test_sections_and_landmarks(page: Document) -> None:
    assert page.texts["h1"] == ["Quarry-v0, m"]
    assert page.texts["h2"] == [
        "Rounds", "Held-out results and controls", "Failures by round", "Edit operators",
        "Candidates", "Tasks by round", "Episodes", "Cost",
        "Settings",
    ]  # fmt: skip
    for landmark in ("nav", "main", "h1"):
        assert page.tags[landmark] == 1
    assert page.values("lang", "html") == ["en"]
    assert page.texts["title"] == ["Quarry-v0, m: homebody report"]


def test_every_link_and_label_leads_somewhere(page: Document) -> None:
    ids = page.values("id")
    assert len(ids) == len(set(ids))
    targets = {link.removeprefix("#") for link in page.values("href", "a")} | set(page.values("aria-labelledby"))
    assert targets <= set(ids)


def test_tables_have_captions_and_figures_have_words(page: Document) -> None:
    assert page.tags["caption"] == page.tags["table"] > 5
    assert len(page.values("scope", "th")) == page.tags["th"]
    images = [found for _, found in page.attributes if found.get("role") == "img"]
    assert page.tags["svg"] == 4
    assert all(found.get("aria-label") for found in images)


def test_what_can_be_scrolled_or_pointed_at_can_be_reached_by_keyboard(page: Document) -> None:
    for tag, found in page.attributes:
        if "scroll" in (found.get("class") or "").split() or tag == "pre":
            assert found.get("tabindex") == "0"
        if (found.get("class") or "").startswith("c ") and found.get("aria-label"):
            assert tag == "a" or found.get("tabindex") == "0"


def test_the_page_needs_nothing_else(text: str, page: Document) -> None:
    assert page.tags["link"] == page.tags["iframe"] == page.tags["img"] == 0
    assert not page.values("src")
    assert all(link.startswith("#") for link in page.values("href"))
    assert "@import" not in text
    assert "url(" not in re.sub(r"url\(#\w+\)", "", text)  # clip paths of the figures
    (policy,) = [value for value in page.values("content", "meta") if "default-src" in value]
    assert policy == f"default-src 'none'; style-src 'unsafe-inline'; script-src '{script_hash(source('page.js'))}'"


def test_the_figures_of_the_run_are_on_the_page(text: str) -> None:
    flat = " ".join(re.sub("<[^>]*>", " ", text.partition("</header>")[0]).split())
    assert "0.0% to 50.0%, twins not played ; no gain of the model's: twins not played." in flat.replace("&#39;", "'")
    assert "m 50.0%, twins not played: homebody controls plays them" in flat
    assert "Edits shipped 1 of 3 tried in 2 rounds" in flat
    body = " ".join(re.sub("<[^>]*>", " ", text.partition("<main")[2]).split())
    assert "1 of 1 (100.0%)" in body  # the hit-rate of the shipped operator
    assert "1 of 1 predicted training tasks solved in round 2, 1 of 1 at risk lost" in body
    assert "0 tasks won and 0 lost of 2 played, 1 spared" in body
    assert "dropped after 2 of 3 tasks" in body
    assert "episodes saved: asked for again, taken from the store 4" in body


def test_a_card_tells_an_edit_from_evidence_to_verdict(baseline: Any) -> None:
    text = build_page(baseline.run_dir)
    Document(text)
    first = baseline.result["rounds"][0]["candidates"][0]
    card = " ".join(re.sub("<[^>]*>", " ", text.partition('id="c-r1c1"')[2].partition("</article>")[0]).split())
    assert first["manifest"]["hypothesis"] in card
    assert f"at work {first['activations']} times on validation" in card
    assert "Critic no objection" in card
    assert "8 checks manifest: passed" in card
    assert "+ learned_plan (memory, at before_model)" in card
    assert "(steps " in card
    flat = " ".join(re.sub("<[^>]*>", " ", text).split())
    assert "4 validation tasks that were played twice with the same harness, 0 changed their outcome; the gate's mode is sign-test." in flat
    assert f"episodes that playing everything anew takes {baseline.result['savings']['everything']}" in flat
    assert "It ended because all its rounds were played." in flat


def test_what_critic_and_gate_say_is_text_and_no_markup(told_run: Callable[..., Path], tmp_path: Path) -> None:
    run_dir = told_run(tmp_path)
    with Store(run_dir) as store:
        critique = {"candidate_id": "r1c1", "accepted": False, "objections": [HOSTILE], "rank": 0}
        store.append("critique", {"round": 1, "revision": 0, "critiques": [critique]})
        item = store.events("round")[0]
        edit = {**item["candidates"][0], "id": "r3c1", "checks": [["build", HOSTILE]], "activations": 3}
        edit["manifest"] = {**edit["manifest"], "hypothesis": HOSTILE, "evidence": {HOSTILE: ["train/a-0"]}}
        edit["manifest"]["predicted_impact"] = {**edit["manifest"]["predicted_impact"], "will_stabilize": [HOSTILE]}
        edit["patch"] = [{"op": "add", "path": "/components/note", "value": HOSTILE}]
        store.append("round", {**item, "round": 3, "candidates": [edit], "shipped": None})
    document = Document(build_page(run_dir))
    assert (document.tags["script"], document.tags["img"]) == (1, 0)
    assert sum(HOSTILE.split("{{")[0] in " ".join(texts) for texts in document.texts.values()) >= 3


def test_marks_of_the_task_tables(page: Document) -> None:
    marks = [found for tag, found in page.attributes if tag == "a" and (found.get("class") or "").startswith("c ")]
    assert len(marks) == 2 * 2 + 3 * 2 + 2 * 3  # training and validation in two rounds, test under three
    assert sum(found["class"] == "c won" for found in marks) == 2 + 3 + 3
    assert marks[0]["aria-label"] == "round 1: not won in 3 steps: unusable answers"


def test_transcripts(text: str, page: Document) -> None:
    assert page.tags["blockquote"] == 18  # 12 of the evolution and 6 held out, each once
    assert text.count("lift gem 1 from shaft 1") == 18
    assert "answered by the harness" not in text
    assert text.count("<em>not possible</em>") == text.count('<details class="ep lost">')
    assert "visited: candidates" in text
    assert "more are left out" not in text


def test_the_room_for_transcripts_is_kept_and_what_is_left_out_is_said(told_run: Callable[..., Path], tmp_path: Path) -> None:
    run_dir = told_run(tmp_path, "x" * 300)
    whole, none = build_page(run_dir), build_page(run_dir, transcript_bytes=0)
    half = build_page(run_dir, transcript_bytes=6000)
    assert "0 transcripts" in none
    assert "18 more are left out (8 won, 10 lost)" in " ".join(none.split())
    assert len(Document(none).values("href", "a")) < len(Document(whole).values("href", "a"))
    shown = Document(half).tags["blockquote"]
    assert 2 <= shown <= 10
    assert f"{18 - shown} more are left out" in " ".join(half.split())
    assert len(half) < len(none) + 6000 + 1000


def test_the_same_run_gives_the_same_bytes(told_run: Callable[..., Path], tmp_path: Path, text: str) -> None:
    run_dir = told_run(tmp_path / "a")
    first = build_page(run_dir)
    assert build_page(run_dir) == first
    shutil.copytree(run_dir, tmp_path / "elsewhere")
    assert build_page(tmp_path / "elsewhere") == first


def test_what_stands_in_the_store_is_text_and_no_markup(told_run: Callable[..., Path], tmp_path: Path, page: Document) -> None:
    hostile = build_page(told_run(tmp_path, HOSTILE, name=HOSTILE))
    document = Document(hostile)
    assert document.tags["script"] == 1
    assert document.tags["img"] == 0
    # The same elements as with harmless texts, but for the lines into which a figure breaks a long name.
    lines = ("text", "g")
    assert {tag: n for tag, n in document.tags.items() if tag not in lines} == {tag: n for tag, n in page.tags.items() if tag not in lines}
    assert not any(name.startswith("on") for _, found in document.attributes for name in found)
    assert "49</pre>" not in hostile


def test_a_run_that_goes_on(told_run: Callable[..., Path], tmp_path: Path) -> None:
    with Store(tmp_path) as store:
        store.append("start", {"env_id": "Quarry-v0", "model": "m"})
    page = Document(build_page(tmp_path))
    assert page.texts["h2"] == ["Settings"]
    assert page.texts["p"][0] == "This run has not ended; the page shows it as it was read."


def test_a_run_that_was_stopped_says_by_what(tmp_path: Path) -> None:
    with Store(tmp_path) as store:
        store.append("start", {"env_id": "Quarry-v0", "model": "m"})
        store.append("failed", {"message": "round 1, training: errors ended all 2 episodes; <b>mend</b> it"})
    said = "This run has not ended: round 1, training: errors ended all 2 episodes; &lt;b&gt;mend&lt;/b&gt; it; the page shows"
    assert said in build_page(tmp_path)


def test_errors_are_no_defeats_on_the_page_and_in_the_figures(told_run: Callable[..., Path], tmp_path: Path) -> None:
    run_dir = told_run(tmp_path)
    with Store(run_dir) as store:
        seed = store.events("evaluation")[0]
        nothing = {"n": 0, "errors": 2, "success": None, "ci95": None}
        store.append(
            "evaluation", {**seed, **nothing, "steps_mean": None, "by_type": {"a": nothing}, "won": {}, "keys": ["gone 1", "gone 2"]}
        )
        _, second = store.events("round")
        store.append("round", {**second, "round": 3, "train": nothing, "validation": {**second["validation"], "n": 2, "errors": 1}})
        told = {"what": "round 3: validation", "who": "round 3", "part": "validation", "total": 3, "behaviour_hash": "better"}
        store.append("progress", ["series", {**told, "episodes": {"validation/a-0": ["gone 3", None]}}])
    text = build_page(run_dir)
    page = Document(text)
    assert "no episode was played, 2 errors" in text
    assert "round 3: ended by an error" in text
    assert ", 1 error, n = 2" in text
    assert page.tags["svg"] == 4  # each figure is drawn
    assert "| seed harness | 0 | no episode was played, 2 errors | - |" in markdown(read_run(run_dir))


def test_a_run_that_shipped_nothing(tmp_path: Path) -> None:
    with Store(tmp_path) as store:
        store.append("start", {"env_id": "Quarry-v0", "model": "m"})
        store.append("end", {"seed_hash": "s", "final_hash": "s"})
    assert "No edit was shipped: the final harness is the seed." in build_page(tmp_path)


def test_evaluations_only(told_run: Callable[..., Path], tmp_path: Path) -> None:
    told = told_run(tmp_path / "told")
    with Store(told, readonly=True) as store, Store(tmp_path / "new") as new:
        new.append("evaluation", store.events("evaluation")[0])
    page = Document(build_page(tmp_path / "new"))
    assert page.texts["h1"] == ["Evaluations"]
    assert page.texts["h2"] == ["Held-out results and controls", "Settings"]


def test_a_run_from_before_there_were_series(tmp_path: Path, baseline: Any) -> None:
    with Store(tmp_path) as store:
        store.append("start", {"env_id": "Quarry-v0", "model": "m"})
        for item in baseline.result["rounds"]:
            store.append("round", item)
        store.append("end", baseline.result)
    text = build_page(tmp_path)
    assert "recorded before episodes were kept by round" in text
    assert "No held-out figures" in text
    Document(text)


def test_a_real_run_fits(baseline: Any) -> None:
    text = build_page(baseline.run_dir)
    Document(text)
    assert len(text.encode()) < 3_000_000


def test_no_run(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="holds no run"):
        build_page(tmp_path)
