"""What a page holds, without a browser: its size, its data, what it must not contain, bad input."""

from __future__ import annotations

import json
import re
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from archcalc.analyze import analyze
from archcalc.arith import symbolic
from archcalc.cli import main
from archcalc.readers import load
from archcalc.render.page.figures import Figures
from archcalc.render.page.groups import Group, groups
from archcalc.render.page.report import report_page
from tests.render.page import networks

ROOT = Path(__file__).parents[3]


def data_of(page: str) -> Any:
    found = re.search(r'<script type="application/json" id="data">(.*?)</script>', page, re.DOTALL)
    assert found is not None
    return json.loads(found[1])


def page_of(source: Any, **options: Any) -> str:
    return report_page(analyze(source, gradients=True), **options)


@pytest.fixture(scope="module")
def resnet() -> str:
    return page_of("keras:ResNet50")


def test_it_is_small(resnet: str) -> None:
    assert len(resnet.encode()) < 400_000


def test_it_asks_for_nothing(resnet: str) -> None:
    policy = re.search(r'http-equiv="Content-Security-Policy" content="([^"]*)"', resnet)
    assert policy is not None
    assert "default-src &#39;none&#39;" in policy[1]
    assert "unsafe" not in policy[1]
    # names of XML, and nothing that is fetched
    assert set(re.findall(r"https?://[^\s\"'`)<>]+", resnet)) <= {"http://www.w3.org/2000/svg"}
    assert not re.search(r"<(?:script|img|iframe|object|embed)[^>]*\ssrc=", resnet)


def test_its_figures_are_those_of_the_report(resnet: str) -> None:
    report, data = analyze("keras:ResNet50"), data_of(resnet)
    assert data["totals"]["parameters"] == 25_636_712
    assert data["totals"]["macs"] == report.totals.macs
    assert data["layers"]["macs"] == [row.macs for row in report.rows]
    assert data["memory"]["peak"] == report.totals.peak_activation_bytes
    steps = [size for _, size in data["memory"]["steps"]]
    assert max(steps) == report.totals.peak_activation_bytes
    assert len(steps) == len(report.rows) - 1


def test_groups_hold_each_layer_once_in_order() -> None:
    def rows(parts: list[Any]) -> list[int]:
        return [i for p in parts for i in (rows(p.parts) if isinstance(p, Group) else [p])]

    for source in ("keras:ResNet50", "keras:EfficientNetB7", "keras:InceptionResNetV2", "keras:NASNetMobile"):
        report = analyze(source)
        top = groups(report)
        assert rows(top) == list(range(len(report.rows)))
        assert len(top) <= 40


def test_repeated_blocks_are_one_group() -> None:
    parts = [p for p in groups(analyze("keras:EfficientNetB7")) if isinstance(p, Group)]
    assert {p.name: p.times for p in parts}["block4b … block4j"] == 9


# -- figures as data ------------------------------------------------------------------------------
def value(figures: Figures, number: int, at: dict[str, int]) -> Fraction:
    """What the page's script does, once more."""
    total = Fraction(0)
    for coefficient, *factors in figures.expressions[number]:
        term = Fraction(coefficient)
        for atom, exponent in zip(factors[::2], factors[1::2], strict=True):
            term *= _atom(figures, atom, at) ** exponent
        total += term
    return total


def _atom(figures: Figures, number: int, at: dict[str, int]) -> Fraction:
    word, *rest = figures.atoms[number]
    if word == "symbol":
        return Fraction(at[rest[0]])
    values = [value(figures, n, at) for n in rest]
    if word == "floor":
        return Fraction(values[0] // values[1])
    if word == "power":
        return Fraction(values[0] ** int(values[1]))
    return {"max": max, "min": min, "sum": sum}[word](values) if word != "sum" else values[0]


def test_closed_forms_as_data_have_the_values_of_the_expressions() -> None:
    report = analyze(load(ROOT / "examples" / "unet.json"), {"H": None, "w": None, "classes": None})
    for name in ("parameters", "macs", "peak_activation_bytes", "training_bytes"):
        form = getattr(report.totals, name)
        figures = Figures()
        number = figures.of(0, form)["e"]
        for at in ({"H": 572, "w": 64, "classes": 2}, {"H": 188, "w": 7, "classes": 3}):
            known = {k: v for k, v in at.items() if k in form.symbols}
            assert value(figures, number, at) == symbolic.evaluate(form, known)


def test_large_integers_are_exact() -> None:
    figures = Figures()
    assert figures.of(2**53) == 2**53
    assert figures.of(2**53 + 1) == str(2**53 + 1)
    assert figures.of(Fraction(1, 2)) == "1/2"


# -- hostile names, private paths -----------------------------------------------------------------
def test_names_stay_text() -> None:
    page = page_of(networks.hostile())
    assert page.count("<script") == page.count("</script") == 2  # its data and its own
    for text in ("<img src", "<b>bold", "<i>source", "<svg onload", 'href="javascript'):
        assert text not in page
    assert "&lt;b&gt;bold&lt;/b&gt;" in page
    data = data_of(page)
    assert data["name"] == "<b>bold</b>"
    # what changes the direction of writing is shown as an escape
    assert data["layers"]["name"][5] == "\\u202etxet\\u202c עברית"
    assert data["layers"]["name"][4] == "n" * 10_000


def test_no_folder_of_this_machine_is_in_it(tmp_path: Path) -> None:
    folder = tmp_path / "alice" / "secret project"
    folder.mkdir(parents=True)
    path = folder / "net.json"
    path.write_text((ROOT / "examples" / "cifar_cnn.json").read_text())
    out = tmp_path / "page.html"
    assert main(["report", str(path), "-o", str(out)]) == 0
    page = out.read_text(encoding="utf-8")
    assert "alice" not in page
    assert str(tmp_path) not in page
    assert "net.json" in page


# -- bad input ------------------------------------------------------------------------------------
def refused(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert main(["report", *arguments]) == 2
    said = capsys.readouterr().err
    assert "Traceback" not in said
    assert len(said.splitlines()) <= 2
    return said


def test_without_a_file(capsys: pytest.CaptureFixture[str]) -> None:
    assert "-o report.html" in refused(capsys, "keras:VGG16")


def image(path: Path, size: tuple[int, int], **more: Any) -> str:
    images = pytest.importorskip("PIL.Image")
    images.new("RGB", size, "red").save(path, **more)
    return str(path)


def test_images_that_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    net, out = str(ROOT / "examples" / "cifar_cnn.json"), ("-o", str(tmp_path / "page.html"))
    text = tmp_path / "text.png"
    text.write_text("no image")
    broken = tmp_path / "broken.jpg"
    whole = Path(image(tmp_path / "whole.jpg", (300, 300))).read_bytes()
    broken.write_bytes(whole[: len(whole) // 2])
    large = image(tmp_path / "large.png", (10_000, 10_000), compress_level=1)
    for path, words in (
        (str(text), "no image; expected PNG"),
        (str(broken), "a broken image"),
        (large, "10,000×10,000 pixels, of 50,000,000 at most"),
        (str(tmp_path / "missing.png"), "No such file"),
        (str(tmp_path), "directory"),
    ):
        assert words in refused(capsys, net, "--image", path, *out)
        assert not (tmp_path / "page.html").exists()
    vector = tmp_path / "vector.json"
    dense = {"name": "d", "type": "Dense", "units": 2}
    vector.write_text(json.dumps({"archcalc": 1, "inputs": {"x": [4]}, "layers": [dense]}))
    assert "is no image" in refused(capsys, str(vector), "--image", str(tmp_path / "whole.jpg"), *out)


def test_an_image_is_turned_upright_and_loses_its_metadata(tmp_path: Path) -> None:
    images = pytest.importorskip("PIL.Image")
    import base64
    import io

    from archcalc.render.page.photo import read_photo

    picture = images.new("RGB", (200, 100), "blue")
    picture.paste("red", (0, 0, 100, 100))  # the left half
    exif = images.Exif()
    exif[0x0112] = 6  # to be turned by 90 degrees clockwise
    exif[0x010E] = "a private note"
    picture.save(tmp_path / "turned.jpg", exif=exif, quality=95)
    photo = read_photo(str(tmp_path / "turned.jpg"), 64, 32)
    content = base64.b64decode(photo.address.partition(",")[2])
    assert b"private" not in content
    shown = images.open(io.BytesIO(content))
    assert shown.size == (240, 480)
    top, bottom = shown.getpixel((120, 40)), shown.getpixel((120, 440))
    assert top[0] > 200 > 50 > top[2]
    assert bottom[2] > 200 > 50 > bottom[0]


def test_thousands_of_layers() -> None:
    layers = [{"name": f"l{i}", "type": "ReLU"} for i in range(6000)]
    graph = networks.spec({"x": [8, 8, 1]}, layers)
    page = report_page(analyze(graph))
    assert len(data_of(page)["layers"]["name"]) == 6001
    assert len(data_of(page)["tree"]) <= 40
