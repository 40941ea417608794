// The machine below the list: how busy each GPU and the CPU are, how full their memory is, which run uses what.

import type { Devices } from "../state/server";
import { fill, type Lang } from "../words";
import { type LabWords, labWords } from "../words-lab";
import { make, say } from "./dom";

/** One device as the panel shows it. */
interface Shown {
  name: string;
  percent: number | null;
  used: number | null;
  total: number | null;
  users: string[];
}

export class DevicePanel {
  readonly element = make("section", "nbm-devices");
  private readonly words: LabWords;
  private meters: Meter[] = [];

  constructor(lang: Lang) {
    this.words = labWords(lang);
    this.element.setAttribute("aria-label", this.words.devices);
    this.element.hidden = true;
  }

  draw(devices: Devices): void {
    const shown = this.listed(devices);
    this.element.hidden = false;
    if (shown.length !== this.meters.length) {
      this.meters = shown.map(() => new Meter(this.words));
      this.element.replaceChildren(...this.meters.map((meter) => meter.element));
    }
    shown.forEach((device, place) => this.meters[place]?.draw(device));
  }

  private listed(devices: Devices): Shown[] {
    const { cpu, gpus, runs } = devices;
    const onGpu = runs.filter((run) => run.gpu_memory !== null && run.gpu_memory > 0);
    const onCpu = runs.filter((run) => run.cpu !== null);
    return [
      ...gpus.map((gpu) => ({
        name: gpu.name,
        percent: gpu.percent,
        used: gpu.memory_used,
        total: gpu.memory_total,
        users: onGpu.map((run) => `${run.name} ${bytes(run.gpu_memory ?? 0)}`),
      })),
      {
        name: fill(this.words.cpu, String(cpu.cores)),
        percent: cpu.percent,
        used: cpu.memory_used,
        total: cpu.memory_total,
        users: onCpu.map((run) => `${run.name} ${Math.round((run.cpu ?? 0) / Math.max(1, cpu.cores))} %` + (run.memory ? `, ${bytes(run.memory)}` : "")),
      },
    ];
  }
}

/** Name and how busy, the memory as a bar, who uses it. */
class Meter {
  readonly element = make("div", "nbm-device");
  private readonly name = make("strong", "");
  private readonly busy = make("span", "");
  private readonly bar = make("div", "nbm-meter", "", { role: "meter", "aria-valuemin": "0", "aria-valuemax": "100" });
  private readonly full = make("div", "nbm-meter-full");
  private readonly foot = make("div", "nbm-device-foot");

  constructor(private readonly words: LabWords) {
    const head = make("div", "nbm-device-head");
    head.append(this.name, this.busy);
    this.bar.append(this.full);
    this.element.append(head, this.bar, this.foot);
  }

  draw(device: Shown): void {
    say(this.name, device.name);
    say(this.busy, device.percent === null ? "" : fill(this.words.busy, String(Math.round(device.percent))));
    const share = device.total ? (100 * (device.used ?? 0)) / device.total : 0;
    this.full.style.width = `${share.toFixed(1)}%`;
    const memory = device.total ? fill(this.words.memoryOf, bytes(device.used ?? 0, device.total), bytes(device.total)) : "";
    this.bar.hidden = !device.total;
    this.bar.setAttribute("aria-label", fill(this.words.memoryLabel, device.name));
    this.bar.setAttribute("aria-valuenow", String(Math.round(share)));
    this.bar.setAttribute("aria-valuetext", memory);
    const text = [memory, ...device.users].filter(Boolean).join(" · ");
    say(this.foot, text);
    this.foot.title = text;
  }
}

/** `24.6 GB`, `412 MB`; of a total of the same unit only the figure: `24.6`. */
function bytes(value: number, of = 0): string {
  const unit = (size: number): number => (size >= 1e9 ? 1e9 : 1e6);
  const figure = value / unit(value);
  const text = figure >= 99.5 || unit(value) === 1e6 ? String(Math.round(figure)) : figure.toFixed(1).replace(/\.0$/, "");
  return of && unit(of) === unit(value) ? text : `${text} ${unit(value) === 1e9 ? "GB" : "MB"}`;
}
