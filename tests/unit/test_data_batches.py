"""Batches: exact to resume, fair, and of no effect on the global random state."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from nbmodels.data.augment import ShiftFlip
from nbmodels.data.batches import Batches, InMemory, Texts, Windows
from nbmodels.data.dataset import DataSet, even_order
from nbmodels.data.facts import Facts
from nbmodels.errors import DataError

IMAGE = Facts("pictures", "image", "classification", scale=255.0)
TABLE = Facts("rows", "table", "classification")
TEXT = Facts("text", "text", "language-modelling", fills={"vocab_size": 50, "sequence_length": 8})
TRANSLATION = Facts("pairs", "text", "translation")


def pictures(count: int = 50, **options: object) -> Batches:
    x = torch.arange(count * 16, dtype=torch.int64).remainder(251).to(torch.uint8).view(count, 1, 4, 4)
    return Batches(x, torch.arange(count), IMAGE, **{"batch_size": 8, "shuffle": True, **options})  # type: ignore[arg-type]


def windows(**options: object) -> Windows:
    return Windows(torch.arange(200).remainder(50).to(torch.uint8), 8, TEXT, **{"batch_size": 4, **options})


def pairs_of_texts(**options: object) -> Texts:
    """1,030 texts of 1 to 20 tokens, each answered by itself and a 2 before it."""
    x = (torch.rand(1030, 20, generator=torch.Generator().manual_seed(3)) * 90 + 10).long()
    x[torch.arange(20) >= torch.arange(1030).unsqueeze(1) * 7 % 20 + 1] = 0
    return Texts(x, torch.cat([torch.full((1030, 1), 2), x], dim=1), TRANSLATION, batch_size=8, **options)  # type: ignore[arg-type]


def same(ours: list, theirs: list) -> bool:
    return len(ours) == len(theirs) and all(
        torch.equal(a, b) for one, other in zip(ours, theirs, strict=True) for a, b in zip(one, other, strict=True)
    )


@pytest.mark.parametrize(
    "make",
    [
        lambda: pictures(augment=ShiftFlip()),
        lambda: windows(shuffle=True, seed=3),
        lambda: pairs_of_texts(shuffle=True, seed=5),
    ],
    ids=["pictures", "text", "pairs"],
)
@pytest.mark.parametrize("epoch", [0, 2])
def test_a_loaded_state_gives_the_very_batches_that_were_to_come(make, epoch):
    first = make()
    first.set_epoch(epoch)
    running = iter(first)
    for _ in range(3):
        next(running)
    state = dict(first.state_dict())
    rest = list(running)

    second = make()
    second.load_state_dict(state)
    iter(second)  # Lightning makes an iterator that it never uses
    second.set_epoch(epoch)
    assert same(list(second), rest)
    first.set_epoch(epoch + 1)
    second.set_epoch(epoch + 1)
    assert same(list(second), list(first))


def test_a_state_from_the_end_of_an_epoch_begins_the_next():
    first = pictures()
    list(first)
    second = pictures()
    second.load_state_dict(first.state_dict())
    second.set_epoch(1)
    first.set_epoch(1)
    assert same(list(first), list(second)) and len(list(second)) == len(second)


def test_orders_differ_by_epoch_and_by_seed_and_are_else_equal():
    def order(seed: int, epoch: int) -> list[int]:
        batches = pictures(seed=seed)
        batches.set_epoch(epoch)
        return torch.cat([y for _, y in batches]).tolist()

    assert order(0, 0) == order(0, 0)
    assert order(0, 0) != order(0, 1) != order(1, 1)
    assert sorted(order(0, 1)) == list(range(50))


def test_a_second_loop_is_the_next_epoch():
    batches, again = pictures(), pictures()
    list(batches)
    again.set_epoch(1)
    assert same(list(batches), list(again))


def test_the_global_random_state_is_left_alone():
    torch.manual_seed(5)
    np.random.seed(5)
    before, numpys = torch.get_rng_state(), np.random.get_state()[1].copy()  # type: ignore[union-attr, index]
    list(pictures(augment=ShiftFlip()))
    list(windows(shuffle=True))
    even_order(np.arange(10) % 2)
    assert torch.equal(before, torch.get_rng_state())
    assert (numpys == np.random.get_state()[1]).all()  # type: ignore[index]


def test_bytes_become_floats_of_0_to_1_and_are_normalised_as_the_facts_say():
    x = torch.tensor([0, 255], dtype=torch.uint8).view(2, 1, 1, 1)
    (given, _) = next(iter(Batches(x, torch.zeros(2), IMAGE)))
    assert given.flatten().tolist() == [0.0, 1.0]
    facts = Facts("p", "image", "classification", scale=255.0, mean=(0.5,), std=(0.25,))
    (given, _) = next(iter(Batches(x, torch.zeros(2), facts)))
    assert given.flatten().tolist() == [-2.0, 2.0]


def test_without_an_answer_x_is_its_own():
    x, y = next(iter(Batches(torch.rand(4, 3), None, TABLE)))
    assert y is x


def test_unshuffled_batches_come_as_they_lie_and_the_last_may_be_short():
    batches = Batches(torch.rand(10, 2), torch.arange(10), TABLE, batch_size=4)
    assert [y.tolist() for _, y in batches] == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9]]
    assert len(Batches(torch.rand(9, 2), None, TABLE, batch_size=4)) == 3


def test_training_leaves_out_a_last_batch_of_one():
    assert len(Batches(torch.rand(9, 2), None, TABLE, batch_size=4, shuffle=True)) == 2
    assert len(Batches(torch.rand(1, 2), None, TABLE, batch_size=4, shuffle=True)) == 1


def test_processes_share_an_epoch_without_overlap():
    parts = [torch.cat([y for _, y in pictures(48, share=(rank, 2))]).tolist() for rank in range(2)]
    assert len(parts[0]) == len(parts[1]) == 24 and not set(parts[0]) & set(parts[1])


def test_windows_do_not_overlap_and_y_is_the_next_token():
    tokens = torch.arange(200)
    batches = Windows(tokens, 8, TEXT, batch_size=4, shuffle=True, seed=1)
    x, y = (torch.cat(parts) for parts in zip(*batches, strict=True))
    assert x.shape == (24, 8) and torch.equal(x[:, 1:], y[:, :-1]) and torch.equal(x + 1, y)
    assert len(set(x.flatten().tolist())) == x.numel()
    cuts = set()
    for epoch in range(5):
        batches.set_epoch(epoch)
        cuts.add(int(next(iter(batches))[0][0, 0]) % 8)
    assert len(cuts) > 1  # the cuts fall elsewhere every epoch


def test_windows_of_validation_always_lie_alike():
    assert same(list(windows()), list(windows(seed=9))) and windows().begin()[0] == 0


def test_texts_of_like_length_go_together_and_none_is_lost():
    given = list(pairs_of_texts(shuffle=True, seed=1))
    rows = [tuple(row[row > 0].tolist()) for x, _ in given for row in x]
    everything = pairs_of_texts().x
    assert sorted(rows) == sorted(tuple(row[row > 0].tolist()) for row in everything)
    assert all((x.shape[1], y.shape[1]) == (int((x > 0).sum(1).max()), x.shape[1] + 1) for x, y in given)
    assert all(torch.equal(x, y[:, 1:]) for x, y in given)
    assert [len(x) for x, _ in given] == [8] * 128 + [6]
    padding = sum(int((x == 0).sum()) for x, _ in given) / sum(x.numel() for x, _ in given)
    assert padding < 0.1  # as they lie it is 0.44
    widths = [x.shape[1] for x, _ in given]
    assert widths != sorted(widths)  # the short ones do not all come first


def test_texts_come_in_another_order_every_epoch_and_as_they_lie_to_validate():
    drawn = pairs_of_texts(shuffle=True)
    one = list(drawn)
    two = list(drawn)
    assert not same(one, two)
    drawn.set_epoch(0)
    assert same(list(drawn), one)
    lying = pairs_of_texts()
    rows = [row[row > 0].tolist() for x, _ in lying for row in x]
    assert rows == [row[row > 0].tolist() for row in lying.x]


def test_a_text_too_short_for_a_window_says_so():
    with pytest.raises(DataError, match=r"10 tokens, too short for windows of 8.*--sequence-length 1"):
        Windows(torch.arange(10), 8, TEXT)


def test_augmentation_moves_each_picture_by_itself_and_keeps_bytes():
    x = torch.zeros(64, 2, 9, 9, dtype=torch.uint8)
    x[:, :, 4, 4] = 200
    moved = ShiftFlip(2, flip=False)(x, torch.Generator().manual_seed(0))
    assert moved.shape == x.shape and moved.dtype == torch.uint8
    places = {tuple(torch.nonzero(one[0])[0].tolist()) for one in moved}
    assert len(places) > 10 and all(2 <= a <= 6 and 2 <= b <= 6 for a, b in places)
    assert (moved.flatten(1).sum(1) == 400).all()  # nothing lost, nothing added


def test_augmentation_mirrors_about_half():
    x = torch.arange(4.0).expand(200, 1, 4, 4).contiguous()
    flipped = (ShiftFlip(0)(x, torch.Generator().manual_seed(0))[:, 0, 0, 0] == 3).float().mean()
    assert 0.35 < flipped < 0.65


def test_any_beginning_of_the_order_holds_the_classes_in_their_shares():
    labels = np.repeat([0, 1, 2], [500, 300, 200])
    order = even_order(labels)
    assert sorted(order) == list(range(1000))
    for cut in (10, 100, 333):
        shares = np.bincount(labels[order[:cut]], minlength=3) / cut
        assert np.abs(shares - [0.5, 0.3, 0.2]).max() < 2.5 / cut


def test_limit_holds_training_and_validation_but_not_the_test():
    x, y = np.random.RandomState(0).rand(100, 3).astype(np.float32), np.arange(100)
    data = InMemory(DataSet(TABLE, (x, y), (x[:50], y[:50]), (x, y)), batch_size=10, limit=20)
    sizes = [len(part) for part in (data.train_dataloader(), data.val_dataloader(), data.test_dataloader())]
    assert sizes == [2, 2, 10]


def test_lightning_tells_the_epoch_and_resumes_in_the_middle(tmp_path):
    import lightning.pytorch as L

    class Seen(L.LightningModule):
        def __init__(self) -> None:
            super().__init__()
            self.weight = torch.nn.Parameter(torch.zeros(1))
            self.seen: list[list[int]] = []

        def training_step(self, batch, _):
            self.seen.append(batch[1].tolist())
            return (self.weight - batch[0].mean()).square().sum()

        def on_train_batch_end(self, *_):
            if self.trainer.global_step == 9:
                self.trainer.save_checkpoint(tmp_path / "middle.ckpt")

        def configure_optimizers(self):
            return torch.optim.SGD(self.parameters(), 0.1)

    def train(start: str | None) -> list[list[int]]:
        x = torch.rand(50, 3)
        data = InMemory(DataSet(TABLE, (x, torch.arange(50)), (x[:0], None), (x[:0], None)), batch_size=8, seed=2)
        model = Seen()
        quiet = {"logger": False, "enable_progress_bar": False, "enable_model_summary": False}
        trainer = L.Trainer(
            max_epochs=3, accelerator="cpu", enable_checkpointing=False, default_root_dir=tmp_path, **quiet
        )
        trainer.fit(model, data, ckpt_path=start)
        return model.seen

    whole = train(None)
    assert len(whole) == 21 and whole[0] != whole[7] != whole[14]
    assert train(str(tmp_path / "middle.ckpt")) == whole[9:]
