#!/bin/sh
# h5py and stable-worldmodel's own readers accept what we write, and see what was there before.
vectors=${UW_VECTORS:-$(cd "$(dirname "$0")/../vectors" && pwd)}
python=${UW_PYTHON_PEERS:-python3}
. "$(dirname "$0")/lib.sh"
cat >peer.py <<'PY'
"""The reference's readers and writers alone: its package would import vision libraries that data does not need."""
import importlib.util
import sys
import types

import h5py  # noqa: F401
import hdf5plugin  # noqa: F401
import torch  # noqa: F401

root = importlib.util.find_spec('stable_worldmodel').submodule_search_locations[0]
for name, folder in (('stable_worldmodel', ''), ('stable_worldmodel.data', '/data'),
                     ('stable_worldmodel.data.formats', '/data/formats')):
    sys.modules[name] = types.ModuleType(name)
    sys.modules[name].__path__ = [root + folder]
from stable_worldmodel.data.formats.folder import FolderDataset  # noqa: E402,F401
from stable_worldmodel.data.formats.hdf5 import HDF5Dataset, HDF5Writer  # noqa: E402,F401
PY
"$python" peer.py 2>err ||
    { tail -n 1 err; echo "h5py, hdf5plugin, torch or stable_worldmodel is not installed for $python (UW_PYTHON_PEERS)"; exit 77; }

cat >same.py <<'PY'
"""same.py A.h5 B.h5: arrays, types, shapes and bytes agree, and the reference's reader gives the same windows."""
import sys

import h5py
import torch
from peer import HDF5Dataset

with h5py.File(sys.argv[1]) as a, h5py.File(sys.argv[2]) as b:
    assert set(a) == set(b), set(a) ^ set(b)
    for k in a:
        assert a[k].dtype == b[k].dtype and a[k].shape == b[k].shape, (k, a[k], b[k])
        assert h5py.check_enum_dtype(a[k].dtype) == h5py.check_enum_dtype(b[k].dtype), k
        assert a[k][:].tobytes() == b[k][:].tobytes(), k
        assert b[k].maxshape[0] is None, k
    assert b['ep_len'].dtype == 'int32' and b['ep_offset'].dtype == 'int64'
    assert b['pixels'].chunks[0] == 1
x, y = (HDF5Dataset(path=p, frameskip=2, num_steps=2) for p in sys.argv[1:3])
assert len(x) == len(y) > 0
for i in range(0, len(x), max(1, len(x) // 20)):
    p, q = x[i], y[i]
    assert set(p) == set(q)
    for k in p:
        assert torch.equal(torch.nan_to_num(p[k]), torch.nan_to_num(q[k])), (i, k)
print('same')
PY
cat >folder.py <<'PY'
"""folder.py A B: the reference's folder reader gives the same windows of both, pictures included."""
import sys

import torch
from peer import FolderDataset

x, y = (FolderDataset(path=p, frameskip=2, num_steps=2) for p in sys.argv[1:3])
assert len(x) == len(y) > 0 and set(x.column_names) == set(y.column_names)
for i in range(0, len(x), max(1, len(x) // 20)):
    p, q = x[i], y[i]
    for k in p:
        assert torch.equal(torch.nan_to_num(p[k].double()), torch.nan_to_num(q[k].double())), (i, k)
print('same')
PY
cat >append.py <<'PY'
"""append.py FILE.h5: the reference's writer appends an episode to a file of ours."""
import sys

import h5py
import numpy as np
from peer import HDF5Writer

with h5py.File(sys.argv[1]) as f:
    n = f['ep_len'][0]
    episode = {k: list(f[k][:n]) for k in f if k not in ('ep_len', 'ep_offset')}
    rows = f['pixels'].shape[0]
with HDF5Writer(sys.argv[1], mode='append') as w:
    w.write_episode(episode)
with h5py.File(sys.argv[1]) as f:
    assert f['pixels'].shape[0] == rows + n and f['ep_offset'][-1] == rows
    assert np.array_equal(f['state'][rows:], f['state'][:n])
PY

expect 0 convert "$vectors/data/malformed/ok.h5" a.uw
"$umwelt" convert a.uw a.h5 >out 2>err || { echo "this build writes no HDF5"; exit 77; }
for name in malformed/ok pusht pusht_blosc_lz4 pusht_blosc_zstd tworoom tworoom_blosc_zstd; do
    [ -e "$vectors/data/$name.h5" ] || { echo "$name.h5 is not in the folder of vectors: skipped"; continue; }
    expect 0 convert "$vectors/data/$name.h5" a.uw --force
    expect 0 convert a.uw a.h5 --force
    "$python" same.py "$vectors/data/$name.h5" a.h5 >out 2>err || { fail "$name.h5 differs after its way"; tail -n 3 err; }
done
expect 0 convert "$vectors/data/malformed/ok.h5" b.h5
"$python" append.py b.h5 >out 2>err || { fail "the reference does not append to our file"; tail -n 3 err; }
expect 0 convert b.h5 b.uw --json
json "d['episodes']==4"
if [ -e "$vectors/data/pusht_folder" ]; then
    expect 0 convert "$vectors/data/pusht_folder" c.uw
    expect 0 convert c.uw c --to folder
    "$python" folder.py "$vectors/data/pusht_folder" c >out 2>err || { fail "a folder differs after its way"; tail -n 3 err; }
else
    echo "pusht_folder is not in the folder of vectors: skipped"
fi
finish
