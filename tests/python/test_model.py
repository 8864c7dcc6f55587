"""Models from Python: the recorded numbers, views without copies, refusals that say what is wrong."""
import gc
import json

import numpy as np
import pytest

import lewm_files
import umwelt


def test_every_declared_function_is_in_the_library():
    from umwelt._abi import ffi, lib
    functions = [n for n in dir(lib) if n.startswith("uw_")]
    assert len(functions) > 80
    for name in functions:
        getattr(lib, name)
    assert ffi.sizeof("uw_err") == 416


def test_encode_gives_the_recorded_latents(tiny, frames, golden):
    z = tiny.encode(frames)
    assert z.dtype == np.float32
    np.testing.assert_allclose(z, golden("lewm_tiny/eval")["z"], atol=2e-5, rtol=1e-4)
    np.testing.assert_allclose(tiny.encode(frames[0]), z[0], atol=1e-6)
    strided = np.repeat(frames[:2], 2, axis=2)[:, :, ::2]
    np.testing.assert_array_equal(tiny.encode(strided), tiny.encode(frames[:2]))
    assert tiny.encode(frames[:0]).shape == (0, tiny.latent_dim)


def test_rollout_gives_the_recorded_latents(tiny, golden):
    plan, inputs = golden("lewm_tiny/plan"), golden("lewm_tiny/inputs")
    latents = plan["h1.latents"]  # [plans, 1 + H, D], the start first
    z = tiny.rollout(latents[0, 0], inputs["plans"])
    np.testing.assert_allclose(z, latents[:, 1:], atol=5e-5, rtol=1e-4)
    np.testing.assert_allclose(tiny.rollout(latents[0, 0], inputs["plans"][1]), z[1], atol=1e-6)


def test_units_of_actions(scaled_file, golden):
    model = umwelt.Model.load(scaled_file)
    mean, std = model.action_normaliser
    np.testing.assert_array_equal(mean, np.float32([0.25, -0.5]))
    np.testing.assert_array_equal(std, np.float32([0.5, 2.0]))
    plans, z0 = golden("lewm_tiny/inputs")["plans"], np.zeros(model.latent_dim)
    raw = (plans.reshape(-1, 2) * std + mean).reshape(plans.shape)
    np.testing.assert_allclose(model.rollout(z0, raw), model.rollout(z0, plans, normalised=True), atol=1e-4)


def test_history(tiny, golden):
    z0, plans = golden("lewm_tiny/eval")["z"][:3], golden("lewm_tiny/inputs")["plans"]
    past = plans[1, :2]
    z = tiny.rollout(z0, plans, past)
    assert np.abs(z - tiny.rollout(z0[-1], plans)).max() > 1e-3
    with pytest.raises(umwelt.UmweltError, match="past"):
        tiny.rollout(z0, plans)
    with pytest.raises(umwelt.UmweltError, match="wanted 1 to 3, got 4"):
        tiny.rollout(np.zeros((4, tiny.latent_dim)), plans, np.zeros((3, tiny.action_dim)))


def test_tensors_are_views_that_outlive_the_model(tiny_file, golden):
    model = umwelt.Model.load(tiny_file)
    tensors = model.tensors
    weights = golden("lewm_tiny/weights")
    assert set(tensors) == set(weights)
    kept = tensors["predictor.pos_embedding"][0]
    assert not kept.flags.writeable and not kept.flags.owndata
    assert np.shares_memory(kept, model.tensors["predictor.pos_embedding"])
    for name, a in weights.items():
        np.testing.assert_array_equal(tensors[name], a)
    del model, tensors
    gc.collect()
    np.testing.assert_array_equal(kept, weights["predictor.pos_embedding"][0])


def test_the_same_bits_for_any_number_of_threads(tiny_file, frames):
    z = [umwelt.Model.load(tiny_file, umwelt.Context(threads=n)).encode(frames) for n in (1, 2, 3)]
    np.testing.assert_array_equal(z[0], z[1])
    np.testing.assert_array_equal(z[0], z[2])


@pytest.mark.parametrize("given, code, said", [
    (np.zeros((2, 55, 56, 3), np.uint8), "ESHAPE", r"frames: shape, wanted \[any, 56, 56, 3\], got \[2, 55, 56, 3\]"),
    (np.zeros((2, 56, 56, 3), np.float32), "EINVAL", "wanted uint8, got float32"),
    (np.zeros((56,), np.uint8), "ESHAPE", "wanted"),
])
def test_wrong_frames_are_refused(tiny, given, code, said):
    with pytest.raises(umwelt.UmweltError, match=said) as e:
        tiny.encode(given)
    assert e.value.code == code


def test_checkpoints_of_the_reference(golden, scaled_file, tmp_path):
    weights = golden("lewm_tiny/weights")
    (tmp_path / "config.json").write_text(json.dumps(lewm_files.reference_config(json.loads(weights.meta["config"]))))
    lewm_files.write_safetensors(tmp_path / "weights.safetensors", {}, weights)
    model = umwelt.Model.from_checkpoint(tmp_path / "weights.safetensors", normaliser=([0.25, -0.5], [0.5, 2.0]))
    ours = umwelt.Model.load(scaled_file)
    assert model.sha256 == ours.sha256 and model.action_dim == ours.action_dim == 10
    model.save(tmp_path / "model.safetensors")
    np.testing.assert_array_equal(umwelt.Model.load(tmp_path / "model.safetensors").action_normaliser, model.action_normaliser)
    with pytest.raises(umwelt.UmweltError) as e:
        model.save(tmp_path / "model.safetensors")
    assert e.value.code == "EEXIST"
    for layout in (4, 5):
        folder = tmp_path / str(layout)
        folder.mkdir()
        model.export_checkpoint(folder / "weights.pt", layout)
        assert umwelt.Model.from_checkpoint(folder / "weights.pt").sha256 == model.sha256
    with pytest.raises(umwelt.UmweltError, match=r"mean: shape, wanted \[2\], got \[3\]"):
        umwelt.Model.from_checkpoint(tmp_path / "weights.safetensors", normaliser=(np.zeros(3), np.ones(3)))


def test_a_file_that_is_no_model(tmp_path, tiny_file):
    with pytest.raises(umwelt.UmweltError) as e:
        umwelt.Model.load(tmp_path / "none.safetensors")
    assert (e.value.code, "none.safetensors" in e.value.what, e.value.fix != "") == ("ENOTFOUND", True, True)
    meta, tensors = lewm_files.read_safetensors(tiny_file)
    del tensors["predictor.pos_embedding"]
    lewm_files.write_safetensors(tmp_path / "less.safetensors", meta, tensors)
    with pytest.raises(umwelt.UmweltError, match="predictor.pos_embedding"):
        umwelt.Model.load(tmp_path / "less.safetensors")
    with pytest.raises(umwelt.UmweltError, match="isa|ISA"):
        umwelt.Context(max_isa="sse")
