"""The table of the page's texts: whole, and no text of the page left out."""

from __future__ import annotations

import json
import re
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from colorizer.ui.painter import SWATCHES
from colorizer.ui.texts import LANGUAGES, texts

# Names of formats, networks, models and data sets, and what a form holds, are the same in every language.
_NAMES = re.compile(
    r"PNG|JPEG|png|jpg|webp|tif|same|bundled|the classifier|Imagenette|skip_fusion|fusion|classification|regression|"
    r"(tf_)?[a-z]+net_\w+|inception_resnet_v2|colorizer/.*|/.*|PSNR|SSIM|CIEDE2000|AuC|Top-1|(# )?Colorizer|LPIPS|FID"
)
_OF_MEASURING = ("What they mean", "ab error", "% of pixels", "a, green to red", "b, blue to yellow")


def test_every_text_is_there_in_every_language() -> None:
    assert len(texts()) > 200
    for english, others in texts().items():
        assert len(others) == len(LANGUAGES), english
        for other in others:
            assert other.strip(), english
            assert other.count("{}") == english.count("{}"), english
            assert re.findall(r"</?strong>", other) == re.findall(r"</?strong>", english), english


def _known(text: str) -> bool:
    return text in texts() or any(
        re.fullmatch(".+?".join(map(re.escape, pattern.split("{}"))), text) for pattern in texts() if "{}" in pattern
    )


@pytest.mark.slow
def test_no_text_of_the_layout_is_left_out(app: tuple[str, Path]) -> None:
    missing: list[str] = []

    def look(text: Any) -> None:
        for line in str(text or "").splitlines():
            if re.search("[A-Za-z]{2}", line) and not _NAMES.fullmatch(line) and not _known(line):
                missing.append(line)

    with urllib.request.urlopen(f"{app[0]}/config") as answer:
        components = json.load(answer)["components"]
    for component in components:
        props, kind = component["props"], component["type"]
        if kind in ("nativeplot", "state", "json", "browserstate") or (
            props.get("visible") is False and kind not in ("button", "column")
        ):
            continue
        for name in ("label", "info", "placeholder"):
            if not (name == "label" and kind in ("image", "imageslider", "html") and not props.get("show_label", True)):
                look(props.get(name))
        if kind in ("markdown", "button"):
            look(props.get("value"))
        for choice in props.get("choices") or []:
            look(choice[0])
    for group, swatches in SWATCHES.items():
        for text in (group, *swatches):
            look(text)
    measures = [line for line in missing if line.startswith("- **")]  # what each metric is: in the words of its paper
    assert sorted(set(missing) - set(measures)) == []
