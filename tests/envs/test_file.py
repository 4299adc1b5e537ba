import errno
import os
import socket
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from homebody.envs.file import FolderError, OutputError, PathError, check_target, expand_path, make_folder, replacing, write_file

# --- what a path means


def test_a_tilde_is_the_home_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    assert expand_path("~") == tmp_path
    assert expand_path(Path("~/a/b")) == tmp_path / "a" / "b"
    assert expand_path("a/~/b") == Path("a/~/b")
    write_file("~/there.txt", "x")
    assert (tmp_path / "there.txt").read_text() == "x"


@pytest.mark.parametrize(
    ("path", "problem"),
    [
        ("", "'' is no path: it is empty; give one"),
        ("a\0b", "it holds a null character"),
        ("~nobody-of-that-name/a", "that home folder is not known; write it out, or begin with ./"),
    ],
)
def test_what_is_no_path_is_refused_by_all_that_take_one(path: str, problem: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for use in (expand_path, check_target, make_folder, lambda given: write_file(given, "x")):
        with pytest.raises(PathError, match=problem):
            use(path)
    assert list(tmp_path.iterdir()) == []


# --- regular files


def test_a_file_is_replaced_whole_and_keeps_its_permissions(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    write_file(path, "first\n")
    assert stat.S_IMODE(path.stat().st_mode) & 0o111 == 0
    path.chmod(0o640)
    reader = path.open()
    write_file(path, "sécond\r\n")
    assert path.read_bytes() == b"s\xc3\xa9cond\r\n"
    assert reader.read() == "first\n"  # who has it open goes on reading the old one
    reader.close()
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    assert list(tmp_path.iterdir()) == [path]


def test_a_block_that_fails_leaves_the_old_file_and_nothing_beside_it(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("old")

    def fail(error: BaseException) -> None:
        with replacing(path) as part:
            part.write_text("ne")
            raise error

    for error in (ValueError, KeyboardInterrupt):
        with pytest.raises(error):
            fail(error())
    with pytest.raises(OutputError, match=r"cannot write .*a.txt: No space left on device; give a file"):
        fail(OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)))
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_what_is_written_has_the_name_of_the_file(tmp_path: Path) -> None:
    # Pictures and films are of the kind that the name ends in.
    with replacing(tmp_path / "a.long.png") as part:
        assert part.name == "a.long.png"
        part.write_bytes(b"")
    name = "n" * 255  # as long as a name can be
    write_file(tmp_path / name, "x")
    assert (tmp_path / name).read_text() == "x"


def test_a_file_in_use_as_a_mount_is_written_to(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "mounted"
    path.write_text("old and longer")

    def busy(source: object, target: object) -> None:
        raise OSError(errno.EBUSY, os.strerror(errno.EBUSY))

    monkeypatch.setattr(os, "replace", busy)
    write_file(path, "new")
    assert path.read_text() == "new"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("", "it is a folder"),
        ("gone/a.json", r"there is no folder .*gone"),
        ("file/a.json", "Not a directory"),
        ("loop", "Too many levels of symbolic links"),
        ("to-gone", r"there is no folder .*gone"),
        ("n" * 256, "File name too long"),
        ("socket", "it is a socket"),
    ],
)
def test_what_cannot_be_written_is_said_before_the_work(tmp_path: Path, name: str, problem: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("file").write_text("mine")
    Path("loop").symlink_to("loop")
    Path("to-gone").symlink_to("gone/x")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("socket")
        before = sorted(tmp_path.iterdir())
        with pytest.raises(OutputError, match=rf"cannot write {tmp_path}.*: {problem}; give a file in a folder that exists"):
            check_target(tmp_path / name)
        with pytest.raises(OutputError, match=f"cannot write {tmp_path}"):
            write_file(tmp_path / name, "x")
    assert sorted(tmp_path.iterdir()) == before
    assert Path("file").read_text() == "mine"


@pytest.mark.parametrize("name", ["out/", "out/.", "there/..", "out//"])
def test_a_name_that_only_a_folder_has_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / "there").mkdir()
    for write in (check_target, lambda path: write_file(path, "x")):
        with pytest.raises(OutputError, match="it is a folder"):
            write(f"{tmp_path}/{name}")
    assert [path.name for path in tmp_path.iterdir()] == ["there"]


def test_a_folder_that_the_work_makes_need_not_be_there(tmp_path: Path) -> None:
    check_target(tmp_path / "run" / "a.json", made=tmp_path / "run")
    with pytest.raises(OutputError, match="there is no folder"):
        check_target(tmp_path / "run" / "deep" / "a.json", made=tmp_path / "run")


def test_a_folder_is_made_or_named(tmp_path: Path) -> None:
    assert make_folder(tmp_path / "a" / "b").is_dir()
    (tmp_path / "file").touch()
    with pytest.raises(FolderError, match=r"cannot write into the folder .*file: File exists; give another folder"):
        make_folder(tmp_path / "file")
    with pytest.raises(FolderError, match=r"file/x: Not a directory; give another"):
        make_folder(tmp_path / "file" / "x")


# --- links


def test_a_link_stays_and_what_it_leads_to_is_replaced(tmp_path: Path) -> None:
    (tmp_path / "far").mkdir()
    real, link, second = tmp_path / "far" / "real", tmp_path / "link", tmp_path / "second"
    real.write_text("old")
    link.symlink_to("far/real")
    second.symlink_to("link")
    inode = real.stat().st_ino
    check_target(second)
    write_file(second, "new")
    assert real.read_text() == "new"
    assert real.stat().st_ino != inode  # at once, and not piece by piece
    assert [path.is_symlink() for path in (link, second)] == [True, True]
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["far", "link", "real", "second"]


def test_a_link_to_what_is_not_there_yet(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "new")
    check_target(tmp_path / "link")
    write_file(tmp_path / "link", "x")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "new").read_text() == "x"


# --- whatever is no regular file


def fill(path: Path, text: str) -> None:
    with replacing(path) as part:
        part.write_text(text)


@pytest.mark.parametrize("is_linked", [False, True])
def test_a_pipe_is_written_to(tmp_path: Path, is_linked: bool) -> None:
    pipe = named = tmp_path / "pipe"
    os.mkfifo(pipe)
    if is_linked:
        named = tmp_path / "link"
        named.symlink_to(pipe)
    check_target(named)  # does not wait for a reader
    got: list[bytes] = []
    for write in (lambda: write_file(named, "line\n"), lambda: fill(named, "second\n")):
        reader = threading.Thread(target=lambda: got.append(pipe.read_bytes()), daemon=True)
        reader.start()
        write()
        reader.join()  # one reader for each writer: else one may read what both have written
    assert got == [b"line\n", b"second\n"]
    assert stat.S_ISFIFO(pipe.stat().st_mode)


def test_a_device_stays_a_device(tmp_path: Path) -> None:
    null = tmp_path / "null"
    try:
        os.mknod(null, 0o666 | stat.S_IFCHR, os.makedev(1, 3))
        null.write_bytes(b"")
    except OSError as error:
        pytest.skip(f"no device can be made here: {error.strerror}")
    check_target(null)
    write_file(null, "gone")
    with replacing(null) as part:
        part.write_text("gone too")
    assert stat.S_ISCHR(null.stat().st_mode)
    assert list(tmp_path.iterdir()) == [null]


PRINTS = """
import sys
from homebody.envs.file import check_target, replacing, write_file
print("before")
check_target(sys.argv[1])
write_file(sys.argv[1], "written\\n")
with replacing(sys.argv[1]) as part:
    part.write_text("replaced\\n")
print("after")
"""


@pytest.mark.skipif(not Path("/dev/stdout").exists(), reason="there is no /dev/stdout")
@pytest.mark.parametrize("name", ["/dev/stdout", "/dev/fd/1", "/proc/self/fd/1", "link"])
@pytest.mark.parametrize("is_file", [False, True])
def test_standard_output_is_written_to_in_turn(tmp_path: Path, name: str, is_file: bool) -> None:
    if name.startswith("/proc") and not Path("/proc/self").exists():
        pytest.skip("there is no /proc")
    if name == "link":
        name = str(tmp_path / "link")
        Path(name).symlink_to("/dev/stdout")
    command = [sys.executable, "-c", PRINTS, name]
    if is_file:
        with (tmp_path / "out").open("wb") as out:
            subprocess.run(command, stdout=out, check=True)
        said = (tmp_path / "out").read_text()
    else:
        said = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout
    assert said == "before\nwritten\nreplaced\nafter\n"


def test_an_open_file_that_cannot_be_written_is_refused(tmp_path: Path) -> None:
    if not Path("/dev/fd").exists():
        pytest.skip("there is no /dev/fd")
    (tmp_path / "a").write_text("mine")
    with (tmp_path / "a").open() as file:
        for use in (check_target, lambda path: write_file(path, "x")):
            with pytest.raises(OutputError, match=r"cannot write /dev/fd/\d+: Bad file descriptor"):
                use(f"/dev/fd/{file.fileno()}")
    with pytest.raises(OutputError, match="Bad file descriptor"):
        check_target("/dev/fd/987654")
    assert (tmp_path / "a").read_text() == "mine"
