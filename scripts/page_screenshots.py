"""Pictures of pages, to be looked at: `python -m scripts.page_screenshots FOLDER [--only resnet50]`.

Seven networks at two widths, light and dark: whole pages, and with --view the first screen alone.
"""

from __future__ import annotations

import argparse
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from playwright.sync_api import sync_playwright

from archcalc.analyze import analyze
from archcalc.render.page.report import report_page
from tests.render.page import networks

EXAMPLES = Path(__file__).parents[1] / "examples"
NETWORKS: dict[str, Callable[[], Any]] = {
    "resnet50": lambda: "keras:ResNet50",
    "unet": lambda: EXAMPLES / "unet.json",
    "inception_resnet_a": lambda: EXAMPLES / "inception_resnet_a.json",
    "efficientnetb7": lambda: "keras:EfficientNetB7",
    "mlp": networks.mlp,
    "causal": networks.causal,
    "two_inputs": networks.two_inputs,
}
WIDTHS, SCHEMES = (1400, 400), ("light", "dark")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--only", choices=NETWORKS, action="append")
    parser.add_argument("--view", action="store_true")
    asked = parser.parse_args()
    asked.folder.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        for name in asked.only or NETWORKS:
            page_file = asked.folder / f"{name}.html"
            page_file.write_text(report_page(analyze(NETWORKS[name](), gradients=True)), encoding="utf-8")
            for width in WIDTHS:
                for scheme in SCHEMES:
                    context = browser.new_context(
                        viewport={"width": width, "height": 1000}, color_scheme=scheme
                    )
                    page = context.new_page()
                    page.goto(page_file.resolve().as_uri())
                    page.wait_for_selector("body.complete")
                    picture = asked.folder / f"{name}-{width}-{scheme}.png"
                    page.screenshot(path=picture, full_page=not asked.view)
                    print(picture, page.evaluate("document.documentElement.scrollWidth"), "pixels wide")
                    context.close()
        browser.close()


if __name__ == "__main__":
    main()
