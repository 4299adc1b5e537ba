"""Recordings of a layout: an animated GIF, a film, or the last picture. Needs no display."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

import click
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from homebody.envs.canvas import INK, Canvas
from homebody.envs.file import replacing
from homebody.scripts.json_file import check_target
from homebody.scripts.view.layout import Layout
from homebody.scripts.view.theme import BAD, CARD, CHANGE, CHOSEN, DARK, EDGE, GOOD, IDLE, MODEL, OTHER, PAPER, QUIET, TINT

Frame = tuple[NDArray[np.uint8], int]
"""A picture, shape (height, width, 3), and how long it stands, in milliseconds."""

KINDS: Final = (".gif", ".mp4", ".png")
_WALK: Final = 4
"""Pictures of a step's way, the last of them where it ends."""
_PACE: Final = 80
"""Milliseconds that a picture on the way stands."""
_HOLD: Final = 1100
_ASKED: Final = 2800
"""Milliseconds that a moment stands, and one at which the model was asked."""
_OPENING: Final = 1500
_END: Final = 3000
_RATE: Final = 12.5
"""Pictures a second of a film."""


def check_recording(path: str | None) -> None:
    """Check that a recording can be written, before there is something to record. Does nothing without a path.

    Raises:
        click.UsageError: its name has another ending, it cannot be written, or a film is asked for and ffmpeg is not there.
        PygameMissingError: pygame is not installed.
    """
    if path is None:
        return
    if Path(path).suffix not in KINDS:
        raise click.UsageError(f"--record is {path!r}; give a file name that ends in {', '.join(KINDS[:-1])} or {KINDS[-1]}")
    check_target(path)
    if path.endswith(".mp4"):
        find_ffmpeg()
    Canvas(1, 1)


def record(layout: Layout, path: str, at: int | None = None) -> None:
    """Write a recording of the whole layout, from the opening to the end; or one picture.

    Args:
        layout: what to record.
        path: where to; the ending says what is written.
        at: the moment of a picture, from 0 to the layout's last; None is the end.

    Raises:
        OutputError: it cannot be written.
    """
    with replacing(path) as part:
        if part.suffix == ".gif":
            _write_gif(frames(layout), part)
        elif part.suffix == ".mp4":
            _write_film(frames(layout), part)
        else:
            layout.show(layout.last if at is None else at)
            layout.draw().save(part)


def frames(layout: Layout) -> Iterator[Frame]:
    """Yield the pictures of a layout from the opening to the end."""
    layout.show(0)
    yield layout.draw().to_array(), _OPENING
    for at in range(1, layout.last + 1):
        layout.show(at)
        *way, there = [layout.draw().to_array() for _ in layout.walk(_WALK)]
        yield from ((pixels, _PACE) for pixels in way)
        yield there, _END if at == layout.last else _ASKED if layout.is_asked else _HOLD


def find_ffmpeg() -> str:
    """Return the program that writes films: of the package imageio-ffmpeg, or one that is installed.

    Raises:
        click.UsageError: there is none.
    """
    try:
        from imageio_ffmpeg import get_ffmpeg_exe
    except ImportError:
        found = shutil.which("ffmpeg")
    else:
        found = get_ffmpeg_exe()
    if not found:
        raise click.UsageError("an .mp4 needs ffmpeg, which is not installed; run: pip install imageio-ffmpeg, or record a .gif")
    return str(found)


def _write_gif(found: Iterable[Frame], path: Path) -> None:
    """Write an animation in one palette: each picture then differs from the one before only where something happened."""
    shown = list(found)
    palette = _palette([pixels for pixels, _ in shown])
    table = _nearest(palette)
    pictures = []
    for pixels, _ in shown:
        picture = Image.fromarray(table[_coarse(pixels)])
        picture.putpalette(palette)
        pictures.append(picture)
    pictures[0].save(path, save_all=True, append_images=pictures[1:], duration=[ms for _, ms in shown], loop=0, optimize=False, disposal=1)


def _palette(pictures: list[NDArray[np.uint8]]) -> list[int]:
    """Return 256 colours, red, green and blue of each in turn, for all pictures: the panels' own, and those of three of the pictures."""
    some = [pictures[0], pictures[len(pictures) // 2], pictures[-1]]
    own = [value for color in _OWN for value in color]
    reduced = Image.fromarray(np.concatenate([picture[::2, ::2] for picture in some])).quantize(256 - len(_OWN), Image.Quantize.MEDIANCUT)
    colours = own + list(reduced.getpalette() or [])
    return (colours + own[:3] * 256)[:768]


_OWN: Final = (PAPER, CARD, EDGE, QUIET, GOOD, BAD, CHANGE, DARK, CHOSEN, OTHER, MODEL, TINT, IDLE, INK)
_BITS: Final = 5
"""Bits of each colour by which the palette is looked up."""


def _coarse(pixels: NDArray[np.uint8]) -> NDArray[np.uint16]:
    """Return for each pixel the number of its coarse colour: shape (height, width)."""
    red, green, blue = (pixels[..., channel].astype(np.uint16) >> (8 - _BITS) for channel in range(3))
    return np.asarray((red << (2 * _BITS)) | (green << _BITS) | blue, np.uint16)


def _nearest(palette: list[int]) -> NDArray[np.uint8]:
    """Return for each coarse colour the number of the nearest colour of a palette: shape (2 ** (3 * _BITS),)."""
    colours = np.array(palette, np.float32).reshape(256, 3)
    levels = (np.arange(1 << _BITS, dtype=np.float32) + 0.5) * (1 << (8 - _BITS))
    grid = np.stack(np.meshgrid(levels, levels, levels, indexing="ij"), axis=-1).reshape(-1, 3)
    # |a - b|^2 without |a|^2, which is the same for all colours.
    distances = (colours**2).sum(axis=1) - 2 * grid @ colours.T
    return np.asarray(distances.argmin(axis=1), np.uint8)


def _write_film(found: Iterable[Frame], path: Path) -> None:
    """Send the pictures to ffmpeg, each as often as it stands.

    Raises:
        OSError: ffmpeg fails.
    """
    encoder: subprocess.Popen[bytes] | None = None
    try:
        for pixels, ms in found:
            if encoder is None:
                encoder = _start(find_ffmpeg(), pixels.shape[1], pixels.shape[0], path)
            assert encoder.stdin is not None
            encoder.stdin.write(pixels.tobytes() * max(1, round(ms * _RATE / 1000)))
    except BrokenPipeError:
        pass  # ffmpeg ended early; what it said tells why
    assert encoder is not None
    _, said = encoder.communicate()
    if encoder.returncode:
        lines = said.decode(errors="replace").splitlines()
        raise OSError(None, f"ffmpeg failed: {lines[-1] if lines else encoder.returncode}")


def _start(program: str, width: int, height: int, path: Path) -> subprocess.Popen[bytes]:
    source = ["-f", "rawvideo", "-pix_fmt", "rgb24", "-s", f"{width}x{height}", "-r", str(_RATE), "-i", "-"]
    # Players want even sides and this pixel format.
    target = ["-vf", "pad=ceil(iw/2)*2:ceil(ih/2)*2", "-pix_fmt", "yuv420p", str(path)]
    command = [program, "-y", "-loglevel", "error", *source, *target]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
