"""A walk through a model's codes: a slider from picture to picture, and one for each number that tells most.

For every model of pictures that has `encode` and `decode`. Imported only when it is asked for: it needs ipywidgets
(7.7 or 8) and torch.

N pictures, D numbers of a code.
"""

from __future__ import annotations

import io
from typing import Any

import ipywidgets as widgets
import torch
from torch import Tensor

from nbmodels.errors import InputError
from nbmodels.runs.attended import attended
from nbmodels.runs.samples import strip, write_png
from nbmodels.views.comms import hear

WIDGET = "application/vnd.jupyter.widget-view+json"
SIDE = 168  # pixels of the picture on the page, at least
STATIC = 8  # pictures of the way's first stretch where nobody can move a slider


class Walk(widgets.VBox):
    """Sliders and the picture of the code where they stand; a strip of pictures where nobody is there to move them.

    Args:
        model: Has `encode` [N, C, S, S] -> [N, D] and `decode`, its way back.
        pictures: Between which the way leads, in their order [N, C, S, S]; at least 2.
        numbers: So many of the code's numbers get a slider of their own, at least 0: those that differ most
            between the pictures, counted in their standard deviations.

    Raises:
        InputError: The model has no codes, or there is no way between so few pictures.
    """

    def __init__(self, model: Any, pictures: Tensor, numbers: int = 4) -> None:
        if not (hasattr(model, "encode") and hasattr(model, "decode")):
            raise InputError(f"{type(model).__name__} has no codes to walk through", "Train vae or autoencoder.")
        if len(pictures) < 2:
            raise InputError("A way needs two pictures at least", "Give pictures[:8].")
        self.net = model.eval()
        with torch.no_grad():
            self.codes: Tensor = model.encode(pictures)  # [N, D]
        self.spread = self.codes.std(dim=0)  # [D]
        self.axes = self.spread.argsort(descending=True)[:numbers].tolist()
        self.way = _slider("way", 0.0, len(pictures) - 1.0)
        self.sliders = [_slider(f"number {axis}", -3.0, 3.0) for axis in self.axes]
        self.picture = widgets.Image(format="png")
        super().__init__([self.picture, self.way, *self.sliders])
        for slider in (self.way, *self.sliders):
            slider.observe(self._draw, "value")
        hear(self)
        self._draw()

    def __repr__(self) -> str:
        return f"<Walk between {len(self.codes)} pictures, {len(self.axes)} numbers of {len(self.spread)}>"

    def code(self, way: float) -> Tensor:
        """The code [1, D] at a place of the way, 0 to N - 1, moved by the sliders of its numbers."""
        at = min(int(way), len(self.codes) - 2)
        code = torch.lerp(self.codes[at], self.codes[at + 1], way - at).clone()
        for axis, slider in zip(self.axes, self.sliders, strict=True):
            code[axis] += slider.value * self.spread[axis]
        return code[None]

    def strip(self) -> bytes:
        """A PNG of the way from the first picture to the second."""
        places = torch.linspace(0, 1, STATIC).tolist()
        return self._png(torch.cat([self.code(place) for place in places]), 1)

    def _draw(self, _: Any = None) -> None:
        self.picture.value = self._png(self.code(self.way.value), SIDE)

    def _png(self, codes: Tensor, least: int) -> bytes:
        """The pictures of codes [n, D] side by side, each enlarged by whole pixels to `least` at least."""
        with torch.no_grad():
            painted = self.net.decode(codes)
        times = -(-least // painted.shape[-1])
        painted = painted.repeat_interleave(times, 2).repeat_interleave(times, 3)
        buffer = io.BytesIO()
        write_png(buffer, strip(painted))
        return buffer.getvalue()

    def _ipython_display_(self, **_: Any) -> None:
        from IPython.display import Image, display

        if not attended():
            display(Image(self.strip()))
            return
        face = {WIDGET: {"version_major": 2, "version_minor": 0, "model_id": self.model_id}, "text/plain": repr(self)}
        display(face, raw=True)


def _slider(title: str, low: float, high: float) -> widgets.FloatSlider:
    place = low if low == 0 else 0.0
    return widgets.FloatSlider(place, min=low, max=high, step=0.05, description=title, readout_format=".1f")
