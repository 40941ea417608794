"""Fine-tuning of published models: LoRA begins at them, learns beside them and keeps only what it learned."""

from __future__ import annotations

import math
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from nbmodels import request
from nbmodels.data.text import BPE, Pretrained
from nbmodels.errors import RunError
from nbmodels.models.llm import LLM
from nbmodels.runs import checkpoint
from nbmodels.runs import folder as folders
from nbmodels.runs.fit import fit
from nbmodels.runs.pulse import Pulse
from nbmodels.runs.run import Run

STORY = "the dog sat on the mat and the cat sat on the dog\n" * 60


def saved(place: Path, kind: str) -> Path:
    """A small model of chance with a tokenizer, as transformers writes both."""
    from transformers import GPT2Config, GPT2LMHeadModel, LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    torch.manual_seed(0)
    token = {"bos_token_id": 0, "eos_token_id": 299}
    if kind == "gpt2":
        config = GPT2Config(vocab_size=300, n_positions=64, n_embd=24, n_layer=2, n_head=4, **token)
        network: Any = GPT2LMHeadModel(config)
    else:
        sizes = {"hidden_size": 24, "intermediate_size": 48, "num_hidden_layers": 2, "num_attention_heads": 4}
        more = {"num_key_value_heads": 2, "max_position_embeddings": 64}
        network = LlamaForCausalLM(LlamaConfig(vocab_size=300, **sizes, **more, **token))
    for parameter in network.parameters():
        if parameter.dim() == 2:  # thin matrices move what is large: a start of 0.02 would hardly feel them
            torch.nn.init.normal_(parameter, std=0.2)
    network.save_pretrained(place)
    PreTrainedTokenizerFast(tokenizer_object=BPE.learn([STORY], 300).library).save_pretrained(place)
    return place


@pytest.fixture(scope="module", params=["llama", "gpt2"])
def source(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(saved(tmp_path_factory.mktemp(request.param), request.param))


@pytest.fixture(scope="module")
def llama(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return saved(tmp_path_factory.mktemp("llama"), "llama")


def batch(size: int = 4, length: int = 12) -> tuple[Tensor, Tensor]:
    torch.manual_seed(1)
    tokens = torch.randint(0, 299, (size, length + 1))
    return tokens[:, :-1], tokens[:, 1:]


def published(source: str) -> Any:
    from transformers import AutoModelForCausalLM

    return AutoModelForCausalLM.from_pretrained(source).eval()


def learned(model: LLM, steps: int = 60) -> list[float]:
    """The losses of so many steps on one batch."""
    optimizer, losses = model.configure_optimizers(), []
    for index in range(steps):
        loss = model.training_step(batch(), index)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


@pytest.mark.parametrize("lora", [0, 4])
def test_it_begins_at_the_published_model(source: str, lora: int) -> None:
    x, _ = batch()
    with torch.no_grad():
        assert torch.allclose(LLM(source, lora=lora).eval()(x), published(source)(x).logits, atol=1e-5)


def test_lora_is_its_formula(llama: Path) -> None:
    """h = W x + (α/r) B A x, and W does not move."""
    model = LLM(str(llama), lora=4, lora_alpha=12, lr=1e-2)
    learned(model, 5)
    layer = model.network.base_model.model.model.layers[1].self_attn.q_proj
    x = torch.randn(3, 24)
    w, a, b = layer.base_layer.weight, layer.lora_A["default"].weight, layer.lora_B["default"].weight
    assert a.shape == (4, 24) and b.shape == (24, 4) and b.any()
    assert torch.allclose(layer(x), x @ w.T + 3.0 * (x @ a.T) @ b.T, atol=1e-6)
    assert torch.equal(w, published(str(llama)).model.layers[1].self_attn.q_proj.weight)


@pytest.mark.parametrize(("lora", "lr", "bound"), [(8, 1e-1, 0.85), (0, 1e-2, 0.3)])
def test_one_batch_is_learned(source: str, lora: int, lr: float, bound: float) -> None:
    losses = learned(LLM(source, lora=lora, lr=lr))
    assert losses[-1] < bound * losses[0]


def test_only_loras_matrices_learn_and_only_they_are_kept(source: str) -> None:
    model = LLM(source, lora=4)
    learning = {name for name, parameter in model.named_parameters() if parameter.requires_grad}
    kept = model.state_dict()
    assert set(kept) == learning and all("lora_" in name for name in kept)
    assert sum(p.numel() for p in kept.values()) < 0.5 * sum(p.numel() for p in model.parameters())
    whole = LLM(source, lora=0)
    assert all(p.requires_grad for p in whole.parameters())
    assert len(whole.state_dict()) == len(published(source).state_dict())
    again = LLM(source, lora=4)
    learned(model, 3)
    again.load_state_dict(model.state_dict())
    assert torch.equal(again.eval()(batch()[0]), model.eval()(batch()[0]))
    with pytest.raises(RuntimeError, match="tensors do not fit"):
        again.load_state_dict({})


def test_the_text_is_transformers_own(source: str) -> None:
    model, x = LLM(source), batch(1, 6)[0]
    text = published(source).generate(x, max_new_tokens=15, do_sample=False, eos_token_id=None, pad_token_id=0)
    assert torch.equal(model.generate(x, 15, temperature=0.0), text) and model.training
    with pytest.raises(ValueError, match="it looks back on 64"):
        model.generate(x, 60)


def test_a_text_that_has_ended_is_not_gone_on_with(llama: Path) -> None:
    model, x = LLM(str(llama)), batch(2, 6)[0]
    said = model.generate(x, 10, temperature=0.0)
    assert said[0, 6] != said[0, 7] and not torch.isin(said[1, 6:], said[0, 7]).any()
    model.ends = said[:1, 7]  # as if the first text's second token ended it
    assert torch.equal(model.generate(x[:1], 10, temperature=0.0), said[:1, :8])
    both = model.generate(x, 10, temperature=0.0)
    assert (both[0, 7:] == said[0, 7]).all() and torch.equal(both[1], said[1])


def test_only_tokens_that_the_tokenizer_knows_are_written(llama: Path) -> None:
    start = batch(4, 6)[0] % 20
    assert LLM(str(llama)).generate(start, 30).max() >= 20
    assert LLM(str(llama), vocab_size=20).generate(start, 30).max() < 20


def test_the_published_models_loss_stands_beside_the_new_one(llama: Path) -> None:
    model, logged = LLM(str(llama), lr=1e-2), {}
    before = model.loss(batch()).item()
    learned(model, 20)
    model.log = lambda name, value, **_: logged.update({name: float(value)})  # type: ignore[method-assign, assignment]
    model.test_step(batch(), 0)
    assert logged["test/published_loss"] == pytest.approx(before, abs=1e-5) and logged["test/loss"] < before


def test_what_does_not_fit_is_said_in_one_line(llama: Path) -> None:
    with pytest.raises(ValueError, match="^[^\n]* knows 300 tokens and the data has 301; leave out --tokens$"):
        LLM(str(llama), vocab_size=301)
    with pytest.raises(ValueError, match="^[^\n]* looks back on 64 tokens; type --sequence-length at most that$"):
        LLM(str(llama), sequence_length=65)
    with pytest.raises(ValueError, match="^there is no folder or file /nowhere/at/all[^\n]*$"):
        LLM("/nowhere/at/all")


def test_smollm2_has_the_parameters_of_the_docstring() -> None:
    from transformers import AutoModelForCausalLM, LlamaConfig

    from nbmodels import pages
    from nbmodels.models import MODELS, llm
    from nbmodels.options import read_source

    sizes = {"hidden_size": 576, "intermediate_size": 1536, "num_hidden_layers": 30, "num_attention_heads": 9}
    config = LlamaConfig(vocab_size=49_152, num_key_value_heads=3, tie_word_embeddings=True, **sizes)
    with torch.device("meta"):
        network = llm.adapted(AutoModelForCausalLM.from_config(config), 8, 16, 0.0)
    counts = (
        sum(p.numel() for p in network.parameters()),
        sum(p.numel() for p in network.parameters() if p.requires_grad),
    )
    assert counts == (136_957_248, 2_442_240)
    assert all(f"{count:,}" in (llm.__doc__ or "") for count in counts)
    assert pages.parameters(read_source(MODELS["llm"])) == counts[0]


# -- a run


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setenv("NBMODELS_DATA", str(tmp_path / "cache"))
    folders.set_runs_root(tmp_path / "runs")
    yield tmp_path
    folders.set_runs_root(None)


def work(run: Run) -> Run:
    pulse = Pulse(run.folder)
    pulse.tell(state=fit(run.folder, pulse))
    pulse.write()
    return run


def trained(place: Path, source: str, **options: Any) -> Run:
    (place / "story.txt").write_text(STORY)
    asked = {"pretrained": source, "sequence_length": 8, "batch_size": 8, "device": "cpu", "lr": 1e-2, **options}
    spec, _ = request.build_spec("llm", str(place / "story.txt"), asked, {})
    return work(Run(folders.create(spec)))


@pytest.mark.parametrize("lora", [0, 4])
def test_a_run_learns_is_read_back_and_goes_on(llama: Path, place: Path, lora: int) -> None:
    import dataclasses

    run = trained(place, str(llama), lora=lora, epochs=1)
    path = checkpoint.newest(run.folder)
    assert path
    kept = checkpoint.load(path)
    assert all("lora_" in name for name in kept["state_dict"]) == bool(lora)
    model: Any = run.model
    assert all(torch.equal(model.state_dict()[name], value) for name, value in kept["state_dict"].items())
    figures = run.folder.status()["metrics"]
    assert figures["val/loss"] < figures.get("val/published_loss", math.log(300))  # the text has few words
    text = run.predict("the dog", length=5, temperature=0.5, top_p=0.9)
    assert text.startswith("the dog") and run.predict("the dog", length=5, temperature=1e-6)
    spec = run.spec
    longer = dataclasses.replace(spec, training=dataclasses.replace(spec.training, epochs=2))
    run.folder.file(folders.SPEC).write_text(longer.to_yaml())
    assert work(run).folder.status()["metrics"]["val/loss"] < figures["val/loss"]


def test_without_the_published_weights_there_is_one_line(llama: Path, place: Path) -> None:
    source = shutil.copytree(llama, place / "source")
    run = trained(place, str(source), epochs=1, limit=8)
    shutil.rmtree(source)
    with pytest.raises((ValueError, RunError), match="^llm on story.txt: there is no folder or file [^\n]*$"):
        _ = run.model


def test_the_default_is_written_into_the_spec_and_brings_its_tokens() -> None:
    spec, _ = request.build_spec("llm", "pydoc", {}, {})
    assert spec.model_options["pretrained"] == spec.data_options["tokens"] == "smollm2-135m"
    spec, _ = request.build_spec("gpt", "pydoc", {}, {})
    assert "pretrained" not in spec.model_options and "tokens" not in spec.data_options


def test_a_tokenizer_is_found_in_a_folder(llama: Path) -> None:
    words = Pretrained.find(str(llama))
    assert words.decode(words.encode("the dog sat")) == "the dog sat" and words.size <= 300


@pytest.fixture(scope="module")
def packed(llama: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same small Llama in one file, as llama.cpp keeps models."""
    import json

    import gguf

    network, place = published(str(llama)), tmp_path_factory.mktemp("packed") / "small.gguf"
    config, state = network.config, network.state_dict()
    writer = gguf.GGUFWriter(place, "llama")
    writer.add_block_count(config.num_hidden_layers)
    writer.add_context_length(config.max_position_embeddings)
    writer.add_embedding_length(config.hidden_size)
    writer.add_feed_forward_length(config.intermediate_size)
    writer.add_head_count(config.num_attention_heads)
    writer.add_head_count_kv(config.num_key_value_heads)
    writer.add_layer_norm_rms_eps(config.rms_norm_eps)
    writer.add_vocab_size(config.vocab_size)
    words = json.loads((llama / "tokenizer.json").read_text())["model"]
    writer.add_tokenizer_model("gpt2")
    tokens = sorted(words["vocab"], key=words["vocab"].get)
    writer.add_token_list(tokens)
    writer.add_token_merges([" ".join(pair) for pair in words["merges"]])
    writer.add_eos_token_id(0)
    writer.add_bos_token_id(0)
    inside = {"self_attn.q_proj": "attn_q", "self_attn.k_proj": "attn_k", "self_attn.v_proj": "attn_v"}
    inside |= {
        "self_attn.o_proj": "attn_output",
        "input_layernorm": "attn_norm",
        "post_attention_layernorm": "ffn_norm",
    }
    inside |= {f"mlp.{part}_proj": f"ffn_{part}" for part in ("gate", "up", "down")}
    outside = {"model.embed_tokens": "token_embd", "model.norm": "output_norm", "lm_head": "output"}
    heads = {"attn_q": config.num_attention_heads, "attn_k": config.num_key_value_heads}
    for name, tensor in state.items():
        layer = name.removesuffix(".weight")
        if layer in outside:
            writer.add_tensor(f"{outside[layer]}.weight", tensor.numpy())
            continue
        _, _, number, rest = layer.split(".", 3)
        kind = inside[rest]
        if kind in heads:  # llama.cpp turns pairs of neighbours, transformers the two halves of a head
            tensor = tensor.unflatten(0, (heads[kind], 2, -1)).transpose(1, 2).flatten(0, 2)
        writer.add_tensor(f"blk.{number}.{kind}.weight", tensor.contiguous().numpy())
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return place


def test_a_gguf_file_is_the_same_model_and_brings_its_tokenizer(llama: Path, packed: Path) -> None:
    x, _ = batch()
    with torch.no_grad():
        assert torch.allclose(LLM(str(packed)).eval()(x), published(str(llama))(x).logits, atol=1e-5)
    for source in (packed, packed.parent):
        assert Pretrained.find(str(source)).encode("the dog sat") == Pretrained.find(str(llama)).encode("the dog sat")
