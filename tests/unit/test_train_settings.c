/* Keys, presets, cross-checks, what is stored and compared on resume. */
#include <unistd.h>

#include <umwelt/train.h>

#include "check.h"
#include "settings.h"
#include "tempdir.h"

static uw_train_config preset(const char *name) {
    uw_train_config c;
    uw_err err = {0};
    CHECK_OK(uw_train_preset(name, &c, &err), &err);
    return c;
}

static void presets_are_valid(void **state) {
    (void)state;
    uw_err err = {0};
    int count = 0;
    for (const char *const *name = uw_train_presets(); *name; name++, count++) {
        const uw_train_config c = preset(*name);
        assert_string_equal(c.preset, *name);
        CHECK_OK(uw__settings_check(&c, &err), &err);
    }
    assert_int_equal(count, 7);
    uw_train_config c;
    assert_int_equal(uw_train_preset("two_rooms", &c, &err), UW_ENOTFOUND);
    assert_non_null(strstr(err.fix, "two_room"));
}

/* The recipe, to the constant. */
static void recipe(void **state) {
    (void)state;
    const uw_train_config c = preset("two_room_robust");
    assert_int_equal(c.steps, 1000);
    assert_int_equal(c.batch, 64);
    assert_int_equal(c.window, 4);
    assert_int_equal(c.rollout_steps, 3);
    CHECK_NEAR(c.lr, 2e-3, 1e-9);
    CHECK_NEAR(c.sigreg_weight, 3.0, 0);
    assert_int_equal(c.sigreg_directions, 128);
    assert_int_equal(c.model.input, UW_INPUT_FLOOR_RELATIVE);
    assert_int_equal(preset("two_room").steps, 900);
    assert_int_equal(preset("two_room").model.conv_channels[1], 32);
    assert_int_equal(preset("lewm").sigreg_directions, 1024);
    assert_int_equal(preset("lewm").model.history_size, 3);
}

/* Every key: what it prints it reads, and what it reads it prints. */
static void keys_round_trip(void **state) {
    (void)state;
    int32_t count = 0;
    const uw_train_key *keys = uw_train_keys(&count);
    assert_true(count > 60);
    for (const char *const *name = uw_train_presets(); *name; name++) {
        const uw_train_config c = preset(*name);
        uw_train_config copy = preset("sensors");
        uw_err err = {0};
        char text[512], again[512];
        for (int32_t i = 0; i < count; i++) {
            assert_int_equal(uw_train_get(&c, keys[i].name, text, sizeof text), UW_OK);
            CHECK_OK(uw_train_set(&copy, keys[i].name, text, &err), &err);
            assert_int_equal(uw_train_get(&copy, keys[i].name, again, sizeof again), UW_OK);
            assert_string_equal(text, again);
            assert_true(*keys[i].help && *keys[i].type);
        }
        char *json = uw__settings_json(&c);
        assert_non_null(json);
        snprintf(copy.preset, sizeof copy.preset, "%s", c.preset);
        CHECK_OK(uw__settings_same(&copy, json, "test", &err), &err);
        free(json);
    }
}

static void names_are_fixed(void **state) {
    (void)state;
    static const char *const fixed[] = {"observe",
                                        "action",
                                        "latent_dim",
                                        "encoder",
                                        "predictor",
                                        "history_size",
                                        "frameskip",
                                        "window",
                                        "batch",
                                        "steps",
                                        "lr",
                                        "weight_decay",
                                        "warmup_steps",
                                        "clip_norm",
                                        "sigreg_weight",
                                        "sigreg_directions",
                                        "rollout_weight",
                                        "inverse_weight",
                                        "vicreg_weight",
                                        "augment",
                                        "precision"};
    const uw_train_config c = preset("two_room");
    char text[512];
    for (size_t i = 0; i < sizeof fixed / sizeof fixed[0]; i++) {
        if (uw_train_get(&c, fixed[i], text, sizeof text)) fail_msg("key %s is gone", fixed[i]);
    }
}

static void refuse(const char *key, const char *value, const char *in_text, const char *in_fix) {
    uw_train_config c = preset("two_room");
    const uw_train_config before = c;
    uw_err err = {0};
    if (uw_train_set(&c, key, value, &err) != UW_EINVAL) fail_msg("%s=%s was accepted", key, value);
    if (!strstr(err.text, in_text))
        fail_msg("%s=%s: no \"%s\" in: %s", key, value, in_text, err.text);
    if (!strstr(err.fix, in_fix)) fail_msg("%s=%s: no \"%s\" in: %s", key, value, in_fix, err.fix);
    assert_memory_equal(&c, &before, sizeof c);
}

static void bad_values(void **state) {
    (void)state;
    refuse("batch", "0", "wanted 1 .. 65536 windows, got 0", "help keys");
    refuse("batch", "8.5", "batch: wanted", "");
    refuse("batch", "", "got nothing", "");
    refuse("batch", "12x", "got 12x", "");
    refuse("lr", "nan", "lr: wanted", "");
    refuse("lr", "-1", "lr: wanted", "");
    refuse("lr", "1e400", "lr: wanted", "");
    refuse("encoder", "resnet", "conv|vit|mlp", "");
    refuse("encoder", "", "conv|vit|mlp", "");
    refuse("encoder", "conv|vit", "conv|vit|mlp", "");
    refuse("precision", "fp16", "f32|bf16", "");
    refuse("sigreg_per_step", "maybe", "true|false", "");
    refuse("seed", "-1", "seed: wanted", "");
    refuse("seed", "18446744073709551616", "seed: wanted", "");
    refuse("conv_channels", "16,,32", "conv_channels: wanted", "");
    refuse("conv_channels", "1,2,3,4,5,6,7,8,9", "conv_channels: wanted", "");
    refuse("conv_channels", "16,", "conv_channels: wanted", "");
    refuse("latent_dims", "4", "no such key", "latent_dim?");
    refuse("zzzzqqq", "4", "no such key", "help keys");
}

static void edge_values(void **state) {
    (void)state;
    uw_train_config c = preset("two_room");
    uw_err err = {0};
    char text[64];
    CHECK_OK(uw_train_set(&c, "seed", "18446744073709551615", &err), &err);
    assert_true(c.seed == UINT64_MAX);
    CHECK_OK(uw_train_set(&c, "conv_pad", "1,0,2", &err), &err);
    assert_int_equal(c.model.conv_pad[2], 2);
    assert_int_equal(c.model.conv_pad[3], 0);
    CHECK_OK(uw_train_set(&c, "observe", "", &err), &err);
    CHECK_OK(uw_train_set(&c, "steps", "1e3", &err), &err);
    assert_int_equal(c.steps, 1000);
    assert_int_equal(uw_train_get(&c, "seed", text, 5), UW_ENOMEM);
    assert_int_equal(uw_train_get(&c, "nothing", text, sizeof text), UW_ENOTFOUND);
}

/* Key, value, and the key that the refusal names. */
static void cross_checks(void **state) {
    (void)state;
    static const char *const cases[][4] = {
        {"two_room", "accumulate", "3", "accumulate"},
        {"two_room", "episode_windows", "3", "episode_windows"},
        {"two_room", "rollout_steps", "4", "rollout_steps"},
        {"two_room", "augment", "redraw", "augment_factors"},
        {"two_room", "augment_ramp_start", "0.9", "augment_ramp_start"},
        {"two_room", "encoder", "mlp", "encoder"},
        {"sensors", "augment", "colour", "augment"},
        {"lewm", "window", "5", "window"},
        {"two_room", "readout", "state", "readout_weight"},
        {"two_room", "readout_weight", "1", "readout_weight"},
        {"lewm", "extra_frames", "8", "extra_frames"},
        {"lewm", "predictor_steps", "8", "predictor_steps"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        uw_train_config c = preset(cases[i][0]);
        uw_err err = {0};
        CHECK_OK(uw_train_set(&c, cases[i][1], cases[i][2], &err), &err);
        if (!uw__settings_check(&c, &err)) fail_msg("%s=%s was accepted", cases[i][1], cases[i][2]);
        if (strncmp(err.text, cases[i][3], strlen(cases[i][3])) != 0) {
            fail_msg("%s=%s: %s", cases[i][1], cases[i][2], err.text);
        }
    }
    /* A struct filled by hand passes through the same ranges. */
    uw_train_config c = preset("two_room");
    uw_err err = {0};
    c.batch = -5;
    assert_int_equal(uw__settings_check(&c, &err), UW_EINVAL);
    c = preset("two_room");
    c.lr = 0.0f / (float)(c.batch - 64);
    assert_int_equal(uw__settings_check(&c, &err), UW_EINVAL);
}

static void stored_differences(void **state) {
    (void)state;
    const uw_train_config c = preset("two_room");
    uw_err err = {0};
    char *json = uw__settings_json(&c);
    uw_train_config other = c;
    other.lr = 1e-3f;
    assert_int_equal(uw__settings_same(&other, json, "run", &err), UW_ESHAPE);
    assert_non_null(strstr(err.text, "lr differs"));
    other = c;
    other.checkpoint_every = 17;
    CHECK_OK(uw__settings_same(&other, json, "run", &err), &err);
    assert_int_equal(uw__settings_same(&c, "{\"lr\": 1}", "run", &err), UW_EFORMAT);
    assert_int_equal(uw__settings_same(&c, "not json", "run", &err), UW_EFORMAT);
    free(json);
}

static void write_text(const char *path, const char *text) {
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    fputs(text, f);
    fclose(f);
}

static void yaml_files(void **state) {
    (void)state;
#if defined(UW_YAML)
    const char *path = tempdir_file("keys.yaml");
    uw_train_config c = preset("two_room");
    uw_err err = {0};
    write_text(path, "# a comment\nlr: 0.004\nencoder: conv\nconv_channels: 8,16,16\nsteps: 12\n");
    CHECK_OK(uw_train_config_load(path, &c, &err), &err);
    CHECK_NEAR(c.lr, 0.004, 1e-9);
    assert_int_equal(c.model.conv_channels[0], 8);
    assert_int_equal(c.steps, 12);

    /* all or nothing, and the line is named */
    const uw_train_config before = c;
    write_text(path, "lr: 0.5\nbatchs: 3\n");
    assert_int_equal(uw_train_config_load(path, &c, &err), UW_EINVAL);
    assert_non_null(strstr(err.text, "line 2"));
    assert_non_null(strstr(err.fix, "batch"));
    assert_memory_equal(&c, &before, sizeof c);
    assert_int_equal(uw_train_config_load(tempdir_file("none.yaml"), &c, &err), UW_ENOTFOUND);
#else
    (void)write_text;
#endif
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(presets_are_valid), cmocka_unit_test(recipe),
        cmocka_unit_test(keys_round_trip),   cmocka_unit_test(names_are_fixed),
        cmocka_unit_test(bad_values),        cmocka_unit_test(edge_values),
        cmocka_unit_test(cross_checks),      cmocka_unit_test(stored_differences),
        cmocka_unit_test(yaml_files)};
    return cmocka_run_group_tests(tests, tempdir_setup, tempdir_teardown);
}
