"""Files that are broken, or lie, or would fill the memory: one line each, and nothing of them is read before."""

from __future__ import annotations

import io
import pickle
import struct
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from nbmodels.data import npz
from nbmodels.data.files import read_file
from nbmodels.data.inputs import prepare
from nbmodels.data.npz import read_arrays
from nbmodels.data.open import check_data, open_data
from nbmodels.errors import DataError

QUIET = settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
RNG = np.random.RandomState(0)


def folder(root: Path, count: int = 30, broken: tuple[int, ...] = ()) -> Path:
    """Pictures of two classes, some of them broken each in a way of its own."""
    for number in range(count):
        file = root / "ab"[number % 2] / f"{number:02}.png"
        file.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(RNG.randint(0, 256, (9, 9)).astype(np.uint8)).save(file)
        if number in broken:
            content = file.read_bytes()
            file.write_bytes([b"", b"no picture", content[: len(content) // 2], bomb()][broken.index(number) % 4])
    return root


def bomb(side: int = 60_000) -> bytes:
    """A PNG of a few bytes that says to be of `side` × `side` pixels."""
    buffer = io.BytesIO()
    Image.new("L", (1, 1)).save(buffer, "png")
    content = bytearray(buffer.getvalue())
    content[16:24] = struct.pack(">II", side, side)
    import zlib

    content[29:33] = struct.pack(">I", zlib.crc32(bytes(content[12:29])))
    return bytes(content)


@pytest.mark.parametrize("first", [0, 3])
def test_a_broken_picture_is_named_or_left_out(tmp_path: Path, capsys: pytest.CaptureFixture[str], first: int) -> None:
    place = folder(tmp_path / "p", broken=(first, 7, 12, 20))
    with pytest.raises(DataError, match=r"\d\d\.png "):
        open_data(str(place), {})
    with pytest.raises(DataError, match=r"\d\d\.png "):
        prepare(open_data(str(folder(tmp_path / "whole")), {}).facts, str(place))
    check_data(str(place), {"skip_broken": True})
    capsys.readouterr()
    data = open_data(str(place), {"skip_broken": True}, batch_size=4)
    said = capsys.readouterr().out
    assert said.startswith("Left out 4 of 30 pictures that cannot be read: ") and said.count("\n") == 1
    assert f"{place}/a/12.png" in said and said.endswith(" and 1 more\n")
    assert data.facts.notes == (said.strip(),)  # type: ignore[attr-defined]
    dataset = data.dataset  # type: ignore[attr-defined]
    assert sum(len(part[0]) for part in (dataset.train, dataset.val, dataset.test)) == 26
    assert data.facts.fills["image_size"] == 9  # type: ignore[attr-defined]
    kept = [place / "ab"[number % 2] / f"{number:02}.png" for number in range(30) if number not in (first, 7, 12, 20)]
    x = [np.asarray(Image.open(file)).tobytes() for file in kept]
    found = {
        each.tobytes(): y for part in (dataset.train, dataset.val, dataset.test) for each, y in zip(*part, strict=True)
    }
    assert [found[each] for each in x] == [number % 2 for number in range(30) if number not in (first, 7, 12, 20)]


def test_pictures_that_are_all_broken_are_one_line(tmp_path: Path) -> None:
    place = folder(tmp_path / "p", 6, tuple(range(6)))
    with pytest.raises(DataError, match="None of the 6 pictures can be read"):
        open_data(str(place), {"skip_broken": True})
    place = folder(tmp_path / "q", 6, (0, 2, 4))
    with pytest.raises(DataError, match="one sub-folder only"):
        open_data(str(place), {"skip_broken": True})


@QUIET
@given(st.data())
def test_a_mutated_picture_is_read_or_refused_in_one_line(tmp_path: Path, data: st.DataObject) -> None:
    ending = data.draw(st.sampled_from(["png", "jpg", "gif", "bmp", "tif", "webp", "ppm"]))
    buffer = io.BytesIO()
    Image.fromarray(np.arange(192, dtype=np.uint8).reshape(8, 8, 3)).save(
        buffer, Image.registered_extensions()[f".{ending}"]
    )
    content = mutated(data, buffer.getvalue())
    file = tmp_path / f"x.{ending}"
    file.write_bytes(content)
    facts = open_data("notebook:x", {}, obj=(RNG.rand(9, 8, 8), np.arange(9) % 2)).facts  # type: ignore[attr-defined]
    try:
        assert prepare(facts, file).shape == (1, 1, 8, 8)
    except DataError as error:
        assert "\n" not in str(error) and "x." in str(error)


def mutated(data: st.DataObject, content: bytes) -> bytes:
    """Bytes with some changed, and perhaps cut."""
    changed = bytearray(content)
    for place, value in data.draw(
        st.lists(st.tuples(st.integers(0, len(changed) - 1), st.integers(0, 255)), max_size=6)
    ):
        changed[place] = value
    return bytes(changed[: data.draw(st.integers(0, len(changed)))]) if data.draw(st.booleans()) else bytes(changed)


# -- arrays


def written(**arrays: Any) -> bytes:
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays)
    return buffer.getvalue()


def header(shape: tuple[int, ...], kind: str = "<f8") -> bytes:
    buffer = io.BytesIO()
    np.lib.format.write_array_header_1_0(buffer, {"descr": kind, "fortran_order": False, "shape": shape})
    return buffer.getvalue()


def archive(content: bytes, size: int | None = None, method: int = zipfile.ZIP_DEFLATED) -> bytes:
    """A .npz of one member, whose size in the directory may be a lie."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as made:
        made.writestr("X.npy", content)
        if size is not None:
            made.filelist[0].file_size = size
    return buffer.getvalue()


REFUSED = {
    "a bomb of zeros": (archive(header((2**36,)) + bytes(2**20), 2**39 + 128), "GiB may be used"),
    "a header that says too much": (archive(header((2**36,))), "not as large as it says"),
    "a directory that says too little": (archive(header((2**20,)) + bytes(2**23), 200), "cannot be read as arrays"),
    "a shape of another size": (archive(header((7, 3)) + bytes(800)), "not as large as it says"),
    "a shape below nothing": (archive(header((-7, 3)) + bytes(800)), "a shape of"),
    "packed otherwise": (archive(header((4,)) + bytes(32), method=zipfile.ZIP_LZMA), "packed in another way"),
    "no array": (archive(b"hello"), "cannot be read as arrays"),
    "no archive": (b"hello", "cannot be read as arrays"),
    "objects": (written(X=np.array([{"a": 1}, None], dtype=object)), "Python objects"),
    "a pickle": (pickle.dumps([1, 2, 3]), "cannot be read as arrays"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_an_archive_that_lies_is_refused_in_one_line(tmp_path: Path, case: str) -> None:
    content, said = REFUSED[case]
    (tmp_path / "x.npz").write_bytes(content)
    with pytest.raises(DataError, match=said) as caught:
        check_data(str(tmp_path / "x.npz"), {})
    assert "\n" not in str(caught.value)


def test_arrays_are_read_as_they_were_written(tmp_path: Path) -> None:
    x, y = RNG.rand(20, 3).astype(np.float32), np.arange(20) % 2
    np.savez(tmp_path / "a.npz", X=x, y=y)
    (tmp_path / "b.npz").write_bytes(written(X=np.asfortranarray(x), y=y))
    np.save(tmp_path / "c.npy", x)
    for name in ("a.npz", "b.npz"):
        read = read_file(tmp_path / name)
        assert np.array_equal(read["X"], x) and np.array_equal(read["y"], y)
        facts = open_data(str(tmp_path / name), {}).facts  # type: ignore[attr-defined]
        assert prepare(facts, str(tmp_path / name)).shape == (20, 3)
    assert np.array_equal(read_file(tmp_path / "c.npy"), x)


@pytest.mark.parametrize("ending", ["npy", "csv", "txt", "npz"])
def test_what_is_larger_than_the_memory_is_not_begun(tmp_path: Path, monkeypatch: Any, ending: str) -> None:
    file = tmp_path / f"x.{ending}"
    content = {"npy": header((50_000,)) + bytes(400_000), "npz": archive(header((50_000,)) + bytes(400_000))}
    file.write_bytes(content.get(ending, b"a,b\n1,2\n" * 50_000))
    monkeypatch.setattr(npz, "most_memory", lambda: 300_000)
    with pytest.raises(DataError, match="may be used"):
        read_file(file)


@QUIET
@given(st.data())
def test_a_mutated_archive_is_read_or_refused_in_one_line(tmp_path: Path, data: st.DataObject) -> None:
    ending, content = data.draw(
        st.sampled_from([("npz", written(X=np.arange(40), y=np.ones(3))), ("npy", header((4,)) + bytes(32))])
    )
    file = tmp_path / f"x.{ending}"
    file.write_bytes(mutated(data, content))
    try:
        read_arrays(file)
    except DataError as error:
        assert "\n" not in str(error)


@pytest.mark.skipif(sys.platform != "linux", reason="the memory of a process is limited there")
@pytest.mark.parametrize("case", ["a bomb of zeros", "a header that says too much", "a directory that says too little"])
def test_it_takes_no_memory_to_find_out(tmp_path: Path, case: str) -> None:
    (tmp_path / "x.npz").write_bytes(REFUSED[case][0])
    program = (
        "import sys, resource; from pathlib import Path; from nbmodels.data.npz import read_arrays\n"
        "from nbmodels.errors import DataError\n"
        "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "try: read_arrays(Path(sys.argv[1]))\n"
        "except DataError: print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024)"
    )
    done = subprocess.run([sys.executable, "-c", program, str(tmp_path / "x.npz")], capture_output=True, text=True)
    assert done.stdout.strip() and int(done.stdout) < 20, done.stderr  # MiB
