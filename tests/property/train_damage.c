/* Checkpoints that a crash, a bad disk or a hand damaged: every stage of the writing protocol, cut
 * and flipped files, lying manifests.  A resume takes the newest whole generation, or starts over,
 * and ends with the weights of an uninterrupted run; nothing crashes. */
#include "rng.h"
#include "train_here.h"

enum { STEPS = 6 };

static char good_sha[65];

static uw_train_config config(void) {
    uw_train_config c = tiny_config(STEPS);
    c.checkpoint_every = 2;
    return c;
}

/* A fresh copy of the run that was stopped after step 4, with generations 2 and 4. */
static const char *fresh_copy(void) {
    static char name[32];
    static int count;
    char from[512], to[512];
    snprintf(name, sizeof name, "copy-%d", count++);
    snprintf(from, sizeof from, "%s", tempdir_file("stopped"));
    snprintf(to, sizeof to, "%s", tempdir_file(name));
    copy_tree(from, to);
    return name;
}

static const char *in_run(const char *run, const char *file) {
    static char path[4][700];
    static int turn;
    char *out = path[turn++ % 4];
    snprintf(out, sizeof path[0], "%s/%s/checkpoints/%s", tempdir_path, run, file);
    return out;
}

/* Resume and expect the weights of the whole run. */
static void resume(const char *run, const char *said) {
    const uw_train_config c = config();
    uw_train_result r;
    const uw_status s = train_here("data.uw", run, &c, TRAIN_RESUME, &r);
    if (s) fail_msg("%s: %d: %s", run, s, train_err.text);
    assert_string_equal(r.tensors_sha256, good_sha);
    if (said && !strstr(train_said, said)) fail_msg("no \"%s\" in: %s", said, train_said);
}

/* ---- the protocol, stage by stage ---------------------------------------------------------- */

static void protocol_stages(void **state) {
    (void)state;
    size_t state_size, manifest_size;
    char *bytes = file_bytes(in_run("stopped", "gen-00000004/state.safetensors"), &state_size);
    char *manifest = file_bytes(in_run("stopped", "gen-00000004/MANIFEST"), &manifest_size);
    for (int stage = 0; stage < 6; stage++) {
        const char *run = fresh_copy();
        mkdir(in_run(run, "gen-00000006"), 0777);
        if (stage == 1) /* the state is being written */
            file_write(in_run(run, "gen-00000006/state.safetensors.tmp-1-0"), bytes,
                       state_size / 2);
        if (stage >= 2) /* the state is in place */
            file_write(in_run(run, "gen-00000006/state.safetensors"), bytes, state_size);
        if (stage == 3) /* the manifest is being written */
            file_write(in_run(run, "gen-00000006/MANIFEST.tmp-1-1"), manifest, manifest_size / 2);
        if (stage == 4) /* a disk that reorders: manifest in place, but cut */
            file_write(in_run(run, "gen-00000006/MANIFEST"), manifest, manifest_size / 2);
        if (stage == 5) { /* pruning was interrupted: a manifest without its state */
            unlink(in_run(run, "gen-00000002/state.safetensors"));
            unlink(in_run(run, "gen-00000006/state.safetensors"));
        }
        resume(run, "continuing after step 4");
        if (access(in_run(run, "gen-00000006/MANIFEST"), F_OK)) fail_msg("stage %d: no end", stage);
        if (!access(in_run(run, "gen-00000002"), F_OK))
            fail_msg("stage %d: three generations", stage);
    }
    free(bytes);
    free(manifest);
}

/* ---- damage -------------------------------------------------------------------------------- */

static void damage(const char *path, size_t keep, int64_t flip) {
    size_t size;
    char *bytes = file_bytes(path, &size);
    assert_non_null(bytes);
    if (flip >= 0) bytes[(size_t)flip % size] = (char)(bytes[(size_t)flip % size] ^ 0x10);
    file_write(path, bytes, keep < size ? keep : size);
    free(bytes);
}

static void newest_is_damaged(void **state) {
    (void)state;
    const char *newest[] = {"gen-00000004/state.safetensors", "gen-00000004/MANIFEST"};
    for (int file = 0; file < 2; file++) {
        for (int kind = 0; kind < 4; kind++) {
            const char *run = fresh_copy();
            const char *path = in_run(run, newest[file]);
            if (kind == 0) unlink(path);
            if (kind == 1) damage(path, 0, -1);
            if (kind == 2) damage(path, 100, -1);
            if (kind == 3) damage(path, SIZE_MAX, 3000 * (file == 0) + 20);
            resume(run, "continuing after step 2");
            assert_non_null(strstr(train_said, "WARN"));
        }
    }
}

static void all_are_damaged(void **state) {
    (void)state;
    const char *run = fresh_copy();
    damage(in_run(run, "gen-00000004/state.safetensors"), 500, -1);
    damage(in_run(run, "gen-00000002/MANIFEST"), 10, -1);
    resume(run, "starting over");
    run = fresh_copy();
    /* names that are not ours are left alone */
    mkdir(in_run(run, "gen-"), 0777);
    mkdir(in_run(run, "gen-0000000x"), 0777);
    file_write(in_run(run, "notes.txt"), "mine", 4);
    resume(run, "continuing after step 4");
    assert_int_equal(access(in_run(run, "notes.txt"), F_OK), 0);
}

/* ---- lies ---------------------------------------------------------------------------------- */

/* Replace the value behind "key": in a manifest. */
static void lie(const char *path, const char *key, const char *value) {
    char quoted[64], *out, *at, *end;
    size_t size;
    char *text = file_bytes(path, &size);
    snprintf(quoted, sizeof quoted, "\"%s\":", key);
    at = strstr(text, quoted);
    if (!at) fail_msg("the manifest has no %s", key);
    at += strlen(quoted);
    while (*at == ' ') at++;
    end = at;
    if (*end == '"') { /* a string, with escapes inside */
        for (end++; *end != '"'; end++) end += *end == '\\';
        end++;
    } else {
        end += strcspn(end, ",}");
    }
    out = malloc(size + strlen(value) + 1);
    assert_non_null(out);
    const size_t head = (size_t)(at - text);
    memcpy(out, text, head);
    strcpy(out + head, value);
    strcat(out, end);
    file_write(path, out, strlen(out));
    free(out);
    free(text);
}

static void lying_manifests(void **state) {
    (void)state;
    static const char *const lies[][2] = {{"step", "0"},
                                          {"step", "-4"},
                                          {"step", "7"},
                                          {"step", "1e300"},
                                          {"step", "\"4\""},
                                          {"step", "9223372036854775807"},
                                          {"steps_total", "3"},
                                          {"bytes", "-1"},
                                          {"bytes", "0"},
                                          {"bytes", "9223372036854775807"},
                                          {"xxh3", "\"\""},
                                          {"xxh3", "\"0000000000000000\""},
                                          {"xxh3", "12"},
                                          {"file", "\"../../../etc/passwd\""},
                                          {"file", "7"},
                                          {"format", "\"other\""},
                                          {"config", "\"{}\""},
                                          {"config", "\"\""},
                                          {"config", "[1]"},
                                          {"config", "\"{\\\"lr\\\": 1\""},
                                          {"preset", "3"},
                                          {"seed", "null"},
                                          {"dataset_hash", "false"}};
    for (size_t i = 0; i < sizeof lies / sizeof lies[0]; i++) {
        const char *run = fresh_copy();
        uw_checkpoint_info info;
        uw_err err = {0};
        lie(in_run(run, "gen-00000004/MANIFEST"), lies[i][0], lies[i][1]);
        (void)uw_checkpoint_inspect(in_run(run, "gen-00000004"), &info, &err);
        resume(run, "continuing after step 2");
    }
    /* Numbers that only describe may be anything. */
    const char *run = fresh_copy();
    lie(in_run(run, "gen-00000004/MANIFEST"), "effective_rank", "1e308");
    resume(run, "continuing after step 4");
}

/* ---- random mutations ---------------------------------------------------------------------- */

static void mutate(uw_rng *r, char **bytes, size_t *size) {
    for (uint32_t n = 1 + uw__rng_below(r, 3); n && *size; n--) {
        const size_t at = uw__rng_below(r, (uint32_t)*size);
        switch (uw__rng_below(r, 4)) {
        case 0:
            (*bytes)[at] = (char)uw__rng_below(r, 256);
            break;
        case 1:
            (*bytes)[at] = (char)((*bytes)[at] ^ (1 << uw__rng_below(r, 8)));
            break;
        case 2:
            *size = at;
            break;
        default: /* repeat a piece */
            memmove(*bytes + at / 2, *bytes + at, *size - at);
            *size -= at - at / 2;
            break;
        }
    }
}

static void mutations_never_crash(void **state) {
    (void)state;
    const uint64_t seed = check_seed(31);
    uw_rng r = uw__rng(seed, UW_STREAM_TEST, 5);
    const char *run = fresh_copy();
    char path[2][700], folder[700];
    size_t size[2];
    char *bytes[2];
    int readable = 0;
    snprintf(folder, sizeof folder, "%s", in_run(run, "gen-00000004"));
    snprintf(path[0], sizeof path[0], "%s", in_run(run, "gen-00000004/MANIFEST"));
    snprintf(path[1], sizeof path[1], "%s", in_run(run, "gen-00000004/state.safetensors"));
    for (int f = 0; f < 2; f++) bytes[f] = file_bytes(path[f], &size[f]);
    for (int i = 0; i < 1500; i++) {
        const int f = (int)uw__rng_below(&r, 2);
        size_t n = size[f];
        char *copy = malloc(n + 1);
        uw_checkpoint_info info;
        uw_err err = {0};
        assert_non_null(copy);
        memcpy(copy, bytes[f], n);
        mutate(&r, &copy, &n);
        file_write(path[f], copy, n);
        const uw_status s = uw_checkpoint_inspect(folder, &info, &err);
        readable += s == UW_OK;
        if (s && !*err.text) fail_msg("mutation %d: status %d without a word", i, s);
        if (!s && f == 1 && memcmp(copy, bytes[1], n < size[1] ? n : size[1]) != 0) {
            fail_msg("mutation %d: a changed state passed", i);
        }
        file_write(path[f], bytes[f], size[f]);
        free(copy);
    }
    print_message("%d of 1500 mutations left it readable (UW_SEED=%llu)\n", readable,
                  (unsigned long long)seed);
    assert_true(readable < 400);
    free(bytes[0]);
    free(bytes[1]);
}

static int setup(void **state) {
    const uw_train_config c = config();
    uw_train_result r;
    if (tempdir_setup(state)) return -1;
    tiny_data(tempdir_file("data.uw"));
    assert_int_equal(train_here("data.uw", "whole", &c, TRAIN_NEW, &r), UW_OK);
    memcpy(good_sha, r.tensors_sha256, sizeof good_sha);
    train_stopped("data.uw", "stopped", &c, 4);
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(protocol_stages), cmocka_unit_test(newest_is_damaged),
        cmocka_unit_test(all_are_damaged), cmocka_unit_test(lying_manifests),
        cmocka_unit_test(mutations_never_crash)};
    return cmocka_run_group_tests(tests, setup, tempdir_teardown);
}
