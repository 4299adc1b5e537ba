"""An episode watched while it is being played: it runs in a thread of its own, so that the window answers while a model thinks."""

from __future__ import annotations

import threading
from collections.abc import Callable
from queue import SimpleQueue

from homebody.agents.episode import ModelCall
from homebody.agents.record import EpisodeRecord, StepRecord
from homebody.envs.window import Window
from homebody.scripts.view.layout import Layout
from homebody.scripts.view.player import Player, watch

OnStep = Callable[[StepRecord], None]
Play = Callable[[OnStep, Callable[[ModelCall], None]], EpisodeRecord]
"""Plays an episode, and tells of each decision and of each entry of the trace."""


def listen(play: Play, on_step: OnStep, model_calls: list[ModelCall | None]) -> EpisodeRecord:
    """Play an episode and keep what each decision was made from.

    Args:
        play: plays it.
        on_step: called with each entry of the trace.
        model_calls: gets one for each entry, before `on_step` is called.
    """
    last: list[ModelCall] = []

    def step(entry: StepRecord) -> None:
        model_calls.append(last.pop() if last else None)
        on_step(entry)

    return play(step, last.append)


def watch_live(play: Play, layout: Layout, window: Window, on_step: OnStep, model_calls: list[ModelCall | None]) -> EpisodeRecord:
    """Play an episode and show it in a window; the episode goes on if the person closes that.

    Args:
        play: plays it.
        layout: shows a replay of its task, which grows.
        window: of the size of the layout.
        on_step: as for `listen`; called in another thread.
        model_calls: as for `listen`.
    """
    news: SimpleQueue[tuple[StepRecord, ModelCall | None]] = SimpleQueue()
    stop = threading.Event()
    ended: list[EpisodeRecord | BaseException] = []
    (replay,) = layout.replays
    player = Player(layout, is_live=True)

    def tell(entry: StepRecord) -> None:
        if stop.is_set():
            raise KeyboardInterrupt
        on_step(entry)
        news.put((entry, model_calls[-1]))

    def work() -> None:
        try:
            ended.append(listen(play, tell, model_calls))
        except BaseException as error:  # it belongs to the main thread
            ended.append(error)

    def take_in() -> None:
        # Asked before the news is read: what came before the end is in the queue by then.
        is_over = bool(ended)
        while not news.empty():
            replay.add(*news.get())
        if is_over and player.is_live:
            player.is_live, player.is_dirty = False, True
            if isinstance(ended[0], EpisodeRecord):
                replay.close(ended[0])
            else:
                player.close()

    thread = threading.Thread(target=work, name="episode")
    thread.start()
    try:
        watch(player, window, take_in)
        thread.join()
    finally:
        # Also at an interrupt: the model must not be freed while a step uses it.
        stop.set()
        thread.join()
    (result,) = ended
    if isinstance(result, BaseException):
        raise result
    return result
