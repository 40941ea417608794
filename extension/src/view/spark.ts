// The two drawings of a row: its state as a shape, its best metric's way as a small curve. Both are told in words beside them.

import { spark } from "../state/list";
import type { RowState } from "../state/server";

const WIDTH = 46; // pixels
const HEIGHT = 18;

// Each state has a shape of its own: nobody has to tell green from red.
const UNKNOWN = "M3 6h6";
const SHAPES = new Map(Object.entries({
  starting: "M6 2.5a3.5 3.5 0 1 0 .01 0z",
  waiting: "M2.5 6h.01M6 6h.01M9.5 6h.01",
  running: "M6 1.5a4.5 4.5 0 1 0 .01 0z",
  paused: "M3 2v8M9 2v8",
  finished: "M1.5 6.5l3 3 6-7",
  stopped: "M2.5 2.5h7v7h-7z",
  failed: "M2.5 2.5l7 7M9.5 2.5l-7 7",
  lost: "M6 1.5l5 9H1z",
}));

/** An element of a drawing: the parser knows where it belongs, so the page's file names no address. */
function shape<Name extends "svg" | "path" | "polyline">(name: Name): SVGElementTagNameMap[Name] {
  const text = name === "svg" ? "<svg></svg>" : `<svg><${name}></${name}></svg>`;
  const drawn = new DOMParser().parseFromString(text, "text/html").querySelector(name);
  return document.importNode(drawn as SVGElementTagNameMap[Name], true);
}

function draw(name: string, width: number, height: number): SVGSVGElement {
  const drawing = shape("svg");
  drawing.setAttribute("class", name);
  drawing.setAttribute("viewBox", `0 0 ${width} ${height}`);
  drawing.setAttribute("width", String(width));
  drawing.setAttribute("height", String(height));
  drawing.setAttribute("aria-hidden", "true");
  return drawing;
}

/** The shape of a state. */
export class Mark {
  readonly element = draw("nbm-mark", 12, 12);
  private readonly path = shape("path");

  constructor() {
    this.element.append(this.path);
  }

  draw(state: RowState): void {
    this.element.dataset["state"] = state;
    this.path.setAttribute("d", SHAPES.get(state) ?? UNKNOWN);
  }
}

/** Two arrows: what stands for an order. */
export function arrows(): SVGSVGElement {
  const drawing = draw("nbm-arrows", 14, 14);
  const path = shape("path");
  path.setAttribute("d", "M4.5 2v10M2 9.5l2.5 2.5L7 9.5M9.5 12V2M7 4.5L9.5 2L12 4.5");
  drawing.append(path);
  return drawing;
}

/** A curve without axes, from its lowest value up, or from `floor`. */
export class Spark {
  readonly element = draw("nbm-spark", WIDTH, HEIGHT);
  private drawn = "";

  constructor(private readonly floor = Infinity) {}

  draw(curve: readonly (number | null)[]): void {
    const lines = spark(curve, WIDTH - 3, HEIGHT - 4, this.floor);
    const key = lines.join(";");
    if (key === this.drawn) return;
    this.drawn = key;
    this.element.replaceChildren(
      ...lines.map((points) => {
        const line = shape("polyline");
        line.setAttribute("points", points);
        line.setAttribute("transform", "translate(1.5 2)");
        return line;
      }),
    );
  }
}
