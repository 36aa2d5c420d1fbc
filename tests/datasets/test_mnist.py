import functools
import gzip
import hashlib
import http.server
import importlib
import pickle
import struct
import threading

import numpy as np
import pytest

from croton.datasets import mnist

module = importlib.import_module("croton.datasets.mnist")  # `croton.datasets.mnist` itself is the function
IMAGES, LABELS, TEST_IMAGES, TEST_LABELS = module.CHECKSUMS


def idx(array):
    return bytes([0, 0, 8, array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape) + array.tobytes()


@pytest.fixture(scope="module")
def arrays():
    """Images that tell where they stand: the label is i % 10, and the first two pixels hold i."""
    made = {}
    for (images, labels), n in (((IMAGES, LABELS), 60_000), ((TEST_IMAGES, TEST_LABELS), 10_000)):
        i = np.arange(n)
        made[images] = np.zeros((n, 28, 28), np.uint8)
        made[images][:, 0, 0], made[images][:, 0, 1] = i // 256, i % 256
        made[images][:, 27, 27] = 255
        made[labels] = (i % 10).astype(np.uint8)
    return made


@pytest.fixture(scope="module")
def contents(arrays):
    return {name: idx(array) for name, array in arrays.items()}


@pytest.fixture
def offline(monkeypatch):
    monkeypatch.setattr(module, "URL", "http://127.0.0.1:9/")  # the discard port: nobody listens


def write(folder, contents, form="{}"):
    for name, content in contents.items():
        data = gzip.compress(content, 1) if form.endswith(".gz") else content
        (folder / form.format(name)).write_bytes(data)


def check(parts):
    starts = (0, 50_000, 0)
    for (x, y), n, start in zip(parts, (50_000, 10_000, 10_000), starts, strict=True):
        assert x.shape == (n, 784) and x.dtype == np.float32
        assert y.shape == (n,) and y.dtype == np.int32
        np.testing.assert_array_equal(x[:, 0] * 65536 + x[:, 1] * 256, np.arange(start, start + n))
        np.testing.assert_array_equal(y, np.arange(start, start + n) % 10)
        assert (x[:, -1] == 255 / 256).all()
        assert not x[:, 2:-1].any()


@pytest.mark.parametrize("form", ["{}", "{}.gz"])
def test_idx_files_split_and_scaled(tmp_path, contents, offline, form):
    write(tmp_path, contents, form)
    check(mnist(tmp_path))


def test_names_with_a_dot(tmp_path, contents, offline):
    write(tmp_path, {name.replace("-idx", ".idx"): content for name, content in contents.items()})
    check(mnist(str(tmp_path)))


def test_a_folder_that_is_none(tmp_path):
    with pytest.raises(NotADirectoryError, match=r"data_dir: .*absent is no folder"):
        mnist(tmp_path / "absent")
    assert not (tmp_path / "absent").exists()


def test_a_missing_file_without_a_network(tmp_path, contents, offline):
    write(tmp_path, {name: contents[name] for name in (IMAGES, LABELS, TEST_LABELS)})
    with pytest.raises(FileNotFoundError) as caught:
        mnist(tmp_path)
    message = str(caught.value)
    assert f"{TEST_IMAGES}.gz" in message
    assert str(tmp_path) in message
    assert f"http://127.0.0.1:9/{TEST_IMAGES}.gz" in message
    assert IMAGES not in message
    assert {path.name for path in tmp_path.iterdir()} == {IMAGES, LABELS, TEST_LABELS}


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, format, *args):
        self.server.asked.append(self.path)


@pytest.fixture
def mirror(tmp_path_factory, monkeypatch, contents):
    """A server of the four files, and their checksums in place of the published ones; yields what was asked of it."""
    folder = tmp_path_factory.mktemp("mirror")
    write(folder, contents, "{}.gz")
    checksums = {name: hashlib.sha256((folder / f"{name}.gz").read_bytes()).hexdigest() for name in contents}
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=folder))
    server.asked = []
    server.folder = folder
    threading.Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setattr(module, "URL", f"http://127.0.0.1:{server.server_port}/")
    monkeypatch.setattr(module, "CHECKSUMS", checksums)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    yield server
    server.shutdown()
    server.server_close()


def test_missing_files_are_fetched_into_the_cache_once(tmp_path, monkeypatch, mirror):
    monkeypatch.setattr(module, "cache_folder", lambda: tmp_path / "cache" / "mnist")
    check(mnist())
    assert sorted(mirror.asked) == sorted(f"/{name}.gz" for name in module.CHECKSUMS)
    check(mnist())
    assert len(mirror.asked) == 4


def test_only_what_is_missing_is_fetched(tmp_path, contents, mirror):
    write(tmp_path, {name: contents[name] for name in (IMAGES, LABELS, TEST_IMAGES)})
    check(mnist(tmp_path))
    assert mirror.asked == [f"/{TEST_LABELS}.gz"]


def test_a_file_with_another_checksum_is_not_kept(tmp_path, contents, mirror):
    write(tmp_path, {name: contents[name] for name in (IMAGES, LABELS, TEST_IMAGES)})
    (mirror.folder / f"{TEST_LABELS}.gz").write_bytes(b"something else")
    with pytest.raises(ValueError, match=rf"{TEST_LABELS}\.gz sent is not the published file: expected SHA-256 \w+;"):
        mnist(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {IMAGES, LABELS, TEST_IMAGES}


@pytest.mark.parametrize(
    ("name", "array", "message"),
    [
        (IMAGES, np.zeros((3, 28, 28), np.uint8), r"expected uint8 of shape \(60000, 28, 28\), found .*\(3, 28"),
        (TEST_IMAGES, np.zeros((10_000, 784), np.uint8), r"expected .*\(10000, 28, 28\), found .*\(10000, 784\)"),
        (LABELS, np.zeros((60_000, 28, 28), np.uint8), r"expected uint8 of shape \(60000,\)"),
        (TEST_LABELS, np.full(10_000, 10, np.uint8), "expected labels 0 to 9, found 10 to 10"),
    ],
)
def test_a_file_that_is_not_mnists(tmp_path, contents, offline, name, array, message):
    write(tmp_path, contents | {name: idx(array)})
    with pytest.raises(ValueError, match=f"^{tmp_path / name}: {message}"):
        mnist(tmp_path)


@pytest.fixture(scope="module")
def triples(arrays):
    """The pickle's content; half precision holds these pixels exactly and saves time."""
    x, test_x = ((arrays[name].reshape(-1, 784) / np.float32(256)).astype(np.float16) for name in (IMAGES, TEST_IMAGES))
    y, test_y = (arrays[name].astype(np.int64) for name in (LABELS, TEST_LABELS))
    return [(x[:50_000], y[:50_000]), (x[50_000:], y[50_000:]), (test_x, test_y)]


def write_pickle(folder, content, squeeze=lambda data: data):
    (folder / "mnist.pkl.gz").write_bytes(squeeze(pickle.dumps(content, protocol=4)))


def test_the_pickle(tmp_path, triples, offline):
    write_pickle(tmp_path, triples, lambda data: gzip.compress(data, 1))
    check(mnist(tmp_path))


def test_idx_files_go_before_the_pickle(tmp_path, contents, offline):
    write(tmp_path, contents)
    (tmp_path / "mnist.pkl.gz").write_bytes(b"not read")
    check(mnist(tmp_path))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda parts: parts[:2], "expected three .x, y. pairs, found a list of 2"),
        (lambda parts: np.zeros(3), r"expected three .x, y. pairs, found float64 of shape \(3,\)"),
        (lambda parts: 5, "expected three .x, y. pairs, found a int"),
        (lambda parts: parts[::-1], r"expected x of floats of shape \(50000, 784\) .*, found .*\(1, 784"),
        (
            lambda parts: [(x * np.float16(256), y) for x, y in parts],
            r"expected pixels divided by 256, in .*, found 0.0 to 255.0",
        ),
        (lambda parts: [(x, y - 1) for x, y in parts], "expected labels 0 to 9, found -1 to 8"),
        (lambda parts: threading.active_count, "asks for threading.active_count, and only NumPy arrays are admitted"),
    ],
)
def test_a_pickle_of_something_else(tmp_path, triples, offline, change, message):
    small = (np.zeros((1, 784), np.float32), np.zeros(1, int))  # never reached: the training pair is checked first
    write_pickle(tmp_path, change([triples[0], small, small]))
    with pytest.raises(ValueError, match=f"^{tmp_path / 'mnist.pkl.gz'}: .*{message}"):
        mnist(tmp_path)


def test_a_damaged_pickle(tmp_path, triples, offline):
    path = tmp_path / "mnist.pkl.gz"
    path.write_bytes(gzip.compress(b"\x80\x04not a pickle"))
    with pytest.raises(ValueError, match=f"^{path}: cannot be read as a pickle of arrays"):
        mnist(tmp_path)


def test_the_cache_folder_is_the_users(monkeypatch, tmp_path):
    assert module.cache_folder().parts[-2:] == ("croton", "mnist")


def test_the_real_files(mnist_dir):
    """The published figures of MNIST: labels, counts of digits, mean and greatest pixel."""
    train, valid, test = mnist(mnist_dir)
    assert train[1][:10].tolist() == [5, 0, 4, 1, 9, 2, 1, 3, 1, 4]
    assert test[1][:10].tolist() == [7, 2, 1, 0, 4, 1, 4, 9, 5, 9]
    both = np.concatenate([train[1], valid[1]])
    assert np.bincount(both).tolist() == [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]
    assert np.bincount(test[1]).tolist() == [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]
    pixels = np.concatenate([train[0], valid[0]])
    assert pixels.max() == 255 / 256
    assert abs(pixels.mean(dtype=np.float64) * 256 / 255 - 0.1307) < 5e-5
