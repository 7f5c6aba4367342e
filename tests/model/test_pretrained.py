"""Feature extractors: from a file, from the Hub (a stand-in on this machine), and from nowhere."""

from __future__ import annotations

import hashlib
import http.server
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import timm
import torch
from safetensors.torch import save_file
from timm.data import ImageNetInfo

from colorizer.color.lab import lightness
from colorizer.data.crops import crop
from colorizer.data.embeddings import picture_lightness
from colorizer.errors import UserError
from colorizer.model.backbones import BACKBONES
from colorizer.model.pretrained import build_backbone, load_extractor
from colorizer.pictures.reading import find_pictures, read_picture

from ..conftest import EXAMPLES, ROOT, SHARED, hub_environment, needs_shared

TABBY_TO_EGYPTIAN, ESPRESSO = range(281, 286), 967


@pytest.fixture(scope="module")
def inception_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Random weights of Inception-ResNet-v2 in a file of the published form."""
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("weights") / "model.safetensors"
    save_file(build_backbone("inception_resnet_v2").state_dict(), path)
    return path


@pytest.fixture(scope="module")
def hub(inception_file: Path) -> Iterator[str]:
    """A stand-in for the Hugging Face Hub that serves that one file; gives its address."""
    size = inception_file.stat().st_size
    etag = hashlib.sha256(inception_file.read_bytes()).hexdigest()

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_HEAD(self) -> None:
            self._answer(body=False)

        def do_GET(self) -> None:
            self._answer(body=True)

        def _answer(self, body: bool) -> None:
            found = self.path.startswith("/timm/inception_resnet_v2") and self.path.endswith("/model.safetensors")
            self.send_response(200 if found else 404)
            self.send_header("Content-Length", str(size if found else 0))
            if found:
                self.send_header("ETag", f'"{etag}"')
                self.send_header("X-Repo-Commit", "0" * 40)
            else:
                self.send_header("X-Error-Code", "EntryNotFound")
            self.end_headers()
            if body and found:
                self.wfile.write(inception_file.read_bytes())

        def log_message(self, *args: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def _load_elsewhere(home: Path, endpoint: str) -> subprocess.CompletedProcess[str]:
    """Load Inception-ResNet-v2 in a new process: huggingface_hub reads its settings when it is imported."""
    code = (
        "import time; time.sleep = lambda seconds: None\n"  # the Hub's library waits between its tries
        "from colorizer.model.pretrained import load_extractor; from colorizer import UserError\n"
        "try: print('fingerprint', load_extractor('inception_resnet_v2').fingerprint())\n"
        "except UserError as e: print('error', e)"
    )
    environment = hub_environment(endpoint, home)
    return subprocess.run(
        [sys.executable, "-c", code], env=environment, cwd=ROOT, capture_output=True, text=True, timeout=300
    )


def test_inception_from_a_file(inception_file: Path) -> None:
    extractor = load_extractor("inception_resnet_v2", inception_file)
    assert extractor.size == 299
    with torch.no_grad():
        lightness = torch.rand(1, 1, 320, 240) * 100
        embedding = extractor(lightness)
        assert embedding.shape == (1, 1000)
        # The same by hand: gray stacked to three channels in [-1, 1], through timm's model in eval mode.
        model = timm.create_model("inception_resnet_v2", checkpoint_path=str(inception_file)).eval()
        small = torch.nn.functional.interpolate(lightness, (299, 299), mode="bilinear", antialias=True)
        assert torch.allclose(embedding, model((small / 50 - 1).expand(-1, 3, -1, -1)), atol=1e-4)


@pytest.mark.slow
def test_inception_from_the_hub(hub: str, inception_file: Path, tmp_path: Path) -> None:
    loaded = _load_elsewhere(tmp_path, hub)
    expected = load_extractor("inception_resnet_v2", inception_file).fingerprint()
    assert loaded.stdout.strip() == f"fingerprint {expected}", loaded.stderr


@pytest.mark.slow
def test_inception_from_nowhere_names_both_ways_out(tmp_path: Path) -> None:
    failed = _load_elsewhere(tmp_path, "http://127.0.0.1:9")  # the discard port: nobody answers
    assert failed.stdout.startswith("error "), failed.stderr
    assert "internet" in failed.stdout
    assert "--features-weights" in failed.stdout


def test_a_wrong_file_is_one_sentence(tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.pth"
    torch.save({"a": torch.zeros(3)}, wrong)
    with pytest.raises(UserError, match="does not hold the weights"):
        load_extractor("tf_efficientnet_lite0", wrong)
    wrong.write_bytes(b"no weights at all")
    with pytest.raises(UserError, match="does not hold the weights"):
        load_extractor("tf_efficientnet_lite0", wrong)
    with pytest.raises(UserError, match="There is no file"):
        load_extractor("tf_efficientnet_lite0", tmp_path / "none.pth")


def test_always_eval_and_frozen() -> None:
    extractor = load_extractor("tf_efficientnet_lite0")
    extractor.train()
    assert not any(m.training for m in extractor.modules())
    assert not any(p.requires_grad for p in extractor.parameters())
    before = extractor.fingerprint()
    extractor(torch.rand(2, 1, 224, 224) * 100)
    assert extractor.fingerprint() == before
    with torch.no_grad():
        extractor.backbone.classifier.bias[0] += 1
    assert extractor.fingerprint() != before


def test_the_registry() -> None:
    assert {name: spec.size for name, spec in BACKBONES.items()} == {
        "inception_resnet_v2": 299, "tf_efficientnet_lite0": 224, "tf_efficientnet_lite1": 240,
        "tf_efficientnet_lite2": 260,
    }  # fmt: skip


def test_pretrained_weights_recognize_gray_pictures() -> None:
    extractor = load_extractor("tf_efficientnet_lite0")
    top = {
        name: int(extractor(picture_lightness((EXAMPLES / "color" / f"{name}.jpg").read_bytes(), 224)[None]).argmax())
        for name in ("chelsea", "coffee")
    }
    assert top["chelsea"] in TABBY_TO_EGYPTIAN
    assert top["coffee"] == ESPRESSO


@needs_shared
def test_top_1_on_gray_photographs() -> None:
    """60% of the gray test photographs, their middle cut out as usual for classifiers; chance is 0.1%."""
    folder = SHARED / "photos/test/imagenet-sample"
    index = {wnid: k for k, wnid in enumerate(ImageNetInfo().label_names())}
    extractor = load_extractor("tf_efficientnet_lite0")
    hits = []
    for path in find_pictures(folder):
        gray = torch.from_numpy(lightness(crop(read_picture(path).rgb, 224, None)))
        hits.append(int(extractor(gray[None, None]).argmax()) == index[path.name.split("_")[0]])
    assert len(hits) == 181
    assert np.mean(hits) > 0.55
