"""MiniWoB++ in a real Chromium: the pages, commands by mouse and keyboard, and what can go wrong.

Needs the `miniwob` extra and a Chromium on PATH; is skipped where one is missing. `HOMEBODY_MINIWOB_GOLD=20` has the expert play so many
seeds of every page.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import pickle
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import gymnasium
import pytest

from homebody.envs import check_env
from homebody.envs.browser import BrowserError, find_chromium
from homebody.envs.core import NotResetError, SnapshotError, UnknownParameterError, UnknownTaskError
from homebody.envs.miniwob import tab as tab_module
from homebody.envs.miniwob.env import MiniWobEnv
from homebody.envs.miniwob.expert import NoScriptError
from homebody.envs.miniwob.suite import SUITE, MiniWobPackageError, pages_dir
from homebody.envs.miniwob.tab import BrowserDiedError, BrowserThreadError

pytest.importorskip("playwright", reason="playwright is not installed: pip install homebody[miniwob]")
try:
    pages_dir()
    find_chromium()
except (BrowserError, MiniWobPackageError) as missing:
    pytest.skip(str(missing), allow_module_level=True)


@pytest.fixture(scope="module")
def env() -> Iterator[MiniWobEnv]:
    """One environment, and so one tab, for all tests of this file: what was played before must not show."""
    env = MiniWobEnv(max_steps=40)
    yield env
    env.close()


def begin(env: MiniWobEnv, task: str) -> str:
    return env.reset(options={"task": task})[0]


def play(env: MiniWobEnv, task: str, *commands: str) -> list[Any]:
    """Return the observations of a task, and at the end the last reward and whether it is won."""
    seen: list[Any] = [begin(env, task)]
    reward, info = 0.0, {"won": False}
    for command in commands:
        observation, reward, _, _, info = env.step(command)
        seen.append(observation)
    return [*seen, reward, info["won"]]


def solve(env: MiniWobEnv, task: str) -> bool:
    """Play the expert and return whether the task is won; each of its commands has to be on offer."""
    observation, info = env.reset(options={"task": task})
    for _ in range(env.max_steps):
        (command,) = env.expert()
        offered = info["admissible_commands"]
        slots = [one.removesuffix("{text}") for one in offered if one.endswith("{text}")]
        assert command in offered or any(command.startswith(slot) for slot in slots), (observation, command)
        observation, _, terminated, _, info = env.step(command)
        if terminated:
            return bool(info["won"])
    return False


# --- what is shown


def test_a_page_in_text(env: MiniWobEnv) -> None:
    observation, info = env.reset(options={"task": "login-user/train-3"})
    assert observation.splitlines() == [
        'Enter the username "kenda" and the password "lvLa" into the text fields and press login.',
        'textbox Username = ""',
        'textbox Password = ""',
        "button Login",
    ]
    assert info == {
        "goal": observation.splitlines()[0],
        "admissible_commands": [
            "click button Login",
            "click textbox Password",
            "click textbox Username",
            "type into textbox Password: {text}",
            "type into textbox Username: {text}",
            "wait",
        ],
        "won": False,
        "task_id": "login-user/train-3",
    }


def test_answers_do_not_stand_in_names(env: MiniWobEnv) -> None:
    """What has to be typed is told by the page itself; a field is not called by it."""
    for page in ("text-transform", "simple-arithmetic", "simple-algebra", "find-word", "enter-text"):
        begin(env, f"{page}/train-1")
        assert "textbox" in env.reading.elements, page


@pytest.mark.parametrize("task", ["email-inbox/train-0", "choose-date/train-1", "social-media/train-2", "click-shape/train-4"])
def test_two_processes_show_the_same(env: MiniWobEnv, task: str) -> None:
    program = (
        "import sys\nfrom homebody.envs.miniwob.env import MiniWobEnv\nenv = MiniWobEnv()\n"
        "observation, info = env.reset(options={'task': sys.argv[1]})\n"
        "said = [observation, *info['admissible_commands']]\n"
        "observation, *_, info = env.step(env.expert()[0])\n"
        "env.close()\nsys.stdout.reconfigure(encoding='utf-8')\nprint('\\n'.join([*said, observation, *info['admissible_commands']]))"
    )
    other = subprocess.run([sys.executable, "-P", "-c", program, task], capture_output=True, text=True, check=True, encoding="utf-8")
    observation, info = env.reset(options={"task": task})
    said = [observation, *info["admissible_commands"]]
    observation, *_, info = env.step(env.expert()[0])
    assert other.stdout == "\n".join([*said, observation, *info["admissible_commands"]]) + "\n"


@pytest.mark.parametrize("page", ["click-menu", "login-user-popup", "click-collapsible-2", "use-autocomplete", "copy-paste-2", "terminal"])
def test_what_was_played_before_does_not_show(page: str) -> None:
    env = MiniWobEnv()
    try:
        first = begin(env, f"{page}/train-1")
        commands = [command.replace("{text}", "7") for command in env.reading.commands][:4]
        after = [env.step(command)[0] for command in commands]
        begin(env, f"{page}/train-2")
        env.step(env.expert()[0])
        assert begin(env, f"{page}/train-1") == first
        assert [env.step(command)[0] for command in commands] == after
    finally:
        env.close()


def test_time_is_told_by_commands() -> None:
    """A price changes with each command and not with the clock."""
    env = MiniWobEnv(pages=["stock-market"])
    try:
        begin(env, "stock-market/train-1")
        waits = [env.step("wait")[0] for _ in range(4)]
        assert len(set(waits)) == 4
        begin(env, "stock-market/train-1")
        env.view()
        assert [env.step("wait")[0] for _ in range(4)] == waits
    finally:
        env.close()


@pytest.mark.parametrize("done", ["at.disabled = true", "at.style.display = 'none'", "at.style.visibility = 'hidden'"])
def test_what_cannot_have_the_focus_loses_it_before_a_frame_is_drawn(env: MiniWobEnv, done: str) -> None:
    """A browser takes it away when it draws next, which may be before or after the page is read, and sends these events."""
    play(env, "enter-text/train-1", "type into textbox: ab")
    code = (
        "async () => { const at = document.activeElement, heard = [];"
        f"for (const kind of ['blur', 'change', 'focusout']) at.addEventListener(kind, () => heard.push(kind)); {done};"
        "const told = await __after(); at.disabled = false; at.style.display = at.style.visibility = '';"
        "return [told.pieces.filter((one) => one.role === 'textbox').map((one) => one.states), document.activeElement.tagName, heard]; }"
    )
    told = env._tab._page.evaluate(code)
    assert told == [[["disabled"]] if "disabled" in done else [], "BODY", ["change", "blur", "focusout"]]


def test_a_browser_gives_back_the_memory_of_pages_that_it_has_left(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tab_module, "_TIDIED", 2)
    env = MiniWobEnv()
    try:
        begin(env, "click-button/train-1")
        freed: list[str] = []
        monkeypatch.setattr(env._tab._page, "request_gc", lambda: freed.append(env.page))
        for task in ("click-button/train-2", "click-test/train-1", "enter-text/train-1", "click-link/train-1", "enter-date/train-1"):
            begin(env, task)
        assert freed == ["click-button", "enter-text"]
        monkeypatch.undo()
        begin(env, "click-test/train-1")
    finally:
        env.close()


# --- what is done


def test_the_contract_holds() -> None:
    env = gymnasium.make("homebody/MiniWob-v0", pages="click-checkboxes+use-slider+enter-text")
    try:
        check_env(env, n_steps=4)
    finally:
        env.close()


@pytest.mark.parametrize("page", ["click-checkboxes-large", "click-menu-2", "read-table-2", "choose-date", "email-inbox-forward-nl",
                                  "search-engine", "highlight-text", "copy-paste", "terminal", "use-slider-2", "enter-time"])  # fmt: skip
def test_the_expert_solves_pages(env: MiniWobEnv, page: str) -> None:
    assert solve(env, f"{page}/test-3")


def test_the_expert_reads_a_label_that_stands_below_its_field(env: MiniWobEnv) -> None:
    task = "multi-layouts/train-25"
    assert 'textbox (1) = ""\nDirector\ntextbox (2) = ""' in env.reset(options={"task": task})[0]
    assert solve(env, task)


def test_the_expert_finds_a_file_that_has_no_extension(env: MiniWobEnv) -> None:
    assert env.reset(options={"task": "terminal/validation-6"})[1]["goal"].endswith("delete a file that has no file extension.")
    assert solve(env, "terminal/validation-6")


def test_a_pale_shade_is_no_grey(env: MiniWobEnv) -> None:
    """The palest that the page paints has a saturation of 30% and a lightness of 89%."""
    seen = env.reset(options={"task": "click-shades/test-4"})[0]
    assert ("item pink" in seen, "item grey" in seen) == (True, False)
    assert solve(env, "click-shades/test-4")


@pytest.mark.slow
@pytest.mark.skipif(not os.environ.get("HOMEBODY_MINIWOB_GOLD"), reason="HOMEBODY_MINIWOB_GOLD=20 plays 20 seeds of each page and split")
def test_the_expert_solves_every_page(env: MiniWobEnv) -> None:
    seeds = range(int(os.environ["HOMEBODY_MINIWOB_GOLD"]))
    tasks = [f"{page}/{split}-{seed}" for page in SUITE for split in ("train", "validation", "test") for seed in seeds]
    assert [task for task in tasks if not solve(env, task)] == []


def test_a_part_of_the_reward_is_no_win(env: MiniWobEnv) -> None:
    goal = env.reset(options={"task": "click-checkboxes-large/train-3"})[1]["goal"]
    first = goal.removeprefix("Select ").split(", ")[0]
    *_, reward, won = play(env, "click-checkboxes-large/train-3", f"click checkbox {first}", "click button Submit")
    assert env.reading.done
    assert (-1 < reward < 1, won) == (True, False)


def test_typing_takes_the_place_of_what_stands_there(env: MiniWobEnv) -> None:
    seen = play(env, "enter-text/train-3", "type into textbox: first", "type into textbox: Ol\u00efn \u2603", "press Enter")
    assert 'textbox = "first" (focused)' in seen[1]
    assert 'textbox = "Ol\u00efn \u2603" (focused)' in seen[2]


def test_a_click_into_a_field_of_numbers_misses_its_buttons(env: MiniWobEnv) -> None:
    seen = play(env, "guess-number/train-4", "click textbox", "type into textbox: 4", "type into textbox: 12")
    assert [text.splitlines()[2] for text in seen[1:4]] == ['textbox = "" (focused)', 'textbox = "4" (focused)', 'textbox = "12" (focused)']


@pytest.mark.parametrize(
    "command",
    [
        "", " ", "\n", "click", "click ", "click button", "click button Nowhere", "type into textbox", "type into textbox:", "fly away",
        "type into nothing: x", "select a in textbox", "set textbox to 4", "scroll down in textbox", "hover textbox", "press Escape",
        "highlight Olin", "copy textbox", "paste into textbox", "drag textbox to button Submit", "type: x", "click textbox\x00",
        "type into textbox: a\nb", "type into textbox: \x1b[0m", "type into textbox: " + "x" * 501, "click textbox (1)", "CLICK textbox",
    ],
)  # fmt: skip
def test_what_is_no_command_is_answered_by_the_same_page(env: MiniWobEnv, command: str) -> None:
    before = begin(env, "enter-text/train-3")
    assert env.step(command)[:3] == (before, 0.0, False)


def test_actions_that_are_no_texts(env: MiniWobEnv) -> None:
    before = begin(env, "enter-text/train-3")
    for action in (None, 4, b"click", ["click"]):
        assert env.step(action)[0] == before


def test_what_is_disabled_stays_as_it_is(env: MiniWobEnv) -> None:
    before = begin(env, "sign-agreement/train-3")
    assert "button Agree (disabled)" in before
    assert env.step("click button Agree")[:3] == (before, 0.0, False)
    assert env.step("type into textbox Name: Briana")[0] == before
    assert "click button Agree" not in env.reading.commands
    assert "button Agree (disabled)" not in env.step("scroll down in textarea User agreement")[0]


def test_sliders_go_as_near_as_they_can(env: MiniWobEnv) -> None:
    commands = [f"set slider to {value}" for value in ("0", "9999999", "-5000", "1e3", "x")]
    values = [line for text in play(env, "use-slider/train-3", *commands)[1:6] for line in text.splitlines() if line.startswith("slider")]
    assert values[0].startswith('slider = "0"')
    assert values[2] == values[3] == values[4] != values[1]


def test_the_end_of_a_task_stays_the_end(env: MiniWobEnv) -> None:
    *_, won = play(env, "click-test/train-0", "click button Click Me!")
    assert won
    assert env.step("click button Click Me!") == (
        "The task is over.", 0.0, True, False,
        {"goal": "Click the button.", "admissible_commands": ["wait"], "won": True, "task_id": "click-test/train-0"},
    )  # fmt: skip
    assert env.expert() == env.scripted_policy() == []


@pytest.mark.parametrize("page", ["click-button", "login-user", "choose-list", "click-menu", "use-slider"])
def test_the_scripted_policy_wins_some_pages(env: MiniWobEnv, page: str) -> None:
    begin(env, f"{page}/train-3")
    while not env.reading.done:
        info = env.step(env.scripted_policy()[0])[4]
    assert info["won"]


def test_snapshots_and_pickles_go_on_as_the_episode_would(env: MiniWobEnv) -> None:
    play(env, "click-checkboxes/train-5", f"click {next(iter(env_refs(env, 'click-checkboxes/train-5')))}")
    snapshot = pickle.loads(pickle.dumps(env.snapshot()))
    shown, copy = env.reading.text, pickle.loads(pickle.dumps(env))
    try:
        assert copy.reading.text == shown
        after = env.step("click button Submit")
        assert copy.step("click button Submit") == after
    finally:
        copy.close()
    info = env.restore(snapshot)
    assert (env.reading.text, info["won"]) == (shown, False)
    assert env.step("click button Submit") == after
    with pytest.raises(SnapshotError):
        env.restore(None)  # type: ignore[arg-type]


def env_refs(env: MiniWobEnv, task: str) -> list[str]:
    begin(env, task)
    return list(env.reading.elements)


def test_pictures_are_of_the_size_that_was_asked_for() -> None:
    env = MiniWobEnv(render_mode="rgb_array", render_size=(480, 400))
    try:
        begin(env, "click-color/train-1")
        first = env.render()
        assert first is not None
        assert first.shape == (400, 480, 3)
        assert len({tuple(pixel) for pixel in first[::8, ::8].reshape(-1, 3).tolist()}) > 4
        env.step("wait")
        assert env.render() is not None
    finally:
        env.close()


# --- what goes wrong

OWN_PAGE = """<!DOCTYPE html><html><head><link rel="stylesheet" href="../core/core.css"><script src="../core/core.js"></script><script>
var genProblem = function () {
  document.getElementById("said").textContent = "-";
  document.getElementById("ask").onclick = function () {
    alert("one"); document.getElementById("said").textContent = confirm("two") + " " + prompt("three");
  };
  document.getElementById("fail").onclick = function () { throw new Error("a fault of the page"); };
  document.getElementById("net").onclick = function () {
    document.getElementById("said").textContent = "asking";
    fetch("http://127.0.0.1:%PORT%/").then(function () { said.textContent = "there"; }, function () { said.textContent = "no network"; });
  };
  document.getElementById("go").onclick = function () { location.href = "http://127.0.0.1:%PORT%/"; };
  document.getElementById("end").onclick = function () { core.endEpisode(1, true); };
};
window.onload = function () { core.startEpisode(); };
</script></head><body><div id="wrap"><div id="query">Try all.</div><div id="area"><div id="said">-</div>
<button id="ask">Ask</button><button id="fail">Fail</button><button id="net">Net</button>
<button id="go">Go</button><button id="end">End</button></div></div></body></html>"""


@pytest.fixture
def own_page(http_server: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[MiniWobEnv, list[str]]]:
    """Return an environment that plays a page of ours, and the requests that a server on this machine got."""
    asked: list[str] = []

    class Server(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_response(200)
            self.end_headers()

    server = http_server(Server)
    (tmp_path / "miniwob").mkdir()
    (tmp_path / "core").symlink_to(pages_dir().parent / "core")
    (tmp_path / "miniwob" / "own-page.html").write_text(OWN_PAGE.replace("%PORT%", str(server.server_port)), "utf-8")
    for module in (tab_module, sys.modules["homebody.envs.miniwob.suite"]):
        monkeypatch.setattr(module, "pages_dir", lambda: tmp_path / "miniwob")
    env = MiniWobEnv(pages=["own-page"])
    begin(env, "own-page/train-0")
    yield env, asked
    env.close()


def test_dialogs_are_dismissed(own_page: tuple[MiniWobEnv, list[str]]) -> None:
    assert own_page[0].step("click button Ask")[0].splitlines()[:2] == ["Try all.", "false null"]


def test_errors_of_a_page_are_kept_and_play_goes_on(own_page: tuple[MiniWobEnv, list[str]]) -> None:
    env, _ = own_page
    env.step("click button Fail")
    assert env.reading.errors == ("Error: a fault of the page",)
    assert env.step("click button End")[1:3] == (1.0, True)
    assert env.step("wait")[4]["won"]
    begin(env, "own-page/train-1")
    with pytest.raises(NoScriptError, match="page 'own-page' does not exist"):
        env.expert()


def test_there_is_no_network(own_page: tuple[MiniWobEnv, list[str]]) -> None:
    env, asked = own_page
    env.step("click button Net")
    said = [env.step("wait")[0].splitlines()[1] for _ in range(4)]  # a browser on a busy machine takes its time to refuse
    assert set(said) <= {"asking", "no network"}
    assert said[-1] == "no network"
    # It does not leave the page either.
    assert env.step("click button Go")[0].startswith("Try all.\nno network")
    assert begin(env, "own-page/train-1").startswith("Try all.\n-")
    assert asked == []


def browser_processes() -> list[int]:
    """Return the processes of Chromium below this one."""
    parents, found = {}, []
    for folder in Path("/proc").iterdir():
        with contextlib.suppress(OSError, ValueError):
            pid = int(folder.name)
            parents[pid] = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
            if b"chrom" in (folder / "cmdline").read_bytes().split(b"\0")[0]:
                found.append(pid)

    def is_ours(pid: int) -> bool:
        return pid == os.getpid() or (pid in parents and is_ours(parents[pid]))

    return [pid for pid in found if is_ours(pid)]


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="finds the browser's processes in /proc")
def test_a_browser_that_is_killed_ends_one_episode() -> None:
    others = set(browser_processes())
    env = MiniWobEnv()
    try:
        begin(env, "click-test/train-0")
        for pid in set(browser_processes()) - others:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        for _ in range(2):
            with pytest.raises(BrowserDiedError, match=r"the browser was lost: .*; the next reset opens another"):
                env.step("click button Click Me!")
        assert begin(env, "click-test/train-1") == "Click the button.\nbutton Click Me!"
        assert env.step("click button Click Me!")[4]["won"]
    finally:
        env.close()


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="finds the browser's processes in /proc")
def test_a_browser_that_is_stuck_is_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tab_module, "PATIENCE", 0.5)
    others = set(browser_processes())
    env = MiniWobEnv()
    try:
        begin(env, "click-test/train-0")
        before = env.snapshot()
        ours = set(browser_processes()) - others
        pages = [pid for pid in ours if b"--type=renderer" in Path(f"/proc/{pid}/cmdline").read_bytes()]
        for pid in pages:
            os.kill(pid, signal.SIGSTOP)
        with pytest.raises(BrowserDiedError, match="the next reset opens another"):
            env.step("wait")
        assert env.snapshot() == before
        for pid in pages:
            os.kill(pid, signal.SIGKILL)
        monkeypatch.undo()
        assert begin(env, "click-test/train-1") == "Click the button.\nbutton Click Me!"
    finally:
        env.close()


def test_a_browser_belongs_to_the_thread_that_opened_it(env: MiniWobEnv) -> None:
    said = []

    def use() -> None:
        for call in (lambda: env.step("wait"), lambda: begin(env, "click-test/train-1"), env.close):
            with pytest.raises(BrowserThreadError) as caught:
                call()
            said.append(str(caught.value))

    begin(env, "click-test/train-0")
    thread = threading.Thread(target=use, name="another")
    thread.start()
    thread.join()
    assert len(said) == 3
    assert all("thread 'another': it belongs to 'MainThread'" in line for line in said)
    assert env.step("click button Click Me!")[4]["won"]


def test_in_an_event_loop_a_line_says_what_to_do() -> None:
    async def play_here() -> None:
        begin(MiniWobEnv(), "click-test/train-0")

    def play_there() -> str:
        env = MiniWobEnv()
        try:
            return begin(env, "click-test/train-0")
        finally:
            env.close()

    async def play_in_a_thread() -> str:
        return await asyncio.to_thread(play_there)

    def both() -> None:  # in this thread playwright may run already, and with it its own loop
        with pytest.raises(BrowserError, match=r"event loop runs in this thread; play in a thread of its own, as asyncio\.to_thread"):
            asyncio.run(play_here())
        seen.append(asyncio.run(play_in_a_thread()))

    seen: list[str] = []
    thread = threading.Thread(target=both)
    thread.start()
    thread.join()
    assert seen == ["Click the button.\nbutton Click Me!"]


@pytest.mark.parametrize("value", ["--5", "-", "", "5.5", "\u0665x", "1" * 5000])
def test_a_slider_is_set_to_whole_numbers_alone(env: MiniWobEnv, value: str) -> None:
    page = begin(env, "use-slider/train-0")
    assert env.step(f"set slider to {value}")[0] == page


def test_a_page_outside_the_suite_is_played_without_an_expert() -> None:
    env = MiniWobEnv(pages=["drag-box"])
    try:
        assert begin(env, "drag-box/train-0").splitlines()[0]
        assert env.source.tasks("train", 1)[0].type == "other"
        with pytest.raises(NoScriptError):
            env.expert()
    finally:
        env.close()


def test_without_a_browser_a_line_says_how_to_get_one(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    env = MiniWobEnv(chromium=str(tmp_path / "none"))
    with pytest.raises(BrowserError, match="does not start"):
        begin(env, "click-test/train-0")
    with pytest.raises(BrowserError, match=r"headless='maybe' is not possible; give True or False"):
        begin(MiniWobEnv(headless="maybe"), "click-test/train-0")  # type: ignore[arg-type]
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(BrowserError, match="apt-get install chromium"):
        begin(MiniWobEnv(), "click-test/train-0")


def test_use_before_reset_and_wrong_parameters() -> None:
    env = MiniWobEnv()
    for call in (lambda: env.step("wait"), env.expert, env.snapshot, lambda: env.reading):
        with pytest.raises(NotResetError):
            call()
    with pytest.raises(UnknownTaskError):
        begin(env, "click-test/nowhere")
    with pytest.raises(UnknownParameterError, match=r"page.*did you mean pages"):
        MiniWobEnv(page="click-test")
    with pytest.raises(UnknownParameterError):
        MiniWobEnv.task_source(page="click-test")
    env.close()
    env.close()
