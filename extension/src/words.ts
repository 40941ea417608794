// Every word that the live view says, in English and Chinese. What the run itself says (names, errors) stays as it is.

export type Lang = "en" | "zh";

const english = {
  pause: "Pause",
  pausing: "Pausing…",
  resume: "Resume",
  resuming: "Resuming…",
  stop: "Stop",
  stopping: "Stopping…",
  first: "Start next",
  moving: "Moving up…",
  train: "train",
  val: "validation",
  atStep: "step {0}",
  atEpoch: "epoch {0}",
  logScale: "log scale",
  smooth: "smooth",
  learningRate: "learning rate",
  applied: "sent",
  positive: "a number above 0",
  rateRule: "From the next step on; what is left of the schedule falls from it and never rises above it.",
  coming: "rate to come",
  comingFrom: "rate to come, from {0} to {1}",
  changedAt: "lr: {0} → {1} at step {2}",
  copy: "copy line",
  copied: "copied",
  traceback: "traceback",
  samples: "samples",
  starting: "starting",
  waiting: "waiting",
  running: "running",
  paused: "paused",
  finished: "finished",
  stopped: "stopped",
  failed: "failed",
  lost: "lost",
  inLine: "{0}, {1} of {2}",
  because: "{0}: {1}",
  sharing: "sharing {0} with {1}",
  crowded: "{0} of {1}: others are busy",
  core: "1 core",
  cores: "{0} cores",
  run: "1 run",
  runs: "{0} runs",
  epochOf: "epoch {0} of {1}",
  stepOf: "step {0} of {1}",
  steps: "{0} steps",
  left: "{0} left",
  seconds: "{0} s",
  minutes: "{0} min",
  hours: "{0} h",
  days: "{0} d",
  took: "took {0}",
  silent: "no word from the kernel; %bigmodel attach {0} shows the run",
  notHere: "this run is not on this server; what was saved with the notebook",
  gone: "this run is not on this server any more; what was seen of it last",
  noServer: "no word from the server; what is shown may be old",
  untrusted: "this notebook is not trusted; what was saved with it",
  unreadable: "this output holds no run that can be read",
};

export type Words = Record<keyof typeof english, string>;

const chinese: Words = {
  pause: "暂停",
  pausing: "正在暂停…",
  resume: "继续",
  resuming: "正在继续…",
  stop: "停止",
  stopping: "正在停止…",
  first: "下一个启动",
  moving: "正在前移…",
  train: "训练",
  val: "验证",
  atStep: "第 {0} 步",
  atEpoch: "第 {0} 轮",
  logScale: "对数坐标",
  smooth: "平滑",
  learningRate: "学习率",
  applied: "已发送",
  positive: "请输入大于 0 的数",
  rateRule: "从下一步起生效；学习率计划的剩余部分由此下降，不会高于该值。",
  coming: "后续学习率",
  comingFrom: "后续学习率，从 {0} 到 {1}",
  changedAt: "第 {2} 步 lr：{0} → {1}",
  copy: "复制命令",
  copied: "已复制",
  traceback: "错误详情",
  samples: "样本",
  starting: "启动中",
  waiting: "等待中",
  running: "运行中",
  paused: "已暂停",
  finished: "已完成",
  stopped: "已停止",
  failed: "失败",
  lost: "已失联",
  inLine: "{0}，第 {1} 位，共 {2} 位",
  because: "{0}：{1}",
  sharing: "与{1}共用 {0}",
  crowded: "使用 {0} / {1}：其他程序正忙",
  core: "1 个核心",
  cores: "{0} 个核心",
  run: "另外 1 个训练",
  runs: "另外 {0} 个训练",
  epochOf: "第 {0} 轮，共 {1} 轮",
  stepOf: "第 {0} 步，共 {1} 步",
  steps: "{0} 步",
  left: "剩余 {0}",
  seconds: "{0} 秒",
  minutes: "{0} 分",
  hours: "{0} 小时",
  days: "{0} 天",
  took: "用时 {0}",
  silent: "内核没有回应；用 %bigmodel attach {0} 查看",
  notHere: "此服务器上没有这个训练；显示的是随笔记本保存的内容",
  gone: "此服务器上已没有这个训练；显示的是最后看到的内容",
  noServer: "服务器没有回应；显示的内容可能已过时",
  untrusted: "此笔记本未受信任；显示的是随它保存的内容",
  unreadable: "此输出中没有可读取的训练",
};

// Labels that come with the snapshot, word by word.
const labels: Record<string, string> = {
  val: "验证",
  train: "训练",
  loss: "损失",
  accuracy: "准确率",
  perplexity: "困惑度",
  memory: "内存",
  "device memory": "显存",
  "samples / s": "样本 / 秒",
};

/** The table for a language tag; an empty tag takes the page's own. */
export function wordsFor(lang: Lang): Words {
  return lang === "zh" ? chinese : english;
}

export function pickLang(asked: string, page: string): Lang {
  return (asked || page).toLowerCase().startsWith("zh") ? "zh" : "en";
}

/** A label of the snapshot in the view's language: `val accuracy` → `验证准确率`. */
export function label(text: string, lang: Lang): string {
  if (lang === "en") return text;
  if (labels[text]) return labels[text];
  const parts = text.split(" ");
  return parts.every((part) => labels[part]) ? parts.map((part) => labels[part]).join("") : text;
}

/** Puts values into `{0}`, `{1}`. */
export function fill(template: string, ...values: string[]): string {
  return template.replace(/\{(\d)\}/g, (_, place: string) => values[Number(place)] ?? "");
}
