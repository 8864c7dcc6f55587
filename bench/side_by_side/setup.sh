#!/bin/sh
# A virtual environment with the peers, versions pinned.  Usage: sh setup.sh FOLDER
set -eu
folder=${1:?usage: sh setup.sh FOLDER}
python3 -m venv "$folder"
. "$folder/bin/activate"
pip install -q torch==2.13.0
pip install -q numpy==2.4.6 gymnasium==1.4.0 pymunk==7.3.1 pygame==2.6.1 shapely==2.2.0 opencv-python-headless==5.0.0.93 \
    einops==0.8.2 transformers==5.23.0 h5py==3.16.0 hdf5plugin==7.1.0 loguru==0.7.3 tqdm==4.70.1 pillow==13.0.0 rich==15.0.0 \
    typer==0.29.2 tabulate==0.10.0 imageio==2.38.1 hydra-core==1.3.8 lancedb==0.40.0 pylance==14.0.2 pyarrow==26.0.1 simplejpeg==1.9.0 openvino==2026.4.1
pip install -q --no-deps torchvision==0.28.0 stable-worldmodel==0.1.1
