/* Models: what is loaded is saved as the same model; what is refused says why.  The mutations know
 * the metadata: configuration, normalisers and provenance are put back into a header whose length
 * is mended. */
#include <string.h>
#include <unistd.h>

#include "model_internal.h"
#include "mutate.h"

enum { SEEDS = 2 };

/* Two tiny models: sensors with normalisers, pictures with two convolutions. */
static const uw_model_config configs[SEEDS] = {
    {.input = UW_INPUT_COLUMNS,
     .observe_dim = 2,
     .action_dim = 1,
     .frameskip = 1,
     .history_size = 1,
     .encoder = UW_ENCODER_MLP,
     .projector_dim = 2,
     .latent_dim = 2,
     .predictor = UW_PREDICTOR_MLP,
     .predictor_mlp_dim = 2},
    {.input = UW_INPUT_SCALED,
     .image_size = 4,
     .action_dim = 2,
     .frameskip = 2,
     .history_size = 2,
     .encoder = UW_ENCODER_CONV,
     .conv_layers = 2,
     .conv_channels = {1, 2},
     .conv_kernel = {2, 1},
     .conv_stride = {2, 1},
     .latent_dim = 2,
     .predictor = UW_PREDICTOR_MLP,
     .predictor_mlp_dim = 1,
     .inverse_dim = 1},
};

static bool judge(const uint8_t *data, size_t size, uw_err *why) {
    uw_model *model = NULL, *again = NULL;
    char path[300], before[65], after[65];
    const uw_status s = uw_model_load(fuzz_file(0, data, size), &model, why);
    FUZZ_REQUIRE(!s == !!model, "a model without success, or the reverse");
    if (s) return false;
    snprintf(path, sizeof path, "%s/again", fuzz_folder());
    FUZZ_REQUIRE(!uw_model_save(model, path, true, why), "what was loaded is not saved");
    FUZZ_REQUIRE(!uw_model_load(path, &again, why), "what was saved is not loaded");
    uw_model_sha256(model, before);
    uw_model_sha256(again, after);
    FUZZ_REQUIRE(!strcmp(before, after), "the numbers changed");
    FUZZ_REQUIRE(!strcmp(uw_model_provenance(model)->env, uw_model_provenance(again)->env),
                 "the provenance changed");
    FUZZ_REQUIRE(uw__model_normalisers(model)->action_dim ==
                     uw__model_normalisers(again)->action_dim,
                 "the normalisers changed");
    unlink(path);
    uw_model_unload(model);
    uw_model_unload(again);
    return true;
}

static bool seed(int i, uint8_t **data, size_t *size) {
    static float one[2] = {1.5f, 2}, params[4096], buffers[64];
    const uw_normalisers normalisers = {.action_dim = 1,
                                        .observe_dim = 2,
                                        .action_mean = one,
                                        .action_std = one,
                                        .observe_mean = one,
                                        .observe_std = one};
    const uw_provenance provenance = {
        .preset = "tiny", .env = "none", .config_json = "{}", .seed = 3, .action_repeat = 2};
    uw_net net;
    uw_model *model = NULL;
    uw_err err = {0};
    char path[300];

    if (i >= SEEDS) return false;
    FUZZ_REQUIRE(!uw__net_init(&configs[i], &net, &err), err.text);
    FUZZ_REQUIRE(net.num_params <= 4096 && net.num_buffers <= 64, "a seed that fits");
    uw__net_randomise(&net, 1, params, buffers);
    uw__net_fini(&net);
    FUZZ_REQUIRE(!uw__model_new(&configs[i], params, buffers, i ? NULL : &normalisers, &provenance,
                                &model, &err),
                 err.text);
    snprintf(path, sizeof path, "%s/seed", fuzz_folder());
    FUZZ_REQUIRE(!uw_model_save(model, path, true, &err), err.text);
    uw_model_unload(model);
    const bool read = fuzz_read(path, data, size);
    unlink(path);
    return read;
}

/* Puts a mutated piece of the header back in its place; the length in front is mended. */
typedef struct splice {
    const uint8_t *whole;
    size_t size, header; /* header: bytes of JSON behind the length */
    size_t at, length;   /* the piece */
    const fuzz_sink *sink;
} splice;

static void put_back(void *arg, const uint8_t *piece, size_t n) {
    const splice *s = arg;
    const uint64_t header = s->header - s->length + n;
    uint8_t *out = malloc(s->size - s->length + n);
    FUZZ_REQUIRE(out, "memory");
    for (int k = 0; k < 8; k++) out[k] = (uint8_t)(header >> 8 * k);
    memcpy(out + 8, s->whole + 8, s->at - 8);
    memcpy(out + s->at, piece, n);
    memcpy(out + s->at + n, s->whole + s->at + s->length, s->size - s->at - s->length);
    s->sink->take(s->sink->arg, out, s->size - s->length + n);
    free(out);
}

static size_t find(const uint8_t *data, size_t size, size_t from, const char *text) {
    const size_t n = strlen(text);
    for (size_t i = from; i + n <= size; i++)
        if (!memcmp(data + i, text, n)) return i;
    return size;
}

static void variants(const uint8_t *data, size_t size, const fuzz_sink *sink) {
    static const char *const keys[] = {"\"umwelt.config\":\"", "\"umwelt.normalisers\":\"",
                                       "\"umwelt.provenance\":\""};
    uint64_t header = 0;
    memcpy(&header, data, 8);
    for (int i = 0; i < 3; i++) {
        const size_t key = find(data, 8 + header, 8, keys[i]);
        FUZZ_REQUIRE(key < 8 + header, "a key of the metadata");
        splice s = {.whole = data,
                    .size = size,
                    .header = header,
                    .at = key + strlen(keys[i]),
                    .sink = sink};
        s.length = find(data, 8 + header, s.at, "}\"") + 1 - s.at;
        const fuzz_sink mended = {put_back, &s};
        fuzz_text((const char *)data + s.at, s.length, &mended);
        fuzz_truncations(data + s.at, s.length, &mended);
        fuzz_bit_flips(data + s.at, s.length, &mended);
        fuzz_random(data + s.at, s.length, data + 8, header, 7 + (uint64_t)i, 500, &mended);
    }
    for (size_t at = 8 + header; at + 4 <= size; at += 4) fuzz_field(data, size, at, 4, sink);
}

const fuzz_format fuzz_format_under_test = {.name = "model",
                                            .judge = judge,
                                            .seed = seed,
                                            .variants = variants,
                                            .random_cases = 1000,
                                            .least_reasons = 20};
