"""Write tests/vectors/dataset/*.uw from docs/formats/dataset.md alone: an independent writer of version 1.

    python3 scripts/make_dataset_vector.py tests/vectors/dataset

raw.uw: raw frames, a chunk per episode. split.uw: zstd frames, an episode in two chunks. Three episodes of 3, 0 and 2
rows. Needs numpy and the xxhash and zstd libraries (through ctypes).
Row t of episode e: frame value (16 e + 4 t + byte) mod 256, action [e + t / 4, -t], NaN in the last row, id 2^53 + 1 + e.
"""
import ctypes
import struct
import sys

import numpy as np

xxh = ctypes.CDLL("libxxhash.so.0").XXH3_64bits_withSeed
xxh.restype, xxh.argtypes = ctypes.c_uint64, [ctypes.c_char_p, ctypes.c_size_t, ctypes.c_uint64]
zstd = ctypes.CDLL("libzstd.so.1")


def checksum(*regions):
    total = 0
    for region in regions:
        for at in range(0, max(len(region), 1), 65536):
            piece = bytes(region[at:at + 65536])
            total = xxh(piece, len(piece), total)
    return total


def seal(region, at):
    """Put the checksum of a region without itself into its field."""
    struct.pack_into("<Q", region, at, checksum(region[:at], bytes(8), region[at + 8:]))
    return region


def pad(data):
    return bytearray(data) + bytes(-len(data) % 64)


def compress(data):
    out = ctypes.create_string_buffer(len(data) + 1024)
    n = zstd.ZSTD_compress(out, ctypes.c_size_t(len(out)), data, ctypes.c_size_t(len(data)), 3)
    return out.raw[:n]


def column(name, unit, dtype, codec, shape):
    dims = list(shape) + [0] * (4 - len(shape))
    return struct.pack("<64s32s4I4q48x", name, unit, dtype, codec, len(shape), 0, *dims)


def columns(codec):
    return [column(b"pixels", b"", 0, codec, (2, 3, 3)), column(b"camera", b"", 0, 0, (2, 3, 3)),
            column(b"action", b"m/s", 5, 0, (2,)), column(b"id", b"", 2, 0, ())]


def header(codec):
    texts, records = b"two_room\0random\0--size 3\0", columns(codec)
    length = (64 + 192 * len(records) + len(texts) + 63) // 64 * 64
    fixed = struct.pack("<8s2IQ2IQd2IQ", b"\x89UWDAT\r\n", 1, length, 0, len(records), 0, 7, 0.25, 5, len(texts), 0)
    return seal(pad(fixed + b"".join(records) + texts), 16)


def frames_block(frames, store):
    stored = [store(f) for f in frames]
    table, at = b"", 16 * len(frames)
    for s in stored:
        table += struct.pack("<2IQ", at, len(s), checksum(s))
        at += len(s)
    return table + b"".join(stored), checksum(table)


def chunk(codec, episode, first, rows, end, length):
    t = np.arange(first, first + rows)
    frames = [((16 * episode + 4 * i + np.arange(18)) % 256).astype("u1").tobytes() for i in t]
    action = np.stack([episode + t / 4, -t], 1).astype("<f4")
    action[t == length - 1] = np.nan
    ids = np.full(rows, 2**53 + 1 + episode, "<i8").tobytes()
    blocks = [frames_block(frames, compress if codec else bytes), frames_block(frames, bytes),
              (action.tobytes(), checksum(action.tobytes())), (ids, checksum(ids))]
    head = (64 + 32 * len(blocks) + 63) // 64 * 64
    directory, body = b"", bytearray()
    for data, total in blocks:
        directory += struct.pack("<4Q", head + len(body), len(data), total, 0)
        body += pad(data)
    fixed = struct.pack("<8s4Q4IQ", b"UWCHUNK\n", head + len(body), 0, episode, first, rows, end, len(blocks), head, 0)
    return bytes(seal(pad(fixed + directory), 16) + body)


def write(path, codec, chunks):
    out, entries = bytes(header(codec)), b""
    for args in chunks:
        c = chunk(codec, *args)
        total = struct.unpack_from("<Q", c, 16)[0]
        entries += struct.pack("<4Q2IQ", len(out), len(c), args[0], args[1], args[2], args[3], total)
        out += c
    count = len(entries) // 48
    size = (64 + len(entries) + 63) // 64 * 64
    index = seal(pad(struct.pack("<8s3Q32x", b"UWINDEX\n", size, 0, count) + entries), 16)
    total = struct.unpack_from("<Q", index, 16)[0]
    trailer = seal(bytearray(struct.pack("<8s4Q24x", b"UWCLOSE\n", len(out), 0, size, total)), 16)
    with open(path, "wb") as f:
        f.write(out + index + trailer)


# episode, first row, rows, last chunk of its episode, rows of the episode
write(sys.argv[1] + "/raw.uw", 0, [(0, 0, 3, 1, 3), (1, 0, 0, 1, 0), (2, 0, 2, 1, 2)])
write(sys.argv[1] + "/split.uw", 1, [(0, 0, 2, 0, 3), (0, 2, 1, 1, 3), (1, 0, 0, 1, 0), (2, 0, 2, 1, 2)])
