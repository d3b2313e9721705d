"""One's own images and masks: what trains, what is left out, and which file each message names."""

from __future__ import annotations

import threading
import zipfile
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from experiments.common import data as sets
from experiments.common.config import Config
from experiments.common.data import archives, decoding, pairs
from experiments.common.data.decoding import FaultyFileError
from experiments.common.errors import ExperimentError

SIZE = 32


def disc(width: int, height: int) -> NDArray[np.bool_]:
    rows, columns = np.mgrid[:height, :width]
    return (rows - height / 2) ** 2 + (columns - width / 2) ** 2 < (min(width, height) / 3) ** 2


def save(path: Path, pixels: NDArray[np.generic], mode: str | None = None) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    image = Image.fromarray(pixels)
    (image.convert(mode) if mode else image).save(path)


def pair(root: Path, name: str, width: int = 40, height: int = 40, suffix: str = "png") -> None:
    """A bright disc on black, and its mask of 0 and 255."""
    inside = disc(width, height)
    save(
        root / "images" / f"{name}.{suffix}", np.where(inside[..., None], 220, 20).repeat(3, -1).astype("u1")
    )
    save(root / "masks" / f"{name}.png", np.where(inside, 255, 0).astype(np.uint8))


def mixed(root: Path) -> Path:
    """Six sound pairs of odd sizes and modes, and one of every fault."""
    pair(root, "plain")
    pair(root, "tall", 31, 77)
    pair(root, "wide", 120, 45, "jpg")
    pair(root, "tiny", 9, 9)
    pair(root, "rgba")
    pixels = np.dstack([np.full((40, 40, 3), 90, np.uint8), np.where(disc(40, 40), 255, 0).astype(np.uint8)])
    save(root / "images" / "rgba.png", pixels)
    pair(root, "deep")
    save(root / "images" / "deep.png", np.where(disc(40, 40), 60_000, 500).astype(np.uint16))
    pair(root, "alone")
    (root / "masks" / "alone.png").unlink()
    pair(root, "torn", suffix="jpg")
    whole = (root / "images" / "torn.jpg").read_bytes()
    (root / "images" / "torn.jpg").write_bytes(whole[: len(whole) // 2])
    pair(root, "noise")
    (root / "images" / "noise.png").write_bytes(b"no picture at all")
    pair(root, "turned", 40, 20)
    save(root / "masks" / "turned.png", np.zeros((40, 20), np.uint8))
    pair(root, "painted")
    save(root / "masks" / "painted.png", np.dstack([np.arange(1600).reshape(40, 40) % 200] * 3).astype("u1"))
    save(root / "masks" / "orphan.png", np.zeros((40, 40), np.uint8))
    return root


def config(counts: tuple[int, int, int]) -> Config:
    return Config("smoke", "pairs", "slice", *counts)


def test_what_is_sound_is_used_and_every_fault_names_its_file(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = pairs.load(mixed(tmp_path), (4, 1, 1), SIZE)
    told = " ".join(capsys.readouterr().err.split())
    for text in (
        f"{tmp_path}/images/alone.png: left out, no mask alone.* in masks/",
        f"{tmp_path}/masks/orphan.png: left out, no image orphan.* in images/",
        f"{tmp_path}/images/torn.jpg: left out, not a readable image (",
        f"{tmp_path}/images/noise.png: left out, not a readable image (cannot identify",
        f"{tmp_path}/masks/turned.png: left out, 20x40 pixels do not fit the image's 40x20 (turned.png)",
        f"{tmp_path}/masks/painted.png: left out, 200 values up to 199; a mask holds class numbers",
        f"{tmp_path}/images/rgba.png: transparency (RGBA), laid on white",
        f"{tmp_path}/images/deep.png: 16 bits a pixel, scaled to 8",
    ):
        assert text in told
    assert "plain" not in told
    assert "tall" not in told
    assert found.provenance["pairs"] == 6
    for split in found.splits.values():
        assert split.images.shape[1:] == (SIZE, SIZE, 3)
        assert split.targets.shape[1:] == (SIZE, SIZE)
        for mask in split.targets:  # a disc of a third of the shorter side, whatever the size was
            assert set(np.unique(mask)) == {0, 1}
            assert mask[SIZE // 2, SIZE // 2] == 1
            assert mask[0, 0] == 0


def test_pixels_and_masks_stay_together(tmp_path: Path) -> None:
    for number in range(1, 6):
        save(tmp_path / "images" / f"{number}.png", np.full((50, 30, 3), 40 * number, np.uint8))
        mask = np.zeros((50, 30), np.uint8)
        mask[: 10 * number] = 255
        save(tmp_path / "masks" / f"{number}.png", mask)
    found = pairs.load(tmp_path, (3, 1, 1), 50)
    for split in found.splits.values():
        for image, mask in zip(split.images, split.targets, strict=True):
            number = int(image[0, 0, 0]) // 40
            assert (image == 40 * number).all()
            assert mask.sum() == 10 * number * 50
    assert {s.images.tobytes() for s in found.splits.values()} == {
        s.images.tobytes() for s in pairs.load(tmp_path, (3, 1, 1), 50).splits.values()
    }


def test_masks_are_resized_to_the_nearest_pixel_and_keep_their_classes(tmp_path: Path) -> None:
    for number in range(3):
        mask = np.arange(64 * 64).reshape(64, 64) % 7
        save(tmp_path / "images" / f"{number}.png", np.zeros((64, 64, 3), np.uint8))
        save(tmp_path / "masks" / f"{number}.png", mask.astype(np.uint8))
    found = pairs.load(tmp_path, (1, 1, 1), 45)
    assert set(np.unique(found.train.targets)) == set(range(7))
    assert found.classes == ("background", *(f"class {n}" for n in range(1, 7)))


@pytest.mark.parametrize(
    ("mode", "pixels", "wanted"),
    [
        (None, [[0, 255]], [[0, 1]]),
        (None, [[0, 3]], [[0, 3]]),
        ("1", [[0, 255]], [[0, 1]]),
        ("RGB", [[0, 255]], [[0, 1]]),
        ("RGBA", [[0, 2]], [[0, 2]]),
    ],
)
def test_modes_of_masks(tmp_path: Path, mode: str | None, pixels: list, wanted: list) -> None:
    save(tmp_path / "m.png", np.array(pixels, np.uint8), mode)
    assert decoding.mask(tmp_path / "m.png")[0].tolist() == wanted


def test_masks_with_a_palette_and_with_16_bits(tmp_path: Path) -> None:
    indexed = Image.fromarray(np.array([[0, 1, 2]], np.uint8), "P")
    indexed.putpalette([0, 0, 0, 200, 0, 0, 0, 200, 0])
    indexed.save(tmp_path / "p.png")
    assert decoding.mask(tmp_path / "p.png")[0].tolist() == [[0, 1, 2]]
    save(tmp_path / "deep.png", np.array([[0, 65_535]], np.uint16))
    values, notes = decoding.mask(tmp_path / "deep.png")
    assert values.tolist() == [[0, 1]]
    assert notes == ["16 bits a pixel, 65535 taken as class 1"]


@pytest.mark.parametrize(
    ("name", "pixels", "text"),
    [
        ("m.png", [[[1, 2, 3]]], "a coloured mask; save class numbers"),
        ("m.png", [[9, 64]], "2 values up to 64"),
        ("m.jpg", np.indices((16, 16)).sum(0) * 8, "JPEG cannot keep a mask, save PNG"),
    ],
)
def test_masks_that_are_none(tmp_path: Path, name: str, pixels: list, text: str) -> None:
    save(tmp_path / name, np.array(pixels, np.uint8))
    with pytest.raises(FaultyFileError, match=text):
        decoding.mask(tmp_path / name)


def test_the_picture_is_turned_as_its_camera_says(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # a quarter turn
    Image.fromarray(np.zeros((10, 30, 3), np.uint8)).save(tmp_path / "t.jpg", exif=exif)
    assert decoding.image(tmp_path / "t.jpg")[0].shape == (30, 10, 3)


def test_too_few_pairs_are_met_with_settings_that_would_do(tmp_path: Path) -> None:
    with pytest.raises(ExperimentError, match=r"6 usable pairs \(6 left out\), 30 wanted") as caught:
        sets.load(config((10, 10, 10)), mixed(tmp_path))
    assert "--set train_images=4 --set validation_images=1 --set test_images=1" in str(caught.value)


def test_two_files_of_one_name_are_refused(tmp_path: Path) -> None:
    pair(tmp_path, "a")
    pair(tmp_path, "a", suffix="jpg")
    with pytest.raises(ExperimentError, match=r"a\.png: the same name as a\.jpg"):
        pairs.load(tmp_path, (1, 1, 1), SIZE)


# -- zips ------------------------------------------------------------------------------------------
def zipped(folder: Path, path: Path, prefix: str = "") -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for file in sorted(folder.rglob("*.*")):
            archive.write(file, prefix + file.relative_to(folder).as_posix())
    return path


@pytest.fixture
def three(tmp_path: Path) -> Path:
    for name in "abc":
        pair(tmp_path / "three", name)
    return tmp_path / "three"


@pytest.mark.parametrize("prefix", ["", "set/", "deep/set/"])
def test_a_zip_is_as_good_as_its_folder(three: Path, tmp_path: Path, prefix: str) -> None:
    wanted = pairs.load(three, (1, 1, 1), SIZE).checksum()
    path = zipped(three, tmp_path / "set.zip", prefix)
    assert pairs.load(path, (1, 1, 1), SIZE).checksum() == wanted
    assert pairs.load(path, (1, 1, 1), SIZE).checksum() == wanted  # unpacked before


@pytest.mark.parametrize(
    ("spoil", "text"),
    [
        (lambda _: b"no zip", "not a zip"),
        (lambda raw: raw.replace(b"\x89PNG", b"\x89XXX", 1), "cannot be unpacked"),
    ],
)
def test_a_spoilt_zip_is_refused(
    three: Path, tmp_path: Path, spoil: Callable[[bytes], bytes], text: str
) -> None:
    path = zipped(three, tmp_path / "set.zip")
    path.write_bytes(spoil(path.read_bytes()))
    with pytest.raises(ExperimentError, match=text):
        pairs.load(path, (1, 1, 1), SIZE)


def test_a_zip_that_points_outside_stays_closed(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as archive:
        archive.writestr("../../images/a.png", "x")
    with pytest.raises(ExperimentError, match="points outside"):
        pairs.load(tmp_path / "x.zip", (1, 1, 1), SIZE)


def test_a_folder_without_masks_is_refused(tmp_path: Path) -> None:
    (tmp_path / "images").mkdir()
    with pytest.raises(ExperimentError, match="no images and masks side by side in it"):
        pairs.load(tmp_path, (1, 1, 1), SIZE)


@pytest.fixture
def served() -> Iterator[tuple[str, dict[str, bytes], list[str]]]:
    """A server of this machine: its address, what it serves, what it was asked for."""
    content: dict[str, bytes] = {}
    asked: list[str] = []

    class Serving(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            if self.path not in content:
                self.send_error(404)
                return
            self.send_response(200)
            self.end_headers()
            self.wfile.write(content[self.path])

        def log_message(self, *arguments: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Serving) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}", content, asked
        server.shutdown()
        thread.join()


def test_a_url_is_fetched_once(three: Path, tmp_path: Path, served: tuple) -> None:
    url, content, asked = served
    content["/set.zip"] = zipped(three, tmp_path / "set.zip").read_bytes()
    for _ in range(2):
        path = archives.fetched(f"{url}/set.zip")
        assert path.read_bytes() == content["/set.zip"]
    assert asked == ["/set.zip"]
    assert len(pairs.load(path, (1, 1, 1), SIZE).train) == 1


def test_a_url_that_fails_says_what_else_to_do(served: tuple) -> None:
    with pytest.raises(
        ExperimentError, match=r"cannot be fetched .*; fetch it by other means and give --data"
    ):
        archives.fetched(f"{served[0]}/nothing.zip")
