"""The walk through a latent space: sliders where somebody is there, a picture where nobody is."""

from __future__ import annotations

import io

import pytest
import torch
from PIL import Image

from nbmodels.errors import InputError
from nbmodels.models.autoencoder import Autoencoder
from nbmodels.models.linear import Linear
from nbmodels.models.vae import VAE

latent = pytest.importorskip("nbmodels.views.latent", reason="ipywidgets is not there")


@pytest.fixture(params=[VAE, Autoencoder])
def walk(request):
    torch.manual_seed(0)
    return latent.Walk(request.param(image_size=8), torch.rand(3, 1, 8, 8), numbers=2)


def size(png: bytes) -> tuple[int, int]:
    return Image.open(io.BytesIO(png)).size


def test_the_way_leads_from_picture_to_picture(walk):
    assert (walk.way.min, walk.way.max, len(walk.sliders)) == (0, 2, 2)
    for place in (0, 1, 2):
        assert torch.allclose(walk.code(place)[0], walk.codes[place], atol=1e-6)
    assert torch.allclose(walk.code(0.5)[0], walk.codes[:2].mean(0), atol=1e-6)


def test_a_slider_that_moves_paints_another_picture(walk):
    seen = [walk.picture.value]
    walk.way.value = 1.5
    seen.append(walk.picture.value)
    walk.sliders[0].value = 2.0
    seen.append(walk.picture.value)
    assert len(set(seen)) == 3 and all(size(png) == (168, 168) for png in seen)
    moved = walk.code(1.5)[0] - torch.lerp(walk.codes[1], walk.codes[2], 0.5)
    axis = walk.axes[0]
    assert moved[axis] == pytest.approx(2 * walk.spread[axis].item(), rel=1e-4) and (moved != 0).sum() == 1


def test_the_sliders_are_of_the_numbers_that_differ_most(walk):
    assert walk.spread[walk.axes].min() >= walk.spread.sort(descending=True).values[1]


def test_where_nobody_is_there_the_way_itself_is_shown(walk, monkeypatch):
    shown = []
    monkeypatch.setattr("IPython.display.display", lambda what, **how: shown.append((what, how)))
    monkeypatch.setattr(latent, "attended", lambda: False)
    walk._ipython_display_()
    monkeypatch.setattr(latent, "attended", lambda: True)
    walk._ipython_display_()
    (picture, _), (face, how) = shown
    wide, high = size(picture.data)
    assert wide > 7 * high and how == {"raw": True}
    assert face[latent.WIDGET]["model_id"] == walk.model_id and "3 pictures" in face["text/plain"]


def test_what_cannot_be_walked_is_said_in_one_line():
    with pytest.raises(InputError, match="Linear has no codes to walk through"):
        latent.Walk(Linear(in_features=64), torch.rand(3, 1, 8, 8))
    with pytest.raises(InputError, match="two pictures at least"):
        latent.Walk(VAE(image_size=8), torch.rand(1, 1, 8, 8))
