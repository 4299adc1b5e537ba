"""A key is nowhere but in the header that is sent: not in a store, a result, a report, an error, or a sandbox."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from homebody.agents.models.remote import http_client
from homebody.agents.sandbox import renderer
from homebody.envs import interpreter
from homebody.scripts.group import cli

KEY = "sk-live-51Hx8canary"


@pytest.fixture(autouse=True)
def key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOMEBODY_API_KEY", KEY)
    monkeypatch.setattr(http_client, "_FIRST_PAUSE_S", 0.001)


@pytest.mark.parametrize("speaks", ["look", f"the key is {KEY}", f'{{"command": "{KEY}"}}'])
@pytest.mark.parametrize("fails", [False, True])
def test_a_key_that_a_server_repeats_is_kept_nowhere(
    serve: Callable[..., Any], stub_server: Any, tmp_path: Path, speaks: str, fails: bool
) -> None:
    stub = serve(speaker=stub_server.Speaker(answer=speaks))
    if fails:
        stub.failures += [(401, {}, json.dumps({"error": {"message": f"wrong key {KEY}"}}).encode())] * 9
    words = ["evaluate", "--harness", "generic-act", "--policy", stub.url, "--tasks", "1", "--max-steps", "2"]
    done = CliRunner().invoke(cli, [*words, "--run-dir", str(tmp_path / "run"), "--json", str(tmp_path / "out.json")])
    assert any(KEY in headers.get("Authorization", "") for _, _, headers in stub.asked)
    assert KEY not in done.output + repr(done.exception)
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert files
    assert [path for path in files if KEY.encode() in path.read_bytes()] == []


def test_no_sandbox_sees_a_key() -> None:
    source = "import os\ndef process(event):\n    return os.environ.get('HOMEBODY_API_KEY') or os.getenv('HOMEBODY_API_KEY')\n"
    assert KEY not in repr(interpreter.run(source, {}))
    with pytest.raises(renderer.PromptTemplateError) as refused:
        renderer.render("{{ os.environ }}{{ self }}{{ cycler.__init__.__globals__ }}", {})
    assert KEY not in str(refused.value)
