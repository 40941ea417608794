"""The table of models: the name a person types -> `module:Class`, imported only when it is used.

Adding an architecture is one file in this folder and one line here.
"""

from __future__ import annotations

MODELS: dict[str, str] = {
    "linear": "nbmodels.models.linear:Linear",
    "mlp": "nbmodels.models.mlp:MLP",
    "cnn": "nbmodels.models.cnn:CNN",
    "vgg": "nbmodels.models.vgg:VGG",
    "resnet": "nbmodels.models.resnet:ResNet",
    "mobilenet": "nbmodels.models.mobilenet:MobileNet",
    "autoencoder": "nbmodels.models.autoencoder:Autoencoder",
    "vae": "nbmodels.models.vae:VAE",
    "rnn": "nbmodels.models.rnn:RNN",
    "gru": "nbmodels.models.gru:GRU",
    "lstm": "nbmodels.models.lstm:LSTM",
    "seq2seq": "nbmodels.models.seq2seq:Seq2Seq",
    "transformer": "nbmodels.models.transformer:Transformer",
    "bert": "nbmodels.models.bert:BERT",
    "gpt": "nbmodels.models.gpt:GPT",
    "llm": "nbmodels.models.llm:LLM",
    "dalle": "nbmodels.models.dalle:DALLE",
}
