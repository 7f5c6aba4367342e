"""Published networks: their files' layout, read strictly, and what they compute, layer by layer."""

from __future__ import annotations

import http.server
import re
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

from colorizer import UserError
from colorizer.color.lab import AB_SCALE
from colorizer.model import published
from colorizer.model.checkpoints import find_checkpoint, load_checkpoint, save_checkpoint
from colorizer.model.foreign import converted
from colorizer.model.networks import NETWORKS, TRAINABLE, NetworkConfig, build_network
from colorizer.model.published import PUBLISHED, fetch_published, find_published, needs, parameters

from . import published_layout as layout

SHAPES: dict[str, Callable[[], layout.Shapes]] = {
    "ddcolor-tiny": lambda: layout.ddcolor_shapes("tiny"),
    "siggraph17": layout.siggraph17_shapes,
    "eccv16": layout.eccv16_shapes,
}


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Random weights in the published form of each, as PyTorch files."""
    folder, paths = tmp_path_factory.mktemp("published"), {}
    for name, shapes in SHAPES.items():
        paths[name] = folder / f"{name}.pth"
        torch.save(layout.random_tensors(shapes()), paths[name])
    return paths


def _outputs(network: torch.nn.Module, parts: dict[str, str], *inputs: Tensor | None) -> dict[str, Tensor]:
    """What the modules of a network give, by the names of the plain computation; ab in Lab units."""
    found: dict[str, Tensor] = {}
    for plain, ours in parts.items():
        network.get_submodule(ours).register_forward_hook(lambda _m, _i, out, plain=plain: found.update({plain: out}))
    with torch.no_grad():
        found["ab"] = AB_SCALE * network(*inputs)
    return found


def _agree(found: dict[str, Tensor], plain: Iterator[tuple[str, Tensor]], within: float) -> None:
    compared = 0
    for name, expected in plain:
        assert found[name].shape == expected.shape, name
        scale = float(expected.abs().mean())
        assert scale > 1e-3, f"{name} is nothing"
        assert abs(float(found[name].mean() - expected.mean())) < within * max(scale, 1), name
        assert float((found[name] - expected).abs().max()) < 10 * within * max(scale, 1), name
        compared += 1
    assert compared == len(found)


def _lightness() -> Tensor:
    """(1, 1, 64, 96) L in [0, 100]."""
    ramp = torch.linspace(0, 100, 96).expand(64, 96)
    return (0.7 * ramp + 30 * torch.rand(64, 96, generator=torch.Generator().manual_seed(1)))[None, None]


def test_ddcolor_computes_what_its_formulas_say(files: dict[str, Path]) -> None:
    network, light = load_checkpoint(files["ddcolor-tiny"]).network, _lightness()
    parts = {f"stage {k}": f"stages.{k}" for k in range(4)} | {f"climb {k}": f"climb.{k}" for k in range(3)}
    found = _outputs(network, parts | {"colors": "colors"}, light / 50 - 1)
    with torch.no_grad():
        _agree(found, layout.ddcolor(torch.load(files["ddcolor-tiny"]), light), 1e-4)


def test_eccv16_computes_what_its_formulas_say(files: dict[str, Path]) -> None:
    network, light = load_checkpoint(files["eccv16"]).network, _lightness()
    found = _outputs(network, {f"model{k}": f"model{k}" for k in range(1, 9)}, light / 50 - 1)
    with torch.no_grad():
        _agree(found, layout.eccv16(torch.load(files["eccv16"]), light), 1e-4)


@pytest.mark.parametrize("hinted", [False, True])
def test_siggraph17_computes_what_its_formulas_say(files: dict[str, Path], hinted: bool) -> None:
    network, light = load_checkpoint(files["siggraph17"]).network, _lightness()
    hints = torch.zeros(1, 3, 64, 96)
    if hinted:
        hints[0, :, 20:26, 30:40] = torch.tensor([50.0, -30.0, 1.0])[:, None, None]
    ours = torch.cat([hints[:, :2] / AB_SCALE, hints[:, 2:]], 1) if hinted else None
    found = _outputs(network, {f"model{k}": f"model{k}" for k in range(1, 11)}, light / 50 - 1, None, ours)
    with torch.no_grad():
        _agree(found, layout.siggraph17(torch.load(files["siggraph17"]), light, hints), 1e-4)


def test_the_large_ddcolor_has_its_published_size() -> None:
    """227.9 million parameters (Kang et al. 2023, table 1, and 55.0 of the tiny one); the layout's shapes are ours."""
    assert round(parameters(PUBLISHED["ddcolor"].config) / 1e6, 1) == 227.9
    assert round(parameters(PUBLISHED["ddcolor-tiny"].config) / 1e6, 1) == 55.0
    with torch.device("meta"):
        wanted = sorted(tuple(v.shape) for v in build_network(PUBLISHED["ddcolor"].config).state_dict().values())
    unread = ("mean", "std", "encoder.arch.norm.weight", "encoder.arch.norm.bias")  # by what colors
    there = {k: v for k, v in layout.ddcolor_shapes("large").items() if k not in unread}
    assert sorted(v for k, v in there.items() if not k.endswith(("weight_u", "weight_v"))) == wanted


def _complaint(tensors: layout.Tensors) -> str:
    """What is said of them. (An error that pytest keeps would keep the tensors, too.)"""
    try:
        converted(tensors, Path("weights.pth"))
    except UserError as error:
        return str(error)
    return ""


@pytest.mark.parametrize("name", SHAPES)
def test_nothing_may_be_missing_or_left_over(name: str, files: dict[str, Path]) -> None:
    tensors: layout.Tensors = torch.load(files[name])
    recognized_by = (
        "decoder.color_decoder.query_feat.weight", "encoder.arch.downsample_layers.0.0.weight", "model10.1.weight",
        "model_out.weight", "model8.6.weight",
    )  # fmt: skip
    constants = ("mean", "std")  # not in all files
    assert _complaint(tensors) == ""
    assert _complaint({k: v for k, v in tensors.items() if k not in constants}) == ""
    for key in [k for k in tensors if k not in (*recognized_by, *constants) and "num_batches" not in k][::19]:
        without = _complaint({k: v for k, v in tensors.items() if k != key})
        half = _complaint(tensors | {key: tensors[key][: len(tensors[key]) // 2]})
        for said in (without, half):
            assert re.search(r"looks like .* (is missing|is left over|has the shape)", said), key
            assert "\n" not in said
    assert "something.weight is left over" in _complaint(tensors | {"something.weight": torch.zeros(3)})
    assert "no network that is known here" in _complaint({"some.weight": torch.zeros(3)})


def test_each_form_of_file_is_read_the_same(files: dict[str, Path], tmp_path: Path) -> None:
    tensors = torch.load(files["eccv16"])
    expected = load_checkpoint(files["eccv16"]).network.state_dict()
    torch.save({"params": tensors, "iter": 4}, tmp_path / "wrapped.pt")
    torch.save({f"module.{k}": v for k, v in tensors.items()}, tmp_path / "parallel.bin")
    torch.save({k: v for k, v in tensors.items() if "num_batches" not in k}, tmp_path / "older.pth")
    torch.save(tensors, tmp_path / "legacy.pth", _use_new_zipfile_serialization=False)
    save_file(tensors, tmp_path / "plain.safetensors")
    folder = tmp_path / "downloaded"
    folder.mkdir()
    torch.save(tensors, folder / "pytorch_model.bin")
    for path in (*sorted(p for p in tmp_path.iterdir() if p.is_file()), folder):
        state = load_checkpoint(path).network.state_dict()
        assert all(v.equal(state[k]) for k, v in expected.items() if "num_batches" not in k), path


@pytest.mark.parametrize("name", SHAPES)
def test_it_becomes_a_checkpoint_of_ours(name: str, files: dict[str, Path], tmp_path: Path) -> None:
    checkpoint = load_checkpoint(files[name])
    assert checkpoint.config == PUBLISHED[name].config
    assert (
        checkpoint.credit
        == f"{checkpoint.config.network}, {checkpoint.config.spec.source}, {checkpoint.config.spec.license}"
    )
    save_checkpoint(checkpoint, tmp_path / "ours.safetensors")
    again = load_checkpoint(tmp_path / "ours.safetensors")
    assert again.config == checkpoint.config
    x = torch.rand(1, 1, 64, 64) * 2 - 1
    with torch.no_grad():
        assert again.network(x).equal(checkpoint.network(x))


def test_damaged_files_are_one_sentence(files: dict[str, Path], tmp_path: Path) -> None:
    class Evil:
        def __reduce__(self) -> tuple[Callable[..., object], tuple[str]]:
            return print, ("unpickled",)

    whole = files["eccv16"].read_bytes()
    (tmp_path / "half.pth").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "empty.bin").touch()
    (tmp_path / "text.pth").write_text("<html>404</html>")
    torch.save({"model_out.weight": Evil()}, tmp_path / "evil.pth")
    torch.save([1, 2, 3], tmp_path / "list.pt")
    for path in sorted(tmp_path.iterdir()):
        with pytest.raises(UserError, match="is not a file of weights, or it is damaged") as error:
            load_checkpoint(path)
        assert "\n" not in str(error.value), path


def test_what_it_takes_is_said_before_the_download() -> None:
    assert needs("ddcolor").startswith("228 million parameters, a download of 911 MB")
    assert all(p.times > 1 for p in PUBLISHED.values())
    assert all(p.spec.license and p.spec.source.startswith("https://") for p in PUBLISHED.values())
    assert not set(TRAINABLE) & {p.config.network for p in PUBLISHED.values()}
    assert all(spec.square for name, spec in NETWORKS.items() if name not in TRAINABLE)


@pytest.fixture
def server(files: dict[str, Path]) -> Iterator[str]:
    """An address under which the file of eccv16 lies."""
    content = files["eccv16"].read_bytes()

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content[:-9] if "short" in self.path else content)

        def log_message(self, *args: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as httpd:
        threading.Thread(target=httpd.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{httpd.server_port}"
        httpd.shutdown()


def test_a_file_is_fetched_once_and_checked(
    server: str, files: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import hashlib

    monkeypatch.setenv("COLORIZER_CACHE", str(tmp_path))
    digest = hashlib.sha256(files["eccv16"].read_bytes()).hexdigest()

    def entry(address: str, sha256: str) -> None:
        monkeypatch.setattr(
            published, "PUBLISHED", {"eccv16": replace(PUBLISHED["eccv16"], address=address, sha256=sha256)}
        )

    for address, sha256, words in (
        ("http://127.0.0.1:9/eccv16.pth", digest, "Connect this computer to the internet"),
        (f"{server}/eccv16.pth", "0" * 64, "what came is another file"),
        (f"{server}/short/eccv16.pth", digest, "could not be downloaded"),
    ):
        entry(address, sha256)
        with pytest.raises(UserError, match=words) as error:
            fetch_published("eccv16")
        assert "\n" not in str(error.value)
        assert find_published("eccv16") is None
        assert not [p for p in tmp_path.rglob("*") if p.is_file()], "nothing half is left"
    entry(f"{server}/eccv16.pth", digest)
    fetched = fetch_published("eccv16")
    assert fetched.read_bytes() == files["eccv16"].read_bytes()
    entry("http://127.0.0.1:9/eccv16.pth", digest)
    assert fetch_published("eccv16") == fetched, "without a connection"
    assert published.bytes_there("eccv16") == len(fetched.read_bytes())


def test_names_are_told_apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, files: dict[str, Path]) -> None:
    with pytest.raises(UserError, match=re.escape("bundled, ddcolor, ddcolor-artistic")):
        find_checkpoint("no such thing")
    with pytest.raises(UserError, match="feature extractor"):
        NetworkConfig("fusion", "regression", "")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "eccv16").write_bytes(files["eccv16"].read_bytes())
    assert find_checkpoint("eccv16") == Path("eccv16"), "a file of that name comes first"
