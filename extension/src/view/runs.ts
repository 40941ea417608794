// The list of runs: head, filter, order, and a grid that draws only the rows in view, each patched in place.

import { arrange, type Choice, news, NOTHING, only, type Order, ORDERS, pruned, reached, step, tally, toggled, windowOf } from "../state/list";
import type { Row, RowState } from "../state/server";
import { fill, type Lang } from "../words";
import { type LabWords, labWords } from "../words-lab";
import { make, say } from "./dom";
import { EACH, RowView } from "./row";
import { arrows } from "./spark";

/** What the list asks of whoever wires it. */
export interface Hands {
  open(id: string): void;
  menu(x: number, y: number): void;
  rename(id: string): void;
  remove(): void;
  compare(): void;
  train(): void;
  /** Another choice: commands may be enabled or disabled by it. */
  chosen(): void;
}

export class Runs {
  readonly element = make("section", "nbm-runs");
  private readonly words: LabWords;
  private readonly count = make("span", "nbm-count");
  private readonly filter: HTMLInputElement;
  private readonly order: HTMLSelectElement;
  private readonly orderBox = make("span", "nbm-order");
  private readonly grid: HTMLElement;
  private readonly rows = make("div", "nbm-rows", "", { role: "rowgroup" });
  private readonly empty = make("div", "nbm-empty");
  private readonly note = make("div", "nbm-offline", "", { role: "status" });
  private readonly bar = make("div", "nbm-chosen");
  private readonly barCount = make("span", "");
  private readonly heard = make("span", "nbm-hidden", "", { "aria-live": "polite" });
  private readonly views = new Map<string, RowView>();
  private readonly watcher = new ResizeObserver(() => this.schedule());
  private states = new Map<string, RowState>();
  private all: Row[] | null = null;
  private shown: Row[] = [];
  private frame = 0;
  choice: Choice = NOTHING;

  constructor(
    private readonly lang: Lang,
    private readonly hands: Hands,
  ) {
    this.words = labWords(lang);
    this.filter = make("input", "nbm-filter", "", { type: "search", placeholder: this.words.filter, "aria-label": this.words.filterLabel, spellcheck: "false" });
    this.order = make("select", "", "", { "aria-label": this.words.sortLabel });
    for (const order of ORDERS) this.order.append(make("option", "", this.words[order], { value: order }));
    this.grid = make("div", "nbm-list", "", { role: "grid", tabindex: "0", "aria-multiselectable": "true", "aria-label": this.words.runs, "aria-description": this.words.keys });
    this.build();
    this.listen();
    this.schedule();
  }

  /** The newest list of all runs. */
  draw(rows: Row[]): void {
    const said = news(this.states, rows, this.lang);
    if (said) say(this.heard, said);
    this.states = new Map(rows.map((row) => [row.id, row.state]));
    this.all = rows;
    const choice = pruned(this.choice, new Set(this.states.keys()));
    if (choice !== this.choice) this.choose(choice);
    this.schedule();
  }

  /** Whether the server answers, and whether it has our part at all. */
  connected(yes: boolean, absent = false): void {
    say(this.note, yes ? "" : absent ? this.words.absent : this.words.offline);
    this.schedule();
  }

  /** Chooses one run and brings it into view. */
  show(id: string): void {
    this.choose(only(id));
    this.reveal();
  }

  destroy(): void {
    this.watcher.disconnect();
    cancelAnimationFrame(this.frame);
  }

  private build(): void {
    const head = make("div", "nbm-runs-head");
    const title = make("h2", "", this.words.runs);
    const add = make("button", "nbm-add", "+", { type: "button", "aria-label": this.words.train, title: this.words.train });
    add.addEventListener("click", () => this.hands.train());
    head.append(title, this.count, add);
    const tools = make("div", "nbm-tools");
    this.orderBox.append(arrows(), this.order);
    tools.append(this.filter, this.orderBox);
    this.sayOrder();
    const compare = make("button", "nbm-act", this.words.compareButton, { type: "button" });
    const clear = make("button", "nbm-link", this.words.clear, { type: "button" });
    compare.addEventListener("click", () => this.hands.compare());
    clear.addEventListener("click", () => this.choose(NOTHING));
    this.bar.append(this.barCount, compare, clear);
    this.bar.hidden = true;
    this.grid.append(this.rows);
    this.element.append(head, tools, this.note, this.grid, this.empty, this.bar, this.heard);
  }

  private listen(): void {
    this.filter.addEventListener("input", () => this.schedule());
    this.filter.addEventListener("keydown", (event) => this.fromFilter(event));
    this.order.addEventListener("change", () => {
      this.sayOrder();
      this.schedule();
    });
    this.grid.addEventListener("scroll", () => this.schedule(), { passive: true });
    this.grid.addEventListener("click", (event) => this.clicked(event));
    this.grid.addEventListener("dblclick", (event) => {
      const id = idOf(event);
      if (id && !onButton(event)) this.hands.open(id);
    });
    this.grid.addEventListener("contextmenu", (event) => this.menu(event));
    this.grid.addEventListener("keydown", (event) => this.key(event));
    this.watcher.observe(this.grid);
  }

  private sayOrder(): void {
    this.orderBox.title = `${this.words.sortLabel}: ${this.words[this.order.value as Order]}`;
  }

  private fromFilter(event: KeyboardEvent): void {
    if (event.key === "Escape" && this.filter.value) {
      this.filter.value = "";
      this.schedule();
    } else if (event.key === "ArrowDown") this.grid.focus();
    else return;
    event.preventDefault();
  }

  private clicked(event: MouseEvent): void {
    const id = idOf(event);
    if (!id) return;
    const tick = event.target instanceof Element && event.target.closest(".nbm-tick");
    if (onButton(event)) this.fromButton(id, event);
    else if (event.shiftKey) this.choose(reached(this.choice, id, this.ids()));
    else if (event.ctrlKey || event.metaKey || tick) this.choose(toggled(this.choice, id));
    else this.choose(only(id));
  }

  private fromButton(id: string, event: MouseEvent): void {
    if (!this.choice.chosen.includes(id)) this.choose(only(id));
    const box = (event.target as Element).getBoundingClientRect();
    this.hands.menu(box.left, box.bottom);
  }

  private menu(event: MouseEvent): void {
    const byKey = event.clientX === 0 && event.clientY === 0;
    const id = idOf(event) ?? this.choice.active;
    if (!id) return;
    event.preventDefault();
    event.stopPropagation(); // the Lab's own menu stays away
    if (!this.choice.chosen.includes(id)) this.choose(only(id));
    const box = (this.views.get(id)?.element ?? this.grid).getBoundingClientRect();
    if (byKey || !idOf(event)) this.hands.menu(box.left + 24, box.top + 24);
    else this.hands.menu(event.clientX, event.clientY);
  }

  private key(event: KeyboardEvent): void {
    if (event.target !== this.grid) return;
    const ids = this.ids();
    const to = step(event.key, ids.indexOf(this.choice.active ?? ""), ids.length, Math.max(1, Math.floor(this.grid.clientHeight / EACH) - 1));
    const next = to === null ? undefined : ids[to];
    if (next) this.move(next, event);
    else if (!this.act(event)) return;
    event.preventDefault();
    event.stopPropagation();
  }

  private move(id: string, event: KeyboardEvent): void {
    if (event.shiftKey) this.choose(reached(this.choice, id, this.ids()));
    else if (event.ctrlKey || event.metaKey) this.choose({ ...this.choice, active: id });
    else this.choose(only(id));
    this.reveal();
  }

  private act(event: KeyboardEvent): boolean {
    const active = this.choice.active;
    if ((event.ctrlKey || event.metaKey) && event.key === "a") this.choose({ ...this.choice, chosen: this.ids() });
    else if (event.key === "Escape" && this.choice.chosen.length) this.choose(NOTHING);
    else if (!active) return false;
    else if (event.key === "Enter") this.hands.open(active);
    else if (event.key === " ") this.choose(toggled(this.choice, active));
    else if (event.key === "F2") this.hands.rename(active);
    else if (event.key === "Delete") this.hands.remove();
    else return false;
    return true;
  }

  private choose(choice: Choice): void {
    this.choice = choice;
    this.bar.hidden = choice.chosen.length < 2;
    say(this.barCount, fill(this.words.chosen, String(choice.chosen.length)));
    this.hands.chosen();
    this.schedule();
  }

  private reveal(): void {
    const place = this.ids().indexOf(this.choice.active ?? "");
    if (place < 0) return;
    const [top, bottom] = [place * EACH, (place + 1) * EACH];
    if (top < this.grid.scrollTop) this.grid.scrollTop = top;
    else if (bottom > this.grid.scrollTop + this.grid.clientHeight) this.grid.scrollTop = bottom - this.grid.clientHeight;
  }

  private ids(): string[] {
    return this.shown.map((row) => row.id);
  }

  /** Draws once a frame at most, however much has changed. */
  private schedule(): void {
    if (this.frame) return;
    this.frame = requestAnimationFrame(() => {
      this.frame = 0;
      this.render();
    });
  }

  private render(): void {
    const all = this.all ?? [];
    this.shown = arrange(all, this.filter.value, this.order.value as Order, this.lang);
    say(this.count, all.length ? tally(all, this.shown.length, this.words) : "");
    this.sayEmpty();
    this.rows.style.height = `${this.shown.length * EACH}px`;
    this.grid.setAttribute("aria-rowcount", String(this.shown.length));
    const [first, end] = windowOf(this.grid.scrollTop, this.grid.clientHeight, EACH, this.shown.length);
    const drawn = new Set<string>();
    const now = Date.now() / 1000;
    this.shown.forEach((row, place) => {
      const active = row.id === this.choice.active; // stays drawn: the grid's cursor points at it
      if ((place < first || place >= end) && !active) return;
      drawn.add(row.id);
      const view = this.viewOf(row.id);
      view.draw(row, now);
      view.place(place, this.choice.chosen.includes(row.id), active);
    });
    this.drop(drawn);
    const active = this.views.get(this.choice.active ?? "");
    if (active) this.grid.setAttribute("aria-activedescendant", active.element.id);
    else this.grid.removeAttribute("aria-activedescendant");
  }

  private viewOf(id: string): RowView {
    let view = this.views.get(id);
    if (!view) {
      view = new RowView(id, this.lang);
      this.views.set(id, view);
      this.rows.append(view.element);
    }
    return view;
  }

  private drop(drawn: ReadonlySet<string>): void {
    for (const [id, view] of this.views) {
      if (drawn.has(id)) continue;
      view.element.remove();
      this.views.delete(id);
    }
  }

  private sayEmpty(): void {
    const nothing = this.shown.length === 0;
    this.grid.hidden = nothing;
    this.empty.hidden = !nothing || (this.all === null && this.note.textContent !== "");
    if (!nothing) return;
    const text = this.all === null ? this.words.reaching : this.all.length ? this.words.noMatch : this.words.none;
    if (this.empty.firstChild?.textContent === text) return;
    this.empty.replaceChildren(make("p", "", text));
    if (this.all?.length !== 0) return;
    const train = make("button", "nbm-act nbm-primary", this.words.train, { type: "button" });
    train.addEventListener("click", () => this.hands.train());
    this.empty.append(train);
  }
}

const onButton = (event: Event): boolean => event.target instanceof Element && event.target.closest(".nbm-more") !== null;

function idOf(event: Event): string | null {
  const row = event.target instanceof Element ? event.target.closest<HTMLElement>(".nbm-row") : null;
  return row?.dataset["id"] ?? null;
}
