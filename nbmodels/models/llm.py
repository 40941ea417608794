"""LLM: a published language model that learns your text, whole or through LoRA's small matrices.

Hu et al., "LoRA: low-rank adaptation of large language models" (2021): the published weights W stay as they are, and
beside each linear layer two thin matrices learn, B from zero and A from chance, so that training begins at the
published model: h = W x + (α/r) B A x. Any model that transformers reads for causal language modelling will do.

    input   [B, T] token numbers of the model's own tokenizer
    output  [B, T, V] logits of the token that follows each
    136,957,248 parameters at the defaults (SmolLM2-135M), of which LoRA learns 2,442,240

Shapes: B batch, T tokens, V tokens of the vocabulary, r rank.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping
from typing import Any

import lightning.pytorch as L
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from nbmodels.models.draw import draw
from nbmodels.models.hub import causal

LORA, WHOLE = 1e-3, 3e-5  # learning rates of fresh small matrices, and of weights that know a language already
SAMPLE = 40  # tokens of a sample: a large model takes a tenth of a second for each


class LLM(L.LightningModule):
    """A published language model, fine-tuned by LoRA or whole

    It goes on learning from your text where its makers stopped. LoRA leaves their weights alone and learns
    two thin matrices beside every linear layer, a hundredth of the numbers; a checkpoint holds only those, and the
    published weights stay where they are. `published_loss` is theirs of the same text, `perplexity` e to the loss.

    Args:
        pretrained: The model: smollm2-135m, a folder, a .gguf file, or a name on Hugging Face's hub.
        vocab_size: Tokens that the tokenizer has, at least 1; only those are written. Empty means the model's.
        sequence_length: Tokens of a window in training, at least 1.
        lora: Rank r of LoRA's matrices, at least 0; with 0 the whole model learns.
        lora_alpha: What LoRA's part is multiplied by, over its rank, at least 1; empty means twice the rank.
        dropout: Share of the inputs of LoRA's matrices set to zero in training, in [0, 1).
        lr: Learning rate, above 0; empty means 1e-3 of LoRA and 3e-5 of the whole model.
    """

    accepts = ("text",)
    tasks = ("language-modelling",)
    metric = "loss"
    default_data = "pydoc"
    recipe = {"epochs": 1, "batch_size": 4, "schedule": "cosine", "clip": 1.0}
    head_layers = ()  # LoRA holds the published weights still as it is
    paper = "Hu et al. 2021, LoRA: low-rank adaptation of large language models"
    formula = r"h = W x + \tfrac{\alpha}{r} B A x"
    brings_tokens = True
    keeps_pretrained = True  # its checkpoints hold what was learned beside the published weights

    def __init__(
        self,
        pretrained: str = "smollm2-135m",
        vocab_size: int | None = None,
        sequence_length: int = 64,
        lora: int = 8,
        lora_alpha: int | None = None,
        dropout: float = 0.0,
        lr: float | None = None,
    ) -> None:
        super().__init__()
        lr = lr or (LORA if lora else WHOLE)
        self.save_hyperparameters()
        network = causal(pretrained)
        known = network.get_input_embeddings().num_embeddings
        if vocab_size and vocab_size > known:
            raise ValueError(f"{pretrained} knows {known:,} tokens and the data has {vocab_size:,}; leave out --tokens")
        limit = getattr(network.config, "max_position_embeddings", None)
        if limit and sequence_length > limit:
            raise ValueError(f"{pretrained} looks back on {limit:,} tokens; type --sequence-length at most that")
        self.limit: int | None = limit
        self.ends = ends(network.generation_config.eos_token_id)
        self.network: Any = adapted(network, lora, lora_alpha or 2 * lora, dropout) if lora else network
        self.heard: list[tuple[Tensor, int]] = []  # an evaluation's losses, and of how many tokens each
        self.example_input_array = torch.zeros(1, min(sequence_length, 8), dtype=torch.long)

    def forward(self, x: Tensor) -> Tensor:
        """[B, T] tokens -> [B, T, V] logits of the token after each."""
        logits: Tensor = self.network(input_ids=x, use_cache=False).logits
        return logits

    @torch.no_grad()
    def write(
        self,
        tokens: Tensor,
        length: int = 200,
        temperature: float = 1.0,
        top_k: int | None = None,
        top_p: float | None = None,
        generator: torch.Generator | None = None,
    ) -> Iterator[Tensor]:
        """Go on writing [B, T] tokens, T at least 1, until each text has ended: gives the next [B, 1], again and again.

        Args:
            tokens: The beginnings [B, T].
            length: Tokens to add at most.
            temperature: Below 1 is safer, above 1 bolder; 0 always takes the likeliest token.
            top_k: Draw among the likeliest k tokens only; None among all.
            top_p: Draw among as few of the likeliest tokens as have this chance together; None among all.
            generator: Source of the chance, on the model's device; None is torch's own.

        Raises:
            ValueError: The model cannot look back so far.
        """
        if self.limit and tokens.shape[1] + length > self.limit:
            raise ValueError(f"{tokens.shape[1]} tokens and {length} more are too many: it looks back on {self.limit}")
        was_training, memory = self.training, None
        over = torch.zeros(len(tokens), 1, dtype=torch.bool, device=tokens.device)
        self.eval()
        try:
            for _ in range(length):
                seen = self.network(input_ids=tokens, past_key_values=memory, use_cache=True)
                logits = seen.logits[:, -1, : self.hparams["vocab_size"]]  # [B, V]
                drawn = draw(logits, temperature, top_k, top_p, generator)  # [B, 1]
                tokens, memory = torch.where(over, tokens[:, -1:], drawn), seen.past_key_values
                over |= torch.isin(tokens, self.ends.to(tokens.device))
                yield tokens
                if over.all():
                    return
        finally:
            self.train(was_training)

    def generate(self, tokens: Tensor, length: int = 200, **options: Any) -> Tensor:
        """All of what `write` gives, after its beginnings: [B, T + length], or less where every text has ended."""
        return torch.cat([tokens, *self.write(tokens, length, **options)], dim=1)

    def training_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> Tensor:
        """The loss of one batch."""
        return self.step(batch, "train")

    def validation_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> None:
        """Log the loss of one batch of validation data."""
        self.evaluate(batch, batch_idx, "val")

    def test_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> None:
        """Log the loss of one batch of test data."""
        self.evaluate(batch, batch_idx, "test")

    def loss(self, batch: tuple[Tensor, Tensor]) -> Tensor:
        """The cross-entropy of a token in nats."""
        x, y = batch
        return F.cross_entropy(self(x).flatten(0, 1).float(), y.flatten())  # [B·T, V] against [B·T]

    def step(self, batch: tuple[Tensor, Tensor], stage: str) -> Tensor:
        """Log and return the loss."""
        loss = self.loss(batch)
        self.log(f"{stage}/loss", loss, batch_size=len(batch[0]))
        return loss

    def evaluate(self, batch: tuple[Tensor, Tensor], batch_idx: int, stage: str) -> None:
        """Log the loss and keep it for the perplexity; with LoRA also the loss of the published model."""
        self.heard = self.heard if batch_idx else []
        self.heard.append((self.step(batch, stage), batch[0].numel()))
        if self.hparams["lora"]:
            with self.network.disable_adapter():
                self.log(f"{stage}/published_loss", self.loss(batch), batch_size=len(batch[0]))

    def on_validation_epoch_end(self) -> None:
        """Log the perplexity of the validation text."""
        self.log("val/perplexity", self.perplexity())

    def on_test_epoch_end(self) -> None:
        """Log the perplexity of the test text."""
        self.log("test/perplexity", self.perplexity())

    def perplexity(self) -> Tensor:
        """The exponential of the mean loss of all tokens of an evaluation, not the mean of the batches'."""
        nats = torch.stack([loss * tokens for loss, tokens in self.heard]).sum()
        return (nats / sum(tokens for _, tokens in self.heard)).exp()

    def samples(self, batch: tuple[Tensor, Tensor]) -> Tensor:
        """Two texts of the batch gone on with: a quarter of a window given and 40 tokens written."""
        x = batch[0][:2]
        generator = torch.Generator(x.device).manual_seed(0)  # the same chance every epoch: only the model changes
        return self.generate(x[:, : max(1, x.shape[1] // 4)], SAMPLE, temperature=0.8, top_p=0.9, generator=generator)

    def predict_step(self, x: Tensor, batch_idx: int = 0) -> Tensor:
        """Go on writing [B, T] tokens by at most 200."""
        return self.generate(x, temperature=0.8, top_p=0.9)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """AdamW on what learns, without decay: there is little to learn by heart in so few numbers and steps."""
        learning = [parameter for parameter in self.parameters() if parameter.requires_grad]
        return torch.optim.AdamW(learning, lr=self.hparams["lr"], weight_decay=0.0, foreach=True)

    def state_dict(self, *args: Any, **kwargs: Any) -> dict[str, Any]:  # type: ignore[override]
        """What a checkpoint holds: with LoRA its matrices only."""
        state: dict[str, Any] = super().state_dict(*args, **kwargs)
        return {name: value for name, value in state.items() if "lora_" in name} if self.hparams["lora"] else state

    def load_state_dict(self, state_dict: Mapping[str, Any], strict: bool = True, assign: bool = False) -> Any:
        """Load what `state_dict` gave; RuntimeError where `strict` and a tensor is missing or too many."""
        own = set(self.state_dict())
        if strict and own != set(state_dict):
            odd = sorted(own ^ set(state_dict))
            raise RuntimeError(f"{len(odd)} tensors do not fit, such as {odd[0]}")
        return super().load_state_dict(state_dict, strict=False, assign=assign)


def adapted(network: Any, rank: int, alpha: int, dropout: float) -> nn.Module:
    """The network with LoRA's matrices beside its linear layers; only those learn."""
    try:
        from peft import LoraConfig, get_peft_model
    except ImportError:
        raise ValueError("LoRA is peft's; type: %pip install peft, or --lora 0 to train the whole model") from None
    beside = {"target_modules": "all-linear", "fan_in_fan_out": network.config.model_type == "gpt2"}
    config = LoraConfig(r=rank, lora_alpha=alpha, lora_dropout=dropout, task_type="CAUSAL_LM", **beside)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # between the two libraries
        made: nn.Module = get_peft_model(network, config)
    return made


def ends(tokens: int | list[int] | None) -> Tensor:
    """The tokens that end a text, as a tensor of none, one or several."""
    return torch.tensor([] if tokens is None else [tokens] if isinstance(tokens, int) else tokens, dtype=torch.long)
