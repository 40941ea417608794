// The one door to the server: its HTTP routes, and one websocket a page, whatever the page shows.

import { URLExt } from "@jupyterlab/coreutils";
import { ServerConnection } from "@jupyterlab/services";
import type { Command } from "./state";
import type { Devices, Message, News, Row, Wish } from "./state/server";
import { backOff, mergeNews, mergeRows, period, Wishes } from "./state/wishes";

/** The server said no: what was wrong, and what to do. */
export class Refusal extends Error {
  constructor(
    message: string,
    readonly hint: string,
    readonly status: number,
    readonly trust = false, // it would be done for one who trusts what came with the run
  ) {
    super(message);
  }
}

type Listener<T> = (news: T) => void;

export class Door {
  private readonly wishes = new Wishes();
  private readonly toRuns = new Set<Listener<Row[]>>();
  private readonly toDevices = new Set<Listener<Devices>>();
  private readonly toRun = new Map<string, Set<Listener<News>>>();
  private readonly toConnection = new Set<Listener<boolean>>();
  private readonly news = new Map<string, News>();
  private rows: Row[] | null = null;
  private socket: WebSocket | null = null;
  private open = false;
  private there: boolean | null = null; // whether the server has our extension; null: not asked yet
  private failures = 0;
  private trying = false; // one try at a time, its wait included
  private saying = false;
  private every = 0.5;

  constructor(readonly settings: ServerConnection.ISettings = ServerConnection.makeSettings()) {}

  /** Seconds between two pieces of news of one thing. */
  get period(): number {
    return this.every;
  }

  set period(seconds: number) {
    this.every = period(seconds);
    this.say();
  }

  /** Whether the websocket stands. */
  get connected(): boolean {
    return this.open;
  }

  /** Whether the server is known to be without our extension: nothing is asked of it any more. */
  get absent(): boolean {
    return this.there === false;
  }

  /** Asks the server; Refusal where it says no. */
  get<T>(path: string): Promise<T> {
    return this.ask<T>("GET", path);
  }

  /** Has the server do something; Refusal where it says no. */
  send<T>(method: "POST" | "PATCH" | "DELETE", path: string, body?: unknown): Promise<T> {
    return this.ask<T>(method, path, body);
  }

  /** Asks something of a run: a button was pressed. */
  async control(id: string, command: Command): Promise<void> {
    await this.send("POST", `${runPath(id)}/control`, command);
  }

  /** Calls back with every run, now (if they are known) and whenever one changes, until the returned call. */
  watchRuns(listener: Listener<Row[]>): () => void {
    if (this.rows) listener(this.rows);
    return this.listen(this.toRuns, listener, "runs");
  }

  /** Calls back with the machine's load. */
  watchDevices(listener: Listener<Devices>): () => void {
    return this.listen(this.toDevices, listener, "devices");
  }

  /** Calls back with one run: what is known of it now, and whenever it changes. */
  watchRun(id: string, listener: Listener<News>): () => void {
    const listeners = this.toRun.get(id) ?? new Set<Listener<News>>();
    this.toRun.set(id, listeners);
    const known = this.news.get(id);
    if (known) listener(known);
    return this.listen(listeners, listener, { view: id });
  }

  /** Calls back when the websocket opens or is lost. */
  onConnection(listener: Listener<boolean>): () => void {
    this.toConnection.add(listener);
    return () => void this.toConnection.delete(listener);
  }

  private listen<T>(listeners: Set<Listener<T>>, listener: Listener<T>, what: "runs" | "devices" | { view: string }): () => void {
    const own: Listener<T> = (news) => listener(news); // the same function may listen twice
    listeners.add(own);
    this.wishes.more(what);
    this.say();
    return () => {
      if (!listeners.delete(own)) return;
      this.wishes.less(what);
      this.say();
    };
  }

  private async ask<T>(method: string, path: string, body?: unknown): Promise<T> {
    const url = URLExt.join(this.settings.baseUrl, "nbmodels", path);
    const init: RequestInit = { method, ...(body !== undefined && { body: JSON.stringify(body) }) };
    const reply = await ServerConnection.makeRequest(url, init, this.settings);
    if (reply.status === 204) return undefined as T;
    const said = await reply.text();
    if (reply.ok) return JSON.parse(said) as T;
    const { message, hint, trust } = refused(said);
    throw new Refusal(message || reply.statusText || String(reply.status), hint, reply.status, trust);
  }

  /** Says the whole wish, once for all changes of this moment; opens the websocket for the first. */
  private say(): void {
    if (this.saying) return;
    this.saying = true;
    setTimeout(() => {
      this.saying = false;
      const wish = this.wishes.wish(this.every);
      this.forget(wish);
      if (this.open) this.socket?.send(JSON.stringify(wish));
      else if (!this.wishes.empty) void this.connect();
    }, 0);
  }

  /** What nobody listens to any more will be heard anew. */
  private forget(wish: Wish): void {
    if (!wish.runs) this.rows = null;
    for (const id of this.toRun.keys()) {
      if (this.wishes.has(id)) continue;
      this.toRun.delete(id);
      this.news.delete(id);
    }
  }

  private async connect(): Promise<void> {
    if (this.trying || this.socket || this.absent) return;
    this.trying = true;
    const found = this.there ?? (await this.found());
    this.trying = false;
    if (!found) return this.lost();
    const { wsUrl, token, appendToken, WebSocket } = this.settings;
    const query = appendToken && token ? `?token=${encodeURIComponent(token)}` : "";
    const socket = new WebSocket(URLExt.join(wsUrl, "nbmodels", "watch") + query);
    this.socket = socket;
    socket.onopen = () => {
      this.failures = 0;
      this.turn(true);
      this.say();
    };
    socket.onmessage = (event: MessageEvent<string>) => this.hear(JSON.parse(event.data) as Message);
    socket.onclose = () => this.lost();
  }

  /** Asked once, and before any websocket: a server without our extension is left alone after one request. */
  private async found(): Promise<boolean> {
    try {
      await this.get("runs");
      this.there = true;
    } catch (error) {
      if (error instanceof Refusal && error.status === 404) this.there = false;
    }
    return this.there === true;
  }

  private lost(): void {
    this.socket = null;
    this.turn(false);
    if (this.absent) return;
    this.failures += 1;
    this.trying = true;
    setTimeout(() => {
      this.trying = false;
      if (!this.wishes.empty) void this.connect();
    }, backOff(this.failures) * 1000);
  }

  private turn(open: boolean): void {
    this.open = open;
    for (const listener of [...this.toConnection]) listener(open);
  }

  private hear(message: Message): void {
    if (message.devices) for (const listener of [...this.toDevices]) listener(message.devices);
    if (message.runs || message.gone) {
      this.rows = mergeRows(this.rows ?? [], message);
      for (const listener of [...this.toRuns]) listener(this.rows);
    }
    const { id } = message;
    if (id === undefined || !this.wishes.has(id)) return;
    const news = mergeNews(this.news.get(id) ?? {}, message);
    this.news.set(id, news);
    for (const listener of [...(this.toRun.get(id) ?? [])]) listener(news);
  }
}

/** The route of a run: names may hold letters of any script. */
export const runPath = (id: string): string => `runs/${URLExt.encodeParts(id)}`;

function refused(said: string): { message: string; hint: string; trust: boolean } {
  try {
    const { message, hint, trust } = JSON.parse(said) as { message?: unknown; hint?: unknown; trust?: unknown };
    const text = (value: unknown): string => (typeof value === "string" ? value : "");
    return { message: text(message), hint: text(hint), trust: trust === true };
  } catch {
    return { message: "", hint: "", trust: false };
  }
}

let only: Door | undefined;

/** The page's door. */
export const door = (): Door => (only ??= new Door());
