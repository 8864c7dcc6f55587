/* Checkpoints: whatever a generation directory holds, looking at it and resuming from it ends in an
 * answer or in an error with advice, and a refused one changes nothing.
 *
 * An input is a manifest, one NUL, and the state file.  Mutations of the state are tried as they
 * are and with a manifest that was mended to agree with them, which plain noise would never get
 * past. */
#include <inttypes.h>
#include <string.h>

#include "checkpoint.h"
#include "fileio.h"
#include "hash.h"
#include "internal.h"
#include "mutate.h"
#include "settings.h"

enum { PARAMS = 4096, STEPS = 9, STEP = 4 };

static uw_train_config config;
static uw_net net;
static float params[PARAMS], buffers[64], m[PARAMS], v[PARAMS];
static char *config_json;
static uw_context *ctx;

static uw_snapshot snapshot(void) {
    return (uw_snapshot){.net = &net,
                         .params = params,
                         .buffers = buffers,
                         .m = m,
                         .v = v,
                         .step = STEP,
                         .steps_total = STEPS,
                         .seed = 7,
                         .preset = config.preset,
                         .config_json = config_json,
                         .dataset_hash = "0123456789abcdef",
                         .losses = {.total = 0.5, .prediction = 0.25},
                         .effective_rank = 2.5,
                         .min_variance = 0.125};
}

static void fill(float value) {
    for (size_t i = 0; i < PARAMS; i++) params[i] = m[i] = v[i] = value;
    for (size_t i = 0; i < 64; i++) buffers[i] = value;
}

/* A network of three small layers, once. */
static void prepare(void) {
    uw_err err = {0};
    if (ctx) return;
    FUZZ_REQUIRE(!uw_context_new(&(uw_context_options){.num_threads = 1}, &ctx, &err), err.text);
    FUZZ_REQUIRE(!uw_train_preset("sensors", &config, &err), err.text);
    config.steps = STEPS;
    config.model.observe_dim = 2;
    config.model.mlp_layers = 0;
    config.model.projector_dim = 4;
    config.model.latent_dim = 2;
    config.model.predictor_mlp_dim = 3;
    FUZZ_REQUIRE(!uw__net_init(&config.model, &net, &err), err.text);
    FUZZ_REQUIRE(net.num_params <= PARAMS && net.num_buffers <= 64, "a network that fits");
    config_json = uw__settings_json(&config);
    FUZZ_REQUIRE(config_json, "memory for the configuration");
}

static const char *path_in(const char *file) {
    static char path[512];
    snprintf(path, sizeof path, "%s/run/checkpoints/gen-00000004%s%s", fuzz_folder(),
             *file ? "/" : "", file);
    return path;
}

static void write_file(const char *name, const uint8_t *data, size_t size) {
    FILE *f = fopen(path_in(name), "wb");
    FUZZ_REQUIRE(f && fwrite(data, 1, size, f) == size && !fclose(f), "a file of the case");
}

static bool judge(const uint8_t *data, size_t size, uw_err *why) {
    const uint8_t *nul = size ? memchr(data, 0, size) : NULL;
    const size_t head = nul ? (size_t)(nul - data) : size, rest = nul ? size - head - 1 : 0;
    char run[512];
    uw_checkpoint_info info = {.step = -1};
    uw_err fault = {0};
    prepare();
    snprintf(run, sizeof run, "%s/run", fuzz_folder());
    FUZZ_REQUIRE(!uw__mkdirs(path_in(""), NULL), "a folder of the case");
    write_file("MANIFEST", data, head);
    if (nul)
        write_file("state.safetensors", nul + 1, rest);
    else
        uw__remove_tree(path_in("state.safetensors"), NULL);

    const uw_status seen = uw_checkpoint_inspect(path_in(""), &info, why);
    FUZZ_REQUIRE(seen ? info.step == -1 : info.step >= 1 && info.step <= info.steps_total,
                 "a summary without success, or steps out of range");

    fill(-3.0f);
    uw_snapshot s = snapshot();
    s.step = -1;
    const uw_status restored = uw__checkpoint_restore(ctx, run, &config, &s, &fault);
    FUZZ_REQUIRE(!restored || (s.step == -1 && params[0] == -3.0f && buffers[0] == -3.0f),
                 "a refused checkpoint changed the state");
    FUZZ_REQUIRE(restored || (!seen && s.step == info.step && s.step <= STEPS),
                 "restored what inspect refuses");
    if (!seen && restored) *why = fault;
    return !restored;
}

static bool pack(uint8_t **data, size_t *size) {
    void *manifest = NULL, *state = NULL;
    size_t head = 0, rest = 0;
    FUZZ_REQUIRE(!uw__file_read(path_in("MANIFEST"), 1 << 20, &manifest, &head, NULL), "manifest");
    FUZZ_REQUIRE(!uw__file_read(path_in("state.safetensors"), 1 << 24, &state, &rest, NULL),
                 "state");
    *size = head + 1 + rest;
    *data = malloc(*size);
    FUZZ_REQUIRE(*data, "memory for a seed");
    memcpy(*data, manifest, head + 1); /* with the NUL that file_read puts behind */
    memcpy(*data + head + 1, state, rest);
    free(manifest);
    free(state);
    return true;
}

static bool seed(int i, uint8_t **data, size_t *size) {
    char run[512];
    uw_err err = {0};
    if (i > 1) return false;
    prepare();
    fill(i ? 1e-30f : 1.5f);
    snprintf(run, sizeof run, "%s/run", fuzz_folder());
    const uw_snapshot s = snapshot();
    FUZZ_REQUIRE(!uw__checkpoint_write(run, &s, &err), err.text);
    return pack(data, size);
}

/* Replace the quoted or bare value of a key by text of the same length. */
static void put_value(uint8_t *manifest, size_t size, const char *key, const char *value) {
    char quoted[32];
    snprintf(quoted, sizeof quoted, "\"%s\":", key);
    uint8_t *at = memmem(manifest, size, quoted, strlen(quoted));
    if (!at) return;
    at += strlen(quoted);
    at += strspn((char *)at, " \"");
    if (strcspn((char *)at, "\",}") == strlen(value)) memcpy(at, value, strlen(value));
}

typedef struct mender {
    const uint8_t *seed;
    size_t head; /* bytes of the manifest, its NUL included */
    const fuzz_sink *sink;
} mender;

/* Put a mutated state behind the manifest: sometimes as it is, always with the sums mended. */
static void take_state(void *arg, const uint8_t *state, size_t size) {
    const mender *a = arg;
    char text[24];
    uint8_t *both = malloc(a->head + size + 1);
    FUZZ_REQUIRE(both, "memory for a variant");
    memcpy(both, a->seed, a->head);
    if (size) memcpy(both + a->head, state, size);
    if (size % 16 == 0)
        a->sink->take(a->sink->arg, both, a->head + size); /* one sum is like another */
    snprintf(text, sizeof text, "%016" PRIx64, uw__xxh3(state, size, 0));
    put_value(both, a->head, "xxh3", text);
    snprintf(text, sizeof text, "%zu", size);
    put_value(both, a->head, "bytes", text);
    a->sink->take(a->sink->arg, both, a->head + size);
    free(both);
}

/* Put a mutated manifest before the state. */
typedef struct header {
    const uint8_t *rest;
    size_t size;
    const fuzz_sink *sink;
} header;

static void take_manifest(void *arg, const uint8_t *text, size_t size) {
    const header *a = arg;
    uint8_t *both = malloc(size + 1 + a->size);
    FUZZ_REQUIRE(both, "memory for a variant");
    if (size) memcpy(both, text, size);
    both[size] = 0;
    memcpy(both + size + 1, a->rest, a->size);
    a->sink->take(a->sink->arg, both, size + 1 + a->size);
    free(both);
}

static void variants(const uint8_t *data, size_t size, const fuzz_sink *sink) {
    const size_t head = strlen((const char *)data) + 1;
    mender states = {data, head, sink};
    header texts = {data + head, size - head, sink};
    const fuzz_sink to_states = {take_state, &states}, to_texts = {take_manifest, &texts};
    fuzz_text((const char *)data, head - 1, &to_texts);
    fuzz_truncations(data, head - 1, &to_texts);
    fuzz_field(data + head, size - head, 0, 8, &to_states);
    fuzz_bit_flips(data + head, size - head, &to_states);
    fuzz_random(data + head, size - head, data, head, 5, 200, &to_states);
}

const fuzz_format fuzz_format_under_test = {.name = "checkpoint",
                                            .judge = judge,
                                            .seed = seed,
                                            .variants = variants,
                                            .random_cases = 300,
                                            .least_reasons = 8};
