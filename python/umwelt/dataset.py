"""Recorded experience: columns of episodes, read as NumPy arrays."""
from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ._abi import (DTYPES, UmweltError, as_dict, check, did_you_mean, ffi, floats, lib, new_err, path_bytes, pointer,
                   text, word)


@dataclass(frozen=True)
class Column:
    """What a column holds per row."""

    name: str
    dtype: np.dtype
    shape: tuple
    unit: str
    codec: str


class Dataset:
    """A dataset of ours, opened for reading; convert others first with `umwelt convert`.

    Row t holds what was seen at t and the action taken from t; the last row of an episode has NaN actions.
    """

    def __init__(self, path: Any) -> None:
        out, err = ffi.new("uw_dataset **"), new_err()
        check(lib.uw_dataset_open(path_bytes(path), out, err), err)
        self._handle = h = ffi.gc(out[0], lib.uw_dataset_close)
        columns = [lib.uw_dataset_column(h, i) for i in range(lib.uw_dataset_num_columns(h))]
        self.columns: dict[str, Column] = {
            text(c.name): Column(text(c.name), np.dtype(DTYPES[c.dtype]), tuple(c.shape[d] for d in range(c.num_dims)),
                                 text(c.unit), word("uw_codec", c.codec)) for c in columns}
        self.lengths = np.array([lib.uw_dataset_episode_rows(h, e) for e in range(lib.uw_dataset_episodes(h))], np.int64)
        self.meta: dict = as_dict(lib.uw_dataset_meta_of(h))

    def __len__(self) -> int:
        """Rows of all episodes."""
        return lib.uw_dataset_total_rows(self._handle)

    @property
    def hash(self) -> str:
        """16 hex digits that identify the content."""
        return text(lib.uw_dataset_hash(self._handle))

    def read(self, column: str, episode: int, first: int = 0, count: int | None = None, stride: int = 1,
             out: np.ndarray | None = None) -> np.ndarray:
        """Rows first, first + stride, ... of one episode, decoded; count None: to its end.

        out: where to put them, a contiguous array of the column's type; a new one when None.
        """
        c = self._column(column)
        if not 0 <= episode < len(self.lengths):
            raise UmweltError("EINVAL", f"episode: wanted 0 to {len(self.lengths) - 1}, got {episode}")
        if count is None:
            count = max(0, -(-(int(self.lengths[episode]) - first) // max(1, stride)))
        shape = (max(0, count), *c.shape)
        if out is None:
            out = np.empty(shape, c.dtype)
        elif out.shape != shape or out.dtype != c.dtype or not out.flags.c_contiguous:
            raise UmweltError("ESHAPE", f"out: wanted contiguous {c.dtype} {list(shape)}, got {out.dtype} {list(out.shape)}")
        err = new_err()
        check(lib.uw_dataset_rows(self._handle, self._index(column), episode, first, count, stride,
                                  pointer(out, writable=True), err), err)
        return out

    def __getitem__(self, column: str) -> np.ndarray:
        """A column's rows of all episodes, one after the other."""
        c = self._column(column)
        out, at = np.empty((len(self), *c.shape), c.dtype), 0
        for episode, rows in enumerate(self.lengths):
            self.read(column, episode, out=out[at:at + rows])
            at += rows
        return out

    def normaliser(self, column: str) -> tuple[np.ndarray, np.ndarray]:
        """mean and std (divisor n) per number of a float column, over rows without NaN."""
        n = int(np.prod(self._column(column).shape, dtype=np.int64))
        mean, std, err = np.empty(n, np.float32), np.empty(n, np.float32), new_err()
        check(lib.uw_dataset_normaliser(self._handle, self._index(column), floats(mean), floats(std), err), err)
        return mean, std

    def close(self) -> None:
        ffi.release(self._handle)

    def __enter__(self) -> "Dataset":
        return self

    def __exit__(self, *_: Any) -> None:
        self.close()

    def _index(self, name: str) -> int:
        return list(self.columns).index(name)

    def _column(self, name: str) -> Column:
        if name not in self.columns:
            raise UmweltError("ENOTFOUND", f"{name}: no such column, there are {', '.join(self.columns)}",
                              did_you_mean(name, self.columns))
        return self.columns[name]
