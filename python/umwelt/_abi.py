"""The C library underneath: loading, errors, and how arrays and structs cross over.

Nothing here knows models or worlds.  The declarations are the public C headers, put beside this file when the
package is built, so that they always fit the library.
"""
from __future__ import annotations

import difflib
import os
from pathlib import Path
from typing import Any

import cffi
import numpy as np

ffi = cffi.FFI()
ffi.cdef((Path(__file__).parent / "abi.h").read_text())
lib = ffi.dlopen(str(Path(__file__).parent / "libumwelt.so"))

DTYPES = {  # uw_dtype -> NumPy; BF16 has no NumPy type and shows its bits
    lib.UW_DTYPE_U8: np.uint8, lib.UW_DTYPE_I32: np.int32, lib.UW_DTYPE_I64: np.int64,
    lib.UW_DTYPE_F16: np.float16, lib.UW_DTYPE_BF16: np.uint16, lib.UW_DTYPE_F32: np.float32,
    lib.UW_DTYPE_F64: np.float64, lib.UW_DTYPE_BOOL: np.bool_,
}


class UmweltError(Exception):
    """What the library refused.

    code: the status' name ("ESHAPE"); what: the message; fix: what would likely mend it, or "".
    """

    def __init__(self, code: str, what: str, fix: str = "") -> None:
        super().__init__(f"{what} ({code})" + (f"; {fix}" if fix else ""))
        self.code, self.what, self.fix = code, what, fix


def check(status: int, err: Any = None, what: str = "") -> None:
    """Raise UmweltError unless status is UW_OK; `what` stands in where the library gave no message."""
    if status == lib.UW_OK:
        return
    code = ffi.typeof("uw_status").elements.get(status, str(status)).removeprefix("UW_")
    said = text(err.text) if err is not None else ""
    general = text(lib.uw_status_str(status))
    raise UmweltError(code, said or (f"{what}: {general}" if what else general), text(err.fix) if err is not None else "")


def new_err() -> Any:
    return ffi.new("uw_err *")


def text(chars: Any) -> str:
    """A C string; "" for NULL."""
    return "" if chars == ffi.NULL else ffi.string(chars).decode()


def path_bytes(path: Any) -> bytes:
    return str(path).encode()


def array(what: str, value: Any, dtype: type, *shape: int | None) -> np.ndarray:
    """value as a contiguous array of dtype, without a copy where it already is one; None in shape: any size."""
    given = np.asarray(value)
    if dtype is np.uint8 and given.dtype != np.uint8:
        raise UmweltError("EINVAL", f"{what}: element type, wanted uint8, got {given.dtype}")
    if given.ndim != len(shape) or any(w is not None and w != g for w, g in zip(shape, given.shape)):
        wanted = ", ".join("any" if w is None else str(w) for w in shape)
        got = ", ".join(map(str, given.shape))
        raise UmweltError("ESHAPE", f"{what}: shape, wanted [{wanted}], got [{got}]")
    return np.ascontiguousarray(given, dtype)


def pointer(a: np.ndarray | None, writable: bool = False) -> Any:
    """The array's memory as a C pointer; it must outlive the call."""
    if a is None:
        return ffi.NULL
    return ffi.cast("void *", ffi.from_buffer(a, require_writable=writable))


def floats(a: np.ndarray | None) -> Any:
    return ffi.cast("float *", pointer(a))


def aligned(num_bytes: int, what: str) -> np.ndarray:
    """Zeroed memory on a cache line, for objects that live in their caller's memory."""
    if num_bytes == 0:
        raise UmweltError("EINVAL", f"{what}: sizes or options out of range")
    block = np.zeros(num_bytes + lib.UW_ALIGN, np.uint8)
    start = -block.ctypes.data % lib.UW_ALIGN
    return block[start:start + num_bytes]


class _Borrowed:
    """Memory of the library as NumPy wants to see it; arrays made from it keep the owner alive."""

    def __init__(self, address: Any, dtype: type, shape: tuple, owner: Any) -> None:
        self.owner = owner
        self.__array_interface__ = {"version": 3, "typestr": np.dtype(dtype).str, "shape": shape,
                                    "data": (int(ffi.cast("uintptr_t", address)), True)}


def view(address: Any, dtype: type, shape: tuple, owner: Any) -> np.ndarray:
    """A read-only array over the library's memory."""
    return np.asarray(_Borrowed(address, dtype, shape, owner))


def word(enum: str, value: int) -> str:
    """uw_solver 0 -> "cem"."""
    return _words(enum)[1].get(value, str(value))


def parse(enum: str, given: str) -> int:
    """ "cem" -> uw_solver 0; a word that is not one is refused with the nearest."""
    by_word = _words(enum)[0]
    if given in by_word:
        return by_word[given]
    raise UmweltError("EINVAL", f"{enum.removeprefix('uw_')}: wanted one of {', '.join(by_word)}, got {given!r}",
                      did_you_mean(given, by_word))


def _words(enum: str) -> tuple[dict, dict]:
    elements = ffi.typeof(enum).elements
    cut = os.path.commonprefix(list(elements.values())).rindex("_") + 1
    by_value = {v: n[cut:].lower() for v, n in sorted(elements.items())}
    return {w: v for v, w in by_value.items()}, by_value


def did_you_mean(given: str, names: Any) -> str:
    near = difflib.get_close_matches(given, list(names), 1)
    return f"did you mean {near[0]!r}?" if near else ""


def fill(struct: Any, values: dict) -> Any:
    """Set fields of an open struct by name; enums by their words."""
    fields = dict(ffi.typeof(struct).item.fields)
    for name, value in values.items():
        if name not in fields:
            raise UmweltError("EINVAL", f"{name}: no such option", did_you_mean(name, fields))
        kind = fields[name].type
        try:
            setattr(struct, name, parse(kind.cname, value) if kind.kind == "enum" else value)
        except (TypeError, OverflowError) as e:
            raise UmweltError("EINVAL", f"{name}: wanted {kind.cname}, got {value!r}") from e
    return struct


def as_dict(struct: Any) -> dict:
    """An open struct as plain Python values: enums as words, arrays as lists."""
    kind = ffi.typeof(struct)
    out: dict = {}
    for name, field in (kind.item if kind.kind == "pointer" else kind).fields:
        value = getattr(struct, name)
        if field.type.kind == "enum":
            value = word(field.type.cname, value)
        elif field.type.kind == "array":
            value = text(value) if field.type.item.cname == "char" else list(value)
        elif field.type.kind == "pointer":
            value = text(value) if field.type.item.cname == "char" else value
        out[name] = value
    return out
