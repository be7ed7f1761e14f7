"""One shard: many arrays in one file of the safetensors format, written whole and read as memory maps.

The format [1]_: 8 bytes, little endian, the length of the header; the header, a JSON object that gives each array's
``dtype``, ``shape`` and ``data_offsets`` (begin and end, bytes after the header); then the bytes of the arrays.

References
----------
.. [1] https://huggingface.co/docs/safetensors/index#format
"""

import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clapboard.errors import MediaError

_DTYPES = {"U8": "|u1", "I16": "<i2", "F64": "<f8"}
"""Kinds of numbers that a data set holds, by the format's names."""
MAX_HEADER_BYTES = 100_000_000
"""The format allows no longer header."""


def write_shard(path: Path, arrays: Mapping[str, NDArray[Any]]) -> None:
    """Write arrays, which may themselves be memory maps, so that the file is there whole or not at all.

    Raises
    ------
    OSError : the file cannot be written
    """
    from safetensors import SafetensorError
    from safetensors.numpy import save_file

    part = path.with_name(f".{path.name}.part")
    try:
        save_file({name: np.asarray(array, order="C") for name, array in arrays.items()}, part)
        part.chmod(path.parent.stat().st_mode & 0o666)  # the library keeps it to ourselves
        with part.open("rb+") as file:
            os.fsync(file.fileno())
        part.replace(path)
    except SafetensorError as error:
        raise OSError(0, str(error)) from error
    finally:
        part.unlink(missing_ok=True)


class Shard:
    """The arrays of one shard, read from disk when they are looked at.

    Raises
    ------
    MediaError : the file is missing, or not whole
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            with path.open("rb") as file:
                length = int.from_bytes(file.read(8), "little")
                if not 2 <= length <= MAX_HEADER_BYTES:
                    raise ValueError("no header")
                header: dict[str, Any] = json.loads(file.read(length))
                size = os.fstat(file.fileno()).st_size
            header.pop("__metadata__", None)
            self._places = {name: _place(entry) for name, entry in header.items()}
            end = max((end for _, _, _, end in self._places.values()), default=0)
            if size != 8 + length + end:
                raise ValueError(f"{size} bytes where {8 + length + end} are due")
            self._bytes: NDArray[np.uint8] = np.memmap(path, np.uint8, mode="r", offset=8 + length, shape=(end,))
        except FileNotFoundError:
            raise MediaError(f"{path}: is missing; copy the whole data set again") from None
        except OSError as error:
            raise MediaError(f"{path}: cannot be read ({error.strerror or error})") from None
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise MediaError(f"{path}: is damaged ({error}); copy it again or prepare the data set anew") from None

    def __iter__(self) -> Iterator[str]:
        """Names of the arrays."""
        return iter(self._places)

    def __getitem__(self, name: str) -> NDArray[Any]:
        """One array, read-only, without a copy.

        Raises
        ------
        MediaError : the shard holds no such array
        """
        if name not in self._places:
            raise MediaError(f"{self._path}: is damaged (it does not hold {name}); copy the whole data set again")
        dtype, shape, begin, end = self._places[name]
        return self._bytes[begin:end].view(dtype).reshape(shape)


def _place(entry: Mapping[str, Any]) -> tuple[np.dtype[Any], tuple[int, ...], int, int]:
    """Kind, shape, and first and last byte of an array, from its entry in the header; a ValueError where it lies."""
    begin, end = (int(at) for at in entry["data_offsets"])
    dtype, shape = np.dtype(_DTYPES[entry["dtype"]]), tuple(int(length) for length in entry["shape"])
    if begin < 0 or end - begin != dtype.itemsize * int(np.prod(shape, dtype=np.int64)):
        raise ValueError("the header contradicts itself")
    return dtype, shape, begin, end
