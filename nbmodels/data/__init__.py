"""The table of data sets: the name a person types -> `module:Class`, imported only when it is used.

Adding a data set is one file in this folder and one line here.
"""

from __future__ import annotations

DATA: dict[str, str] = {
    "digits": "nbmodels.data.digits:Digits",
    "captioned-digits": "nbmodels.data.captioned_digits:CaptionedDigits",
    "emoji": "nbmodels.data.emoji:Emoji",
    "fashion-mnist": "nbmodels.data.fashion_mnist:FashionMNIST",
    "pydoc": "nbmodels.data.pydoc:Pydoc",
    "shakespeare": "nbmodels.data.shakespeare:Shakespeare",
    "brown": "nbmodels.data.brown:Brown",
    "films": "nbmodels.data.films:Films",
    "movie-reviews": "nbmodels.data.movie_reviews:MovieReviews",
    "chinese-reviews": "nbmodels.data.chinese_reviews:ChineseReviews",
    "git-messages": "nbmodels.data.git_messages:GitMessages",
    "debian-descriptions": "nbmodels.data.debian_descriptions:DebianDescriptions",
}
