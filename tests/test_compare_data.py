"""Images from official files: real ones where they are at hand, and what is said of missing and wrong ones."""

from __future__ import annotations

import gzip
import http.server
import threading
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch

from annealing import ScheduleError
from annealing.compare import Images, data
from annealing.compare.data import SOURCES, File, load
from annealing.compare.problem import batches

FASHION = Path(__file__).parents[2] / "shared" / "data" / "fashion-mnist"
has_fashion = pytest.mark.skipif(not FASHION.is_dir(), reason="the files of Fashion-MNIST are not at hand")
MANY = "data_batch_1"


def cifar(directory: Path, name: str = "data_batch_1", labels: int = 1) -> np.ndarray:
    """10,000 records in the binary format of CIFAR, in the place where its archive puts them."""
    records = np.random.default_rng(0).integers(0, 256, (10_000, labels + 3072), dtype=np.uint8)
    records[:, :labels] %= 10
    folder = directory / ("cifar-10-batches-bin" if labels == 1 else "cifar-100-binary")
    folder.mkdir(exist_ok=True)
    (folder / f"{name}.bin").write_bytes(records.tobytes())
    return records


@has_fashion
def test_fashion_mnist_is_read_from_its_official_files():
    images, classes = load("fashion-mnist", ["t10k"], FASHION)
    assert images.shape == (10_000, 1, 28, 28)
    assert np.bincount(classes).tolist() == [1000] * 10
    with gzip.open(FASHION / "t10k-images-idx3-ubyte.gz") as file:  # 16 bytes of header, then the pixels
        assert file.read()[16:] == images.tobytes()


@has_fashion
def test_files_are_downloaded_once_with_their_hashes_checked(tmp_path, monkeypatch):
    asked = []

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *args):
            asked.append(self.path)

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(FASHION)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    right = SOURCES["fashion-mnist"].files[3]
    url = f"http://127.0.0.1:{server.server_port}"
    try:
        for _ in range(2):
            path = data.cached("fashion-mnist", File(right.name, right.known, url))
            assert path.read_bytes() == (FASHION / right.name).read_bytes()
        assert asked == [f"/{right.name}"]
        with pytest.raises(
            ScheduleError, match=f"{right.name} could not be downloaded to .*Get {right.name} .md5:0000"
        ):
            data.cached("other", File(right.name, "md5:" + "0" * 32, url))
    finally:
        server.shutdown()
        server.server_close()


def test_cifars_records_are_a_class_and_three_planes(tmp_path):
    records = cifar(tmp_path)
    images, classes = load("cifar10", [MANY], tmp_path)
    assert classes.tolist() == records[:, 0].tolist()
    assert images[7, 2, 31, 5] == records[7, 1 + 2 * 1024 + 31 * 32 + 5]


def test_cifar_100_has_two_classes_a_record_of_which_the_fine_one_counts(tmp_path):
    records = cifar(tmp_path, "test", labels=2)
    images, classes = load("cifar100", ["test"], tmp_path)
    assert classes.tolist() == records[:, 1].tolist()
    assert images[3, 0, 0, 0] == records[3, 2]


def test_what_is_missing_is_named_with_its_hash_and_where_to_get_it(tmp_path):
    said = r"cifar-10-binary.tar.gz .* cannot be read.*md5:c32a1d4ab5d03f1284b67883e8d87530.*https://www.cs.toronto"
    with pytest.raises(ScheduleError, match=said):
        load("cifar10", [MANY], tmp_path)
    with pytest.raises(ScheduleError, match=r"t10k-images.*cannot be read.*md5:bef4ecab320f06d8554ea6380940ec79"):
        load("fashion-mnist", ["t10k"], tmp_path)


def test_the_pickled_version_is_refused_by_name(tmp_path):
    (tmp_path / "cifar-10-batches-py").mkdir()
    with pytest.raises(ScheduleError, match=r"cifar-10-batches-py is the Python version, a pickle"):
        load("cifar10", [MANY], tmp_path)


def test_a_wrong_file_is_named(tmp_path):
    cifar(tmp_path, "data_batch_4")
    with pytest.raises(ScheduleError, match=r"data_batch_4.bin must have the hash sha256:014e562d"):
        load("cifar10", ["data_batch_4"], tmp_path)
    path = tmp_path / "cifar-10-batches-bin" / "data_batch_1.bin"
    path.write_bytes(b"\x01" * 3073)
    with pytest.raises(ScheduleError, match=r"data_batch_1.bin must have 30,730,000 bytes .*, it has 3,073"):
        load("cifar10", [MANY], tmp_path)
    path.write_bytes(b"\x0b" * 30_730_000)
    with pytest.raises(ScheduleError, match="holds a class of 11, the classes are 0 to 9"):
        load("cifar10", [MANY], tmp_path)
    (tmp_path / "cifar-10-binary.tar.gz").write_bytes(b"no archive")
    with pytest.raises(ScheduleError, match=r"cifar-10-binary.tar.gz has another hash, md5:"):
        load("cifar10", ["data_batch_2"], tmp_path)


def test_half_the_side_is_the_exact_mean_of_four(tmp_path, monkeypatch):
    records = cifar(tmp_path)
    monkeypatch.setattr("annealing.compare.data.SOURCES", SOURCES)
    half = Images("cifar10", train=("data_batch_1",), size=16, crop=0, flip=False)
    from annealing.compare.data import Pictures
    from annealing.compare.problem import Problem

    images = records[:20, 1:].reshape(20, 3, 32, 32)
    pictures = Pictures(images, records[:20, 0].astype(np.int64))
    problem = Problem(half, pictures, pictures)
    whole = images.astype(np.float64) / 255
    mean = (whole[..., ::2, ::2] + whole[..., 1::2, ::2] + whole[..., ::2, 1::2] + whole[..., 1::2, 1::2]) / 4
    wanted = torch.from_numpy(mean - mean.mean(axis=0))
    assert torch.allclose(problem.normal(problem.images).double(), wanted, atol=1e-7)  # float32


def test_a_doubled_epoch_holds_every_image_and_its_mirror_image():
    from annealing.compare.problem import problem

    doubled = problem(Images("digits", crop=0, flip=True, epoch_images=2400), None, "cpu")
    images = torch.cat([batch for batch, _ in batches(doubled, 0, 0, 2400)])
    given = doubled.normal(doubled.images)
    wanted = torch.cat([given, given.flip(-1)])

    def ordered(x: torch.Tensor) -> np.ndarray:
        return np.unique(x.reshape(len(x), -1).numpy(), axis=0, return_counts=True)

    for one, other in zip(ordered(images), ordered(wanted), strict=True):
        np.testing.assert_array_equal(one, other)
