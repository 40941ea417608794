// The options' lines of help in Chinese, by name. English is where an option is: in the docstring of its class.

import type { Lang } from "./words";

const chinese: Record<string, string> = {
  epochs: "遍历训练数据的次数，至少 1。",
  batch_size: "每一步的样本数，至少 1。",
  lr: "学习率，大于 0。",
  optimizer: "优化器；留空则用模型自己的。",
  schedule: "学习率在训练中的变化方式；留空则用模型自己的。",
  weight_decay: "每一步的权重衰减，至少 0；留空则用优化器自己的。",
  clip: "梯度范数的上限，大于 0；留空则不限制。",
  precision: "数值格式：32 位浮点数，或与 bfloat16、float16 混合；auto 在设备原生支持时用 bf16。",
  device: "在哪里训练：auto、cpu、cuda、cuda:1、mps。",
  seed: "所有随机选择的种子，至少 0。",
  limit: "只用这么多样本训练，至少 1；留空则全部使用。",
  compile: "先用 torch.compile 编译模型。",
  freeze: "只训练最后的输出部分；主体保持开始时的权重。",
  unfreeze_at: "到这一轮之前冻结主体，至少 1；留空则一直冻结到结束。",
  save_steps: "两个检查点之间的步数，至少 1。",
  save_seconds: "两个检查点之间的秒数，大于 0；以先到者为准。",
  skip_nan: "损失不是有限数的批次，最多跳过这么多个，至少 0。",
  threads: "处理器上的线程数，至少 1；留空则取本训练应得的核心数，随其他训练变化。",
  deterministic: "只用确定性算法，并保持首次启动时的线程数：结果逐位相同。",
  jobs: "本机同时进行的训练数，至少 1；多出的排队等待；留空则按机器能承受的数目。",
  retries: "系统结束训练后自动继续的次数，至少 0。",
  target: "要预测的列。",
  group: "同一值的样本留在同一划分中的列；留空则按文本本身。",
  skip_broken: "略过无法读取的图片，并说明有多少张、是哪些。",
  standardise: "表格减去均值，除以标准差。",
  data: "从什么学习：数据集、变量、文件或文件夹。",
  name: "训练的名称；留空则用下一个空闲的名称。",
  from: "从哪个训练或检查点的权重开始。",
  task: "学习什么；留空则按数据的用途。",
  hidden: "隐藏层的宽度，至少 1。",
  activation: "隐藏层之后的非线性函数。",
  dropout: "训练时置零的比例，在 [0, 1) 内。",
  channels: "各卷积层的通道数，至少 1。",
  padding: "每次卷积使图片缩小两个像素（valid），或用零填充（same）。",
  dense: "倒数第二个全连接层的宽度，至少 1。",
  embedding: "词元向量的宽度，至少 1。",
  layers: "层数，至少 1。",
  bidirectional: "同时反向阅读文本。",
  pooling: "用什么代表整段文本：状态的最大值、平均值或最后一个。",
  word_dropout: "训练时隐藏的词元比例，在 [0, 1) 内。",
  heads: "每个块的注意力头数，至少 1；它们共分宽度。",
  width: "词元向量的宽度，至少 1。",
  augment: "随机轻微移动训练图片。",
  sequence_length: "一个窗口的词元数，至少 1。",
  tokens: "词元是什么：字符，或 BPE 词表中的片段。",
  pieces: "BPE 词表的大小，至少 300。",
  length: "每个句子读取的词数，至少 1。",
  vocabulary: "最多给多少个词编号，至少 1。",
};

/** An option's line of help in a language; where there is none, as its class says it. */
export function help(name: string, english: string, lang: Lang): string {
  return (lang === "zh" && chinese.hasOwnProperty(name) ? chinese[name] : undefined) ?? english;
}
