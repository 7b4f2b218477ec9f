"""Fetching data sets from torchvision's mirrors, checked against torchvision's checksums.

torchvision's own download writes to the final name: two processes damage each other's file, and a broken transfer
leaves half a file under the right name. It also reports to a terminal only. Here a file gets its name when it is whole
and its checksum is right, one process fetches it while the others wait, and a callback is told how far it is.
torchvision is imported only when something has to be fetched.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import http.client
import os
import shutil
import tarfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from filelock import FileLock, Timeout

from cnn_demo.datasets.files import CIFAR_ARCHIVE, LAYOUTS, DamagedFile, read_file

TIMEOUT_SECONDS = 20.0
"""How long a server may stay silent."""

_CHUNK = 1 << 15
_REPORT_SECONDS = 0.1
_WAIT_SECONDS = 0.2
_FULL = (errno.ENOSPC, errno.EDQUOT)


@dataclass(frozen=True, slots=True)
class DownloadProgress:
    """How far a download is.

    Attributes:
        file: name of the file that is being fetched, by this process or by another that this one waits for; empty
            while the other is between two files.
        done_bytes: bytes of it that are here.
        total_bytes: its size; None when the server does not say, or when another process fetches it.
    """

    file: str
    done_bytes: int
    total_bytes: int | None


Progress = Callable[[DownloadProgress], None]


@dataclass(frozen=True, slots=True)
class Attempt:
    """An address that did not give the file, and why."""

    url: str
    reason: str

    def __str__(self) -> str:
        return f"{self.url}: {self.reason}"


class DatasetUnavailable(RuntimeError):
    """A data set that is not here and could not be fetched.

    Attributes:
        name: the data set.
        reason: ``missing`` (not here, and no download was allowed), ``network`` (no mirror gave the file),
            ``damaged`` (a file that is here is not what it should be), ``disk_full``, or ``not_writable``.
        detail: one sentence on what went wrong.
        tried: every address that was tried, with the reason it failed.
        folder: where one can put the files by hand.
        files: the names they must have there.
    """

    def __init__(self, name: str, reason: str, detail: str, *, root: Path, tried: tuple[Attempt, ...] = ()) -> None:
        layout = LAYOUTS[name]
        self.name, self.reason, self.detail, self.tried = name, reason, detail, tried
        self.folder = root if name == "cifar10" else root / layout.folder
        self.files = (CIFAR_ARCHIVE,) if name == "cifar10" else tuple(f"{file}.gz" for file in layout.files)
        lines = [f"The data set {name} is not available: {detail}"]
        lines += [f"  tried {attempt}" for attempt in tried]
        lines.append(f"To add it by hand, put {', '.join(self.files)} into {self.folder}.")
        lines.append("The data set mnist-mini needs no download and works now.")
        super().__init__("\n".join(lines))


class _Failed(Exception):
    """One address did not give the file; ``again`` when the transfer broke off and a second try may succeed."""

    def __init__(self, reason: str, *, again: bool = False) -> None:
        super().__init__(reason)
        self.reason, self.again = reason, again


def fetch(name: str, root: Path, progress: Progress | None = None) -> None:
    """Fetch every file of a data set that is missing or damaged into ``root``; the others stay untouched.

    Any number of threads and processes may call this at once: one fetches, the others wait and find the files. A
    waiting one calls ``progress`` as well, several times a second. What ``progress`` raises ends the call, and leaves
    no partial file.

    Raises:
        DatasetUnavailable: with ``reason`` ``network``, ``disk_full``, ``not_writable`` or ``damaged``.
    """
    fetch_files = _fetch_cifar10 if name == "cifar10" else _fetch_idx
    folder = root / LAYOUTS[name].folder
    try:
        root.mkdir(parents=True, exist_ok=True)
        with _hold_lock(root / f".{name}.lock", (root, folder), progress), _tidy_up(folder, root):
            fetch_files(name, root, progress)
    except OSError as error:
        if error.errno in _FULL:
            reason, detail = "disk_full", f"the disk of {root} is full."
            if isinstance(error, _TooLittleSpace):
                detail = f"the disk of {root} is full ({error})."
        else:
            reason, detail = "not_writable", f"cannot write to {root} ({error})."
        raise DatasetUnavailable(name, reason, detail, root=root) from error


@contextlib.contextmanager
def _tidy_up(folder: Path, root: Path) -> Iterator[None]:
    """Make a folder below ``root``; where the body fails, those on the way to it that are empty go again.

    For the holder of the lock: nobody else may be about to write there.
    """
    folder.mkdir(parents=True, exist_ok=True)
    try:
        yield
    except BaseException:
        while folder != root:
            with contextlib.suppress(OSError):  # something lies in it
                folder.rmdir()
            folder = folder.parent
        raise


class _TooLittleSpace(OSError):
    """Less room on the disk than a file needs, noticed before the file was begun."""

    def __init__(self, needed: int, free: int) -> None:
        super().__init__(errno.ENOSPC, f"{needed / 1e6:.1f} MB needed, {free / 1e6:.1f} MB free")

    def __str__(self) -> str:
        return str(self.strerror)


@contextlib.contextmanager
def _hold_lock(lock_path: Path, folders: tuple[Path, ...], progress: Progress | None) -> Iterator[None]:
    """Hold a lock between processes; while another has it, report how much it has written so far."""
    lock = FileLock(lock_path)
    while True:
        try:
            lock.acquire(timeout=_WAIT_SECONDS)
            break
        except Timeout:
            if progress is not None:
                progress(_progress_of_another(folders))
    try:
        yield
    finally:
        lock.release()


def _progress_of_another(folders: tuple[Path, ...]) -> DownloadProgress:
    for part in (part for folder in folders for part in folder.glob(".*.part")):
        with contextlib.suppress(FileNotFoundError):  # it may just have been finished
            return DownloadProgress(part.name[1:-5], part.stat().st_size, None)
    return DownloadProgress("", 0, None)


def _fetch_idx(name: str, root: Path, progress: Progress | None) -> None:
    import torchvision.datasets

    layout = LAYOUTS[name]
    source = getattr(torchvision.datasets, layout.torchvision_class)
    for packed, md5 in source.resources:
        plain = root / layout.folder / packed.removesuffix(".gz")
        try:
            read_file(name, plain.name, root)
            continue
        except (FileNotFoundError, DamagedFile):
            urls = [mirror + packed for mirror in source.mirrors]
            _download(name, urls, root / layout.folder / packed, md5, root, progress)
            plain.unlink(missing_ok=True)  # a damaged one would be read instead of the packed file


def _fetch_cifar10(name: str, root: Path, progress: Progress | None) -> None:
    from torchvision.datasets import CIFAR10

    folder = root / LAYOUTS[name].folder
    wanted = [*CIFAR10.train_list, *CIFAR10.test_list, [CIFAR10.meta["filename"], CIFAR10.meta["md5"]]]
    bad = [file for file, md5 in wanted if _md5(folder / file) != md5]
    if not bad:
        return
    archive = root / CIFAR10.filename
    if _md5(archive) != CIFAR10.tgz_md5:
        _download(name, [CIFAR10.url], archive, CIFAR10.tgz_md5, root, progress)
    with tarfile.open(archive) as packed:
        for file in bad:
            member = packed.extractfile(f"{CIFAR10.base_folder}/{file}")
            assert member is not None  # the archive's checksum is right, so the file is in it
            with member, _write_whole(folder / file) as out:
                shutil.copyfileobj(member, out)


def _md5(path: Path) -> str:
    """The MD5 of a file as torchvision's lists have it; empty when there is no such file."""
    if not path.is_file():
        return ""
    digest = hashlib.md5(usedforsecurity=False)
    with path.open("rb") as file:
        while chunk := file.read(1 << 20):
            digest.update(chunk)
    return digest.hexdigest()


@contextlib.contextmanager
def _write_whole(target: Path) -> Iterator[IO[bytes]]:
    """A file to write that gets its name when the body is done, and is deleted when the body raises."""
    part = target.with_name(f".{target.name}.part")
    try:
        with part.open("wb") as out:
            yield out
            out.flush()
            os.fsync(out.fileno())
        part.replace(target)
    finally:
        part.unlink(missing_ok=True)


def _download(name: str, urls: list[str], target: Path, md5: str, root: Path, progress: Progress | None) -> None:
    """Fetch a file from the first address that gives it with the right checksum; a broken transfer is tried twice."""
    tried: list[Attempt] = []
    for url in urls:
        again = True
        while again:
            failure = _download_from(url, target, md5, progress)
            if failure is None:
                return
            again = failure.again and (not tried or tried[-1].url != url)
            tried.append(Attempt(url, failure.reason))
    raise DatasetUnavailable(name, "network", f"{target.name} could not be downloaded.", root=root, tried=tuple(tried))


def _download_from(url: str, target: Path, md5: str, progress: Progress | None) -> _Failed | None:
    """Try one address once; None when the file is there."""
    try:
        _stream(url, target, md5, progress)
    except _Failed as failure:
        return failure
    return None


def _stream(url: str, target: Path, md5: str, progress: Progress | None) -> None:
    digest = hashlib.md5(usedforsecurity=False)
    done, reported = 0, float("-inf")
    with contextlib.closing(_connect(url)) as response, _write_whole(target) as out:
        total = response.length
        free = shutil.disk_usage(target.parent).free
        if total is not None and total > free:
            raise _TooLittleSpace(total, free)
        while chunk := _read(response):
            out.write(chunk)
            digest.update(chunk)
            done += len(chunk)
            if progress is not None and time.monotonic() - reported >= _REPORT_SECONDS:
                reported = time.monotonic()
                progress(DownloadProgress(target.name, done, total))
        if total is not None and done != total:
            raise _Failed(f"the connection ended after {done:,} of {total:,} bytes", again=True)
        if digest.hexdigest() != md5:
            raise _Failed(f"wrong checksum: MD5 is {digest.hexdigest()}, expected {md5} ({done:,} bytes)")
    if progress is not None:
        progress(DownloadProgress(target.name, done, done))


def _connect(url: str) -> Any:
    try:
        request = urllib.request.Request(url, headers={"User-Agent": "cnn-demo"})
        return urllib.request.urlopen(request, timeout=TIMEOUT_SECONDS)
    except urllib.error.HTTPError as error:
        error.close()
        raise _Failed(f"the server answered {error.code} {error.reason}") from error
    except (OSError, http.client.HTTPException) as error:
        raise _Failed(f"no connection ({getattr(error, 'reason', error)})") from error


def _read(response: Any) -> bytes:
    try:
        return response.read(_CHUNK)
    except (OSError, http.client.HTTPException) as error:
        raise _Failed(f"the connection broke ({error or type(error).__name__})", again=True) from error
