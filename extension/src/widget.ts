// Wiring: the anywidget entry. The kernel sets the traits `view`, `samples`, `beat`, `lang`; buttons send messages back.

import "uplot/dist/uPlot.min.css";
import "./live.css";
import type { Command, Sample, Snapshot } from "./state";
import { Card } from "./view/card";
import { onTheme } from "./view/theme";
import { pickLang } from "./words";

const SILENCE = 15_000; // milliseconds without a beat after which the kernel counts as gone

interface Traits {
  beat: number;
  view: Snapshot;
  samples: Sample[];
  lang: string;
}

interface Model {
  get<K extends keyof Traits>(key: K): Traits[K];
  on(event: string, callback: (content: { error?: string }) => void): void;
  off(event: string, callback: (content: { error?: string }) => void): void;
  send(content: Command): void;
}

function render({ model, el }: { model: Model; el: HTMLElement }): () => void {
  const card = new Card(pickLang(model.get("lang"), navigator.language), (command) => model.send(command));
  el.append(card.element);
  let heard = Date.now();
  const beat = (): void => {
    heard = Date.now();
    card.silence(false);
    card.insist(); // the kernel lives: it hears this one
  };
  const watch = setInterval(() => card.silence(Date.now() - heard > SILENCE), 3_000);
  const draw = (): void => card.draw(model.get("view"));
  const drawSamples = (): void => card.drawSamples(model.get("samples"));
  const hear = (content: { error?: string }): void => card.complain(content.error ?? "");
  model.on("change:beat", beat);
  model.on("change:view", draw);
  model.on("change:samples", drawSamples);
  model.on("msg:custom", hear);
  const forget = onTheme(() => card.repaint());
  draw();
  drawSamples();
  return () => {
    clearInterval(watch);
    model.off("change:beat", beat);
    model.off("change:view", draw);
    model.off("change:samples", drawSamples);
    model.off("msg:custom", hear);
    forget();
    card.destroy();
  };
}

export default { render };
