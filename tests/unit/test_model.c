/* Models as objects and as files: sizes, round trips, and every way a file can be wrong. */
#include <math.h>

#include "alloc_fail.h"
#include "check.h"
#include "model_internal.h"
#include "recipe.h"
#include "rng.h"
#include "safetensors.h"
#include "tempdir.h"

static uw_context *ctx;

static int setup(void **state) {
    const uw_context_options options = {.num_threads = 1};
    uw_err err = {0};
    if (tempdir_setup(state)) return -1;
    return uw_context_new(&options, &ctx, &err) ? -1 : 0;
}

static int teardown(void **state) {
    uw_context_free(ctx);
    return tempdir_teardown(state);
}

/* A model with random numbers, normalisers where it has columns and actions, and a full provenance.
 */
static uw_model *model_new(const uw_model_config *config) {
    static float mean[16], std[16];
    static const uw_provenance provenance = {.preset = "two_room",
                                             .env = "two_room",
                                             .dataset_hash = "0123456789abcdef",
                                             .config_json = "{\"steps\":900}",
                                             .seed = UINT64_MAX - 1,
                                             .action_repeat = 5,
                                             .trained_factors = "agent.color,floor.color",
                                             .observe = "pixels"};
    uw_net net;
    uw_model *model = NULL;
    uw_err err = {0};
    uw_rng r = uw__rng(1, UW_STREAM_TEST, 0);

    for (int i = 0; i < 16; i++) mean[i] = uw__rng_normal(&r), std[i] = 0.1f + uw__rng_uniform(&r);
    CHECK_OK(uw__net_init(config, &net, &err), &err);
    float *params = calloc(net.num_params, sizeof *params);
    float *buffers = calloc(net.num_buffers + 1, sizeof *buffers);
    uw__net_randomise(&net, 2, params, buffers);
    for (int32_t i = 0; i < net.num_tensors; i++)
        if (net.tensors[i].counter) buffers[net.tensors[i].offset] = 17;
    const uw_normalisers normalisers = {.action_dim = config->action_dim,
                                        .observe_dim = config->observe_dim,
                                        .action_mean = mean,
                                        .action_std = std,
                                        .observe_mean = mean + 8,
                                        .observe_std = std + 8};
    CHECK_OK(uw__model_new(config, params, buffers, &normalisers, &provenance, &model, &err), &err);
    free(params);
    free(buffers);
    uw__net_fini(&net);
    return model;
}

/* ---- sizes ---- */

static int64_t count_prefix(const uw_model *model, const char *prefix) {
    int64_t count = 0;
    for (int32_t i = 0; i < uw_model_num_tensors(model); i++) {
        const uw_tensor t = uw_model_tensor(model, i);
        const bool statistics = strstr(t.name, "running") || strstr(t.name, "tracked");
        if (!strncmp(t.name, prefix, strlen(prefix)) && !statistics) count += uw_tensor_count(&t);
    }
    return count;
}

/* The published counts of the demo's recipe. */
static void test_demo_counts(void **state) {
    const uw_model_config config = recipe_demo();
    uw_model *model = model_new(&config);
    (void)state;
    assert_int_equal(count_prefix(model, "encoder.") + count_prefix(model, "projector."), 84720);
    assert_int_equal(count_prefix(model, "predictor."), 25120);
    assert_int_equal(uw_model_num_parameters(model), 84720 + 25120);
    uw_model_unload(model);
}

/* What starts at what: the identity predictor, PyTorch's bounds, N(0, 1) positions. */
static void test_start(void **state) {
    const uw_model_config configs[] = {recipe_demo(), recipe_lewm_small()};
    (void)state;
    for (int c = 0; c < 2; c++) {
        uw_net net;
        uw_err err = {0};
        CHECK_OK(uw__net_init(&configs[c], &net, &err), &err);
        float *params = calloc(net.num_params, sizeof *params);
        float *again = calloc(net.num_params, sizeof *again);
        float *buffers = calloc(net.num_buffers, sizeof *buffers);
        uw__net_randomise(&net, 11, params, buffers);
        uw__net_randomise(&net, 11, again, buffers);
        assert_memory_equal(params, again, net.num_params * sizeof *params);
        for (int32_t i = 0; i < net.num_tensors; i++) {
            const uw_net_tensor *t = &net.tensors[i];
            const float *x = (t->buffer ? buffers : params) + t->offset;
            double sum = 0.0, squares = 0.0;
            for (size_t k = 0; k < t->count; k++) {
                sum += (double)x[k];
                squares += (double)x[k] * (double)x[k];
            }
            const double rms = sqrt(squares / (double)t->count);
            if (strstr(t->name, "predictor.net.4") || strstr(t->name, "adaLN"))
                assert_true(squares == 0.0);
            else if (strstr(t->name, "pos_embedding"))
                CHECK_NEAR(rms, 1.0, 0.4);
            else if (strstr(t->name, "position_embeddings"))
                CHECK_NEAR(rms, 0.02, 0.005);
            else if (strstr(t->name, "projector.net.1.weight"))
                assert_true(sum == (double)t->count);
            else if (strstr(t->name, "projector.net.0.weight"))
                CHECK_NEAR(rms * sqrt(3.0 * (double)t->shape[1]), 1.0, 0.1);
        }
        free(params);
        free(again);
        free(buffers);
        uw__net_fini(&net);
    }
}

/* ---- configurations ---- */

static void check_refused(uw_model_config config, const char *what) {
    uw_net net;
    uw_err err = {0};
    assert_int_equal(uw__net_init(&config, &net, &err), UW_EINVAL);
    assert_null(net.tensors);
    if (!strstr(err.text, what)) fail_msg("\"%s\" does not name %s", err.text, what);
}

static void test_config_bounds(void **state) {
    uw_model_config c;
    (void)state;
    c = recipe_demo(), c.latent_dim = 0, check_refused(c, "latent_dim");
    c = recipe_demo(), c.latent_dim = INT32_MAX, check_refused(c, "latent_dim");
    c = recipe_demo(), c.frameskip = 0, check_refused(c, "frameskip");
    c = recipe_demo(), c.image_size = 3, check_refused(c, "image_size");
    c = recipe_demo(), c.image_size = -64, check_refused(c, "image_size");
    c = recipe_demo(), c.conv_layers = 9, check_refused(c, "conv_layers");
    c = recipe_demo(), c.conv_layers = 0, check_refused(c, "conv_layers");
    c = recipe_demo(), c.conv_stride[1] = 0, check_refused(c, "conv_stride[1]");
    c = recipe_demo(), c.conv_channels[2] = 1 << 30, check_refused(c, "conv_channels[2]");
    c = recipe_demo(), c.conv_kernel[2] = 32, check_refused(c, "conv_kernel[2]");
    c = recipe_demo(), c.conv_pad[0] = 4, check_refused(c, "conv_pad[0]");
    c = recipe_demo(), c.encoder = UW_ENCODER_MLP, check_refused(c, "encoder");
    c = recipe_demo(), c.encoder = (uw_encoder_kind)7, check_refused(c, "encoder");
    c = recipe_demo(), c.predictor_mlp_dim = 0, check_refused(c, "predictor_mlp_dim");
    c = recipe_demo(), c.dropout = NAN, check_refused(c, "dropout");
    c = recipe_demo(), c.dropout = 1.0f, check_refused(c, "dropout");
    c = recipe_lewm_small(), c.vit_patch = 5, check_refused(c, "vit_patch");
    c = recipe_lewm_small(), c.vit_heads = 5, check_refused(c, "vit_heads");
    c = recipe_lewm_small(), c.vit_heads = 0, check_refused(c, "vit_heads");
    c = recipe_lewm_small(), c.action_dim = 0, check_refused(c, "action_dim");
    c = recipe_lewm_small(), c.predictor_layers = 0, check_refused(c, "predictor_layers");
    c = recipe_lewm_small(), c.history_size = 17, check_refused(c, "history_size");
    c = recipe_sensors(), c.observe_dim = 0, check_refused(c, "observe_dim");
    c = recipe_sensors(), c.mlp_dim = 0, check_refused(c, "mlp_dim");
    /* every number allowed, but together beyond what anybody means */
    c = recipe_demo(), c.image_size = 1024, c.conv_layers = 1, c.conv_stride[0] = 1;
    c.conv_channels[0] = 1024, c.projector_dim = 16384;
    check_refused(c, "trained numbers");
}

static void test_config_json(void **state) {
    const uw_model_config configs[] = {recipe_demo(), recipe_lewm_small(), recipe_sensors()};
    (void)state;
    for (int i = 0; i < 3; i++) {
        uw_model_config back;
        char *json = NULL, *again = NULL;
        uw_err err = {0};
        assert_int_equal(uw__model_config_to_json(&configs[i], &json), UW_OK);
        CHECK_OK(uw__model_config_from_json(json, &back, &err), &err);
        assert_int_equal(uw__model_config_to_json(&back, &again), UW_OK);
        assert_string_equal(json, again);
        assert_int_equal(back.latent_dim, configs[i].latent_dim);
        assert_int_equal(back.conv_channels[1], configs[i].conv_channels[1]);
        assert_true(back.dropout == configs[i].dropout);
        free(json);
        free(again);
    }
}

static void check_json(const char *json, const char *text, const char *fix) {
    uw_model_config config;
    uw_err err = {0};
    assert_true(uw__model_config_from_json(json, &config, &err) != UW_OK);
    if (!strstr(err.text, text)) fail_msg("%s: \"%s\" does not say %s", json, err.text, text);
    if (fix && !strstr(err.fix, fix)) fail_msg("%s: advice \"%s\", wanted %s", json, err.fix, fix);
}

static void test_config_json_bad(void **state) {
    (void)state;
    check_json("{\"latent_dum\": 3}", "latent_dum", "latent_dim");
    check_json("{\"encoder\": \"vitt\"}", "vitt", "vit");
    check_json("{\"encoder\": 3}", "encoder", NULL);
    check_json("{\"latent_dim\": 1e300}", "latent_dim", NULL);
    check_json("{\"latent_dim\": 2.5}", "latent_dim", NULL);
    check_json("{\"latent_dim\": \"32\"}", "latent_dim", NULL);
    check_json("{\"conv_channels\": [1,2,3,4,5,6,7,8,9]}", "conv_channels", NULL);
    check_json("{\"conv_channels\": [1e99]}", "conv_channels[0]", NULL);
    check_json("{\"conv_channels\": [1.5]}", "conv_channels[0]", NULL);
    check_json("{\"dropout\": []}", "dropout", NULL);
    check_json("{", "config", NULL);
    check_json("[]", "config", NULL);
    check_json("{}", "config", NULL);
}

/* ---- files ---- */

static void check_same(const uw_model *a, const uw_model *b) {
    char sha_a[65], sha_b[65];
    const uw_provenance *p = uw_model_provenance(a), *q = uw_model_provenance(b);
    const uw_normalisers *m = uw__model_normalisers(a), *n = uw__model_normalisers(b);
    uw_model_sha256(a, sha_a);
    uw_model_sha256(b, sha_b);
    assert_string_equal(sha_a, sha_b);
    assert_int_equal(uw_model_num_parameters(a), uw_model_num_parameters(b));
    assert_string_equal(p->version, q->version);
    assert_string_equal(p->preset, q->preset);
    assert_string_equal(p->env, q->env);
    assert_string_equal(p->dataset_hash, q->dataset_hash);
    assert_string_equal(p->config_json, q->config_json);
    assert_string_equal(p->trained_factors, q->trained_factors);
    assert_string_equal(p->observe, q->observe);
    assert_true(p->seed == q->seed);
    assert_int_equal(p->action_repeat, q->action_repeat);
    assert_int_equal(m->action_dim, n->action_dim);
    assert_int_equal(m->observe_dim, n->observe_dim);
    for (int32_t i = 0; i < m->action_dim; i++) {
        assert_true(m->action_mean[i] == n->action_mean[i]);
        assert_true(m->action_std[i] == n->action_std[i]);
    }
    for (int32_t i = 0; i < m->observe_dim; i++)
        assert_true(m->observe_std[i] == n->observe_std[i]);
}

static void test_round_trip(void **state) {
    const uw_model_config configs[] = {recipe_demo(), recipe_lewm_small(), recipe_sensors()};
    (void)state;
    for (int i = 0; i < 3; i++) {
        const char *path = tempdir_file("model.safetensors");
        uw_model *model = model_new(&configs[i]), *back = NULL;
        uw_err err = {0};
        CHECK_OK(uw_model_save(model, path, true, &err), &err);
        CHECK_OK(uw_model_load(path, &back, &err), &err);
        check_same(model, back);
        assert_int_equal(uw_model_save(model, path, false, &err), UW_EEXIST);
        uw_model_unload(model);
        uw_model_unload(back);
    }
}

/* The other reader of the same file agrees on its identity and its metadata. */
static void test_weights(void **state) {
    const uw_model_config config = recipe_demo();
    const char *path = tempdir_file("weights.safetensors");
    uw_model *model = model_new(&config);
    uw_weights *weights = NULL;
    uw_err err = {0};
    char sha_model[65], sha_file[65];
    (void)state;
    CHECK_OK(uw_model_save(model, path, true, &err), &err);
    CHECK_OK(uw_weights_open(path, &weights, &err), &err);
    uw_model_sha256(model, sha_model);
    uw_weights_sha256(weights, sha_file);
    assert_string_equal(sha_model, sha_file);
    assert_int_equal(uw_weights_num_tensors(weights), uw_model_num_tensors(model));
    assert_string_equal(uw_weights_tensor(weights, 0).name, uw_model_tensor(model, 0).name);
    assert_string_equal(uw_weights_meta(weights, "umwelt.version"), UW_VERSION);
    assert_null(uw_weights_meta(weights, "umwelt.nothing"));
    uw_weights_close(weights);
    uw_model_unload(model);
    assert_int_equal(uw_weights_open(tempdir_file("nowhere"), &weights, &err), UW_ENOTFOUND);
    assert_null(weights);
}

static void check_load(const char *path, uw_status want, const char *what) {
    uw_model *model = (uw_model *)1;
    uw_err err = {0};
    const uw_status got = uw_model_load(path, &model, &err);
    if (got != want) fail_msg("%s: status %d, wanted %d: %s", what, (int)got, (int)want, err.text);
    assert_null(model);
    if (!strstr(err.text, what)) fail_msg("\"%s\" does not say %s", err.text, what);
}

/* A file of the demo's model with one thing changed. */
typedef struct variant {
    uw_tensor tensors[64];
    int32_t count;
    uw_meta_pair meta[8];
    int32_t meta_count;
} variant;

static void variant_new(const uw_model *model, char **config, variant *v) {
    *v = (variant){.count = uw_model_num_tensors(model)};
    for (int32_t i = 0; i < v->count; i++) v->tensors[i] = uw_model_tensor(model, i);
    assert_int_equal(uw__model_config_to_json(uw_model_config_of(model), config), UW_OK);
    v->meta[v->meta_count++] = (uw_meta_pair){"umwelt.config", *config};
}

static const char *variant_write(const variant *v) {
    const char *path = tempdir_file("variant.safetensors");
    uw_err err = {0};
    CHECK_OK(uw__safetensors_write(path, v->tensors, v->count, v->meta, v->meta_count, true, &err),
             &err);
    return path;
}

static void test_wrong_tensors(void **state) {
    const uw_model_config config = recipe_demo();
    uw_model *model = model_new(&config), *back = NULL;
    char *json = NULL;
    variant *v = malloc(sizeof *v);
    uw_err err = {0};
    (void)state;

    variant_new(model, &json, v);
    CHECK_OK(uw_model_load(variant_write(v), &back, &err),
             &err); /* the rest of the metadata may be absent */
    assert_int_equal(uw_model_provenance(back)->action_repeat, 1);
    uw_model_unload(back);

    v->count--;
    check_load(variant_write(v), UW_ESHAPE, "1 missing");
    v->count++;
    v->tensors[v->count] = v->tensors[0];
    v->tensors[v->count++].name = "surplus";
    check_load(variant_write(v), UW_ESHAPE, "extra surplus");
    v->count--;

    const uw_tensor first = v->tensors[0];
    v->tensors[0].shape[0] = first.shape[1], v->tensors[0].shape[1] = first.shape[0];
    check_load(variant_write(v), UW_ESHAPE, "got F32 [3, 16, 4, 4]");
    v->tensors[0] = first;
    v->tensors[0].dtype = UW_DTYPE_I32;
    check_load(variant_write(v), UW_ESHAPE, "got I32");
    v->tensors[0] = first;
    v->tensors[0].name = "encoder.conv.0.wait";
    check_load(variant_write(v), UW_ESHAPE, "1 missing, 1 extra");
    v->tensors[0] = first;

    float *bad = malloc((size_t)uw_tensor_count(&first) * sizeof *bad);
    memcpy(bad, first.data, (size_t)uw_tensor_count(&first) * sizeof *bad);
    bad[7] = INFINITY;
    v->tensors[0].data = bad;
    check_load(variant_write(v), UW_ENONFINITE, "encoder.conv.0.weight[7]");
    v->tensors[0] = first;
    free(bad);

    const int64_t counts[] = {-1, INT64_MAX};
    for (int32_t i = 0; i < v->count; i++)
        for (int k = 0; v->tensors[i].dtype == UW_DTYPE_I64 && k < 2; k++) {
            const uw_tensor old = v->tensors[i];
            v->tensors[i].data = &counts[k];
            check_load(variant_write(v), UW_EFORMAT, "num_batches_tracked");
            v->tensors[i] = old;
        }
    free(json);
    free(v);
    uw_model_unload(model);
}

static void test_hostile_metadata(void **state) {
    static const struct {
        const char *key, *value;
        uw_status status;
        const char *what;
    } cases[] = {
        {"umwelt.config", "", UW_EFORMAT, "config"},
        {"umwelt.config", "{\"latent_dim\":99999999}", UW_EFORMAT, "latent_dim"},
        {"umwelt.config", "{\"latnt_dim\":3}", UW_EFORMAT, "latnt_dim"},
        {"umwelt.normalisers", "{\"action_mean\":[1],\"action_std\":[1]}", UW_ESHAPE,
         "action_mean"},
        {"umwelt.normalisers", "{\"action_mean\":[1,2],\"action_std\":[]}", UW_EFORMAT,
         "std for every mean"},
        {"umwelt.normalisers", "{\"action_mean\":[1,2],\"action_std\":[1,0]}", UW_ENONFINITE,
         "action[1]"},
        {"umwelt.normalisers", "{\"action_mean\":[1,1e39],\"action_std\":[1,1]}", UW_ENONFINITE,
         "action[1]"},
        {"umwelt.normalisers", "nonsense", UW_EFORMAT, "variant.safetensors"},
        {"umwelt.provenance", "[[[[", UW_EFORMAT, "variant.safetensors"},
        {"umwelt.provenance", "{\"action_repeat\":0}", UW_EFORMAT, "action_repeat"},
        {"umwelt.provenance", "{\"action_repeat\":1000000}", UW_EFORMAT, "action_repeat"},
    };
    const uw_model_config config = recipe_demo();
    uw_model *model = model_new(&config);
    char *json = NULL;
    variant *v = malloc(sizeof *v);
    (void)state;

    variant_new(model, &json, v);
    v->meta_count = 0;
    check_load(variant_write(v), UW_EFORMAT, "umwelt.config");
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const bool is_config = !strcmp(cases[i].key, "umwelt.config");
        v->meta[0] = (uw_meta_pair){"umwelt.config", is_config ? cases[i].value : json};
        v->meta[1] = (uw_meta_pair){cases[i].key, cases[i].value};
        v->meta_count = is_config ? 1 : 2;
        check_load(variant_write(v), cases[i].status, cases[i].what);
    }
    free(json);
    free(v);
    uw_model_unload(model);
}

static void test_truncated(void **state) {
    const uw_model_config config = recipe_sensors();
    const char *path = tempdir_file("whole.safetensors");
    uw_model *model = model_new(&config), *back = NULL;
    uw_err err = {0};
    (void)state;
    CHECK_OK(uw_model_save(model, path, true, &err), &err);
    uw_model_unload(model);
    FILE *f = fopen(path, "rb");
    char *bytes = malloc(1 << 20);
    const size_t size = fread(bytes, 1, 1 << 20, f);
    fclose(f);
    for (size_t n = 0; n < size; n += n < 64 || size - n < 64 ? 1 : 97) {
        const char *cut = tempdir_file("cut.safetensors");
        f = fopen(cut, "wb");
        assert_int_equal(fwrite(bytes, 1, n, f), n);
        fclose(f);
        assert_int_equal(uw_model_load(cut, &back, &err), UW_EFORMAT);
        assert_null(back);
    }
    free(bytes);
    assert_int_equal(uw_model_load(tempdir_file("nowhere"), &back, &err), UW_ENOTFOUND);
}

/* Whichever allocation fails, nothing leaks and nothing half-made is handed out. */
static void test_out_of_memory(void **state) {
    const uw_model_config config = recipe_sensors();
    const char *path = tempdir_file("memory.safetensors");
    uw_model *model = model_new(&config), *back = NULL;
    uw_err err = {0};
    long n = 0;
    (void)state;
    CHECK_OK(uw_model_save(model, path, true, &err), &err);
    for (;; n++) {
        alloc_fail_begin(n);
        const uw_status s = uw_model_load(path, &back, &err);
        alloc_fail_end();
        if (s == UW_OK) break;
        if (s != UW_ENOMEM) fail_msg("allocation %ld: status %d: %s", n, (int)s, err.text);
        assert_null(back);
    }
    assert_true(n > 10);
    check_same(model, back);
    uw_model_unload(back);
    for (n = 0;; n++) {
        alloc_fail_begin(n);
        const uw_status s = uw_model_save(model, path, true, &err);
        alloc_fail_end();
        if (s == UW_OK) break;
        if (s != UW_ENOMEM) fail_msg("allocation %ld: status %d: %s", n, (int)s, err.text);
    }
    uw_model_unload(model);
}

/* ---- encoding ---- */

static void test_encode_kinds(void **state) {
    const uw_model_config pictures = recipe_demo(), columns = recipe_sensors();
    uw_model *demo = model_new(&pictures), *sensors = model_new(&columns);
    uint8_t *frame = calloc(64 * 64 * 3, 1);
    float row[3] = {1, 2, 3}, z[32] = {0};
    uw_err err = {0};
    (void)state;
    CHECK_OK(uw_model_encode(ctx, demo, frame, NULL, 1, z, &err), &err);
    CHECK_OK(uw_model_encode(ctx, sensors, NULL, row, 1, z, &err), &err);
    assert_int_equal(uw_model_encode(ctx, demo, NULL, row, 1, z, &err), UW_EINVAL);
    assert_int_equal(uw_model_encode(ctx, demo, NULL, NULL, 1, z, &err), UW_EINVAL);
    assert_int_equal(uw_model_encode(ctx, sensors, frame, row, 1, z, &err), UW_EINVAL);
    row[1] = NAN;
    assert_int_equal(uw_model_encode(ctx, sensors, NULL, row, 1, z, &err), UW_ENONFINITE);
    CHECK_OK(uw_model_encode(ctx, demo, frame, NULL, 0, NULL, &err), &err);
    free(frame);
    uw_model_unload(demo);
    uw_model_unload(sensors);
}

/* A z-scored column reaches the network as (x - mean) / std: shifting both changes nothing. */
static void test_encode_normalised(void **state) {
    const uw_model_config config = recipe_sensors();
    uw_net net;
    uw_err err = {0};
    float mean[3] = {10, -4, 0.5f}, std[3] = {2, 0.25f, 8}, zero[3] = {0}, one[3] = {1, 1, 1};
    float raw[3] = {13, -4.5f, 0.5f}, scored[3] = {1.5f, -2, 0}, za[4], zb[4];
    uw_model *a = NULL, *b = NULL;
    (void)state;
    CHECK_OK(uw__net_init(&config, &net, &err), &err);
    float *params = calloc(net.num_params, sizeof *params);
    float *buffers = calloc(net.num_buffers, sizeof *buffers);
    uw__net_randomise(&net, 2, params, buffers);
    const uw_normalisers na = {.observe_dim = 3, .observe_mean = mean, .observe_std = std};
    const uw_normalisers nb = {.observe_dim = 3, .observe_mean = zero, .observe_std = one};
    CHECK_OK(uw__model_new(&config, params, buffers, &na, NULL, &a, &err), &err);
    CHECK_OK(uw__model_new(&config, params, buffers, &nb, NULL, &b, &err), &err);
    CHECK_OK(uw_model_encode(ctx, a, NULL, raw, 1, za, &err), &err);
    CHECK_OK(uw_model_encode(ctx, b, NULL, scored, 1, zb, &err), &err);
    assert_memory_equal(za, zb, sizeof za);
    free(params);
    free(buffers);
    uw__net_fini(&net);
    uw_model_unload(a);
    uw_model_unload(b);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_demo_counts),       cmocka_unit_test(test_start),
        cmocka_unit_test(test_config_bounds),     cmocka_unit_test(test_config_json),
        cmocka_unit_test(test_config_json_bad),   cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_weights),           cmocka_unit_test(test_wrong_tensors),
        cmocka_unit_test(test_hostile_metadata),  cmocka_unit_test(test_truncated),
        cmocka_unit_test(test_out_of_memory),     cmocka_unit_test(test_encode_kinds),
        cmocka_unit_test(test_encode_normalised),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
