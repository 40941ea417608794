// What the model made, through the epochs: pictures in a strip, texts side by side.

import { count, type Sample } from "../state";
import { fill, type Words } from "../words";
import { make } from "./dom";

export class Samples {
  readonly element = make("div", "nbm-samples");
  private drawn = "";

  constructor(private readonly words: Words) {}

  draw(samples: Sample[]): void {
    const key = samples.map((sample) => sample.step).join() + (samples[samples.length - 1]?.text ?? "");
    if (key === this.drawn) return;
    this.drawn = key;
    this.element.hidden = samples.length === 0;
    this.element.classList.toggle("nbm-texts", samples.some((sample) => sample.text !== null));
    // The same is asked for at every epoch, so it is said once.
    const caption = samples[samples.length - 1]?.caption;
    const said = caption ? [make("p", "nbm-said", caption)] : [];
    this.element.replaceChildren(...samples.map((sample) => this.one(sample)), ...said);
  }

  private one(sample: Sample): HTMLElement {
    const figure = make("figure", "nbm-sample");
    const { epoch, step } = sample;
    const caption = epoch !== null ? fill(this.words.atEpoch, String(epoch)) : step !== null ? fill(this.words.atStep, count(step)) : "";
    // Only pictures that came with the snapshot: nothing is fetched.
    if (sample.src?.startsWith("data:image/")) figure.append(make("img", "", "", { src: sample.src, alt: [this.words.samples, caption, sample.caption].filter(Boolean).join(", ") }));
    else figure.append(make("pre", "", sample.text ?? "", { tabindex: "0" }));
    figure.append(make("figcaption", "", caption));
    return figure;
  }
}
