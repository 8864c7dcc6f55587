/* Protocols with a dataset: sampling, splits, what was recorded, what is refused, stops and
 * comparisons. */
#include "check.h"

#include <math.h>
#include <unistd.h>

#include <umwelt/eval.h>

#include "context.h"
#include "eval_internal.h"
#include "hand_model.h"
#include "tempdir.h"

enum { EPISODES = 40, STEPS = 12, SIZE = 32 };

static uw_dataset *data; /* of two_room: 40 episodes of 13 rows, 5 env steps each, colours drawn */

static uw_eval_options few(int32_t episodes) {
    uw_eval_options o = UW_EVAL_OPTIONS_DEFAULT;
    o.protocol = "released";
    o.episodes = episodes;
    o.data = data;
    return o;
}

static int setup(void **state) {
    uw_context *ctx = context(2);
    uw_collect_options o = UW_COLLECT_OPTIONS_DEFAULT;
    uw_collect_result result;
    uw_variation drawn = {.mode = {UW_VARY_DEFAULT}};
    uw_err err = {0};
    if (tempdir_setup(state)) return -1;
    CHECK_OK(uw_variation_parse(uw_env_find("two_room"), "agent.color~sample", &drawn, &err), &err);
    o.episodes = EPISODES;
    o.steps = STEPS;
    o.size = SIZE;
    o.variation = &drawn;
    const char *path = tempdir_file("rooms.uw");
    CHECK_OK(uw_collect_run(ctx, "two_room", path, &o, &result, &err), &err);
    CHECK_OK(uw_dataset_open(path, &data, &err), &err);
    uw_context_free(ctx);
    return 0;
}

static int teardown(void **state) {
    uw_dataset_close(data);
    return tempdir_teardown(state);
}

static uw_pairs *pairs_of(const uw_eval_options *o) {
    const uw_protocol *protocol;
    uw_pairs *pairs = NULL;
    uw_err err = {0};
    CHECK_OK(uw__protocol_find(o->protocol, &protocol, &err), &err);
    CHECK_OK(uw__pairs_new(protocol, uw_env_find("two_room"), o, 2, &pairs, &err), &err);
    return pairs;
}

/* ---- numbers of others */

static void check_choice(const char *kind, uint64_t seed, int64_t n, int64_t count, FILE *f) {
    int64_t *drawn = calloc((size_t)count, sizeof *drawn);
    assert_non_null(drawn);
    assert_int_equal(uw__numpy_choice(seed, n, count, drawn), UW_OK);
    long long want, weighted = 0;
    for (int64_t i = 0; i < count; i++) {
        weighted += (i + 1) * drawn[i];
        if (strcmp(kind, "all") != 0) continue;
        assert_int_equal(fscanf(f, "%lld", &want), 1);
        assert_int_equal(drawn[i], want);
    }
    if (strcmp(kind, "sum") == 0) {
        long long first, last;
        assert_int_equal(fscanf(f, "%lld %lld %lld", &first, &last, &want), 3);
        assert_true(drawn[0] == first && drawn[count - 1] == last && weighted == want);
    }
    free(drawn);
}

static void test_choice_is_numpys(void **state) {
    (void)state;
    char path[512], kind[8];
    unsigned long long seed;
    long long n, count;
    int lines = 0;
    snprintf(path, sizeof path, "%s/numpy/choice.txt", UW_VECTORS_DEFAULT);
    FILE *f = fopen(path, "r");
    assert_non_null(f);
    for (; fscanf(f, "%7s %llu %lld %lld :", kind, &seed, &n, &count) == 4; lines++)
        check_choice(kind, seed, n, count, f);
    assert_true(feof(f) && lines >= 30);
    fclose(f);
    int64_t none;
    assert_int_equal(uw__numpy_choice(0, 3, 4, &none), UW_EINVAL);
    assert_int_equal(uw__numpy_choice(0, (int64_t)1 << 32, 1, &none), UW_EINVAL);
}

static void test_mcnemar_is_scipys(void **state) {
    (void)state;
    char path[512];
    int b, c, lines = 0;
    double p;
    snprintf(path, sizeof path, "%s/stats/mcnemar.txt", UW_VECTORS_DEFAULT);
    FILE *f = fopen(path, "r");
    assert_non_null(f);
    for (; fscanf(f, "%d %d %lf", &b, &c, &p) == 3; lines++) {
        CHECK_NEAR(uw_mcnemar(b, c), p, 1e-10);
        CHECK_NEAR(uw_mcnemar(c, b), p, 1e-10);
    }
    assert_true(feof(f) && lines >= 10);
    fclose(f);
}

/* ---- pairs */

static void test_pairs_are_what_was_recorded(void **state) {
    (void)state;
    const uw_env_class *cls = uw_env_find("two_room");
    const uw_eval_options o = few(60);
    uw_pairs *pairs = pairs_of(&o);
    uw_env *env = NULL;
    uw_err err = {0};
    CHECK_OK(uw_env_new("two_room", &env, &err), &err);
    const int32_t state_column = uw_dataset_find(data, "state", NULL);
    assert_true(uw__pairs_pictured(pairs, SIZE) && !uw__pairs_pictured(pairs, 2 * SIZE));
    for (int32_t i = 0; i < o.episodes; i++) {
        static uint8_t drawn[SIZE * SIZE * 3], recorded[SIZE * SIZE * 3];
        uw_setup s;
        float goal[2];
        CHECK_OK(uw__pairs_setup(pairs, &o, i, &s, &err), &err);
        assert_true(s.row >= 0 && s.row + 5 <= STEPS); /* 25 env steps are 5 rows */
        CHECK_OK(uw_dataset_rows(data, state_column, s.episode, s.row + 5, 1, 1, goal, &err), &err);
        assert_true(s.task.goal[0] == (double)goal[0] && s.task.goal[1] == (double)goal[1]);
        /* Drawn under the recorded factors, the start is the recorded picture. */
        CHECK_OK(uw_env_reset(env, 0, s.values, s.fixed, &err), &err);
        uw_env_draw(env, s.values, s.task.start, SIZE, drawn);
        CHECK_OK(uw__pairs_picture(pairs, &s, false, recorded, &err), &err);
        assert_memory_equal(drawn, recorded, sizeof drawn);
        uw_env_draw(env, s.goal_values, s.task.goal, SIZE, drawn);
        CHECK_OK(uw__pairs_picture(pairs, &s, true, recorded, &err), &err);
        assert_memory_equal(drawn, recorded, sizeof drawn);
    }
    uw__pairs_free(pairs);

    uw_variation fixed = {.mode = {UW_VARY_DEFAULT}};
    uw_eval_options other = few(1);
    uw_setup s;
    CHECK_OK(uw_variation_parse(cls, "agent.color=1,2,3", &fixed, &err), &err);
    other.variation = &fixed;
    pairs = pairs_of(&other);
    assert_false(uw__pairs_pictured(pairs, SIZE)); /* asked to look otherwise */
    CHECK_OK(uw__pairs_setup(pairs, &other, 0, &s, &err), &err);
    assert_true(s.values[uw_env_factor(cls, "agent.color", NULL)->offset + 2] == 3.0);
    uw__pairs_free(pairs);
    uw_env_free(env);
}

static void test_splits_are_by_episode(void **state) {
    (void)state;
    bool seen[2][EPISODES] = {{false}};
    int64_t starts = 0;
    for (int side = 0; side < 2; side++) {
        uw_eval_options o = few(1);
        uw_eval_result described = {0};
        uw_err err = {0};
        o.split = side ? UW_SPLIT_VALIDATION : UW_SPLIT_TRAIN;
        o.holdout = 0.25;
        o.holdout_seed = 3;
        uw_pairs *few_pairs = pairs_of(&o);
        uw__pairs_describe(few_pairs, &described);
        uw__pairs_free(few_pairs);
        starts += described.starts;
        o.episodes = (int32_t)described.starts; /* every start there is */
        uw_pairs *pairs = pairs_of(&o);
        for (int32_t i = 0; i < o.episodes; i++) {
            uw_setup s;
            CHECK_OK(uw__pairs_setup(pairs, &o, i, &s, &err), &err);
            seen[side][s.episode] = true;
        }
        uw__pairs_free(pairs);
    }
    assert_int_equal(starts, EPISODES * (STEPS + 1 - 5));
    int held = 0;
    for (int e = 0; e < EPISODES; e++) {
        assert_true(seen[0][e] != seen[1][e]);
        held += seen[1][e];
    }
    assert_true(held >= 3 && held <= 20);
}

/* ---- runs */

static uw_eval_result run(const uw_model *model, uw_driver driver, const uw_eval_options *o,
                          int32_t threads) {
    uw_context *ctx = context(threads);
    uw_eval_result r = {0};
    uw_err err = {0};
    CHECK_OK(uw_eval_run(ctx, model, "two_room", driver, 0, o, &r, &err), &err);
    uw_context_free(ctx);
    return r;
}

static void same_episodes(const uw_eval_result *a, const uw_eval_result *b) {
    assert_int_equal(a->num_episodes, b->num_episodes);
    assert_int_equal(a->decisions, b->decisions);
    for (int32_t i = 0; i < a->num_episodes; i++) {
        const uw_episode *x = &a->episodes[i], *y = &b->episodes[i];
        assert_true(x->success == y->success && x->steps == y->steps &&
                    x->solved_at_start == y->solved_at_start && x->data_row == y->data_row &&
                    x->data_episode == y->data_episode);
        assert_memory_equal(&x->final_distance, &y->final_distance, sizeof(float));
    }
}

static void test_recorded_actions_reach_the_goal(void **state) {
    (void)state;
    const uw_eval_options o = few(50);
    uw_eval_result replay = run(NULL, UW_DRIVER_REPLAY, &o, 2);
    uw_eval_result zero = run(NULL, UW_DRIVER_ZERO, &o, 1);
    assert_int_equal(replay.success.successes, 50);
    assert_true(replay.budget == 50 && replay.starts == EPISODES * (STEPS - 4));
    assert_string_equal(replay.data_hash, uw_dataset_hash(data));
    assert_int_equal(replay.hard.episodes, 0);
    for (int32_t i = 0; i < 50; i++) {
        assert_true(replay.episodes[i].steps >= 1 && replay.episodes[i].steps <= 25);
        /* A start that is solved already is played, and nothing done keeps it so. */
        assert_int_equal(zero.episodes[i].success, zero.episodes[i].solved_at_start);
        assert_int_equal(zero.episodes[i].steps, zero.episodes[i].success ? 1 : 50);
    }
    assert_int_equal(zero.success.successes, zero.solved_at_start);
    assert_int_equal(zero.solved_at_start, replay.solved_at_start);
    uw_eval_result_fini(&replay);
    uw_eval_result_fini(&zero);
}

static void test_plans_are_carried_out(void **state) {
    (void)state;
    uw_model *known = hand_model(2, 2, "state"), *sees = blind_model(SIZE);
    uw_eval_options o = few(12);
    o.planner.num_samples = 24;
    o.planner.num_elites = 8;
    const uw_model *models[] = {known, sees};
    for (int m = 0; m < 2; m++) {
        uw_eval_result one = run(models[m], UW_DRIVER_MODEL, &o, 1);
        uw_eval_result three = run(models[m], UW_DRIVER_MODEL, &o, 3);
        same_episodes(&one, &three);
        assert_int_equal(one.plan_steps, 25);
        assert_true(one.decisions <= 24); /* two solves */
        uw_eval_result_fini(&one);
        uw_eval_result_fini(&three);
    }
    o.replan = 1;
    uw_eval_result often = run(sees, UW_DRIVER_MODEL, &o, 2);
    assert_int_equal(often.plan_steps, 5);
    assert_true(often.decisions > 24);
    uw_eval_result_fini(&often);
    uw_model_unload(known);
    uw_model_unload(sees);
}

static bool stop_soon(void *cookie, const char *what, int64_t done, int64_t total) {
    int *calls = cookie;
    (void)what, (void)done, (void)total;
    return ++*calls < 4;
}

static void test_a_stopped_run_goes_on(void **state) {
    (void)state;
    uw_model *model = hand_model(2, 2, "state");
    uw_eval_options o = few(40);
    o.planner.num_samples = 24;
    o.planner.num_elites = 8;
    uw_eval_result whole = run(model, UW_DRIVER_MODEL, &o, 1);

    int calls = 0;
    uw_context *ctx = NULL;
    uw_err err = {0};
    uw_eval_result r = {0};
    const uw_context_options c = {.num_threads = 2, .progress = stop_soon, .cookie = &calls};
    CHECK_OK(uw_context_new(&c, &ctx, &err), &err);
    o.resume = tempdir_file("table.part");
    o.keep_traces = 1;
    assert_int_equal(uw_eval_run(ctx, model, "two_room", UW_DRIVER_MODEL, 0, &o, &r, &err),
                     UW_EINTERRUPTED);
    uw_context_free(ctx);
    assert_int_equal(access(o.resume, R_OK), 0);

    calls = -1000000; /* from here on progress is only counted */
    const uw_context_options counting = {.num_threads = 1, .progress = stop_soon, .cookie = &calls};
    CHECK_OK(uw_context_new(&counting, &ctx, &err), &err);
    CHECK_OK(uw_eval_run(ctx, model, "two_room", UW_DRIVER_MODEL, 0, &o, &r, &err), &err);
    const int played = calls + 1000000;
    assert_true(played > 1 && played < 40); /* some were kept */
    same_episodes(&whole, &r);
    assert_int_equal(r.traces[0].num_states, r.episodes[0].steps + 1);
    assert_true(r.plan_ms_max > 0);
    uw_eval_result_fini(&r);

    uw_eval_options other = o; /* another seed: nothing of it is taken */
    other.seed = 1;
    calls = -1000000;
    CHECK_OK(uw_eval_run(ctx, model, "two_room", UW_DRIVER_MODEL, 0, &other, &r, &err), &err);
    assert_int_equal(calls + 1000000, 40);
    uw_eval_result_fini(&r);
    FILE *f = fopen(o.resume, "r+b"); /* damage is noticed */
    assert_non_null(f);
    assert_int_equal(fseek(f, 200, SEEK_SET), 0);
    fputc(0x5a, f);
    fputc(0xa5, f);
    fclose(f);
    calls = -1000000;
    CHECK_OK(uw_eval_run(ctx, model, "two_room", UW_DRIVER_MODEL, 0, &other, &r, &err), &err);
    assert_int_equal(calls + 1000000, 40);
    uw_eval_result_fini(&r);
    uw_context_free(ctx);
    uw_eval_result_fini(&whole);
    uw_model_unload(model);
}

static void test_compare(void **state) {
    (void)state;
    uw_eval_options o = few(30);
    uw_eval_result a = run(NULL, UW_DRIVER_RANDOM, &o, 2), b = run(NULL, UW_DRIVER_REPLAY, &o, 2);
    uw_paired p = {0};
    uw_err err = {0};
    CHECK_OK(uw_eval_compare(&a, &b, &p, &err), &err);
    assert_int_equal(p.both + p.only_first, a.success.successes);
    assert_int_equal(p.both + p.only_second, b.success.successes);
    assert_int_equal(p.both + p.only_first + p.only_second + p.neither, 30);
    assert_true(p.p_value == uw_mcnemar(p.only_first, p.only_second) && p.only_second > 5);
    o.seed = 9;
    uw_eval_result c = run(NULL, UW_DRIVER_REPLAY, &o, 1);
    assert_int_equal(uw_eval_compare(&a, &c, &p, &err), UW_ESHAPE);
    uw_eval_result_fini(&a);
    uw_eval_result_fini(&b);
    uw_eval_result_fini(&c);
}

static void test_table_says_where_starts_are_from(void **state) {
    (void)state;
    const uw_eval_options o = few(3);
    uw_eval_result r = run(NULL, UW_DRIVER_REPLAY, &o, 1);
    uw_err err = {0};
    const char *path = tempdir_file("table.csv");
    char line[512], end[64];
    CHECK_OK(uw_eval_write_csv(&r, path, false, &err), &err);
    FILE *f = fopen(path, "r");
    assert_non_null(f);
    assert_non_null(fgets(line, sizeof line, f));
    assert_non_null(strstr(line, ",goal.agent.y,data.episode,data.row\n"));
    for (int i = 0; i < 3; i++) {
        assert_non_null(fgets(line, sizeof line, f));
        snprintf(end, sizeof end, ",%d,%d\n", (int)r.episodes[i].data_episode,
                 (int)r.episodes[i].data_row);
        assert_string_equal(line + strlen(line) - strlen(end), end);
    }
    fclose(f);
    uw_eval_result_fini(&r);
}

/* ---- what is refused */

static void refused(const uw_eval_options *o, const char *env, uw_driver driver, uw_status want,
                    const char *text, const char *fix) {
    uw_context *ctx = context(1);
    uw_err err = {0};
    uw_eval_result r = {.num_episodes = 77};
    const uw_status status = uw_eval_run(ctx, NULL, env, driver, 0, o, &r, &err);
    if (status != want || !strstr(err.text, text) || !strstr(err.fix, fix))
        fail_msg("got %d: %s | %s; wanted %d: %s | %s", (int)status, err.text, err.fix, (int)want,
                 text, fix);
    assert_int_equal(r.num_episodes, 77);
    uw_context_free(ctx);
}

static void test_bad_options(void **state) {
    (void)state;
    const int starts = EPISODES * (STEPS - 4);
    char text[64];
    uw_eval_options o = few(starts + 1);
    snprintf(text, sizeof text, "%d starts are left", starts);
    refused(&o, "two_room", UW_DRIVER_ZERO, UW_ESHAPE, text, "at most");
    o = few(4);
    o.protocol = "clear-strikt";
    refused(&o, "two_room", UW_DRIVER_ZERO, UW_ENOTFOUND, "clear-strikt", "clear-strict");
    o.protocol = "random-goal";
    refused(&o, "two_room", UW_DRIVER_REPLAY, UW_EINVAL, "replay", "released");
    o = few(4);
    o.data = NULL;
    refused(&o, "two_room", UW_DRIVER_ZERO, UW_EINVAL, "dataset", "--data");
    o = few(4);
    o.replan = -1;
    refused(&o, "two_room", UW_DRIVER_ZERO, UW_EINVAL, "replan", "");
    o = few(4);
    o.split = (uw_split)7;
    refused(&o, "two_room", UW_DRIVER_ZERO, UW_EINVAL, "split", "");
    if (!uw_env_find("pusht")) return;
    o = few(4);
    refused(&o, "pusht", UW_DRIVER_ZERO, UW_ESHAPE, "recorded in two_room", "collect pusht");
}

/* Episodes too short for a goal are counted. */
static void test_short_episodes(void **state) {
    (void)state;
    uw_context *ctx = context(1);
    uw_collect_options c = UW_COLLECT_OPTIONS_DEFAULT;
    uw_collect_result result;
    uw_err err = {0};
    const char *path = tempdir_file("short.uw");
    c.episodes = 7;
    c.steps = 4; /* 5 rows of 5 env steps: the goal would be row 5 */
    c.size = 0;
    CHECK_OK(uw_collect_run(ctx, "two_room", path, &c, &result, &err), &err);
    uw_dataset *brief = NULL;
    CHECK_OK(uw_dataset_open(path, &brief, &err), &err);
    uw_eval_options o = few(1);
    o.data = brief;
    refused(&o, "two_room", UW_DRIVER_ZERO, UW_ESHAPE, "7 of 7 episodes", "longer episodes");
    uw_dataset_close(brief);
    uw_context_free(ctx);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_choice_is_numpys),
        cmocka_unit_test(test_mcnemar_is_scipys),
        cmocka_unit_test(test_pairs_are_what_was_recorded),
        cmocka_unit_test(test_splits_are_by_episode),
        cmocka_unit_test(test_recorded_actions_reach_the_goal),
        cmocka_unit_test(test_plans_are_carried_out),
        cmocka_unit_test(test_a_stopped_run_goes_on),
        cmocka_unit_test(test_compare),
        cmocka_unit_test(test_table_says_where_starts_are_from),
        cmocka_unit_test(test_bad_options),
        cmocka_unit_test(test_short_episodes),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
