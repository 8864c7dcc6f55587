/* Recorded evaluations of the reference, through the protocols: the starts it sampled, and for each
 * policy, rule and episode the same outcome at the same step, by way of the same states.
 *
 *     parity_protocol_pusht pusht
 *     parity_protocol_tworoom tworoom
 *
 * The recording that starts are sampled from is the HDF5 one where it is, else its columns without
 * pictures. */
#include "trace.h"

#include "eval_internal.h"
#include "tempdir.h"

/* make_eval.py resets episode i's world with this + i, and replays the starts of this sample. */
static const uint64_t first_reset = 5000, replayed_seed = 42;

static struct subject {
    const char *trace, *world;
    const char *recordings[2];
    const char *moderate, *strict; /* arrays of the other rules */
    double bound;                  /* of a state's numbers */
} subject;

static uw_context *ctx;
static uw_dataset *data;

/* Open the recording as a dataset; ends this test as skipped when the folder has none. */
static void open_recording(void) {
    uw_err err = {0};
    uw_convert_result converted;
    if (data) return;
    for (int i = 0; i < 2; i++) {
        char path[512];
        snprintf(path, sizeof path, "%s/data/%s", check_vectors(), subject.recordings[i]);
        if (access(path, R_OK)) continue;
        const char *to = tempdir_file("recording.uw");
        const uw_status status =
            uw_convert(ctx, path, to, UW_FORMAT_DATASET, true, &converted, &err);
        if (status == UW_EUNSUPPORTED) continue; /* a build without HDF5's filters */
        CHECK_OK(status, &err);
        CHECK_OK(uw_dataset_open(to, &data, &err), &err);
        return;
    }
    trace_opened--;
    print_message("skipped: neither %s nor %s is there\n", subject.recordings[0],
                  subject.recordings[1]);
    skip();
}

static uw_eval_options options_of(const char *protocol, int64_t episodes) {
    uw_eval_options o = UW_EVAL_OPTIONS_DEFAULT;
    o.protocol = protocol;
    o.episodes = (int32_t)episodes;
    o.seed = replayed_seed;
    o.reset_seed = first_reset;
    o.data = data;
    return o;
}

static double number_of(uw_npz *npz, const char *part, const char *name, int64_t at) {
    const uw_tensor t = trace_array(npz, part, name);
    return trace_number(&t, at);
}

/* ---- sampling */

static void check_sample(uw_npz *npz, const uw_env_class *cls, uint64_t seed) {
    char part[32], key[64];
    snprintf(part, sizeof part, "sample%llu", (unsigned long long)seed);
    snprintf(key, sizeof key, "%s.row", part);
    if (uw__npz_find(npz, key) < 0) return;
    const uw_tensor starts = trace_array(npz, part, "start"),
                    goals = trace_array(npz, NULL, "goal");
    const uw_protocol *protocol;
    uw_eval_options o = options_of("released", starts.shape[0]);
    uw_eval_result described = {0};
    uw_pairs *pairs = NULL;
    uw_err err = {0};
    o.seed = seed;
    CHECK_OK(uw__protocol_find("released", &protocol, &err), &err);
    CHECK_OK(uw__pairs_new(protocol, cls, &o, 1, &pairs, &err), &err);
    uw__pairs_describe(pairs, &described);
    assert_int_equal(described.starts, number_of(npz, part, "valid_rows", 0));
    for (int32_t i = 0; i < o.episodes; i++) {
        uw_setup setup;
        CHECK_OK(uw__pairs_setup(pairs, &o, i, &setup, &err), &err);
        assert_int_equal(setup.episode, number_of(npz, part, "episode", i));
        assert_int_equal(setup.row, number_of(npz, part, "start", i));
        for (int32_t k = 0; seed == replayed_seed && k < cls->state_dim; k++)
            assert_true(setup.task.goal[k] == trace_number(&goals, i * cls->state_dim + k));
    }
    uw__pairs_free(pairs);
}

static void test_sampling(void **state) {
    (void)state;
    uw_npz *npz = trace_open(subject.trace);
    open_recording();
    static const uint64_t seeds[] = {42, 7, 3072};
    for (int i = 0; i < 3; i++) check_sample(npz, uw_env_find(subject.world), seeds[i]);
    uw__npz_close(npz);
}

/* ---- outcomes */

/* Recorded actions [T, N, A] as a script [N, budget, A], zeros after the last. */
static float *script_of(const uw_tensor *action, int32_t budget) {
    const int64_t steps = action->shape[0], n = action->shape[1], dim = action->shape[2];
    float *script = calloc((size_t)(n * budget * dim), sizeof *script);
    assert_non_null(script);
    for (int64_t t = 0; t < steps && t < budget; t++)
        for (int64_t e = 0; e < n; e++)
            memcpy(script + (e * budget + t) * dim, (const float *)action->data + (t * n + e) * dim,
                   (size_t)dim * sizeof *script);
    return script;
}

/* The step after which `array` first holds in episode e, 0 = never. */
static int64_t first_step(const uw_tensor *array, int64_t e) {
    for (int64_t t = 0; t < array->shape[0]; t++)
        if (trace_number(array, t * array->shape[1] + e) != 0.0) return t + 1;
    return 0;
}

static void compare_states(const uw_trace *trace, const uw_tensor *states, int64_t e) {
    const int64_t n = states->shape[1], dim = states->shape[2];
    for (int64_t t = 0; t < trace->num_states; t++)
        for (int64_t k = 0; k < dim; k++)
            CHECK_NEAR(trace->states[t * dim + k], trace_number(states, (t * n + e) * dim + k),
                       subject.bound);
}

static void check_outcomes(uw_npz *npz, const char *policy, uw_driver driver, const char *protocol,
                           const char *mode, const char *rule) {
    char part[32], key[64];
    snprintf(part, sizeof part, "%s.%s", policy, mode);
    snprintf(key, sizeof key, "%s.%s", part, rule);
    if (uw__npz_find(npz, key) < 0) return;
    const uw_tensor met = trace_array(npz, part, rule), states = trace_array(npz, part, "state");
    const uw_tensor action = trace_array(npz, part, "action");
    uw_eval_options o = options_of(protocol, met.shape[1]);
    uw_part run = {.what = "eval", .total = o.episodes};
    uw_eval_result r = {0};
    uw_err err = {0};
    int64_t successes = 0;
    o.keep_traces = o.episodes;
    float *script = script_of(&action, 50);
    if (driver == UW_DRIVER_REPLAY && !strcmp(policy, "random")) run.script = script;
    CHECK_OK(uw__eval_part(ctx, NULL, subject.world, driver, 1, &o, &run, &r, &err), &err);
    assert_int_equal(r.budget, 50);
    for (int64_t e = 0; e < met.shape[1]; e++) {
        const int64_t want = first_step(&met, e);
        const uw_episode *got = &r.episodes[e];
        if (got->success != (want > 0) || (want && got->steps != want))
            fail_msg("%s, %s, episode %d: success %d after %d steps, wanted step %d", protocol,
                     part, (int)e, got->success, (int)got->steps, (int)want);
        compare_states(&r.traces[e], &states, e);
        successes += want > 0;
    }
    assert_int_equal(r.success.successes, successes);
    if (!strcmp(mode, "wait"))
        CHECK_NEAR(100.0 * r.success.rate, number_of(npz, part, "success_rate", 0), 1e-6);
    print_message("%-15s %-12s %d of %d, %d already solved\n", protocol, part,
                  (int)r.success.successes, (int)r.success.episodes, (int)r.solved_at_start);
    uw_eval_result_fini(&r);
    free(script);
}

static void test_outcomes(void **state) {
    (void)state;
    uw_npz *npz = trace_open(subject.trace);
    open_recording();
    static const struct {
        const char *name;
        uw_driver driver;
    } policies[] = {
        {"random", UW_DRIVER_REPLAY}, {"oracle", UW_DRIVER_REPLAY}, {"zero", UW_DRIVER_ZERO}};
    for (int i = 0; i < 3; i++) {
        const char *name = policies[i].name;
        const uw_driver driver = policies[i].driver;
        check_outcomes(npz, name, driver, "released", "wait", "terminated");
        check_outcomes(npz, name, driver, "clear-moderate", "free", subject.moderate);
        check_outcomes(npz, name, driver, "clear-strict", "free", subject.strict);
    }
    uw__npz_close(npz);
}

int main(int argc, char **argv) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_sampling),
                                       cmocka_unit_test(test_outcomes)};
    uw_err err = {0};
    const uw_context_options c = {.num_threads = 2};
    if (argc == 2 && !strcmp(argv[1], "pusht"))
        subject = (struct subject){
            "eval_pusht.npz",   "pusht",          {"pusht_blosc_lz4.h5", "pusht_lowdim.npz"},
            "clear09_moderate", "clear09_strict", 1e-9};
    if (argc == 2 && !strcmp(argv[1], "tworoom"))
        subject = (struct subject){
            "eval_tworoom.npz", "two_room", {"tworoom_blosc_zstd.h5", "tworoom_lowdim.npz"},
            "near16",           "near8",    0.0};
    if (!subject.trace) {
        fprintf(stderr, "usage: %s pusht|tworoom\n", argv[0]);
        return 2;
    }
    if (!uw_env_find(subject.world)) {
        printf("skipped: this build has no %s\n", subject.world);
        return UW_SKIP;
    }
    if (uw_context_new(&c, &ctx, &err)) return 1;
    const int failed = cmocka_run_group_tests(tests, tempdir_setup, tempdir_teardown);
    uw_dataset_close(data);
    uw_context_free(ctx);
    return trace_exit(failed);
}
