"""What the pages of docs/ name must exist."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PAGES = sorted(path.relative_to(ROOT).as_posix() for folder in ("docs", ".") for path in (ROOT / folder).glob("*.md"))


@pytest.mark.parametrize("page", PAGES)
def test_every_test_that_a_page_names_exists(page: str) -> None:
    named = re.findall(r"`(tests/[\w/]+\.py)(?:::(\w+))?`", (ROOT / page).read_text("utf-8"))
    for file, name in named:
        text = (ROOT / file).read_text("utf-8")
        assert not name or re.search(rf"^(    )?def {name}\(", text, re.MULTILINE), f"{file}::{name}"


def test_every_promise_names_a_test() -> None:
    rows = [line for line in (ROOT / "docs" / "promises.md").read_text("utf-8").splitlines() if line.startswith("| ")]
    promises = [line for line in rows if not line.startswith("| fault |")]
    assert len(promises) > 20
    assert [line for line in promises if "::test_" not in line] == []
