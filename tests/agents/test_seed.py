"""Which document of a seed fits a model: heads of model files written here, and a model on a server."""

import json
import struct
from collections.abc import Callable
from importlib import resources
from pathlib import Path

import pytest

from homebody.agents.errors import AgentError
from homebody.agents.harness import spec as spec_module
from homebody.agents.harness.seed import Pick, pick_document, seed_documents, seed_names
from homebody.agents.harness.spec import HarnessError, HarnessSpec, harness_names
from homebody.agents.model_free import MODEL_FREE
from homebody.agents.models.kind import ModelKind, kind_of

PLAIN = "{% for m in messages %}<{{ m.role }}>{{ m.content }}{% endfor %}{% if add_generation_prompt %}<assistant>{% endif %}"
OPENS = PLAIN.replace("<assistant>", "<assistant><think>\n")
SWITCHED = PLAIN.replace("<assistant>", "<assistant>{% if enable_thinking is false %}<think>\n\n</think>\n\n{% endif %}")
DOCUMENTS = ("mine", "mine-act", "yard-act", "yard-react", "yard-think", "yard-tool", "yard-smollm2", "gate-act", "gate-react")


def text(value: str) -> bytes:
    return struct.pack("<Q", len(value.encode())) + value.encode()


@pytest.fixture
def model(tmp_path: Path) -> Callable[..., str]:
    """Write the head of a model file by the format's description: two tensors, so many weights of 8 bits in all."""

    def write(template: str | None, millions: int) -> str:
        metadata = {"general.architecture": "toy", **({"tokenizer.chat_template": template} if template is not None else {})}
        head = b"GGUF" + struct.pack("<IQQ", 3, 2, len(metadata))
        head += b"".join(text(key) + struct.pack("<I", 8) + text(value) for key, value in metadata.items())
        head += text("a") + struct.pack("<IQQIQ", 2, 1000, millions * 900, 8, 0)
        head += text("b") + struct.pack("<IQIQ", 1, millions * 100_000, 8, 0)
        path = tmp_path / f"{millions}-{len(head)}.gguf"
        path.write_bytes(head)
        return str(path)

    return write


@pytest.mark.parametrize(
    ("template", "millions", "style"),
    [
        (PLAIN, 300, "react"),
        (PLAIN, 9000, "react"),
        (PLAIN, 299, "act"),
        (OPENS, 300, "think"),
        (SWITCHED, 4000, "think"),
        (OPENS, 39, "act"),
        (None, 7000, "act"),
        ("", 7000, "act"),
    ],
)
def test_a_seed_picks_its_document_by_the_model(model: Callable[..., str], template: str | None, millions: int, style: str) -> None:
    path = model(template, millions)
    assert kind_of(path).n_weights == millions * 1_000_000
    pick = pick_document("yard", DOCUMENTS, path)
    assert pick.name == f"yard-{style}"
    assert path in pick.why


@pytest.mark.parametrize("policy", [None, *MODEL_FREE])
def test_without_a_model_a_seed_is_plain(policy: str | None) -> None:
    assert pick_document("yard", DOCUMENTS, policy).name == "yard-act"


@pytest.mark.parametrize("name", ["yard-react", "yard-smollm2", "yard-act", "yards", "some/file.json", ""])
def test_any_other_name_stands_for_itself_and_no_model_is_looked_at(name: str) -> None:
    assert pick_document(name, DOCUMENTS, "no such model") == Pick(name)


def test_a_model_that_is_not_there_is_an_error() -> None:
    with pytest.raises(AgentError, match="no such model"):
        pick_document("yard", DOCUMENTS, "no such model")
    with pytest.raises(AgentError, match="no such model"):
        HarnessSpec.load("generic", "no such model")


def test_a_template_that_cannot_render_is_an_error(model: Callable[..., str]) -> None:
    with pytest.raises(AgentError, match="no chat for you"):
        pick_document("yard", DOCUMENTS, model("{{ raise_exception('no chat for you') }}", 500))


@pytest.mark.parametrize(("thinks", "style"), [(True, "think"), (False, "react")])
def test_a_server_says_whether_its_model_thinks(monkeypatch: pytest.MonkeyPatch, thinks: bool, style: str) -> None:
    class Server:
        def __init__(self, name: str) -> None:
            assert name == "http://localhost:1/v1"

        def __enter__(self) -> "Server":
            return self

        def __exit__(self, *error: object) -> None:
            pass

        def thinks(self, thinking: object) -> bool:
            return thinks

    monkeypatch.setattr("homebody.agents.models.remote.OpenAICompatible", Server)
    assert kind_of("http://localhost:1/v1") == ModelKind(True, thinks, None)
    assert pick_document("yard", DOCUMENTS, "http://localhost:1/v1").name == f"yard-{style}"


@pytest.mark.parametrize(
    ("kind", "styles"),
    [
        (ModelKind(True, True, 9_000_000_000), ["act", "react", "think", "tool"]),
        (ModelKind(True, False, None), ["act", "react", "tool"]),
        (ModelKind(True, True, 135_000_000), ["act"]),
        (ModelKind(False, False, 7_000_000_000), ["act"]),
    ],
)
def test_what_a_model_may_be_tried_with(monkeypatch: pytest.MonkeyPatch, kind: ModelKind, styles: list[str]) -> None:
    monkeypatch.setattr("homebody.agents.harness.seed.kind_of", lambda model: kind)
    assert seed_documents("yard", DOCUMENTS, "m") == [f"yard-{style}" for style in styles]
    # A style without a document of its own is left out.
    assert seed_documents("gate", DOCUMENTS, "m") == [f"gate-{style}" for style in styles if style in ("act", "react")]


def test_the_seeds_ship_in_every_style() -> None:
    seeds = {"generic", "household", "webshop"}
    assert seeds <= set(seed_names(harness_names()))
    assert {f"{seed}-{style}" for seed in seeds for style in ("act", "react", "think", "tool")} <= set(harness_names())
    for seed in seed_names(harness_names()):
        assert HarnessSpec.load(seed).name == f"{seed}-act"


def test_a_missing_name_is_answered_with_the_seeds_too() -> None:
    with pytest.raises(HarnessError, match=r"one of .*generic, generic-act.*; did you mean generic\?$|did you mean generic"):
        HarnessSpec.load("genric")


def test_a_document_of_the_bare_name_goes_first_where_there_is_no_seed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    folder = tmp_path / "harnesses"
    folder.mkdir()
    document = json.loads((resources.files("homebody.assets") / "harnesses" / "generic-act.json").read_text("utf-8"))
    (folder / "mine.json").write_text(json.dumps(document | {"name": "mine"}))
    monkeypatch.setattr(spec_module.resources, "files", lambda package: tmp_path)
    assert HarnessSpec.load("mine", "no such model").name == "mine"
