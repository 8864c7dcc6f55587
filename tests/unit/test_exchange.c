/* Checkpoints of the reference: every recorded layout becomes the recorded weights, every way in
 * which files do not belong together is named, and what goes out comes back. */
#include <math.h>
#include <unistd.h>

#include "alloc_fail.h"
#include "check.h"
#include "exchange.h"
#include "fileio.h"
#include "model_internal.h"
#include "pt.h"
#include "recipe.h"
#include "safetensors.h"
#include "tempdir.h"

/* What the repository keeps, because the cases below change its words and sizes; the recorded
 * layouts are taken from $UW_VECTORS. */
static const char *folder = UW_VECTORS_DEFAULT;
static uw_safetensors *golden; /* the recorded weights in folder */

static const char *vector(const char *name) {
    static char paths[4][600];
    static int turn;
    char *path = paths[turn++ % 4];
    snprintf(path, sizeof paths[0], "%s/golden/%s", folder, name);
    return path;
}

static int setup(void **state) {
    uw_err err = {0};
    if (tempdir_setup(state)) return -1;
    return uw__safetensors_open(vector("lewm_tiny/weights.safetensors"), 0, &golden, &err);
}

static int teardown(void **state) {
    uw__safetensors_close(golden);
    return tempdir_teardown(state);
}

static const char *tiny_config(void) {
    return vector("checkpoints/good/config.json");
}

static void check_refused(uw_status got, uw_status want, const uw_err *err, const char *reason) {
    if (got != want || !strstr(err->text, reason)) {
        fail_msg("wanted %d with %s, got %d: %s", want, reason, got, err->text);
    }
    if (!err->fix[0]) fail_msg("no advice with \"%s\"", err->text);
}

/* ---- in ---- */

/* Whether got is want rounded to a shorter type: nearest, and one of that type's numbers. */
static bool is_rounded(float got, float want, uw_dtype dtype) {
    const int digits = dtype == UW_DTYPE_F16 ? 11 : 8, least = dtype == UW_DTYPE_F16 ? -24 : -133;
    int exponent;
    if (dtype == UW_DTYPE_F32) return got == want;
    frexpf(want, &exponent);
    const int last = exponent - digits > least ? exponent - digits : least;
    const float units = ldexpf(got, -last);
    return units == rintf(units) && fabsf(got - want) <= ldexpf(0.5f, last);
}

static void check_golden(const uw_model *model, uw_dtype dtype) {
    assert_int_equal(uw_model_num_tensors(model), uw__safetensors_count(golden));
    for (int32_t i = 0; i < uw_model_num_tensors(model); i++) {
        const uw_tensor got = uw_model_tensor(model, i);
        const int32_t at = uw__safetensors_find(golden, got.name);
        if (at < 0) fail_msg("%s is not in the recording", got.name);
        const uw_tensor want = uw__safetensors_tensor(golden, at);
        const int64_t n = uw_tensor_count(&want);
        assert_int_equal(uw_tensor_count(&got), n);
        if (want.dtype == UW_DTYPE_I64) {
            assert_memory_equal(got.data, want.data, (size_t)n * 8);
            continue;
        }
        const float *g = got.data, *w = want.data;
        for (int64_t k = 0; k < n; k++) {
            if (is_rounded(g[k], w[k], dtype)) continue;
            fail_msg("%s[%d] = %.9g, recorded %.9g", got.name, (int)k, (double)g[k], (double)w[k]);
        }
    }
}

static void test_recorded(void **state) {
    static const struct {
        const char *file;
        uw_dtype dtype;
    } files[] = {
        {"checkpoints/good/plain_4x.pt", UW_DTYPE_F32},
        {"checkpoints/good/plain_5x.pt", UW_DTYPE_F32},
        {"checkpoints/good/lightning.pt", UW_DTYPE_F32},
        {"checkpoints/good/legacy.pt", UW_DTYPE_F32},
        {"checkpoints/good/views.pt", UW_DTYPE_F32},
        {"checkpoints/good/fp16.pt", UW_DTYPE_F16},
        {"checkpoints/good/bf16.pt", UW_DTYPE_BF16},
        {"lewm_tiny/weights.safetensors", UW_DTYPE_F32}, /* without any metadata of ours */
    };
    uw_safetensors *kept = golden;
    uw_err err = {0};
    (void)state;
    folder = check_vectors();
    CHECK_OK(uw__safetensors_open(vector("lewm_tiny/weights.safetensors"), 0, &golden, &err), &err);
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        const uw_import_options options = {.config = tiny_config()};
        uw_model *model = NULL;
        if (!uw__file_exists(vector(files[i].file))) {
            print_message("skipped: %s is not in the vectors\n", files[i].file);
            continue;
        }
        CHECK_OK(uw_model_import(vector(files[i].file), &options, &model, &err), &err);
        check_golden(model, files[i].dtype);
        uw_model_unload(model);
    }
    uw__safetensors_close(golden);
    golden = kept;
    folder = UW_VECTORS_DEFAULT;
}

/* The published size, from a size word and few numbers. */
static void test_config_full(void **state) {
    uw_model_config c = {0};
    int32_t block = 0;
    uw_err err = {0};
    (void)state;
    CHECK_OK(
        uw__reference_config_read(vector("checkpoints/good/config_full.json"), &c, &block, &err),
        &err);
    assert_int_equal(block, 10);
    c.action_dim = 2, c.frameskip = 5;
    uw_net net;
    CHECK_OK(uw__net_init(&c, &net, &err), &err);
    assert_int_equal(net.num_tensors, 303);
    assert_int_equal(net.num_params, 18034478);
    uw__net_fini(&net);
}

/* config.json with one piece of text replaced. */
static const char *changed_config(const char *from, const char *to) {
    void *raw = NULL;
    size_t size;
    uw_err err = {0};
    static char text[8192];
    CHECK_OK(uw__file_read(tiny_config(), 1 << 16, &raw, &size, &err), &err);
    const char *at = strstr(raw, from);
    if (!at) fail_msg("config.json has no %s", from);
    snprintf(text, sizeof text, "%.*s%s%s", (int)(at - (const char *)raw), (const char *)raw, to,
             at + strlen(from));
    free(raw);
    const char *path = tempdir_file("config.json");
    CHECK_OK(uw__file_write_atomic(path, text, strlen(text), true, &err), &err);
    return path;
}

static void test_config(void **state) {
    static const struct {
        const char *from, *to;
        uw_status want;
        const char *reason, *fix;
    } cases[] = {
        {"\"depth\"", "\"depht\"", UW_EFORMAT, "missing_key", ""},
        {"\"depth\": 2", "\"depth\": 2, \"drop_out\": 0", UW_EFORMAT, "unknown_key",
         "did you mean predictor.dropout?"},
        {"\"size\": \"tiny\"", "\"size\": \"tinny\"", UW_EFORMAT, "bad_value",
         "did you mean tiny?"},
        {"\"depth\": 2", "\"depth\": 2.5", UW_EFORMAT, "bad_value", ""},
        {"\"depth\": 2", "\"depth\": -2", UW_EFORMAT, "bad_value", ""},
        {"\"depth\": 2", "\"depth\": \"2\"", UW_EFORMAT, "bad_value", ""},
        {"\"depth\": 2", "\"depth\": 2, \"depth\": 3", UW_EFORMAT, "duplicate_key", ""},
        {"\"depth\": 2", "\"depth\": 65000", UW_EFORMAT, "bad_config", ""},
        {"\"dropout\": 0.1", "\"dropout\": 1.5", UW_EFORMAT, "bad_value", ""},
        {"\"emb_dropout\": 0.0", "\"emb_dropout\": 0.1", UW_EUNSUPPORTED, "unsupported_value", ""},
        {"\"use_mask_token\": false", "\"use_mask_token\": true", UW_EUNSUPPORTED,
         "unsupported_value", ""},
        {"wm.lewm.LeWM", "wm.pldm.PLDM", UW_EUNSUPPORTED, "got stable_worldmodel.wm.pldm.PLDM", ""},
        {"torch.nn.BatchNorm1d", "torch.nn.LayerNorm", UW_EUNSUPPORTED, "wanted BatchNorm1d", ""},
        {"\"hidden_dim\": 48", "\"hidden_dim\": 64", UW_ESHAPE, "predictor.hidden_dim", ""},
        {"\"emb_dim\": 48", "\"emb_dim\": 64", UW_ESHAPE, "action_encoder.emb_dim", ""},
        {"\"patch_size\": 14", "\"patch_size\": 13", UW_EFORMAT, "vit_patch", ""},
        {"\"depth\": 2", "\"depth\": [2", UW_EFORMAT, "bad_json", ""},
        {"\"depth\": 2", "\"depth\": nil", UW_EFORMAT, "bad_json", ""},
        {"{", "{} {", UW_EFORMAT, "bad_json", ""},
        {"\"emb_dim\": 48", "\"emb_dim\": 48, \"mlp_scale\": 60000", UW_EFORMAT, "bad_value", ""},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const uw_import_options options = {.config = changed_config(cases[i].from, cases[i].to)};
        uw_model *model = (uw_model *)1;
        uw_err err = {0};
        check_refused(
            uw_model_import(vector("lewm_tiny/weights.safetensors"), &options, &model, &err),
            cases[i].want, &err, cases[i].reason);
        assert_null(model);
        if (!strstr(err.fix, cases[i].fix)) fail_msg("wanted %s, got %s", cases[i].fix, err.fix);
    }
}

/* The same description below `model` of a training configuration, with other things beside it, and
 * found beside the weights without being named. */
static void test_config_nested(void **state) {
    void *raw = NULL, *weights = NULL;
    size_t size, bytes;
    uw_err err = {0};
    char text[8192];
    uw_model *model = NULL;
    (void)state;
    CHECK_OK(uw__file_read(tiny_config(), 1 << 16, &raw, &size, &err), &err);
    CHECK_OK(
        uw__file_read(vector("lewm_tiny/weights.safetensors"), 1 << 24, &weights, &bytes, &err),
        &err);
    snprintf(text, sizeof text,
             "{\"seed\": 3072, \"data\": {\"keys\": [\"a\", [1, {\"b]\": 2}]], \"x\": null},"
             " \"model\": %s, \"model_name\": \"lewm\"}",
             (const char *)raw);
    CHECK_OK(uw__file_write_atomic(tempdir_file("config.json"), text, strlen(text), true, &err),
             &err);
    CHECK_OK(uw__file_write_atomic(tempdir_file("w.safetensors"), weights, bytes, true, &err),
             &err);
    CHECK_OK(uw_model_import(tempdir_file("w.safetensors"), NULL, &model, &err), &err);
    check_golden(model, UW_DTYPE_F32);
    uw_model_unload(model);
    unlink(tempdir_file("config.json"));
    check_refused(uw_model_import(tempdir_file("w.safetensors"), NULL, &model, &err), UW_ENOTFOUND,
                  &err, "config.json");
    free(raw);
    free(weights);
}

/* The block of actions is cut into dataset rows; what does not divide is refused before the weights
 * are opened. */
static void test_actions(void **state) {
    const float mean[2] = {0.5f, -0.25f}, std[2] = {2, 3};
    const struct {
        int32_t skip, want_dim, want_skip;
    } cases[] = {{0, 2, 5}, {5, 2, 5}, {1, 10, 1}, {2, 5, 2}, {7, 0, 0}, {-5, 0, 0}, {20, 0, 0}};
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const uw_import_options o = {.config = tiny_config(), .frameskip = cases[i].skip};
        uw_model *model = NULL;
        uw_err err = {0};
        int32_t dim = -1;
        if (!cases[i].want_dim) {
            check_refused(uw_model_import("no such file", &o, &model, &err), UW_ESHAPE, &err,
                          "wrong_actions");
            continue;
        }
        CHECK_OK(uw_model_import_action_dim("no such file", &o, &dim, &err), &err);
        assert_int_equal(dim, cases[i].want_dim);
        CHECK_OK(uw_model_import(vector("lewm_tiny/weights.safetensors"), &o, &model, &err), &err);
        assert_int_equal(uw_model_config_of(model)->action_dim, cases[i].want_dim);
        assert_int_equal(uw_model_config_of(model)->frameskip, cases[i].want_skip);
        assert_int_equal(uw__model_normalisers(model)->action_dim, 0);
        uw_model_unload(model);
    }
    const uw_import_options o = {.config = tiny_config(), .action_mean = mean, .action_std = std};
    uw_model *model = NULL, *again = NULL;
    uw_err err = {0};
    CHECK_OK(uw_model_import(vector("lewm_tiny/weights.safetensors"), &o, &model, &err), &err);
    CHECK_OK(uw_model_save(model, tempdir_file("m.safetensors"), true, &err), &err);
    CHECK_OK(uw_model_load(tempdir_file("m.safetensors"), &again, &err), &err);
    check_golden(again, UW_DTYPE_F32);
    assert_int_equal(uw__model_normalisers(again)->action_dim, 2);
    assert_memory_equal(uw__model_normalisers(again)->action_mean, mean, 8);
    assert_memory_equal(uw__model_normalisers(again)->action_std, std, 8);
    assert_string_equal(uw_model_provenance(again)->preset, "lewm");
    uw_model_unload(model);
    uw_model_unload(again);
}

/* ---- tensors that do not belong ---- */

enum { MOST = 400 };

/* The recorded tensors, and room for more. */
static int32_t golden_tensors(uw_tensor out[MOST]) {
    const int32_t n = uw__safetensors_count(golden);
    assert_true(n + 10 < MOST);
    for (int32_t i = 0; i < n; i++) out[i] = uw__safetensors_tensor(golden, i);
    return n;
}

/* Every tensor that does not belong is told, however many. */
static void count_misfit(void *cookie, const char *line) {
    assert_true(strlen(line) > 8);
    ++*(int *)cookie;
}

static uw_status import_pt(const uw_tensor *tensors, int32_t n, uw_err *err) {
    const uw_import_options options = {.config = tiny_config()};
    uw_model *model = NULL;
    CHECK_OK(uw__pt_write(tempdir_file("case.pt"), tensors, n, true, err), err);
    const uw_status s = uw_model_import(tempdir_file("case.pt"), &options, &model, err);
    if (!s) check_golden(model, UW_DTYPE_F32);
    uw_model_unload(model);
    return s;
}

static void test_wrong_tensors(void **state) {
    static uw_tensor t[MOST];
    uw_err err = {0};
    int32_t n = golden_tensors(t);
    (void)state;
    CHECK_OK(import_pt(t, n, &err), &err);
    check_refused(import_pt(t, n - 2, &err), UW_ESHAPE, &err, "2 missing, 0 extra");
    int told = 0;
    uw_model *model = NULL;
    const uw_import_options options = {
        .config = tiny_config(), .misfit = count_misfit, .cookie = &told};
    CHECK_OK(uw__pt_write(tempdir_file("case.pt"), t, 1, true, &err), &err);
    check_refused(uw_model_import(tempdir_file("case.pt"), &options, &model, &err), UW_ESHAPE, &err,
                  "missing");
    assert_int_equal(told, n - 1);
    t[n] = t[0], t[n].name = "encoder.surplus";
    t[n + 1] = t[0], t[n + 1].name = "sigreg.t"; /* only Lightning's is left out */
    check_refused(import_pt(t, n + 2, &err), UW_ESHAPE, &err, "2 extra");
    assert_non_null(strstr(err.text, "encoder.surplus"));
    /* one tensor under the names of both layouts */
    t[n] = t[uw__safetensors_find(golden, "encoder.encoder.layer.0.output.dense.bias")];
    t[n].name = "encoder.layers.0.mlp.fc2.bias";
    check_refused(import_pt(t, n + 1, &err), UW_ESHAPE, &err,
                  "1 twice, 0 mis-shaped: twice encoder.encoder.layer.0.output.dense.bias");
    const int32_t at = uw__safetensors_find(golden, "predictor.pos_embedding");
    const uw_tensor was = t[at];
    t[at].shape[1] = was.shape[2], t[at].shape[2] = was.shape[1];
    check_refused(import_pt(t, n, &err), UW_ESHAPE, &err,
                  "predictor.pos_embedding wanted F32 [1, 3, 48], got F32 [1, 48, 3]");
    t[at] = was, t[at].dtype = UW_DTYPE_I32;
    check_refused(import_pt(t, n, &err), UW_ESHAPE, &err, "got I32");
    t[at] = was;
    float *broken = malloc((size_t)uw_tensor_count(&was) * sizeof *broken);
    memcpy(broken, was.data, (size_t)uw_tensor_count(&was) * sizeof *broken);
    broken[5] = NAN;
    t[at].data = broken;
    check_refused(import_pt(t, n, &err), UW_ENONFINITE, &err, "predictor.pos_embedding[5]");
    free(broken);
}

/* Lightning's prefix, with the loss module's buffers beside it. */
static void test_lightning(void **state) {
    static uw_tensor t[MOST];
    static char names[MOST][UW_EXCHANGE_NAME];
    uw_err err = {0};
    int32_t n = golden_tensors(t);
    (void)state;
    for (int32_t i = 0; i < n; i++) {
        snprintf(names[i], sizeof names[i], "model.%.100s", t[i].name);
        t[i].name = names[i];
    }
    t[n] = t[0], t[n++].name = "sigreg.weights";
    CHECK_OK(import_pt(t, n, &err), &err);
    t[n] = t[0], t[n++].name = "other.weights";
    check_refused(import_pt(t, n, &err), UW_ESHAPE, &err, "extra other.weights");
}

/* ---- out ---- */

static uw_model *tiny_model(void) {
    const uw_import_options options = {.config = tiny_config()};
    uw_model *model = NULL;
    uw_err err = {0};
    CHECK_OK(uw_model_import(vector("lewm_tiny/weights.safetensors"), &options, &model, &err),
             &err);
    return model;
}

static void test_round_trip(void **state) {
    uw_model *model = tiny_model();
    (void)state;
    for (int layout = 0; layout < 2; layout++) {
        uw_model *back = NULL;
        uw_pt *pt = NULL;
        uw_err err = {0};
        const char *path = tempdir_file("out.pt");
        CHECK_OK(uw_model_export(model, path, (uw_key_layout)layout, true, &err), &err);
        CHECK_OK(uw__pt_open(path, 0, &pt, &err), &err);
        int32_t renamed = 0;
        for (int32_t i = 0; i < uw__pt_count(pt); i++) {
            renamed +=
                strstr(uw__pt_tensor(pt, i).name, "encoder.layers.0.attention.q_proj.") != NULL;
        }
        assert_int_equal(renamed, layout == UW_KEYS_TRANSFORMERS_5 ? 2 : 0);
        uw__pt_close(pt);
        CHECK_OK(uw_model_import(path, NULL, &back, &err), &err);
        check_golden(back, UW_DTYPE_F32);
        assert_memory_equal(uw_model_config_of(back), uw_model_config_of(model),
                            sizeof(uw_model_config));
        uw_model_unload(back);
    }
    uw_err err = {0};
    assert_int_equal(
        uw_model_export(model, tempdir_file("new.pt"), UW_KEYS_TRANSFORMERS_4, false, &err),
        UW_EEXIST);
    assert_non_null(strstr(err.text, "config.json"));
    assert_int_not_equal(access(tempdir_file("new.pt"), F_OK), 0);
    uw_model_unload(model);
}

/* A model of another kind has no class in the reference. */
static void test_no_class(void **state) {
    const uw_model_config demo = recipe_demo();
    uw_net net;
    uw_model *model = NULL;
    uw_err err = {0};
    (void)state;
    CHECK_OK(uw__net_init(&demo, &net, &err), &err);
    float *params = calloc(net.num_params, sizeof *params);
    float *buffers = calloc(net.num_buffers + 1, sizeof *buffers);
    CHECK_OK(uw__model_new(&demo, params, buffers, NULL, NULL, &model, &err), &err);
    const int before = tempdir_count();
    check_refused(
        uw_model_export(model, tempdir_file("demo.pt"), UW_KEYS_TRANSFORMERS_4, true, &err),
        UW_EUNSUPPORTED, &err, "encoder, wanted vit");
    assert_int_equal(tempdir_count(), before);
    uw_model_unload(model);
    free(params);
    free(buffers);
    uw__net_fini(&net);
}

/* For every n the n-th allocation fails: nothing is published, nothing leaks. */
static void test_no_memory(void **state) {
    uw_model *model = tiny_model();
    (void)state;
    for (int out = 0; out < 2; out++) {
        long n = 0;
        for (;; n++) {
            const uw_import_options options = {.config = tiny_config()};
            uw_model *got = (uw_model *)1;
            uw_err err = {0};
            const char *path = tempdir_file("memory.pt");
            unlink(path);
            alloc_fail_begin(n);
            const uw_status s =
                out ? uw_model_export(model, path, UW_KEYS_TRANSFORMERS_5, true, &err)
                    : uw_model_import(vector("checkpoints/good/legacy.pt"), &options, &got, &err);
            const bool fired = alloc_calls > n;
            alloc_fail_end();
            if (s && s != UW_ENOMEM) fail_msg("allocation %ld: %d: %s", n, s, err.text);
            if (s && !out) assert_null(got);
            if (!s && !out) uw_model_unload(got);
            if (!fired) break;
        }
        assert_true(n > (out ? 5 : 20));
    }
    uw_model_unload(model);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_recorded),  cmocka_unit_test(test_config_full),
        cmocka_unit_test(test_config),    cmocka_unit_test(test_config_nested),
        cmocka_unit_test(test_actions),   cmocka_unit_test(test_wrong_tensors),
        cmocka_unit_test(test_lightning), cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_no_class),  cmocka_unit_test(test_no_memory),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
