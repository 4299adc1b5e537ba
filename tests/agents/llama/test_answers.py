"""Answers in a given form, probabilities, settings and counters, on tiny models."""

import json

import jsonschema
import llama_cpp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import log_softmax

from homebody.agents.errors import BadRequestError, BadSchemaError, ContextOverflowError
from homebody.agents.models.generation import Generation
from homebody.agents.models.llama import LlamaCpp, requantize
from homebody.agents.models.llama.sampling import log_probabilities, schema_grammar
from homebody.agents.models.llama.weights import quantization

ANSWER = {
    "type": "object",
    "properties": {"command": {"enum": ["look", "go to box"]}, "sure": {"type": "boolean"}},
    "required": ["command", "sure"],
    "additionalProperties": False,
}


class TestSchema:
    @pytest.mark.parametrize("temperature", [0.0, 2.0])
    def test_answers_obey_it(self, tiny, temperature):
        for seed in range(4 if temperature else 1):
            text = tiny().chat(("you see",), Generation(tokens=150, schema=ANSWER, temperature=temperature, seed=seed)).text
            jsonschema.validate(json.loads(text), ANSWER)

    def test_an_answer_that_is_cut_short_is_no_error(self, tiny):
        assert len(tiny().chat(("you see",), Generation(tokens=2, schema=ANSWER)).text) > 0

    @pytest.mark.parametrize(
        ("schema", "said"),
        [
            ({"type": "strnig"}, "Unrecognized schema"),
            ({"type": "string", "pattern": "no anchors"}, "bad JSON Schema for an answer: AssertionError: Pattern must start with"),
            ({"$ref": "#/$defs/none"}, "none"),
            ({"$ref": "https://example.com/schema.json"}, "bad JSON Schema"),
            ({"enum": {1, 2}}, "TypeError: Object of type set is not JSON serializable"),
        ],
    )
    def test_what_cannot_be_a_grammar_is_named(self, tiny, schema, said):
        with pytest.raises(BadSchemaError, match=said) as caught:
            tiny().chat(("you see",), Generation(tokens=5, schema=schema))
        assert "\n" not in str(caught.value)

    def test_not_together_with_a_grammar(self, tiny):
        with pytest.raises(BadRequestError, match="both a grammar and a schema"):
            tiny().chat(("you see",), Generation(tokens=5, schema=ANSWER, grammar='root ::= "a"'))

    def test_equal_schemas_give_equal_grammars(self):
        assert schema_grammar(ANSWER) == schema_grammar(json.loads(json.dumps(ANSWER)))


class TestRequantize:
    @pytest.mark.parametrize("quantization", ["Q4_0", "Q8_0"])
    def test_the_copy_says_what_it_is(self, tiny_file, tmp_path, quantization):
        requantize(tiny_file("llama"), tmp_path / "copy.gguf", quantization)
        with LlamaCpp(tmp_path / "copy.gguf", name="copy") as copy:
            assert copy.fingerprint["quantization"] == quantization
            assert copy.score(("you see",), [" a box"])[0] < 0.0

    def test_unknown_quantization(self, tiny_file, tmp_path):
        with pytest.raises(BadRequestError, match=r"the quantization is 'Q4_O'; allowed: .*Q4_0, "):
            requantize(tiny_file("llama"), tmp_path / "copy.gguf", "Q4_O")
        assert list(tmp_path.iterdir()) == []

    @pytest.mark.parametrize(
        ("number", "name"), [("2", "Q4_0"), ("0", "F32"), ("7", "Q8_0"), ("9999", "LLAMA_FTYPE_9999"), ("", "LLAMA_FTYPE_UNKNOWN")]
    )
    def test_names_of_quantizations(self, number, name):
        assert quantization(number) == name


@given(st.integers(1, 4000), st.floats(0, 60), st.integers(0, 2**32 - 1))
def test_log_probabilities_are_those_of_float64(size, spread, seed):
    row = np.random.default_rng(seed).normal(0, spread, size).astype(np.float32)
    before = row.copy()
    found = log_probabilities(row, range(size), np.empty(size, np.float32))
    assert np.allclose(found, log_softmax(row.astype(np.float64)), rtol=0, atol=1e-5)
    assert max(found) <= 0.0
    assert (row == before).all()


def test_log_probabilities_of_gemmas_vocabulary_are_off_by_less_than_1e_6():
    row = np.random.default_rng(0).normal(0, 4, 262_144).astype(np.float32)
    found = log_probabilities(row, range(0, len(row), 999), np.empty_like(row))
    assert np.abs(found - log_softmax(row.astype(np.float64))[::999]).max() < 1e-6


class TestCounters:
    def test_seconds_of_decoding_are_a_part_of_all_seconds(self, tiny):
        backend = tiny()
        backend.score(("you see a box",), ["look", "take cup"])
        backend.chat(("you see a cup",), Generation(tokens=4))
        assert 0.0 < backend.usage.decode_seconds < backend.usage.seconds


class TestLimits:
    def test_one_segment_longer_than_the_context(self, tiny):
        backend = tiny(n_ctx=64)
        for call in (lambda: backend.score(("a " * 90,), ["b"]), lambda: backend.chat(("a " * 90,), Generation(tokens=1)).text):
            with pytest.raises(ContextOverflowError, match="do not fit the context of 64"):
                call()
        assert backend.usage.prompt_tokens == 0

    @pytest.mark.parametrize("architecture", ["llama", "jamba"])
    def test_the_last_token_of_the_context_can_be_used(self, tiny, architecture):
        backend = tiny(architecture, n_ctx=64)
        size = backend.count_tokens(("you see a box",))
        assert backend.usage.generated_tokens == 0
        backend.chat(("you see a box",), Generation(tokens=64 - size, grammar="root ::= [a-z]+"))
        assert backend.usage.generated_tokens == 64 - size
        with pytest.raises(ContextOverflowError):
            backend.chat(("you see a box",), Generation(tokens=65 - size))


@pytest.mark.parametrize(("gpu_layers", "flash", "offload"), [(0, "DISABLED", False), (-1, "AUTO", True), (2, "AUTO", True)])
def test_settings_of_a_gpu(tiny_file, monkeypatch, gpu_layers, flash, offload):
    """No GPU is needed: what is asked of llama.cpp is looked at."""
    real, seen = llama_cpp.llama_init_from_model, []

    def open_context(model, params):
        seen.append((params.flash_attn_type, params.offload_kqv, params.op_offload))
        return real(model, params)

    monkeypatch.setattr(llama_cpp, "llama_init_from_model", open_context)
    with LlamaCpp(tiny_file("llama"), name="gpu", gpu_layers=gpu_layers) as backend:
        assert backend.fingerprint["gpu_layers"] == str(gpu_layers)
        assert backend.fingerprint["flash_attention"] == ("auto" if offload else "off")
        assert len(backend.chat(("you see",), Generation(tokens=2)).text) > 0
        sampled = Generation(tokens=6, temperature=1.0, top_k=5, repetition_penalty=1.2, seed=3, grammar="root ::= [a-z]+")
        assert backend.chat(("you see",), sampled).text.isalpha()
        assert backend.chat(("you see",), sampled) == backend.chat(("you see",), sampled)
    assert seen == [(getattr(llama_cpp, f"LLAMA_FLASH_ATTN_TYPE_{flash}"), offload, offload)]
