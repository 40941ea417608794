"""The discrete VAE against torch's own Gumbel-softmax, the transformer's sight, and what a drawing must be."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import lightning.pytorch as L
import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor
from torch.distributions import Categorical, kl_divergence
from torch.utils.data import DataLoader

from nbmodels.data.captioned_digits import NAMES, CaptionedDigits
from nbmodels.data.emoji import Emoji
from nbmodels.data.facts import Facts
from nbmodels.data.inputs import name, prepare
from nbmodels.data.text import tokenizer
from nbmodels.errors import DataError, InputError
from nbmodels.models.dalle import DALLE
from nbmodels.models.dvae import DiscreteVAE, from_uniform, soften
from nbmodels.preview import samples as preview
from nbmodels.runs import drawings
from nbmodels.runs.examine import look, predict


@pytest.fixture(autouse=True)
def seed() -> None:
    torch.manual_seed(0)


def small(**options: Any) -> DALLE:
    """A model whose pictures are 4×4 of 16 codes."""
    sizes = {
        "vocab_size": 20,
        "sequence_length": 6,
        "codes": 16,
        "channels": 16,
        "layers": 2,
        "width": 32,
        "dropout": 0.0,
    }
    return DALLE(**{**sizes, **options}).eval()


def sharpened(model: DALLE) -> DALLE:
    """With weights so large that what it looks at makes a difference."""
    for name_, parameter in model.named_parameters():
        if parameter.dim() == 2 and not name_.startswith("vae."):
            torch.nn.init.normal_(parameter, std=0.3)
    return model


# -- the discrete VAE


def test_a_soft_choice_is_torchs() -> None:
    logits = torch.randn(3, 7, 2, 2)
    for straight in (False, True):
        torch.manual_seed(4)
        ours = soften(logits, 0.7, straight)
        torch.manual_seed(4)
        theirs = F.gumbel_softmax(logits, tau=0.7, hard=straight, dim=1)
        assert torch.allclose(ours, theirs, atol=1e-6)


def test_a_cold_choice_is_one_code_and_as_often_as_its_chance() -> None:
    logits = torch.randn(1, 5).expand(20_000, 5)
    cold = soften(logits, 1e-3)
    assert (cold.amax(1) > 0.99).float().mean() > 0.99
    often = cold.argmax(1).bincount(minlength=5) / 20_000
    assert torch.allclose(often, logits[0].softmax(0), atol=0.02)
    sure = torch.randn(50, 5) + 1000 * F.one_hot(torch.arange(50) % 5, 5)  # no chance is left: the likeliest itself
    assert torch.equal(soften(sure, 1e-3).argmax(1), sure.argmax(1))


@pytest.mark.parametrize("straight", [False, True])
def test_the_gradient_passes_the_choice(straight: bool) -> None:
    logits = torch.randn(6, 5, requires_grad=True)
    weights = soften(logits, 0.5, straight)
    if straight:
        assert ((weights - weights.round()).abs() < 1e-6).all() and torch.allclose(weights.sum(1), torch.ones(6))
    (weights * torch.randn(6, 5)).sum().backward()  # type: ignore[no-untyped-call]
    assert logits.grad is not None and logits.grad.abs().sum() > 0.01


def test_the_divergence_from_even_choices_is_torchs() -> None:
    logits = torch.randn(3, 8, 2, 2)
    chosen = Categorical(logits=logits.movedim(1, 3))
    theirs = kl_divergence(chosen, Categorical(logits=torch.zeros(3, 2, 2, 8))).sum((1, 2))
    assert torch.allclose(from_uniform(logits), theirs, atol=1e-5)


@pytest.mark.parametrize(
    ("channels", "side", "grid", "found"),
    [(1, 8, None, 4), (1, 28, None, 7), (3, 32, None, 8), (3, 32, 4, 4), (2, 6, 6, 6)],
)
def test_pictures_become_squares_of_codes_and_come_back(channels: int, side: int, grid: Any, found: int) -> None:
    vae, x = DiscreteVAE(channels, side, codes=9, grid=grid, width=8), torch.rand(2, channels, side, side)
    tokens = vae.encode(x)
    assert vae.grid == found and tokens.shape == (2, found**2) and tokens.min() >= 0 and tokens.max() < 9
    assert torch.equal(vae.reconstruct(x), vae.decode(tokens))
    assert vae.reconstruct(x).shape == x.shape and vae.reconstruct(x).min() >= 0 and vae.reconstruct(x).max() <= 1


def test_one_code_at_a_place_is_what_the_soft_way_comes_to() -> None:
    """With all weight on the likeliest code, the loss to learn from is that of the tokens."""
    vae, x = DiscreteVAE(1, 8, codes=9, grid=4, width=8), torch.rand(2, 1, 8, 8)
    chosen = F.one_hot(vae.encode(x).unflatten(1, (4, 4)), 9).movedim(3, 1).float()
    vae.choices = lambda _: 1000 * chosen  # type: ignore[method-assign, assignment]
    reconstruction, divergence = vae.relaxed(x, 1e-3)
    exact = -(x * vae.decode(vae.encode(x)).log() + (1 - x) * (1 - vae.decode(vae.encode(x))).log()).sum() / 2
    assert reconstruction.item() == pytest.approx(exact.item(), rel=1e-4)
    assert divergence.item() == pytest.approx(16 * math.log(9), rel=1e-4)


def test_a_square_that_cannot_be_is_said_in_one_line() -> None:
    with pytest.raises(ValueError, match=r"^a picture of 28×28 cannot be halved to 4×4; grid may be \[28, 14, 7\]$"):
        small(image_size=28, grid=4)
    with pytest.raises(ValueError, match="^width 30 cannot be shared by 4 heads; try 28$"):
        small(width=30)


# -- the transformer


def test_a_token_sees_the_caption_and_what_is_before_it_alone() -> None:
    model, captions, drawn = sharpened(small()), torch.randint(1, 20, (2, 6)), torch.randint(0, 16, (2, 15))
    before = model(captions, drawn)
    assert before.shape == (2, 16, 16)
    for place in (0, 7, 14):
        changed = drawn.clone()
        changed[:, place] = (changed[:, place] + 5) % 16
        after = model(captions, changed)
        assert torch.allclose(before[:, : place + 1], after[:, : place + 1], atol=1e-5)  # up to itself: not seen
        assert ((before - after).abs().amax((0, 2))[place + 1 :] > 1e-4).all()  # from there on: seen by all
    assert torch.allclose(model(captions), before[:, :1], atol=1e-5)  # the first, from the caption alone


def test_the_first_token_is_foretold_from_the_words_and_their_order() -> None:
    model, captions = sharpened(small()), torch.tensor([[2, 3, 4, 5, 0, 0]])
    chances = model(captions).softmax(-1)
    for other in ([3, 2, 4, 5, 0, 0], [2, 3, 4, 6, 0, 0], [2, 3, 4, 0, 0, 0]):
        assert (model(torch.tensor([other])).softmax(-1) - chances).abs().max() > 1e-3


def test_padding_changes_nothing() -> None:
    model, drawn = sharpened(small()), torch.randint(0, 16, (1, 9))
    long, short = torch.tensor([[7, 8, 9, 0, 0, 0]]), torch.tensor([[7, 8, 9]])
    assert torch.allclose(model(long, drawn), model(short, drawn), atol=1e-5)
    first, second = (model.generate(x, generator=torch.Generator().manual_seed(1)) for x in (long, short))
    assert torch.allclose(first, second, atol=1e-5)
    assert torch.isfinite(model(torch.zeros(1, 6, dtype=torch.long))).all()  # nothing but padding


def test_every_place_has_its_own_position() -> None:
    model = small()
    spots = model.spots(16)
    assert torch.cdist(spots, spots).add(torch.eye(16)).min() > 1e-3


def test_too_many_tokens_are_said_in_one_line() -> None:
    with pytest.raises(
        ValueError, match="^7 and 16 tokens are too many; at most 6 tokens of a caption and 15 of a pict"
    ):
        small()(torch.ones(1, 7, dtype=torch.long), torch.zeros(1, 16, dtype=torch.long))


def test_drawings_repeat_with_the_same_chance() -> None:
    model, captions = sharpened(small()), torch.randint(1, 20, (5, 6))
    state = torch.get_rng_state()
    first, again, other = (model.generate(captions, generator=torch.Generator().manual_seed(s)) for s in (1, 1, 2))
    assert first.shape == (5, 1, 8, 8) and torch.equal(first, again) and not torch.equal(first, other)
    assert torch.equal(state, torch.get_rng_state())
    assert torch.equal(model.generate(captions, temperature=0), model.generate(captions, top_k=1))


def test_the_price_is_the_likelihood_of_the_tokens_written_one_by_one() -> None:
    model, captions, pictures = sharpened(small()), torch.randint(1, 20, (3, 6)), torch.rand(3, 1, 8, 8)
    reconstruction, nats = model.price(captions, pictures)
    tokens, sum_ = model.vae.encode(pictures), torch.zeros(3)
    for place in range(16):
        chances = model(captions, tokens[:, :place])[:, -1].log_softmax(1)
        sum_ -= chances.gather(1, tokens[:, place : place + 1])[:, 0]
    assert nats.item() == pytest.approx(sum_.mean().item(), rel=1e-4)
    painted = model.vae.reconstruct(pictures)
    exact = F.binary_cross_entropy(painted, pictures, reduction="sum") / 3
    assert reconstruction.item() == pytest.approx(exact.item(), rel=1e-4)


def test_before_it_learns_all_tokens_are_as_likely() -> None:
    """So the loss means the same in both stages: the tokens' price against even choices."""
    nats = small().price(torch.randint(1, 20, (8, 6)), torch.rand(8, 1, 8, 8))[1]
    assert nats.item() == pytest.approx(16 * math.log(16), rel=1e-6)


# -- both together


def fitted(model: DALLE, batch: tuple[Tensor, Tensor], epochs: int, place: Path) -> dict[str, float]:
    """Train on one batch, twenty times an epoch; the last figures."""
    data = DataLoader([batch] * 20, batch_size=None)  # type: ignore[arg-type]
    quiet = {"logger": False, "enable_checkpointing": False, "enable_progress_bar": False}
    trainer = L.Trainer(
        max_epochs=epochs, accelerator="cpu", enable_model_summary=False, default_root_dir=place, **quiet
    )
    trainer.fit(model, data, DataLoader([batch], batch_size=None))  # type: ignore[arg-type]
    return {key: float(value) for key, value in trainer.callback_metrics.items()}


def test_first_the_pictures_are_learned_then_the_drawing(tmp_path: Path) -> None:
    class Watched(DALLE):
        def on_train_epoch_start(self) -> None:
            self.states = [*getattr(self, "states", []), {k: v.clone() for k, v in self.state_dict().items()}]

    model = Watched(vocab_size=20, sequence_length=6, codes=16, channels=16, layers=1, width=32)
    batch = torch.randint(1, 20, (4, 6)), torch.rand(4, 1, 8, 8).round()
    fitted(model, batch, 5, tmp_path)  # two epochs of five are the discrete VAE's
    states = [*model.states, model.state_dict()]
    for epoch in range(5):
        same = {key for key in states[0] if torch.equal(states[epoch][key], states[epoch + 1][key])}
        changed = set(states[0]) - same
        assert changed and all(key.startswith("vae.") == (epoch < 2) for key in changed), epoch


def test_one_batch_is_learned_by_heart_and_drawn(tmp_path: Path) -> None:
    model = small(lr=5e-3, beta=0.0)
    batch = torch.arange(1, 5)[:, None].repeat(1, 6), torch.rand(4, 1, 8, 8).round()
    metrics = fitted(model, batch, 20, tmp_path)
    assert metrics["val/loss"] == pytest.approx(metrics["val/reconstruction"] + metrics["val/tokens"], rel=1e-5)
    assert metrics["val/tokens"] < 1 < 16 * math.log(16)
    assert (model.generate(batch[0], temperature=0).round() == batch[1]).float().mean() > 0.97


def test_samples_show_the_picture_what_its_tokens_keep_and_a_drawing() -> None:
    model, captions, pictures = small(), torch.randint(1, 20, (12, 6)), torch.rand(12, 1, 8, 8)
    given, made = model.samples((captions, pictures))
    assert torch.equal(given, captions[:8]) and made.shape == (8, 1, 24, 8)
    assert torch.equal(made[:, :, :8], pictures[:8])
    assert torch.allclose(made[:, :, 8:16], model.vae.reconstruct(pictures[:8]), atol=1e-6)
    assert torch.equal(made, model.samples((captions, pictures))[1])


# -- its data


def test_captions_say_what_the_picture_shows() -> None:
    data = CaptionedDigits().load()
    words = tokenizer(data.facts.tokens or {})
    from sklearn.datasets import load_digits

    known = load_digits()
    digits = {bytes(picture.astype(np.uint8)): digit for picture, digit in zip(known.data, known.target, strict=True)}
    seen = 0
    for x, y in (data.train, data.val, data.test):
        classes = drawings.classes_of(torch.from_numpy(x), data.facts).tolist()
        assert [digits[bytes(picture.reshape(64))] for picture in y] == classes
        assert not (x == 1).any()
        seen += len(x)
    assert seen == 1797 and data.facts.classes == NAMES
    assert len({words.decode(row.tolist()) for row in data.train[0]}) == 50


def test_mnist_is_an_option() -> None:
    try:
        data = CaptionedDigits("mnist").load()
    except DataError as error:
        pytest.skip(str(error))
    pictures = np.concatenate([part[1] for part in (data.train, data.val, data.test)])
    assert pictures.shape == (10_000, 1, 28, 28) and pictures.dtype == np.uint8 and pictures.max() == 255
    assert data.facts.fills["image_size"] == 28


@pytest.mark.parametrize(("language", "caption"), [("en", "red apple"), ("zh", "红苹果")])
def test_emoji_have_captions_in_two_languages(language: Any, caption: str) -> None:
    try:
        data = Emoji(language=language).load()
    except DataError as error:
        pytest.skip(str(error))
    words = tokenizer(data.facts.tokens or {})
    x, y = (np.concatenate([part[i] for part in (data.train, data.val, data.test)]) for i in (0, 1))
    assert len(x) == 1911 and y.shape[1:] == (3, 24, 24) and not (data.train[0] == 1).any()
    said = [words.decode(row.tolist()) for row in x]
    red, green, blue = y[said.index(caption)].reshape(3, -1).mean(1)
    assert red > green + 20 and red > blue + 20
    assert (y[:, :, 0, 0] == 255).all(1).mean() > 0.9  # transparent corners are white


def test_emoji_of_another_size() -> None:
    with pytest.raises(InputError, match="8 to 64, not 100"):
        Emoji(size=100).load()
    try:
        assert Emoji(size=16).load().test[1].shape == (191, 3, 16, 16)
    except DataError as error:
        pytest.skip(str(error))


# -- what a person sees


def facts() -> Facts:
    return CaptionedDigits().load().facts


def digits_model() -> DALLE:
    return small(**{key: value for key, value in facts().fills.items() if key != "task"})


def test_predict_gives_pictures() -> None:
    model = digits_model()
    one = predict(model, facts(), "a handwritten seven", {"temperature": 0.5, "top_k": 3})
    assert one.size == (112, 112) and one.mode == "L" and callable(one._repr_png_)
    several = predict(model, facts(), ["a handwritten seven", "six"], {})
    assert len(several) == 2 and several._repr_png_()[:4] == b"\x89PNG"
    with pytest.raises(InputError, match=r"DALLE takes no --length to predict. It takes --temperature,"):
        predict(model, facts(), "six", {"length": 20})


def test_a_drawing_shows_its_pixels() -> None:
    pixels = torch.tensor([[[[0.0, 1.0], [0.5, 2.0]]]]).expand(1, 3, 2, 2)
    drawn = name(facts(), pixels)[0]
    assert drawn.size == (112, 112) and drawn.mode == "RGB"
    assert [drawn.getpixel(at)[0] for at in ((0, 0), (111, 0), (0, 111), (111, 111))] == [0, 255, 128, 255]


@pytest.mark.parametrize(
    ("caption", "said"),
    [
        ("a handwritten giraffe", "No caption that the model learned from has 'giraffe' in it"),
        ("", "'' says nothing to draw"),
        ("a a a a a a a", "has 7 words, and the model reads 5"),
    ],
)
def test_what_cannot_be_drawn_is_said_in_one_line(caption: str, said: str) -> None:
    with pytest.raises(DataError) as caught:
        prepare(facts(), ["six", caption])
    assert said in str(caught.value) and "\n" not in str(caught.value)


class Copy(torch.nn.Module):
    """Draws a real picture of what is asked for, or always of the next digit."""

    task = "text-to-image"

    def __init__(self, wrong: bool) -> None:
        super().__init__()
        x, y = CaptionedDigits().load().train
        self.classes, self.pictures, self.wrong = (
            drawings.classes_of(torch.from_numpy(x), facts()),
            torch.from_numpy(y),
            wrong,
        )

    def generate(self, captions: Tensor, generator: Any = None) -> Tensor:
        asked = (drawings.classes_of(captions, facts()) + self.wrong) % 10
        return torch.stack([self.pictures[(self.classes == one).nonzero()[0, 0]] for one in asked]).float() / 16


@pytest.mark.parametrize("wrong", [False, True])
def test_what_is_recognised_is_counted(wrong: bool) -> None:
    from nbmodels.data.open import open_data

    data = open_data("captioned-digits", {}, batch_size=100)
    seen = look(Copy(wrong), data, facts())  # type: ignore[arg-type]
    assert seen["figures"]["test/recognised"] == (0 if wrong else 1)
    assert 0.97 < seen["figures"]["test/classifier"] < 1
    assert seen["picture"].startswith("data:image/png;base64,") and len(seen["texts"]) == 10
    assert seen["texts"][3].startswith("4. ") and "three" in seen["texts"][3]
    assert seen["texts"][3].endswith("(0 of 36 recognised)" if wrong else "(36 of 36 recognised)")


def test_without_classes_nothing_is_judged() -> None:
    from nbmodels.data.open import open_data

    plain = Facts(**{**facts().__dict__, "classes": ()})
    data = open_data("captioned-digits", {}, batch_size=100, limit=40)
    seen = look(Copy(False), data, plain)  # type: ignore[arg-type]
    assert "figures" not in seen
    assert [line.rpartition("(")[2] for line in seen["texts"]] == ["learned from)"] * 5 + ["held out)"] * 5
    words = tokenizer(plain.tokens or {})
    limited = {words.decode(row.tolist()) for row in CaptionedDigits().load().train[0][:40]}
    assert {line.partition(". ")[2].partition("  (")[0] for line in seen["texts"][:5]} <= limited  # not of the rest


def test_a_look_at_the_data_shows_pictures_and_captions() -> None:
    seen = preview(CaptionedDigits().load())
    assert seen["picture"].startswith("data:image/png") and len(seen["rows"]) == 8
    assert any(word in seen["rows"][0][1] for word in NAMES)


def test_a_terminal_says_that_there_are_pictures() -> None:
    from nbmodels.cli import plain, text

    drawn = predict(digits_model(), facts(), ["six", "a seven written by hand"], {})
    assert text(drawn) == "2 pictures, for a notebook to show; --json gives the PNG as a data URI."
    assert [uri.partition(",")[0] for uri in plain(drawn)] == ["data:image/png;base64"] * 2
    assert plain(drawn[0]) == plain(drawn)[0] and text(drawn[0]).startswith("A picture, ")
    assert plain(["a text", "another"]) == ["a text", "another"]
