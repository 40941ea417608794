"""VGG, ResNet, MobileNet: torchvision's names, the papers' counts, the mathematics by hand, pretrained weights."""

from __future__ import annotations

import copy
import functools
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import lightning.pytorch as L
import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.data import DataLoader

from nbmodels.data.facts import Facts
from nbmodels.data.inputs import prepare
from nbmodels.data.weights import find_weights
from nbmodels.errors import DataError, InputError
from nbmodels.line import do
from nbmodels.models import mobilenet, resnet, vgg
from nbmodels.models.mobilenet import MobileNet, Same
from nbmodels.models.resnet import Basic, Bottleneck, ResNet
from nbmodels.models.vgg import VGG
from nbmodels.runs.freeze import Freeze, head

IMAGENET: dict[str, Any] = {"in_channels": 3, "image_size": 224, "num_classes": 1000}
SMALL: dict[type[Any], dict[str, Any]] = {
    VGG: {"width": 4, "dense": 8},
    ResNet: {"width": 4},
    MobileNet: {"width": 0.1},
}
each = pytest.mark.parametrize("cls", SMALL)


@pytest.fixture(autouse=True)
def seeded() -> None:
    torch.manual_seed(0)


def count(model: nn.Module) -> int:
    return sum(parameter.numel() for parameter in model.parameters())


def settled(model: nn.Module, side: int = 16, channels: int = 1) -> nn.Module:
    """In evaluation, with norms that have seen something and last norms that are not zero."""
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.weight, 0.5, 1.5)
            nn.init.normal_(module.bias, std=0.1)
            nn.init.uniform_(module.running_mean, -0.1, 0.1)  # type: ignore[arg-type]
            nn.init.uniform_(module.running_var, 0.5, 1.5)  # type: ignore[arg-type]
    return model.eval()


# -- the names are torchvision's, the counts the papers'


def norm(name: str) -> list[str]:
    return [f"{name}.{part}" for part in ("weight", "bias", "running_mean", "running_var", "num_batches_tracked")]


def vgg_names(depth: int, normed: bool) -> list[str]:
    """`features.N`: N counts convolutions, norms, ReLUs and poolings in their order."""
    letters = {
        11: "1M2M33M44M44M", 13: "11M22M33M44M44M", 16: "11M22M333M444M444M", 19: "11M22M3333M4444M4444M"
    }[depth]  # fmt: skip
    names, place = [], 0
    for letter in letters:
        if letter != "M":
            names += [f"features.{place}.weight", f"features.{place}.bias"]
            names += norm(f"features.{place + 1}") if normed else []
        place += 1 if letter == "M" else 2 + normed
    return names + [f"classifier.{place}.{part}" for place in (0, 3, 6) for part in ("weight", "bias")]


def resnet_names(depth: int) -> list[str]:
    names = ["conv1.weight", *norm("bn1")]
    for layer, blocks in enumerate({18: (2, 2, 2, 2), 34: (3, 4, 6, 3), 50: (3, 4, 6, 3)}[depth], start=1):
        for block in range(blocks):
            prefix = f"layer{layer}.{block}"
            for number in range(1, 4 if depth == 50 else 3):
                names += [f"{prefix}.conv{number}.weight", *norm(f"{prefix}.bn{number}")]
            if block == 0 and (layer > 1 or depth == 50):
                names += [f"{prefix}.downsample.0.weight", *norm(f"{prefix}.downsample.1")]
    return [*names, "fc.weight", "fc.bias"]


def mobilenet_names(blocks: int = 17) -> list[str]:
    names = ["features.0.0.weight", *norm("features.0.1")]
    for block in range(1, blocks + 1):
        inside = ["0.0", "1"] if block == 1 else ["0.0", "1.0", "2"]
        norms = ["0.1", "2"] if block == 1 else ["0.1", "1.1", "3"]
        for convolution, its_norm in zip(inside, norms, strict=True):
            names += [f"features.{block}.conv.{convolution}.weight", *norm(f"features.{block}.conv.{its_norm}")]
    names += [f"features.{blocks + 1}.0.weight", *norm(f"features.{blocks + 1}.1")]
    return [*names, "classifier.1.weight", "classifier.1.bias"]


def built(cls: type[Any], **options: Any) -> Any:
    """The network at ImageNet's size, without its memory."""
    with torch.device("meta"):
        return cls(**IMAGENET, **options)


@pytest.mark.parametrize("normed", [False, True])
@pytest.mark.parametrize("depth", [11, 13, 16, 19])
def test_vgg_has_torchvisions_names(depth: int, normed: bool) -> None:
    assert list(built(VGG, depth=depth, norm=normed).state_dict()) == vgg_names(depth, normed)


@pytest.mark.parametrize("depth", [18, 34, 50])
def test_resnet_has_torchvisions_names(depth: int) -> None:
    assert list(built(ResNet, depth=depth).state_dict()) == resnet_names(depth)


def test_mobilenet_has_torchvisions_names() -> None:
    assert list(built(MobileNet).state_dict()) == mobilenet_names()
    assert list(built(MobileNet, arch="efficientnet-lite0").state_dict()) == mobilenet_names(16)


@pytest.mark.parametrize(
    ("cls", "options", "expected"),
    [
        (VGG, {"depth": 11, "norm": False}, 132_863_336),
        (VGG, {"depth": 13, "norm": False}, 133_047_848),
        (VGG, {"depth": 16, "norm": False}, 138_357_544),
        (VGG, {"depth": 19, "norm": False}, 143_667_240),
        (VGG, {"depth": 16}, 138_365_992),
        (ResNet, {"depth": 18}, 11_689_512),
        (ResNet, {"depth": 34}, 21_797_672),
        (ResNet, {"depth": 50}, 25_557_032),
        (MobileNet, {}, 3_504_872),
        (MobileNet, {"arch": "efficientnet-lite0"}, 4_652_008),
    ],
)
def test_the_parameters_are_as_many_as_published(cls: type[Any], options: dict[str, Any], expected: int) -> None:
    assert count(built(cls, **options)) == expected


def test_the_published_networks_end_in_seven_by_seven() -> None:
    pictures = torch.empty(1, 3, 224, 224, device="meta")
    assert built(VGG).features(pictures).shape == (1, 512, 7, 7)
    assert built(MobileNet).features(pictures).shape == (1, 1280, 7, 7)
    stages = nn.Sequential(*list(built(ResNet, depth=50).children())[1:-1])  # all but normalise and fc
    assert stages(pictures).shape == (1, 2048, 7, 7)


# -- the mathematics by hand


def test_vgg_is_the_row_of_layers_that_the_paper_draws() -> None:
    model = VGG(3, 32, 5, depth=13, norm=False, **SMALL[VGG]).eval()
    x = torch.rand(2, 3, 32, 32)
    weights = list(model.parameters())
    h = x
    for layer in range(10):
        h = F.relu(F.conv2d(h, weights[2 * layer], weights[2 * layer + 1], padding=1))
        h = F.max_pool2d(h, 2) if layer % 2 else h
    h = h.flatten(1)
    for layer in range(10, 13):
        h = F.linear(F.relu(h) if layer > 10 else h, weights[2 * layer], weights[2 * layer + 1])
    assert torch.allclose(model(x), h, atol=1e-5)


@pytest.mark.parametrize("cls", [Basic, Bottleneck])
@pytest.mark.parametrize(("inputs", "stride"), [(8, 1), (6, 2)])
def test_a_residual_block_is_a_correction_beside_a_shortcut(cls: type[Any], inputs: int, stride: int) -> None:
    width = 8 // cls.expansion
    block = settled(cls(inputs, width, stride))
    x = torch.randn(2, inputs, 8, 8)
    h, last = x, 2 if cls is Basic else 3
    strided = 1 if cls is Basic else 2
    for number in range(1, last + 1):
        convolution, normed = getattr(block, f"conv{number}"), getattr(block, f"bn{number}")
        side = convolution.weight.shape[-1]
        h = normed(F.conv2d(h, convolution.weight, stride=stride if number == strided else 1, padding=side // 2))
        h = F.relu(h) if number < last else h
    shortcut = x if stride == 1 else block.downsample[1](F.conv2d(x, block.downsample[0].weight, stride=2))  # type: ignore[index, operator]
    assert torch.allclose(block(x), F.relu(h + shortcut), atol=1e-5)


def test_a_fresh_residual_block_is_the_identity() -> None:
    x = torch.rand(2, 8, 6, 6)
    assert torch.equal(Basic(8, 8, 1)(x), x) and torch.equal(Bottleneck(8, 2, 1)(x), x)


def test_an_inverted_residual_is_the_formula() -> None:
    block = settled(mobilenet.InvertedResidual(4, 4, 6, 1, 3, lite=False))
    x = torch.randn(2, 4, 5, 5)
    up, down, mix, end = block.conv  # type: ignore[attr-defined]
    h = F.relu6(up[1](F.conv2d(x, up[0].weight)))
    filtered = [F.conv2d(h[:, [c]], down[0].weight[[c]], padding=1) for c in range(24)]  # each channel by itself
    h = F.relu6(down[1](torch.cat(filtered, dim=1)))
    assert torch.allclose(block(x), x + end(F.conv2d(h, mix.weight)), atol=1e-5)  # no ReLU at the end


@pytest.mark.parametrize("side", [3, 5])
@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("size", [7, 8])
def test_padding_as_tensorflow_does_it(size: int, stride: int, side: int) -> None:
    layer = Same(2, 3, side, stride, bias=False)
    x = torch.randn(1, 2, size, size)
    out = -(-size // stride)
    zeros = max((out - 1) * stride + side - size, 0)
    padded = F.pad(x, (zeros // 2, zeros - zeros // 2) * 2)
    assert layer(x).shape[2:] == (out, out)
    assert torch.allclose(layer(x), F.conv2d(padded, layer.weight, stride=stride), atol=1e-6)


# -- behaviour


@each
@pytest.mark.parametrize("side", [1, 7, 8, 28, 33, 96])
def test_every_size_gives_logits(cls: type[Any], side: int) -> None:
    model = cls(3, side, 4, **SMALL[cls]).eval()
    assert model(torch.rand(2, 3, side, side)).shape == (2, 4)


@each
def test_evaluation_is_sure_of_itself_and_order_in_the_batch_does_not_matter(cls: type[Any]) -> None:
    model = settled(cls(image_size=16, **SMALL[cls]))
    x, order = torch.rand(6, 1, 16, 16), torch.tensor([3, 1, 5, 0, 2, 4])
    assert torch.equal(model(x), model(x))
    assert torch.allclose(model(x[order]), model(x)[order], atol=1e-5)
    assert not torch.allclose(model(x[:1]), model(x[1:2]), atol=1e-4)


@each
def test_training_and_evaluation_norm_differently(cls: type[Any]) -> None:
    model = cls(image_size=16, **SMALL[cls])
    for module in model.modules():
        if isinstance(module, nn.Dropout):
            module.p = 0.0
        if isinstance(module, nn.Linear):
            nn.init.normal_(module.weight)  # the last begins near zero: nothing would be seen
    x = torch.rand(6, 1, 16, 16)
    in_training = model(x)
    means = [m.running_mean.clone() for m in model.modules() if isinstance(m, nn.BatchNorm2d)]
    assert any(mean.abs().sum() > 0 for mean in means)
    in_evaluation = model.eval()(x)
    assert not torch.allclose(in_training, in_evaluation, atol=1e-3)
    after = [m.running_mean for m in model.modules() if isinstance(m, nn.BatchNorm2d)]
    assert all(torch.equal(a, b) for a, b in zip(means, after, strict=True))


@each
def test_the_channels_lie_last_in_memory_also_in_a_copy(cls: type[Any]) -> None:
    model = copy.deepcopy(cls(in_channels=3, **SMALL[cls]))
    first = next(module for module in model.modules() if isinstance(module, nn.Conv2d))
    assert first.weight.is_contiguous(memory_format=torch.channels_last)


@each
def test_what_is_added_does_not_decay(cls: type[Any]) -> None:
    matrices, vectors = cls(**SMALL[cls]).configure_optimizers().param_groups
    assert matrices["weight_decay"] > 0 and vectors["weight_decay"] == 0
    assert {p.dim() > 1 for p in matrices["params"]} == {True}
    assert {p.dim() > 1 for p in vectors["params"]} == {False}


# -- pretrained weights


@functools.cache
def donor(cls: type[Any]) -> Any:
    """A small network as the papers build theirs, with seven classes."""
    torch.manual_seed(1)
    return settled(cls(3, 96, 7, **SMALL[cls]))


def saved(cls: type[Any], folder: Path) -> str:
    file = folder / "weights.pth"
    torch.save(donor(cls).state_dict(), file)
    return str(file)


@each
def test_pretrained_weights_come_from_a_file_and_colours_are_put_right(
    cls: type[Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = cls(3, 96, 7, pretrained=saved(cls, tmp_path), **SMALL[cls]).eval()
    x = torch.rand(2, 3, 96, 96)
    mean, std = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
    normalised = (x - mean.view(3, 1, 1)) / std.view(3, 1, 1)
    assert torch.allclose(model(x), donor(cls)(normalised), atol=1e-5)
    assert list(model.state_dict()) == list(donor(cls).state_dict())
    assert capsys.readouterr().out == ""


@each
def test_a_head_of_another_size_is_left_fresh_and_that_is_said(
    cls: type[Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = saved(cls, tmp_path)
    model = cls(1, 28, 3, pretrained=file, **SMALL[cls]).eval()
    assert capsys.readouterr().out == f"The head is fresh: {file} knows 7 classes, here are 3\n"
    theirs, ours = donor(cls).state_dict(), model.state_dict()
    changed = {name for name in ours if ours[name].shape != theirs[name].shape}
    assert len(changed) == 2 and all(torch.equal(ours[name], theirs[name]) for name in set(ours) - changed)
    grey = torch.rand(2, 1, 28, 28)
    assert torch.allclose(model(grey), model(grey.expand(-1, 3, -1, -1)), atol=1e-5)


@each
def test_what_does_not_fit_is_said_in_one_line(cls: type[Any], tmp_path: Path) -> None:
    text, other = tmp_path / "notes.txt", tmp_path / "other.pth"
    text.write_text("no weights")
    torch.save({"layer.weight": torch.zeros(2)}, other)
    with pytest.raises(ValueError, match=r"^there is no file nowhere.pth; torchvision's weights are \w+"):
        cls(pretrained="nowhere.pth", **SMALL[cls])
    with pytest.raises(ValueError, match=r"notes.txt holds no weights that torch can read$"):
        cls(pretrained=str(text), **SMALL[cls])
    with pytest.raises(ValueError, match=r"other.pth is another network: [\w.]+ and \d+ other tensors do not fit$"):
        cls(pretrained=str(other), **SMALL[cls])


@pytest.mark.parametrize(
    ("cls", "module", "name"),
    [(VGG, vgg, "vgg11_bn"), (ResNet, resnet, "resnet18"), (MobileNet, mobilenet, "mobilenet_v2")],
)
def test_torchvisions_names_go_through_torch_hub(
    cls: type[Any], module: Any, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def offline(*_: Any, **__: Any) -> None:
        raise urllib.error.URLError("Name or service not known")

    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setattr(torch.hub, "urlopen", offline)
    with pytest.raises(
        ValueError, match=rf"^{name} cannot be fetched from https://download.pytorch.org/models/ .*FILE$"
    ):
        cls(3, 96, 7, pretrained=name, **SMALL[cls])
    cache = tmp_path / "hub" / "checkpoints"  # where torch.hub keeps what it has fetched
    cache.mkdir(parents=True, exist_ok=True)
    torch.save(donor(cls).state_dict(), cache / module.FILES[name])
    model = cls(3, 96, 7, pretrained=name, **SMALL[cls])
    assert all(torch.equal(a, b) for a, b in zip(model.parameters(), donor(cls).parameters(), strict=True))


def test_every_hub_name_is_a_network_that_can_be_built() -> None:
    for name in vgg.FILES:
        depth, _, normed = name.removeprefix("vgg").partition("_")
        assert int(depth) in vgg.STAGES and normed in ("", "bn")
    assert {int(name.removeprefix("resnet")) for name in resnet.FILES} == set(resnet.STAGES)


def test_an_empty_name_makes_room_for_weights_that_come_from_a_checkpoint(tmp_path: Path) -> None:
    model = ResNet(1, 28, 3, pretrained=saved(ResNet, tmp_path), **SMALL[ResNet]).eval()
    again = ResNet(1, 28, 3, pretrained="", **SMALL[ResNet]).eval()
    again.load_state_dict(model.state_dict())
    x = torch.rand(2, 1, 28, 28)
    assert torch.equal(model(x), again(x))


# -- EfficientNet-Lite0's real weights, on real photographs


@functools.cache
def lite() -> str:
    """The file of the weights; the test is skipped where it is neither here nor to be had."""
    try:
        return str(find_weights({"pretrained": "efficientnet-lite0"})["pretrained"])
    except DataError as error:
        pytest.skip(str(error.what))


@pytest.mark.parametrize(
    ("photograph", "right"),
    [("chelsea", {"Egyptian cat"}), ("coffee", {"espresso"}), ("rocket", {"missile", "projectile", "space shuttle"})],
)
def test_photographs_are_named_right(
    photograph: str, right: set[str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    data = pytest.importorskip("skimage.data")
    lite()
    picture = getattr(data, photograph)()
    line = ["predict", "mobilenet", photograph, "--pretrained", "efficientnet-lite0"]
    (answer,) = do(line, {photograph: picture})
    assert answer["class"] in right and len(answer["chances"]) == 5
    high, wide = picture.shape[:2]
    expected = f"A picture of {wide}×{high}: the middle square, resized to 224×224, in colours\n"
    assert capsys.readouterr().out == expected


def test_lite_weights_are_refused_by_another_network_with_what_to_type() -> None:
    with pytest.raises(ValueError, match=r"EfficientNet-Lite0: --arch efficientnet-lite0$"):
        MobileNet(3, 224, 1000, pretrained=lite())


def test_published_weights_can_be_asked_of_picture_models_only() -> None:
    with pytest.raises(InputError, match="cnn has no pretrained weights"):
        do(["predict", "cnn", "photo.png", "--pretrained", "somewhere.pth"], {})
    assert find_weights({"pretrained": "gpt2", "width": 1}) == {"pretrained": "gpt2", "width": 1}


# -- pictures of another size


def test_a_photograph_is_cut_and_resized_with_a_word(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from PIL import Image

    facts = Facts("clothes", "image", "classification", {"in_channels": 1, "image_size": 28}, scale=255.0)
    wide = np.zeros((30, 60, 3), np.uint8)
    wide[:, 15:45] = 255  # the middle square is white
    Image.fromarray(wide).save(tmp_path / "photo.png")
    for given in (wide, tmp_path / "photo.png", str(tmp_path / "photo.png")):
        x = prepare(facts, given)
        assert x.shape == (1, 1, 28, 28) and x.min() > 0.98
        assert capsys.readouterr().out == "A picture of 60×30: the middle square, resized to 28×28, grey\n"
    assert prepare(facts, [wide, wide[:, :30]]).shape == (2, 1, 28, 28)
    assert capsys.readouterr().out == "2 of 2 pictures: the middle square, resized to 28×28, grey\n"
    assert prepare(facts, np.zeros((28, 28), np.uint8)).shape == (1, 1, 28, 28)
    assert capsys.readouterr().out == ""
    with pytest.raises(DataError, match=r"^The input is of shape \(1, 10, 10\) and the model takes \(1, 28, 28\)"):
        prepare(facts, np.zeros((2, 10, 10), np.float32))


# -- the body held still


def fitted(model: L.LightningModule, unfreeze_at: int | None, epochs: int, place: Path) -> L.LightningModule:
    data = DataLoader([(torch.rand(8, 1, 16, 16), torch.randint(0, 10, (8,)))], batch_size=None)  # type: ignore[arg-type]
    trainer = L.Trainer(
        max_epochs=epochs,
        accelerator="cpu",
        logger=False,
        callbacks=[Freeze(unfreeze_at)],
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        default_root_dir=place,
    )
    trainer.fit(model, data, data)
    return model


@each
def test_a_frozen_body_keeps_weights_and_norms_until_it_is_let_go(
    cls: type[Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = cls(image_size=16, **SMALL[cls])
    (name,) = head(model)
    assert name == {ResNet: "fc", VGG: "classifier.6", MobileNet: "classifier"}[cls]
    before = {key: value.clone() for key, value in model.state_dict().items()}

    def changed() -> set[str]:
        after = model.state_dict()
        different = {key for key in before if not torch.equal(before[key], after[key])}
        return {name if key.startswith(f"{name}.") else key for key in different}

    fitted(model, None, 2, tmp_path)
    assert changed() == {name}
    assert f"Only {name} learns: " in capsys.readouterr().out
    fitted(model, 1, 1, tmp_path)
    assert changed() == {name}
    fitted(model, 1, 2, tmp_path)
    assert len(changed()) > 1


def test_the_head_is_found_inside_a_wrapper() -> None:
    inner = nn.Sequential(nn.Linear(2, 3), nn.ReLU(), nn.Linear(3, 4), nn.Dropout())
    assert head(nn.Sequential(inner)) == {"0.2": inner[2]}


def gradients(net: nn.Module, x: Tensor) -> list[Tensor]:
    net(x).square().sum().backward()
    return [p.grad for p in net.parameters() if p.grad is not None]


def test_grey_pictures_with_pretrained_weights_give_gradients_everywhere(tmp_path: Path) -> None:
    model = ResNet(1, 28, 3, pretrained=saved(ResNet, tmp_path), **SMALL[ResNet])
    assert all(torch.isfinite(gradient).all() for gradient in gradients(model, torch.rand(4, 1, 28, 28)))
    assert all(parameter.grad is not None for parameter in model.parameters())
