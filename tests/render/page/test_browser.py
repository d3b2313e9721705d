"""Pages in a real browser: Debian's Chromium, driven by playwright.

Where either is missing these tests are left out (`make test` says so).
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from archcalc.analyze import analyze
from archcalc.graph.substitution import with_values
from archcalc.readers import load
from archcalc.render.page.report import report_page
from tests.render.page import networks

playwright = pytest.importorskip("playwright.sync_api")
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
if CHROMIUM is None:
    pytest.skip("chromium is missing: apt-get install chromium", allow_module_level=True)

ROOT = Path(__file__).parents[3]
Opened = Callable[..., Any]


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with playwright.sync_playwright() as started:
        opened = started.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield opened
        opened.close()


@pytest.fixture
def show(browser: Any, tmp_path: Path) -> Iterator[Opened]:
    """Shows a page from a file; afterwards, it has complained of nothing and asked for nothing."""
    faults: list[str] = []
    contexts = []

    def opened(html: str, measured: bool = False, **options: Any) -> Any:
        path = tmp_path / "page.html"
        path.write_text(html, encoding="utf-8")
        context = browser.new_context(**({"viewport": {"width": 1400, "height": 1000}} | options))
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(15_000)
        page.on("console", lambda m: faults.append(f"console: {m.text}") if m.type != "log" else None)
        page.on("pageerror", lambda e: faults.append(f"error: {e}"))
        page.on("dialog", lambda d: faults.append(f"dialog: {d.message}") or d.dismiss())
        local = ("file:", "data:")
        page.on("request", lambda r: None if r.url.startswith(local) else faults.append(f"request: {r.url}"))
        if measured:
            page.measured = session = context.new_cdp_session(page)
            session.send("Performance.enable", {"timeDomain": "threadTicks"})
        page.goto(path.as_uri())
        page.wait_for_selector("body.complete")
        return page

    yield opened
    for context in contexts:
        context.close()
    assert not faults


@pytest.fixture(scope="module")
def resnet() -> str:
    return report_page(analyze("keras:ResNet50", gradients=True))


@pytest.fixture(scope="module")
def unet() -> str:
    return report_page(analyze(ROOT / "examples" / "unet.json", gradients=True))


def cells(page: Any, row: str) -> list[str]:
    texts: list[str] = page.locator(f"#table tbody tr:has(th:text-is('{row}')) > *").all_inner_texts()
    return texts


# -- picture and table --------------------------------------------------------------------------------
def test_groups_open_and_close(show: Opened, resnet: str) -> None:
    page = show(resnet)
    groups = page.locator("#graph .node.group")
    before = groups.count()
    conv2 = page.locator("#graph .node[aria-label^='conv2, group']")
    assert conv2.get_attribute("aria-expanded") == "false"
    conv2.click()
    assert conv2.get_attribute("aria-expanded") == "true"
    assert page.locator("#graph .node[aria-label^='conv2_block1, group']").count() == 1
    page.keyboard.press("ArrowLeft")
    assert groups.count() == before
    page.keyboard.press("ArrowRight")
    assert groups.count() > before
    page.click("#close-all")
    assert groups.count() == before


def test_picture_and_table_are_linked(show: Opened, resnet: str) -> None:
    page = show(resnet)
    page.fill("#filter", "conv4_block2_2_conv")
    page.locator("#table tbody tr[data-row]").first.click()
    chosen = page.locator("#graph .node.selected")
    assert chosen.get_attribute("aria-label").startswith("conv4_block2_2_conv, Conv2D, output 14×14×256")
    assert page.locator("#details h3").inner_text() == "conv4_block2_2_conv"
    assert "590,080" in page.locator("#details").inner_text()
    # and from the picture to the table
    page.fill("#filter", "")
    page.locator("#graph .node[aria-label^='conv4_block2_2_bn']").click()
    assert page.locator("#table tr[aria-selected='true'] th").inner_text() == "conv4_block2_2_bn"


def test_the_table_sorts_and_filters(show: Opened, resnet: str) -> None:
    page = show(resnet)
    rows = sorted(analyze("keras:ResNet50").rows, key=lambda row: -int(row.parameters))
    heading = page.locator("#table thead button", has_text="Parameters")
    heading.click()
    first = page.locator("#table tbody tr[data-row] > th").all_inner_texts()
    assert first[:5] == [row.name for row in rows[:5]]
    assert page.locator("#table th[aria-sort='descending']").inner_text().startswith("Parameters")
    heading.click()
    assert page.locator("#table th[aria-sort='ascending']").count() == 1
    page.fill("#filter", "MaxPooling2D")
    assert page.locator("#table-said").inner_text() == "1 of 177 layers"


def test_the_table_by_keyboard(show: Opened, resnet: str) -> None:
    page = show(resnet)
    page.locator("#table tbody tr[tabindex='0']").focus()
    for _ in range(60):
        page.keyboard.press("ArrowDown")
    chosen = page.locator("#table tr[aria-selected='true']")
    assert chosen.get_attribute("aria-rowindex") == "62"
    assert page.evaluate("document.activeElement.getAttribute('aria-selected')") == "true"


def test_the_search_shows_the_next_hit(show: Opened, resnet: str) -> None:
    page = show(resnet)
    page.fill("#search", "conv5_block3")
    page.press("#search", "Enter")
    page.press("#search", "Enter")
    assert page.locator("#search-said").inner_text().startswith("2 of 10")
    assert page.locator("#graph .node.selected").count() == 1


def test_colours_follow_the_figure(show: Opened, resnet: str) -> None:
    page = show(resnet)
    dense = page.locator("#graph .node[aria-label^='predictions']")
    assert "MACs: 2.05 M" in dense.get_attribute("aria-label")
    page.select_option("#colour", "parameters")
    assert "Parameters: 2.05 M" in dense.get_attribute("aria-label")
    darkest = page.locator("#graph .node.level8")
    assert darkest.count() == 1
    assert darkest.get_attribute("aria-label").startswith("conv5")


def test_the_critical_path_is_that_of_networkx(show: Opened, resnet: str) -> None:
    import networkx

    report = analyze("keras:ResNet50")
    view = report._of.graph.to_networkx()
    macs = {row.name: int(row.macs) for row in report.rows}
    weighted = networkx.DiGraph((a, b, {"weight": macs[b]}) for a, b in view.edges())
    expected = networkx.dag_longest_path(weighted)
    page = show(resnet)
    page.check("#path")
    page.click("#open-all")
    layers = page.locator("#graph .node.layer.on-path").evaluate_all("all => all.map(n => n.dataset.id)")
    most = sum(macs[name] for name in expected)
    assert sum(macs[report.rows[int(i[1:])].name] for i in layers) == most


def test_hovering_a_curve_names_the_layer(show: Opened, resnet: str) -> None:
    page = show(resnet)
    chart = page.locator("#memory svg")
    chart.scroll_into_view_if_needed()
    box = chart.bounding_box()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    assert "alive in the forward pass" in page.locator("#memory .readout").inner_text()
    assert ":" in page.locator("#memory .readout").inner_text()


# -- sliders --------------------------------------------------------------------------------------
def test_sliders_give_the_figures_of_python(show: Opened, unet: str) -> None:
    page = show(unet)
    graph = load(ROOT / "examples" / "unet.json")
    for values in ({"w": 96, "classes": 5, "H": 572}, {"w": 96, "classes": 5, "H": 188}):
        for name, value in values.items():
            page.fill(f"input[aria-label='{name}, exact']", str(value))
            page.press(f"input[aria-label='{name}, exact']", "Tab")
        totals = analyze(with_values(graph, values)).totals
        for total in ("parameters", "macs", "flops"):
            shown = page.locator(f".card [data-total='{total}']").inner_text()
            assert shown == f"{getattr(totals, total):,}"
        row = analyze(with_values(graph, values)).layers["bottom/conv2"]
        page.fill("#filter", "bottom/conv2")
        shown = cells(page, "bottom/conv2")
        assert shown[2] == "×".join(map(str, row.output_shape))
        assert shown[3:5] == [f"{row.parameters:,}", f"{row.macs:,}"]
        assert shown[8] == f"{'×'.join(map(str, row.receptive_field.size))} /16"


def test_what_has_no_closed_form_turns_grey(show: Opened, unet: str) -> None:
    page = show(unet)
    verdict = page.locator(".card b", has_text="stable")
    assert "stale" not in (verdict.get_attribute("class") or "")
    page.fill("input[aria-label='w, exact']", "32")
    page.press("input[aria-label='w, exact']", "Tab")
    assert "stale" in verdict.get_attribute("class")
    assert page.locator("#table td.stale").count() > 0
    page.click("#reset")
    assert "stale" not in (verdict.get_attribute("class") or "")
    assert page.locator("#table td.stale").count() == 0


def test_a_broken_assumption_is_said(show: Opened, unet: str) -> None:
    page = show(unet)
    page.fill("input[aria-label='H, exact']", "573")
    page.press("input[aria-label='H, exact']", "Tab")
    assert "H % 16 == 12" in page.locator("#sliders-said.broken").inner_text()


def test_integers_of_any_size(show: Opened) -> None:
    layers = [{"name": "a", "type": "Dense", "units": "w"}, {"name": "b", "type": "Dense", "units": "w"}]
    graph = networks.spec({"x": [8]}, layers, symbols={"w": 1000})
    page = show(report_page(analyze(graph)))
    w = 10**15 + 1
    field = page.locator("input[aria-label='w, exact']")
    field.fill(str(w))
    field.press("Tab")
    shown = page.locator(".card [data-total='parameters']").inner_text()
    assert shown == f"{8 * w + w + w * w + w:,}"


# -- fields ---------------------------------------------------------------------------------------
def test_boxes_are_those_of_python(show: Opened, unet: str) -> None:
    from archcalc.analyses.fields.clipping import clipped_boxes

    report = analyze(ROOT / "examples" / "unet.json")
    of = report._of
    page = show(unet)
    page.fill("#filter", "segments")
    page.locator("#table tbody tr[data-row]").first.click()
    node = len(of.graph.nodes) - 1
    for row, column in ((0, 0), (387, 3), (101, 250)):
        for axis, value in ((0, row), (1, column)):
            page.locator(f"#field-controls input[data-axis='{axis}']").fill(str(value))
            page.locator(f"#field-controls input[data-axis='{axis}']").press("Tab")
        said = page.locator("#field-text").inner_text().replace("\u2212", "-")
        ((rows, columns, _),) = clipped_boxes(
            of.graph, of.output_shapes, of._windows, node, (row, column)
        ).values()
        assert f"rows {rows[0]} to {rows[1]} " in said.split("of which exist")[1]
        assert f"columns {columns[0]} to {columns[1]} " in said.split("of which exist")[1]


def test_a_click_chooses_the_unit(show: Opened, resnet: str) -> None:
    page = show(resnet)
    units = page.locator("#field-units svg")
    units.scroll_into_view_if_needed()
    box = units.bounding_box()
    page.mouse.click(box["x"] + box["width"] * 0.95, box["y"] + box["height"] * 0.05)
    row, column = (page.locator(f"#field-controls input[data-axis='{a}']").input_value() for a in (0, 1))
    assert (row, column) == ("0", "6")


def test_inputs_of_other_kinds(show: Opened) -> None:
    page = show(report_page(analyze(networks.mlp(), gradients=True)))
    assert "no spatial axes" in page.locator("#field-text").inner_text()
    page = show(report_page(analyze(networks.causal())))
    assert "positions" in page.locator("#field-text").inner_text()
    assert "T open (T = 128)" in page.inner_text("body")
    page = show(report_page(analyze(networks.two_inputs(), gradients=True)))
    assert page.locator("#field-controls select option").all_inner_texts() == ["image", "facts"]


# -- hostile, small, dark, printed ----------------------------------------------------------------
def test_hostile_names_stay_text(show: Opened) -> None:
    page = show(report_page(analyze(networks.hostile(), gradients=True)))
    assert page.locator("h1").inner_text() == "<b>bold</b>"
    names = page.locator("#table tbody tr[data-row] > th").all_inner_texts()
    assert names[1:4] == networks.HOSTILE[:3]
    page.click("#open-all")
    for row in page.locator("#table tbody tr[data-row]").all():
        row.click()
    assert page.locator("body i").count() == 0
    assert "bold" not in page.locator("b").all_inner_texts()
    assert page.locator("img, a[href^=javascript]").count() == 0


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nothing_is_wider_than_a_small_screen(show: Opened, unet: str, scheme: str) -> None:
    page = show(unet, viewport={"width": 400, "height": 800}, color_scheme=scheme)
    assert page.evaluate("document.documentElement.scrollWidth") <= 400
    background = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert (background == "rgb(255, 255, 255)") == (scheme == "light")
    page.click("#theme")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") != background


def test_everything_has_a_name(show: Opened, unet: str) -> None:
    """What a screen reader says of each control."""
    page = show(unet)
    nameless = page.evaluate(
        """[...document.querySelectorAll("button, input, select, [role=button], [role=img]")].filter(
          (e) => !(e.getAttribute("aria-label") || e.textContent.trim() || e.labels?.length)).length"""
    )
    assert nameless == 0
    assert page.locator("main").count() == page.locator("h1").count() == 1


def test_it_prints(show: Opened, unet: str) -> None:
    page = show(unet)
    assert len(page.pdf()) > 20_000


def test_efficientnet_shows_its_first_picture_soon(show: Opened) -> None:
    """Within 2 s of its thread's own time, whatever else the machine does; the rest of the page included."""
    page = show(report_page(analyze("keras:EfficientNetB7", gradients=True)), measured=True)
    metrics = page.measured.send("Performance.getMetrics")["metrics"]
    spent = {m["name"]: m["value"] for m in metrics}["TaskDuration"]
    assert 0.01 < spent < 2, f"{spent:.2f} s"


def test_thousands_of_layers(show: Opened) -> None:
    layers = [{"name": f"l{i}", "type": "ReLU"} for i in range(6000)]
    page = show(report_page(analyze(networks.spec({"x": [8, 8, 1]}, layers))))
    assert page.locator("#graph .node").count() <= 40
    assert page.locator("#table tbody tr[data-row]").count() < 100
    page.fill("#search", "l5999")
    page.press("#search", "Enter")
    assert page.locator("#graph .node.selected").count() == 1
    page.click("#open-all")
    assert page.locator("#graph .node").count() <= 1400


# -- two networks -----------------------------------------------------------------------------------
def test_two_networks_side_by_side(show: Opened) -> None:
    from archcalc.render.page.compare import diff_page
    from archcalc.review.diff.compare import diff

    graphs = [load("keras:VGG16"), load("keras:VGG19")]
    page = show(diff_page(diff(*graphs), graphs, {}))
    assert page.locator("#side0 .kind-removed").count() == 0
    inserted = page.locator("#side1 .layer.kind-inserted")
    assert inserted.count() == 3
    inserted.first.click()
    assert "in the other network: nothing" in page.locator("#chosen").inner_text()
    page.locator("#side1 .node[aria-label^='fc1,']").click()
    assert page.locator("#side0 .node.selected").get_attribute("aria-label").startswith("fc1,")
    assert page.locator("#changes tbody tr").count() == 3


def test_hostile_names_in_a_diff(show: Opened) -> None:
    from archcalc.render.page.compare import diff_page
    from archcalc.review.diff.compare import diff

    graphs = [networks.hostile(), networks.two_inputs()]
    page = show(diff_page(diff(*graphs), graphs, {}))
    page.click("#open-all")
    assert page.locator("img, body i").count() == 0
    assert page.locator("#side0 .kind-removed").count() > 0
