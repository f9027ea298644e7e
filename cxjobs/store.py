"""A model folder on disk: ``manifest.json`` and ``arrays.bin``. Data only, never code.

``arrays.bin`` holds plain arrays one after the other, each at a multiple of 64 bytes; the
manifest says where each begins, its type and shape, and the SHA-256 of the whole. So a folder is
mapped rather than parsed, can be read without numpy, and loads across versions of scikit-learn.
"""

from __future__ import annotations

import errno
import json
import math
import mmap
import os
from contextlib import suppress
from typing import IO, TYPE_CHECKING, Any

from cxjobs import soundness, text
from cxjobs.errors import ModelError
from cxjobs.taxonomy import ROLES

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np

    from cxjobs.model import JobClassifier

FORMAT = 2
"""Version of the folder's format. A reader accepts this and every earlier one.

1 had no ``norm``: rows were of length one.
"""

MANIFEST = "manifest.json"
ARRAYS = "arrays.bin"
LARGEST_MANIFEST, LARGEST_ARRAYS = 16 * 2**20, 2**32
"""Files of more bytes than this are refused unread."""

_ALIGN = 64
_TYPES = {"<f8": ("d", 8), "<f4": ("f", 4), "<i4": ("i", 4), "<u8": ("Q", 8), "|u1": ("B", 1)}


class Folder:
    """An opened model folder.

    Attributes
    ----------
    path : str
        Where it lies.
    manifest : dict
        The parsed manifest.
    data : mmap or bytes
        The bytes of ``arrays.bin``.
    """

    def __init__(self, path: str, manifest: dict[str, Any], data: Any) -> None:
        self.path = path
        self.manifest = manifest
        self.data = data

    def view(self, name: str) -> Any:
        """One array as a flat typed memoryview, without numpy.

        Raises
        ------
        ModelError
            If the folder holds no array of this name.
        """
        entry = self.entry(name)
        code: Any
        code, width = _TYPES[entry["dtype"]]
        size = width * math.prod(entry["shape"])
        return memoryview(self.data)[entry["offset"] : entry["offset"] + size].cast(code)

    def array(self, name: str) -> np.ndarray[Any, Any]:
        """One array as numpy sees it: read only, mapped.

        Raises
        ------
        ModelError
            If the folder holds no array of this name.
        """
        import numpy as np

        entry = self.entry(name)
        count = math.prod(entry["shape"])
        flat = np.frombuffer(self.data, entry["dtype"], count, entry["offset"])
        return flat.reshape(entry["shape"])

    def norm(self, block: str) -> tuple[float, float]:
        """What a block's rows are divided by: the first, plus the second times their length."""
        if self.manifest["format"] == 1:
            return 0.0, 1.0
        offset, slope = self.view(f"{block}.norm")
        return offset, slope

    def entry(self, name: str) -> dict[str, Any]:
        """Type, shape and place of one array, as the manifest tells them.

        Raises
        ------
        ModelError
            If the folder holds no array of this name.
        """
        try:
            entry: dict[str, Any] = self.manifest["arrays"]["index"][name]
        except KeyError:
            raise ModelError(
                f"{self.path}: has no array {name!r}. Try: train it again with this version."
            ) from None
        return entry


def shipped() -> str:
    """Folder of the model that comes with the package.

    Raises
    ------
    ModelError
        If the installation lacks it.
    """
    package = os.path.dirname(os.path.abspath(__file__))
    for above in (package, os.path.dirname(package)):
        folder = os.path.join(above, "models", "default")
        if os.path.isfile(os.path.join(folder, MANIFEST)):
            return folder
    raise ModelError(
        f"{package}: the shipped model is missing from this installation. "
        "Try: reinstall cxjobs, or give --model FOLDER."
    )


def write(
    folder: str | os.PathLike[str],
    arrays: Mapping[str, np.ndarray[Any, Any]],
    manifest: Mapping[str, Any],
) -> None:
    """Write a model folder, complete or not at all.

    Parameters
    ----------
    folder : str or path
        Created if missing; an older model in it is replaced.
    arrays : mapping of str to ndarray
        Little-endian float64, float32, int32, uint64 or uint8.
    manifest : mapping
        What a reader should know besides; must be JSON. ``format`` and ``arrays`` are added.

    Raises
    ------
    ModelError
        If the folder cannot be written.
    """
    from pathlib import Path

    import numpy as np

    from cxjobs.files import replace

    folder = Path(folder)
    index, parts, offset = {}, [], 0
    for name, value in sorted(arrays.items()):
        array = np.ascontiguousarray(value)
        if array.dtype.str not in _TYPES:
            raise ModelError(f"Array {name!r} has type {array.dtype}, which is not stored.")
        index[name] = {"dtype": array.dtype.str, "shape": list(array.shape), "offset": offset}
        padding = -array.nbytes % _ALIGN
        parts.append(array.tobytes() + b"\0" * padding)
        offset += array.nbytes + padding
    blob = b"".join(parts)
    full = {
        "format": FORMAT,
        **manifest,
        "arrays": {"file": ARRAYS, "bytes": len(blob), "sha256": _sha256(blob), "index": index},
    }
    page = json.dumps(full, indent=1, ensure_ascii=False, allow_nan=False) + "\n"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        # The manifest comes last: an interrupted write leaves a hash that does not match.
        for name, content in ((ARRAYS, blob), (MANIFEST, page.encode())):
            replace(folder / name, content)
    except OSError as error:
        raise ModelError(
            f"{folder}: cannot be written: {error.strerror or error}. Try: another -o FOLDER."
        ) from None


def read(folder: str | os.PathLike[str]) -> Folder:
    """Open a model folder and verify it: format, text version, sizes, hash.

    Parameters
    ----------
    folder : str or path
        As `write` left it.

    Returns
    -------
    Folder
        Mapped, read only.

    Raises
    ------
    ModelError
        If a file is missing or altered, or the folder needs another version of cxjobs.
    """
    folder = os.fspath(folder)
    manifest = _read_manifest(folder)
    stored, path = manifest["arrays"], os.path.join(folder, ARRAYS)
    try:
        with _plain(path) as file:
            size = os.fstat(file.fileno()).st_size
            if size != stored["bytes"]:
                raise ModelError(
                    f"{path}: has {size} bytes, the manifest says {stored['bytes']}: "
                    "cut or altered. Try: copy the folder again."
                )
            data = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) if size else b""
    except FileNotFoundError:
        raise ModelError(f"{path}: is missing. Try: copy the folder again.") from None
    except OSError as error:
        raise ModelError(f"{path}: cannot be read: {error.strerror}.") from None
    if _sha256(data) != stored["sha256"]:
        raise ModelError(
            f"{path}: was altered after it was written (its SHA-256 differs from the "
            "manifest's). Try: copy the folder again."
        )
    return Folder(folder, manifest, data)


def _plain(path: str) -> IO[bytes]:
    """Open a file, but no pipe, which would keep us waiting for ever."""
    if os.path.exists(path) and not os.path.isfile(path):
        raise OSError(errno.EINVAL, "not a plain file")
    return open(path, "rb")


def _read_manifest(folder: str) -> dict[str, Any]:
    path = os.path.join(folder, MANIFEST)
    try:
        with _plain(path) as file:
            page = file.read(LARGEST_MANIFEST + 1)
        if len(page) > LARGEST_MANIFEST:
            raise ModelError(f"{path}: is larger than any manifest should be; refused.")
        manifest: dict[str, Any] = json.loads(page, parse_constant=_no_number)
    except (FileNotFoundError, NotADirectoryError):
        raise ModelError(
            f"{folder}: is not a model folder (no {MANIFEST} in it). "
            "Try: a folder that 'cxjobs train -o FOLDER' wrote."
        ) from None
    except OSError as error:
        raise ModelError(f"{path}: cannot be read: {error.strerror}.") from None
    except (ValueError, RecursionError) as error:
        raise ModelError(f"{path}: is not valid JSON ({error}). Try: copy it again.") from None
    form = manifest.get("format") if isinstance(manifest, dict) else None
    if type(form) is not int or form < 1:
        raise ModelError(f"{path}: is not the manifest of a model folder.")
    if form > FORMAT:
        raise ModelError(
            f"{path}: has format {form}, this version reads up to {FORMAT}. "
            "Try: pip install --upgrade cxjobs."
        )
    if manifest.get("text_version") != text.VERSION:
        raise ModelError(
            f"{path}: was trained on text cleaned by version {manifest.get('text_version')!r}, "
            f"this is version {text.VERSION!r}. Try: train it again with 'cxjobs train'."
        )
    _check_index(path, manifest)
    return manifest


def _no_number(constant: str) -> float:
    raise ValueError(f"{constant} is no number")


def _check_index(path: str, manifest: dict[str, Any]) -> None:
    """Refuse an index that points outside the file, before any byte of it is used."""
    try:
        stored = manifest["arrays"]
        size, index = stored["bytes"], stored["index"]
        sound = (
            stored["file"] == ARRAYS
            and type(size) is int
            and 0 <= size <= LARGEST_ARRAYS
            and isinstance(stored["sha256"], str)
        )
        for entry in index.values():
            shape, offset = entry["shape"], entry["offset"]
            # At most two, or their product alone would take for ever.
            whole = len(shape) < 3 and all(type(n) is int and n >= 0 for n in (*shape, offset))
            end = offset + _TYPES[entry["dtype"]][1] * math.prod(shape) if whole else -1
            sound = sound and whole and offset % _ALIGN == 0 and end <= size
    except (KeyError, TypeError, AttributeError):
        sound = False
    if not sound:
        raise ModelError(f"{path}: its index of arrays is damaged. Try: copy the folder again.")


def _sha256(data: Any) -> str:
    from hashlib import sha256

    return sha256(data).hexdigest()


def model_arrays(model: JobClassifier) -> dict[str, np.ndarray[Any, Any]]:
    """Arrays of a fitted classifier: terms and idf, coefficients, and the scorer's tables."""
    import numpy as np

    from cxjobs.lexicon import compile_arrays

    arrays = compile_arrays(model)
    for block, vectorizer in model.vectorizers_.items():
        terms = "\n".join(vectorizer.get_feature_names_out()).encode()
        arrays[f"{block}.terms"] = np.frombuffer(terms, np.uint8)
        arrays[f"{block}.idf"] = vectorizer.idf_
        arrays[f"{block}.norm"] = np.array(vectorizer.norm_)
    for basis, coef in model.coef_.items():
        arrays[f"{basis}.coef"] = coef.astype("<f4")
        arrays[f"{basis}.intercept"] = model.intercept_[basis]
    return arrays


def to_classifier(folder: Folder) -> JobClassifier:
    """Classifier of an opened folder: the reference implementation with the stored numbers.

    Raises
    ------
    ModelError
        If an array is missing, or holds what no model can hold.
    """
    import numpy as np

    from cxjobs.features import Block
    from cxjobs.model import JobClassifier

    soundness.check_tables(folder)
    try:
        model = JobClassifier(**folder.manifest["parameters"])
    except TypeError as error:
        raise ModelError(f"{folder.path}: its parameters are not a model's ({error}).") from None
    model.classes_, model.n_features_in_ = np.array(ROLES), 2
    model.vectorizers_, model.coef_, model.intercept_ = {}, {}, {}
    for block in soundness.blocks(folder):
        terms = soundness.terms(folder, block)
        vectorizer = Block(block, 1, folder.norm(block)[1]).vectorizer()
        vectorizer.vocabulary_ = {term: i for i, term in enumerate(terms)}
        vectorizer.idf_ = folder.array(f"{block}.idf").copy()
        vectorizer.norm_ = folder.norm(block)
        model.vectorizers_[block] = vectorizer
    for basis in ("title", "posting"):
        if f"{basis}.coef" in folder.manifest["arrays"]["index"]:
            model.coef_[basis] = folder.array(f"{basis}.coef").astype(np.float64)
            model.intercept_[basis] = folder.array(f"{basis}.intercept").copy()
    return model


def export_joblib(folder: Folder, path: str | os.PathLike[str]) -> None:
    """Write an opened folder's classifier as a joblib file, for those who serve that way.

    Loading such a file can run code: cxjobs itself never does.

    Raises
    ------
    ModelError
        If the file cannot be written.
    """
    from pathlib import Path

    import joblib

    path = Path(path)
    partial = path.with_name(f".{path.name}.partial")
    try:
        joblib.dump(to_classifier(folder), partial, compress=3)
        partial.replace(path)
    except OSError as error:
        with suppress(OSError):
            partial.unlink()
        raise ModelError(
            f"{path}: cannot be written: {error.strerror or error}. Try: another -o FILE."
        ) from None
