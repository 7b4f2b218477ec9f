"""Downloads against a local server: mirrors, checksums, broken transfers, full disks, several at once."""

from __future__ import annotations

import errno
import hashlib
import io
import os
import pickle
import shutil
import subprocess
import sys
import tarfile
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torchvision

from cnn_demo.datasets import download as download_module
from cnn_demo.datasets.download import DatasetUnavailable, DownloadProgress
from cnn_demo.datasets.files import IDX_FILES, is_available
from cnn_demo.datasets.load import load_dataset

IMAGES = "train-images-idx3-ubyte.gz"
REPOSITORY = Path(__file__).resolve().parents[3]


def check(data: Any, small: Any) -> None:
    """The data set holds the arrays that were served."""
    for split, name in ((data.train, "train"), (data.test, "t10k")):
        np.testing.assert_array_equal(split.images[:, 0].numpy(), small.arrays[f"{name}-images-idx3-ubyte"])
        np.testing.assert_array_equal(split.labels.numpy(), small.arrays[f"{name}-labels-idx1-ubyte"])
        assert split.labels.dtype == torch.int64


def leftovers(root: Path) -> list[str]:
    return [path.name for path in root.rglob("*.part")]


def nobody() -> str:
    """An address where nobody listens."""
    import socket

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{probe.getsockname()[1]}/"


def test_a_good_download(tmp_path: Path, served: Any, mirror: Any) -> None:
    heard: list[DownloadProgress] = []
    check(load_dataset("mnist", root=tmp_path, progress=heard.append), served)
    assert mirror.requests == list(served.packed)
    assert is_available("mnist", tmp_path)
    assert leftovers(tmp_path) == []
    last = {progress.file: progress for progress in heard}
    assert {name: (p.done_bytes, p.total_bytes) for name, p in last.items()} == {
        name: (len(content), len(content)) for name, content in served.packed.items()
    }
    check(load_dataset("mnist", root=tmp_path), served)
    assert len(mirror.requests) == 4  # the second time nothing was fetched


def test_torchvision_accepts_what_was_downloaded(tmp_path: Path, served: Any, mirror: Any) -> None:
    load_dataset("mnist", root=tmp_path)
    theirs = torchvision.datasets.MNIST(tmp_path, train=True, download=True)
    assert len(mirror.requests) == 4
    np.testing.assert_array_equal(theirs.data.numpy(), served.arrays["train-images-idx3-ubyte"])


def test_the_second_mirror_helps_out(tmp_path: Path, served: Any, mirror: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torchvision.datasets.MNIST, "mirrors", [nobody(), mirror.url + "gone/", mirror.url])
    check(load_dataset("mnist", root=tmp_path), served)


def test_a_wrong_checksum_is_refused_and_the_next_mirror_tried(
    tmp_path: Path, served: Any, mirror: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    mirror.once[IMAGES] = ["wrong"]
    monkeypatch.setattr(torchvision.datasets.MNIST, "mirrors", [mirror.url, mirror.url])
    check(load_dataset("mnist", root=tmp_path), served)
    assert mirror.requests.count(IMAGES) == 2


def test_a_wrong_checksum_everywhere_is_said(tmp_path: Path, served: Any, mirror: Any) -> None:
    mirror.once[IMAGES] = ["wrong"]
    with pytest.raises(DatasetUnavailable) as caught:
        load_dataset("mnist", root=tmp_path)
    assert caught.value.reason == "network"
    assert [attempt.url for attempt in caught.value.tried] == [mirror.url + IMAGES]
    expected = hashlib.md5(served.packed[IMAGES]).hexdigest()
    assert "wrong checksum" in caught.value.tried[0].reason
    assert expected in caught.value.tried[0].reason
    assert not (tmp_path / "MNIST" / "raw" / IMAGES).exists()
    assert leftovers(tmp_path) == []


def test_a_failed_download_leaves_no_empty_folders_and_keeps_what_lies_there(
    tmp_path: Path, served: Any, mirror: Any
) -> None:
    for _ in range(2):
        mirror.once[IMAGES] = ["wrong"]
        with pytest.raises(DatasetUnavailable):
            load_dataset("mnist", root=tmp_path)
        assert [path for path in tmp_path.rglob("*") if path.is_dir()] == []
    own = tmp_path / "MNIST" / "notes.txt"
    own.parent.mkdir()
    own.write_text("mine")
    mirror.once[IMAGES] = ["wrong"]
    with pytest.raises(DatasetUnavailable):
        load_dataset("mnist", root=tmp_path)
    assert own.read_text() == "mine"
    assert not (tmp_path / "MNIST" / "raw").exists()
    check(load_dataset("mnist", root=tmp_path), served)


def test_a_transfer_that_dies_is_tried_once_more(tmp_path: Path, served: Any, mirror: Any) -> None:
    mirror.once[IMAGES] = ["die"]
    check(load_dataset("mnist", root=tmp_path), served)
    assert mirror.requests.count(IMAGES) == 2


def test_a_transfer_that_dies_twice_is_said(tmp_path: Path, served: Any, mirror: Any) -> None:
    mirror.once[IMAGES] = ["die", "die"]
    with pytest.raises(DatasetUnavailable) as caught:
        load_dataset("mnist", root=tmp_path)
    assert len(caught.value.tried) == 2
    assert f"of {len(served.packed[IMAGES]):,} bytes" in caught.value.tried[0].reason
    assert leftovers(tmp_path) == []
    check(load_dataset("mnist", root=tmp_path), served)  # and the next try starts clean


def test_a_server_that_states_no_length(tmp_path: Path, served: Any, mirror: Any) -> None:
    mirror.once[IMAGES] = ["endless"]
    heard: list[DownloadProgress] = []
    check(load_dataset("mnist", root=tmp_path, progress=heard.append), served)
    assert heard[0].total_bytes is None


def test_a_silent_server_is_given_up(tmp_path: Path, served: Any, mirror: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(download_module, "TIMEOUT_SECONDS", 0.2)
    mirror.gate.clear()
    with pytest.raises(DatasetUnavailable) as caught:
        load_dataset("mnist", root=tmp_path)
    assert "timed out" in caught.value.tried[0].reason


def test_no_network_says_what_was_tried_and_what_to_do(
    tmp_path: Path, small: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    addresses = [nobody() + "first/", nobody() + "second/"]
    monkeypatch.setattr(torchvision.datasets.MNIST, "mirrors", addresses)
    with pytest.raises(DatasetUnavailable) as caught:
        load_dataset("mnist", root=tmp_path)
    error = caught.value
    assert (error.name, error.reason) == ("mnist", "network")
    assert [attempt.url for attempt in error.tried] == [address + IMAGES for address in addresses]
    assert all("no connection" in attempt.reason for attempt in error.tried)
    assert error.folder == tmp_path / "MNIST" / "raw"
    assert error.files == tuple(f"{file}.gz" for file in IDX_FILES)
    for words in (*(attempt.url for attempt in error.tried), str(error.folder), *error.files, "mnist-mini"):
        assert words in str(error)
    assert "works now" in str(error)
    # What the message says is true.
    small.put(error.folder)
    check(load_dataset("mnist", root=tmp_path), small)
    assert len(load_dataset("mnist-mini", root=tmp_path).train) == 8_000


def test_without_leave_to_download_nothing_is_asked(tmp_path: Path, served: Any, mirror: Any) -> None:
    with pytest.raises(DatasetUnavailable) as caught:
        load_dataset("mnist", root=tmp_path / "none", download=False)
    assert caught.value.reason == "missing"
    assert "train-images-idx3-ubyte" in caught.value.detail
    assert mirror.requests == []
    assert not (tmp_path / "none").exists()


def test_torchvisions_layout_without_gz_is_read_and_nothing_written(tmp_path: Path, small: Any) -> None:
    small.put(tmp_path / "MNIST" / "raw", plain=True)
    before = sorted(tmp_path.rglob("*"))
    check(load_dataset("mnist", root=tmp_path), small)
    assert sorted(tmp_path.rglob("*")) == before  # no lock, so a folder that is read-only will do
    theirs = torchvision.datasets.MNIST(tmp_path, train=False)
    ours = load_dataset("mnist", root=tmp_path).test
    assert torch.equal(theirs.data, ours.images[:, 0])
    assert torch.equal(theirs.targets, ours.labels)


@pytest.mark.parametrize("plain", [True, False])
def test_a_truncated_file_is_fetched_again(tmp_path: Path, served: Any, mirror: Any, plain: bool) -> None:
    folder = tmp_path / "MNIST" / "raw"
    served.put(folder, plain=plain)
    file = folder / (IMAGES.removesuffix(".gz") if plain else IMAGES)
    file.write_bytes(file.read_bytes()[:-100])
    check(load_dataset("mnist", root=tmp_path), served)
    assert mirror.requests == [IMAGES]  # and only that one


def test_a_damaged_file_is_named_when_it_cannot_be_replaced(tmp_path: Path, served: Any, mirror: Any) -> None:
    folder = tmp_path / "MNIST" / "raw"
    served.put(folder)
    (folder / IMAGES).write_bytes(b"<html>not here</html>")
    with pytest.raises(DatasetUnavailable, match=IMAGES) as caught:
        load_dataset("mnist", root=tmp_path, download=False)
    assert caught.value.reason == "damaged"
    mirror.content.clear()
    with pytest.raises(DatasetUnavailable) as caught:
        load_dataset("mnist", root=tmp_path)
    assert caught.value.reason == "network"
    assert (folder / IMAGES).read_bytes() == b"<html>not here</html>"  # what a person put there is not thrown away


def test_a_full_disk_is_said_before_the_download(tmp_path: Path, served: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = type(shutil.disk_usage("/"))(10**9, 10**9 - 1000, 1000)
    monkeypatch.setattr(download_module.shutil, "disk_usage", lambda path: usage)
    with pytest.raises(DatasetUnavailable, match=r"full \(.* needed, 0\.0 MB free\)") as caught:
        load_dataset("mnist", root=tmp_path)
    assert caught.value.reason == "disk_full"
    assert leftovers(tmp_path) == []


@pytest.mark.skipif(not os.access("/dev/full", os.W_OK), reason="needs /dev/full")
def test_a_disk_that_fills_up_meanwhile_is_said(tmp_path: Path, served: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    real_open = Path.open

    def full_open(path: Path, mode: str = "r", *args: Any, **kwargs: Any) -> Any:
        return real_open(Path("/dev/full") if path.suffix == ".part" else path, mode, *args, **kwargs)

    monkeypatch.setattr(Path, "open", full_open)
    with pytest.raises(DatasetUnavailable, match="is full") as caught:
        load_dataset("mnist", root=tmp_path)
    assert caught.value.reason == "disk_full"
    assert isinstance(caught.value.__cause__, OSError)
    assert caught.value.__cause__.errno == errno.ENOSPC


def test_a_folder_that_cannot_be_written_is_said(tmp_path: Path, served: Any) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(DatasetUnavailable, match="cannot write to") as caught:
        load_dataset("mnist", root=tmp_path / "file")
    assert caught.value.reason == "not_writable"


def test_the_listener_can_end_the_download(tmp_path: Path, served: Any, mirror: Any) -> None:
    def stop(progress: DownloadProgress) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        load_dataset("mnist", root=tmp_path, progress=stop)
    assert leftovers(tmp_path) == []
    check(load_dataset("mnist", root=tmp_path), served)  # the lock is free again


def test_visitors_at_once_fetch_once(tmp_path: Path, served: Any, mirror: Any) -> None:
    mirror.gate.clear()
    results: list[Any] = []

    def visit() -> None:
        results.append(load_dataset("mnist", root=tmp_path))

    threads = [threading.Thread(target=visit) for _ in range(4)]
    for thread in threads:
        thread.start()
    deadline = time.monotonic() + 20
    while not mirror.requests and time.monotonic() < deadline:
        time.sleep(0.01)
    mirror.gate.set()
    for thread in threads:
        thread.join(30)
    assert len(results) == 4
    for data in results:
        check(data, served)
    assert mirror.requests == list(served.packed)


def test_who_waits_hears_how_far_the_other_is_and_can_leave(tmp_path: Path, served: Any, mirror: Any) -> None:
    part = tmp_path / "MNIST" / "raw" / f".{IMAGES}.part"
    part.parent.mkdir(parents=True)
    heard: list[DownloadProgress] = []

    class Enough(Exception):
        pass

    def listen(progress: DownloadProgress) -> None:
        heard.append(progress)
        if len(heard) == 2:
            raise Enough
        part.write_bytes(bytes(123))

    with download_module.FileLock(tmp_path / ".mnist.lock"), pytest.raises(Enough):
        load_dataset("mnist", root=tmp_path, progress=listen)
    assert heard == [DownloadProgress("", 0, None), DownloadProgress(IMAGES, 123, None)]
    check(load_dataset("mnist", root=tmp_path), served)  # a partial file that a dead process left is no obstacle
    assert leftovers(tmp_path) == []


VISITOR = """
import dataclasses, sys
import torchvision
from cnn_demo.datasets import specs
from cnn_demo.datasets.load import load_dataset
root, url = sys.argv[1:3]
sums = dict(line.split("=") for line in sys.argv[3:])
facts = specs.DATASETS.get("mnist").facts
facts["spec"] = dataclasses.replace(facts["spec"], train_size=30, test_size=20)
torchvision.datasets.MNIST.mirrors, torchvision.datasets.MNIST.resources = [url], list(sums.items())
print("ready", flush=True)
data = load_dataset("mnist", root=root)
print(len(data.train), int(data.train.images.sum()), flush=True)
"""


def test_two_processes_at_once_fetch_once(tmp_path: Path, served: Any, mirror: Any) -> None:
    mirror.gate.clear()  # nothing is delivered until both have begun
    sums = [f"{name}={md5}" for name, md5 in served.resources]
    command = [sys.executable, "-c", VISITOR, str(tmp_path), mirror.url, *sums]
    visitors = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=REPOSITORY) for _ in range(2)]
    try:
        for visitor in visitors:
            assert visitor.stdout is not None
            assert visitor.stdout.readline() == "ready\n"
        mirror.gate.set()
        answers = [visitor.communicate(timeout=60)[0] for visitor in visitors]
    finally:
        for visitor in visitors:
            visitor.kill()
            visitor.wait()
    assert answers == [f"30 {served.arrays['train-images-idx3-ubyte'].sum(dtype=np.int64)}\n"] * 2
    assert mirror.requests == list(served.packed)


@pytest.fixture
def small_cifar(mirror: Any, monkeypatch: pytest.MonkeyPatch) -> dict[str, np.ndarray]:
    """CIFAR-10 with ten pictures a file, served as its archive; the pictures by file."""
    source = torchvision.datasets.CIFAR10
    rng = np.random.default_rng(0)
    names = [name for name, _ in source.train_list + source.test_list]
    pictures = {name: rng.integers(0, 256, (10, 3072), dtype=np.uint8) for name in names}
    contents = {n: pickle.dumps({"data": p, "labels": list(range(10))}) for n, p in pictures.items()}
    contents["batches.meta"] = pickle.dumps({"label_names": list("abcdefghij")})
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        for name, content in contents.items():
            member = tarfile.TarInfo(f"{source.base_folder}/{name}")
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    sums = {name: hashlib.md5(content).hexdigest() for name, content in contents.items()}
    monkeypatch.setattr(source, "train_list", [[name, sums[name]] for name in names[:5]])
    monkeypatch.setattr(source, "test_list", [[name, sums[name]] for name in names[5:]])
    monkeypatch.setattr(source, "meta", {**source.meta, "md5": sums["batches.meta"]})
    monkeypatch.setattr(source, "url", mirror.url + source.filename)
    monkeypatch.setattr(source, "tgz_md5", hashlib.md5(packed.getvalue()).hexdigest())
    mirror.content[source.filename] = packed.getvalue()
    return pictures


def test_cifar_comes_whole(tmp_path: Path, small_cifar: dict[str, np.ndarray], mirror: Any) -> None:
    data = load_dataset("cifar10", root=tmp_path)
    assert data.train.images.shape == (50, 3, 32, 32)
    assert data.train.images.is_contiguous()
    rows = np.concatenate([small_cifar[f"data_batch_{i}"] for i in range(1, 6)])
    np.testing.assert_array_equal(data.train.images.numpy().reshape(50, -1), rows)
    np.testing.assert_array_equal(data.test.images.numpy().reshape(10, -1), small_cifar["test_batch"])
    assert data.test.labels.tolist() == list(range(10))
    load_dataset("cifar10", root=tmp_path, download=False)
    (tmp_path / "cifar-10-python.tar.gz").unlink()
    download_module.fetch("cifar10", tmp_path)  # as a second visitor does who had to wait for the first
    assert len(mirror.requests) == 1


def test_cifar_put_by_hand_needs_no_network(tmp_path: Path, small_cifar: dict[str, np.ndarray], mirror: Any) -> None:
    content = mirror.content.pop("cifar-10-python.tar.gz")
    with pytest.raises(DatasetUnavailable) as caught:
        load_dataset("cifar10", root=tmp_path)
    assert caught.value.files == ("cifar-10-python.tar.gz",)
    (caught.value.folder / caught.value.files[0]).write_bytes(content)
    mirror.requests.clear()
    assert len(load_dataset("cifar10", root=tmp_path).train) == 50
    assert mirror.requests == []


def test_a_damaged_file_of_cifar_is_never_unpickled(
    tmp_path: Path, small_cifar: dict[str, np.ndarray], mirror: Any
) -> None:
    load_dataset("cifar10", root=tmp_path)
    batch = tmp_path / "cifar-10-batches-py" / "data_batch_3"
    batch.write_bytes(batch.read_bytes()[:-5])
    with pytest.raises(DatasetUnavailable) as caught:
        load_dataset("cifar10", root=tmp_path, download=False)
    assert caught.value.reason == "damaged"
    assert len(load_dataset("cifar10", root=tmp_path).train) == 50  # unpacked again from the archive that is here
    assert len(mirror.requests) == 1
