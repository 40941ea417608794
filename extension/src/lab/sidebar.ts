// Wiring: the sidebar of runs and devices. It listens to the server only while it is seen.

import type { CommandRegistry } from "@lumino/commands";
import { Menu, Widget } from "@lumino/widgets";
import { door } from "../door";
import type { Row } from "../state/server";
import { DevicePanel } from "../view/devices";
import { type Hands, Runs } from "../view/runs";
import { labWords } from "../words-lab";
import { runsIcon } from "./icons";
import { MENU, Names } from "./names";
import { changed, lang } from "./settings";

const GRACE = 3_000; // milliseconds that a lost server may take to come back before a word is said of it

export class Sidebar extends Widget {
  private runs: Runs;
  private devices: DevicePanel;
  private language = lang();
  private waiting = 0;
  private rows: readonly Row[] = [];
  private leave: (() => void)[] = [];

  constructor(private readonly commands: CommandRegistry) {
    super();
    this.id = "nbmodels-runs";
    this.addClass("nbm-lab");
    this.addClass("nbm-sidebar");
    this.title.icon = runsIcon;
    this.node.setAttribute("role", "region");
    this.runs = new Runs(this.language, this.hands());
    this.devices = new DevicePanel(this.language);
    this.build();
    changed.connect(this.relearn, this);
  }

  /** The runs that are chosen, else the one under the cursor. */
  get chosen(): string[] {
    const { chosen, active } = this.runs.choice;
    return chosen.length ? [...chosen] : active ? [active] : [];
  }

  /** A run as it was last heard of. */
  row(id: string): Row | undefined {
    return this.rows.find((row) => row.id === id);
  }

  /** Brings a run into view, under its new name. */
  reveal(id: string): void {
    this.runs.show(id);
  }

  dispose(): void {
    changed.disconnect(this.relearn, this);
    this.deaf();
    this.runs.destroy();
    super.dispose();
  }

  protected onAfterShow(): void {
    this.hear();
  }

  protected onAfterAttach(): void {
    if (this.isVisible) this.hear();
  }

  protected onBeforeHide(): void {
    this.deaf();
  }

  protected onBeforeDetach(): void {
    this.deaf();
  }

  private build(): void {
    const words = labWords(this.language);
    this.title.caption = words.runs;
    this.node.setAttribute("aria-label", words.runs);
    this.node.replaceChildren(this.runs.element, this.devices.element);
  }

  /** The settings name another language. */
  private relearn(): void {
    if (this.language === lang()) return;
    this.language = lang();
    this.deaf();
    this.runs.destroy();
    this.runs = new Runs(this.language, this.hands());
    this.devices = new DevicePanel(this.language);
    this.build();
    this.changed();
    if (this.isVisible) this.hear();
  }

  private hear(): void {
    if (this.leave.length) return;
    this.leave = [
      door().onConnection((yes) => this.doubt(yes)),
      door().watchRuns((rows) => this.take(rows)),
      door().watchDevices((devices) => this.devices.draw(devices)),
      () => clearTimeout(this.waiting),
    ];
    this.doubt(door().connected);
  }

  /** A word about a server that is lost, once it has had a moment to come back. */
  private doubt(connected: boolean): void {
    clearTimeout(this.waiting);
    if (connected) return this.runs.connected(true);
    const grace = door().absent ? 0 : GRACE;
    this.waiting = window.setTimeout(() => this.runs.connected(door().connected, door().absent), grace);
  }

  private deaf(): void {
    this.leave.forEach((leave) => leave());
    this.leave = [];
  }

  private take(rows: Row[]): void {
    const states = (list: readonly Row[]): string => list.map((row) => `${row.id} ${row.state} ${row.queue?.place}`).join();
    const other = states(rows) !== states(this.rows);
    this.rows = rows;
    this.runs.draw(rows);
    if (other) this.changed(); // stop, pause, resume: what can be done is another
  }

  private changed(): void {
    for (const command of MENU) if (this.commands.hasCommand(command)) this.commands.notifyCommandChanged(command);
  }

  private hands(): Hands {
    const run = (name: string, args: { id?: string } = {}): void => void this.commands.execute(name, args);
    return {
      open: (id) => this.row(id)?.unreadable || run(Names.open, { id }),
      rename: (id) => run(Names.rename, { id }),
      remove: () => run(Names.remove),
      compare: () => run(Names.compare),
      train: () => run(Names.train),
      menu: (x, y) => this.menu(x, y),
      chosen: () => this.changed(),
    };
  }

  private menu(x: number, y: number): void {
    const [id, ...others] = this.chosen;
    if (!others.length && this.row(id ?? "")?.unreadable) return; // nothing can be done with it
    const menu = new Menu({ commands: this.commands });
    menu.addClass("nbm-menu");
    const args = id && !others.length ? { id } : {};
    for (const command of MENU) menu.addItem(command ? { command, args } : { type: "separator" });
    menu.aboutToClose.connect(() => void setTimeout(() => menu.dispose(), 1000)); // after what was chosen has run
    menu.open(x, y);
  }
}
