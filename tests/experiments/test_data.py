"""Data: frozen bits, no silent substitutes, and an error within seconds where something is missing."""

from __future__ import annotations

import hashlib
import io
import socket
import tarfile
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from experiments.common import data as sets
from experiments.common import files
from experiments.common.config import Config
from experiments.common.data import cifar, colour32, defect48, garments, generated, network, seg96
from experiments.common.data.draw import Draw, bilinear
from experiments.common.errors import ExperimentError

SHIPPED = Path(garments.__file__).parents[2] / "data"


def config(dataset: str, counts: tuple[int, int, int] = (48, 16, 16), which: str = "slice") -> Config:
    return Config("smoke", dataset, which, *counts)


# -- what ships ------------------------------------------------------------------------------------
def test_shipped_files_are_the_ones_that_were_checked_in() -> None:
    listed = dict(reversed(line.split("  ")) for line in (SHIPPED / "SHA256SUMS").read_text().splitlines())
    present = {
        p.relative_to(SHIPPED).as_posix()
        for suffix in ("gz", "png", "npz", "txt")
        for p in SHIPPED.rglob(f"*.{suffix}")
    }
    assert set(listed) == present
    for name, checksum in listed.items():
        assert hashlib.sha256((SHIPPED / name).read_bytes()).hexdigest() == checksum, name


def test_licences_stand_beside_what_ships() -> None:
    assert "MIT License" in (SHIPPED / "fashion_mnist_slice" / "LICENSE").read_text(encoding="utf-8")
    listed = (SHIPPED / "backgrounds" / "LICENSES.md").read_text(encoding="utf-8")
    assert all(photo.name in listed for photo in (SHIPPED / "backgrounds").glob("*.png"))
    listed = (SHIPPED / "sentences" / "LICENSES.md").read_text(encoding="utf-8")
    assert all(text.name in listed for text in (SHIPPED / "sentences").glob("*.txt"))


def test_the_slice_is_balanced_in_every_part() -> None:
    found = garments.load("slice")
    for images, labels in (found.train, found.validation, found.test):
        assert images.shape == (len(labels), 28, 28)
        assert len(set(np.bincount(labels).tolist())) == 1


def test_no_garment_serves_two_parts() -> None:
    found = garments.load("slice")
    hashes = [{image.tobytes() for image in part[0]} for part in (found.train, found.validation, found.test)]
    assert not hashes[0] & hashes[1]
    assert not hashes[0] & hashes[2]
    assert not hashes[1] & hashes[2]


# -- random numbers and sampling -------------------------------------------------------------------
def test_a_draw_hangs_on_its_key_alone() -> None:
    assert Draw(1, 2).uniforms(3).tolist() == Draw(1, 2).uniforms(3).tolist()
    assert Draw(1, 2).uniforms(3).tolist() != Draw(2, 1).uniforms(3).tolist()


def test_draws_have_the_moments_they_should() -> None:
    draw = Draw(0)
    noise, uniform = draw.noise(200, 500), draw.uniforms(100_000)
    assert abs(noise.mean()) < 0.02
    assert noise.std() == pytest.approx(1, abs=0.01)
    assert uniform.mean() == pytest.approx(0.5, abs=0.01)
    integers = [draw.integer(2, 4) for _ in range(300)]
    assert set(integers) == {2, 3, 4}


def test_sampling_is_bilinear_as_scipy_has_it() -> None:
    from scipy.ndimage import map_coordinates

    random = np.random.default_rng(0)
    image = random.random((7, 9))
    rows, columns = random.uniform(-1.5, 7.5, (2, 40, 40)) * [[[1]], [[1.2]]]
    wanted = map_coordinates(image, [rows, columns], order=1, mode="grid-constant", cval=0)
    assert np.allclose(bilinear(image, rows, columns), wanted)
    colours = np.stack([image, 2 * image], axis=-1)
    assert np.allclose(bilinear(colours, rows, columns)[..., 1], 2 * wanted)


# -- generated sets --------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("name", "counts"),
    [
        ("colour32", (256, 64, 128)),
        ("defect48", (48, 16, 16)),
        ("seg96", (48, 16, 16)),
        ("seg96-kinds", (48, 16, 16)),
    ],
)
def test_generated_bits_are_the_frozen_ones(name: str, counts: tuple[int, int, int]) -> None:
    key = f"{name}-v{generated.RECIPES[name].version}-slice-{'-'.join(map(str, counts))}"
    frozen = files.read_json(generated.CHECKSUMS)[key]
    made = generated.load(name, "slice", counts)  # raises on another checksum, too
    assert made.checksum() == frozen
    assert generated.load(name, "slice", counts).checksum() == frozen  # and again from the cache


def test_an_image_does_not_hang_on_how_many_are_made() -> None:
    pictures, _ = garments.load("slice").train
    assert (colour32.images(pictures, "train", 12)[:5] == colour32.images(pictures, "train", 5)).all()
    assert (colour32.images(pictures, "train", 5) != colour32.images(pictures, "test", 5)).any()


def test_more_images_than_garments_are_still_all_different() -> None:
    pictures, _ = garments.load("slice").train
    made = colour32.images(pictures[:3], "train", 9)
    assert len({image.tobytes() for image in made}) == 9


def test_healthy_and_defective_differ_in_the_defect_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same draw with and without damage: changed pixels lie within one small patch of the garment."""
    pictures, labels = garments.load("slice").train
    family = pictures[np.isin(labels, defect48.FAMILY)]
    index = next(i for i in range(50) if defect48.inspected(family[i], "train", i).label)
    damaged = defect48.inspected(family[index], "train", index).picture
    monkeypatch.setattr(defect48, "CONTRAST", (0.0, 0.0))
    whole = defect48.inspected(family[index], "train", index).picture
    changed = (damaged != whole).any(axis=-1)
    assert 0 < changed.sum() < 0.15 * changed.size
    rows, columns = np.nonzero(changed)
    assert max(np.ptp(rows), np.ptp(columns)) < 26


def test_masks_are_where_the_garment_is() -> None:
    pictures, labels = garments.load("slice").train
    made = seg96.split(pictures, labels, "train", 8)
    assert made.targets.shape == (8, 96, 96)
    assert set(np.unique(made.targets)) == {0, 1}
    # the filled trousers, upright and alone: their mask covers what their pixels cover
    outline = seg96.smooth_outline(pictures[1]) >= 0.5
    assert (outline == (pictures[1] > 10)).mean() > 0.95


def test_a_damaged_cache_is_made_anew(capsys: pytest.CaptureFixture[str]) -> None:
    counts = (20, 10, 10)
    wanted = generated.load("colour32", "slice", counts).checksum()
    (kept,) = generated.cache_folder().glob("*.npz")
    kept.write_bytes(kept.read_bytes()[:-7] + b"nothing")
    assert generated.load("colour32", "slice", counts).checksum() == wanted
    assert "damaged, made anew" in capsys.readouterr().err


def test_other_bits_than_the_frozen_ones_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "checksums.json").write_text('{"colour32-v1-slice-20-10-10": "0000"}')
    monkeypatch.setattr(generated, "CHECKSUMS", tmp_path / "checksums.json")
    with pytest.raises(ExperimentError, match=r"made with SHA-256 .* frozen as 0000"):
        generated.load("colour32", "slice", (20, 10, 10))


def test_a_cache_that_cannot_be_written_is_no_reason_to_stop(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("ARCHCALC_CACHE", str(tmp_path / "file"))
    assert len(generated.load("colour32", "slice", (20, 10, 10)).train) == 20
    assert "not kept" in capsys.readouterr().err


# -- Fashion-MNIST ---------------------------------------------------------------------------------
def test_fashion_mnist_comes_from_the_slice() -> None:
    found = sets.load(config("fashion-mnist"), None)
    assert found.train.images.shape == (48, 28, 28, 1)
    with pytest.raises(ExperimentError, match="1,400 test images, 1,401 wanted"):
        sets.load(config("fashion-mnist", (48, 16, 1_401)), None)


def test_a_folder_without_the_four_files_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ExperimentError, match=r"no train-images-idx3-ubyte\.gz"):
        sets.load(config("fashion-mnist", which="all"), tmp_path)


def test_files_that_are_not_the_originals_are_refused(tmp_path: Path) -> None:
    for path in garments.SHIPPED.glob("*.gz"):
        (tmp_path / path.name).write_bytes(path.read_bytes())
    with pytest.raises(ExperimentError, match="is not the original's"):
        sets.load(config("fashion-mnist", which="all"), tmp_path)


# -- CIFAR-10 --------------------------------------------------------------------------------------
def records(count: int, seed: int) -> tuple[bytes, np.ndarray, np.ndarray]:
    """The binary version's format, written from its description: label, then red, green, blue planes."""
    random = np.random.default_rng(seed)
    images = random.integers(0, 256, (count, 32, 32, 3), dtype=np.uint8)
    labels = random.integers(0, 10, count)
    raw = b"".join(
        bytes([int(label)]) + b"".join(image[:, :, channel].tobytes() for channel in range(3))
        for image, label in zip(images, labels, strict=True)
    )
    return raw, images, labels


def archive(path: Path, contents: dict[str, bytes]) -> Path:
    with tarfile.open(path, "w:gz") as made:
        for name, content in contents.items():
            entry = tarfile.TarInfo(f"cifar/{name}")
            entry.size = len(content)
            made.addfile(entry, io.BytesIO(content))
    return path


def test_a_local_binary_archive_is_read(tmp_path: Path) -> None:
    first, images, labels = records(30, 0)
    second, more, others = records(30, 1)
    tested, last, answers = records(20, 2)
    source = archive(
        tmp_path / "cifar.tar.gz",
        {
            "data_batch_1.bin": first,
            "data_batch_2.bin": second,
            "test_batch.bin": tested,
            "readme.html": b"x",
        },
    )
    found = sets.load(config("cifar10", (40, 15, 20)), source)
    assert (found.train.images == np.concatenate([images, more])[:40]).all()
    assert (found.train.targets == np.concatenate([labels, others])[:40]).all()
    assert (found.validation.images == more[-15:]).all()
    assert (found.test.images == last).all()
    assert (found.test.targets == answers).all()
    folder = tmp_path / "unpacked"
    with tarfile.open(source) as opened:
        opened.extractall(folder, filter="data")
    assert sets.load(config("cifar10", (40, 15, 20)), folder).checksum() == found.checksum()


def test_pickles_of_an_unknown_archive_stay_closed(tmp_path: Path) -> None:
    source = archive(tmp_path / "x.tar.gz", {"data_batch_1": b"cos\nsystem\n(S'touch pwned'\ntR."})
    with pytest.raises(ExperimentError, match="its pickles stay closed"):
        sets.load(config("cifar10"), source)


@pytest.mark.parametrize(
    ("contents", "text"),
    [
        ({"data_batch_1.bin": b"x" * 3073}, r"no data_batch_1\.bin \.\.\. test_batch\.bin"),
        ({"data_batch_1.bin": b"x" * 99, "test_batch.bin": b"\0" * 3073}, "hold no CIFAR-10 records"),
        ({"data_batch_1.bin": b"x" * 3073, "test_batch.bin": b"\0" * 3073}, "class 120 in it"),
    ],
)
def test_what_is_no_cifar_is_refused(tmp_path: Path, contents: dict[str, bytes], text: str) -> None:
    with pytest.raises(ExperimentError, match=text):
        cifar.load((1, 1, 1), archive(tmp_path / "x.tar.gz", contents))


def test_a_file_that_is_no_archive_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x.tar.gz").write_bytes(b"nothing")
    with pytest.raises(ExperimentError, match="not a readable tar archive") as caught:
        cifar.load((1, 1, 1), tmp_path / "x.tar.gz")
    assert len(str(caught.value).splitlines()) == 2


# -- the network -----------------------------------------------------------------------------------
@pytest.fixture
def silent_server() -> Iterator[str]:
    """A server of this machine that takes the connection and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.2)
        held: list[socket.socket] = []
        over = threading.Event()

        def hold() -> None:
            while not over.is_set():
                try:
                    held.append(server.accept()[0])
                except TimeoutError:
                    continue

        thread = threading.Thread(target=hold)
        thread.start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}/"
        over.set()
        thread.join()
        for connection in held:
            connection.close()


def refused_port() -> str:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return f"http://127.0.0.1:{server.getsockname()[1]}/"


@pytest.mark.parametrize("dataset", ["cifar10", "fashion-mnist"])
@pytest.mark.parametrize("network_is", ["absent", "silent"])
def test_without_a_network_the_alternatives_are_named(
    dataset: str, network_is: str, silent_server: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = silent_server if network_is == "silent" else refused_port()
    monkeypatch.setattr(network, "HOSTS", dict.fromkeys(network.HOSTS, url))
    monkeypatch.setattr(network, "KNOCK_SECONDS", 0.5)
    monkeypatch.setattr(garments, "DEBIAN", Path("/nowhere"))
    garments.load.cache_clear()
    with pytest.raises(ExperimentError, match="not on this machine and cannot be downloaded") as caught:
        sets.load(config(dataset, which="all"), None)
    assert "--data" in str(caught.value)
    assert "--set" in str(caught.value)


def test_an_answer_of_any_status_is_somebody() -> None:
    from http.server import BaseHTTPRequestHandler, HTTPServer

    class Refusing(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_error(404)

        def log_message(self, *arguments: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Refusing) as server:
        thread = threading.Thread(target=server.handle_request)
        thread.start()
        assert network.unreachable(f"http://127.0.0.1:{server.server_port}/", 5) is None
        thread.join()


@pytest.mark.parametrize("dataset", ["colour32", "fashion-mnist"])
@pytest.mark.parametrize(("which", "text"), [("slice", "takes no --data"), ("all", "give their folder")])
def test_a_source_that_would_not_be_read_is_refused(
    dataset: str, which: str, text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where the set itself is in the cache: nobody is told that his folder was used when it was not."""
    monkeypatch.setattr(generated, "from_cache", lambda _: pytest.fail("looked into the cache first"))
    with pytest.raises(ExperimentError, match=text):
        sets.load(config(dataset, which=which), tmp_path)


# -- one's own pictures ----------------------------------------------------------------------------
def paint(path: Path, value: int, size: tuple[int, int] = (40, 20)) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, (value, value, value)).save(path)


def test_folders_are_classes(tmp_path: Path) -> None:
    for name, value in (("cat", 10), ("dog", 200)):
        for number in range(10):
            paint(tmp_path / name / f"{number}.png", value)
    found = sets.load(config("images", (10, 5, 5)), tmp_path)
    assert found.classes == ("cat", "dog")
    for split in found.splits.values():
        assert split.images.shape[1:] == (32, 32, 3)
        assert ((split.images[:, 0, 0, 0] > 100) == split.targets).all()
    assert set(found.train.targets) == {0, 1}


def test_given_splits_are_kept(tmp_path: Path) -> None:
    for number, part in enumerate(("train", "validation", "test")):
        for name in ("cat", "dog"):
            paint(tmp_path / part / name / "a.png", 50 * (number + 1))
    found = sets.load(config("images", (2, 2, 2)), tmp_path)
    assert [int(split.images[0, 0, 0, 0]) for split in found.splits.values()] == [50, 100, 150]


@pytest.mark.parametrize(
    ("files_there", "text"),
    [
        ([], "0 class folders"),
        (["cat/1.png"], "1 class folders"),
        (["cat/1.png", "dog/1.png"], "2 images left for training, 48 wanted"),
    ],
)
def test_too_little_is_said(tmp_path: Path, files_there: list[str], text: str) -> None:
    for name in files_there:
        paint(tmp_path / name, 1)
    with pytest.raises(ExperimentError, match=text):
        sets.load(config("images"), tmp_path)


def test_an_unreadable_image_is_named(tmp_path: Path) -> None:
    for name in ("cat", "dog"):
        (tmp_path / name).mkdir()
        for number in range(2):
            (tmp_path / name / f"{number}.png").write_bytes(b"no picture")
    with pytest.raises(ExperimentError, match=r"\d\.png: not a readable image"):
        sets.load(config("images", (2, 1, 1)), tmp_path)


@pytest.mark.parametrize("dataset", ["images", "pairs"])
def test_ones_own_pictures_need_a_place(dataset: str) -> None:
    with pytest.raises(ExperimentError, match="needs --data"):
        sets.load(config(dataset), None)


def test_an_unknown_set_is_met_with_what_was_meant() -> None:
    with pytest.raises(ExperimentError, match="did you mean 'colour32'"):
        sets.load(config("color32"), None)
