/* Redraws of a recording with varied factors: what is not drawn anew looks as it was recorded,
 * distractors and goals too, frame by frame. */
#include <umwelt/eval.h>

#include "tempdir.h"
#include "tiny_run.h"
#include "trainer.h"

enum { EPISODES = 24, STEPS = 12, REPEAT = 3 };

/* Collect two_room with variations and a hold of REPEAT. */
static void collect(const char *path, const char *const *variations) {
    const uw_env_class *cls = uw_env_find("two_room");
    uw_variation v = {.mode = {UW_VARY_DEFAULT}};
    uw_collect_options o = UW_COLLECT_OPTIONS_DEFAULT;
    uw_collect_result r;
    uw_context *ctx = NULL;
    uw_err err = {0};
    for (; *variations; variations++)
        CHECK_OK(uw_variation_parse(cls, *variations, &v, &err), &err);
    o.episodes = EPISODES;
    o.steps = STEPS;
    o.size = TINY_SIZE;
    o.action_repeat = REPEAT;
    o.variation = &v;
    CHECK_OK(uw_context_new(NULL, &ctx, &err), &err);
    CHECK_OK(uw_collect_run(ctx, "two_room", path, &o, &r, &err), &err);
    uw_context_free(ctx);
}

/* Load step `step` and count the frames that differ from the recorded ones. */
static int32_t differing(const char *path, const uw_train_config *config, int64_t step) {
    uw_context *ctx = NULL;
    uw_trainer t;
    uw_err err = {0};
    int32_t differ = 0;
    CHECK_OK(uw_context_new(&(uw_context_options){.num_threads = 2}, &ctx, &err), &err);
    CHECK_OK(uw__trainer_init(ctx, path, config, &t, &err), &err);
    const size_t window = t.feed.window, bytes = t.feed.frame_bytes;
    uint8_t *recorded = malloc(window * bytes);
    assert_non_null(recorded);
    CHECK_OK(uw__batch_load(&t.exec, &t.net, &t.feed, config, t.buffers, step, 0, t.batch, &err),
             &err);
    for (size_t w = 0; w < t.batch->windows; w++) {
        CHECK_OK(uw_windows_read(t.feed.train, t.batch->picks[w], t.feed.pixels, recorded, &err),
                 &err);
        for (size_t k = 0; k < window; k++)
            differ += memcmp(recorded + k * bytes, t.batch->frames + (w * window + k) * bytes,
                             bytes) != 0;
    }
    free(recorded);
    uw__trainer_fini(&t);
    uw_context_free(ctx);
    return differ;
}

static void as_recorded(void **state) {
    (void)state;
    static const char *const variations[] = {
        "wall.thickness~sample",  "wall.color~sample",         "distractor.number=6",
        "distractor.seed~sample", "distractor.speed=0.04",     "door.size=20,20,20",
        "distractor.size=0.15",   "rendering.render_target=1", NULL};
    const char *path = tempdir_file("varied.uw");
    collect(path, variations);
    uw_train_config c = tiny_config(100);
    c.batch = 32;
    snprintf(c.augment_factors, sizeof c.augment_factors, "agent.color,background.color");
    /* before the ramp, a redraw is the recorded picture itself */
    assert_int_equal(differing(path, &c, 0), 0);
    assert_int_equal(differing(path, &c, 9), 0);
    /* behind it the colours are drawn anew */
    assert_true(differing(path, &c, 99) > 60);
    /* a factor that is drawn anew starts from its default, not from the recorded value */
    snprintf(c.augment_factors, sizeof c.augment_factors,
             "agent.color,wall.color,distractor.number");
    assert_true(differing(path, &c, 0) > 60);
}

/* Other rooms in every episode: each frame shows its own episode's, under drawn colours too. */
static void layouts_as_recorded(void **state) {
    (void)state;
    static const char *const variations[] = {"wall.thickness~sample", "wall.axis~sample",
                                             "door.number~sample",    "door.position~sample",
                                             "door.size~sample",      NULL};
    const char *path = tempdir_file("layouts.uw");
    collect(path, variations);
    uw_train_config c = tiny_config(100);
    c.batch = 32;
    c.episode_windows = 4;
    assert_int_equal(differing(path, &c, 0), 0);
    assert_true(differing(path, &c, 99) > 60);
}

/* Windows of a step come from one episode by the group, and all of its windows come up. */
static void windows_of_one_episode(void **state) {
    (void)state;
    enum { GROUP = 4, BATCH = 32, LOADS = 60 };
    static const char *const variations[] = {"wall.axis~sample", NULL};
    const char *path = tempdir_file("grouped.uw");
    collect(path, variations);
    uw_train_config c = tiny_config(100);
    c.batch = BATCH;
    c.episode_windows = GROUP;
    uw_context *ctx = NULL;
    uw_trainer t;
    uw_err err = {0};
    bool episodes[EPISODES] = {false}, rows[STEPS + 1] = {false};
    CHECK_OK(uw_context_new(NULL, &ctx, &err), &err);
    CHECK_OK(uw__trainer_init(ctx, path, &c, &t, &err), &err);
    for (int64_t step = 0; step < LOADS; step++) {
        int64_t first = -1, episode, row;
        CHECK_OK(uw__batch_load(&t.exec, &t.net, &t.feed, &c, t.buffers, step, 0, t.batch, &err),
                 &err);
        for (size_t w = 0; w < BATCH; w++) {
            uw_windows_at(t.feed.train, t.batch->picks[w], &episode, &row);
            if (w % GROUP == 0) first = episode;
            assert_int_equal(episode, first);
            episodes[episode] = rows[row] = true;
        }
    }
    int32_t seen = 0;
    for (int32_t e = 0; e < EPISODES; e++) seen += episodes[e];
    assert_true(seen > EPISODES / 2); /* but those held out */
    for (int32_t row = 0; row <= STEPS + 1 - c.window; row++) assert_true(rows[row]);
    uw__trainer_fini(&t);
    uw_context_free(ctx);
}

static void says_what_was_varied(void **state) {
    (void)state;
    static const char *const variations[] = {"wall.thickness~sample", "agent.color~sample",
                                             "door.size=20,20,20", NULL};
    const char *path = tempdir_file("named.uw");
    collect(path, variations);
    const uw_train_config c = tiny_config(3);
    uw_context *ctx = NULL;
    uw_trainer t;
    uw_err err = {0};
    CHECK_OK(uw_context_new(NULL, &ctx, &err), &err);
    CHECK_OK(uw__trainer_init(ctx, path, &c, &t, &err), &err);
    assert_string_equal(
        t.feed.trained,
        "agent.color,agent.radius,background.color,door.color,wall.color,wall.thickness");
    uw__trainer_fini(&t);
    uw_context_free(ctx);
}

/* A column that has a factor's name and another world's numbers. */
static void refuses_impossible_looks(void **state) {
    (void)state;
    static const struct {
        float value;
        int32_t dim;
        uw_status status;
        const char *what;
    } bad[] = {{50.0f, 1, UW_EINVAL, "wall.thickness: wanted a whole number 7 .. 41"},
               {10.5f, 1, UW_EINVAL, "got 10.5 in episode 1"},
               {NAN, 1, UW_EINVAL, "in episode 1"},
               {9.0f, 2, UW_ESHAPE, "wanted F32 or F64 x 1"}};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        const uw_column columns[] = {
            {.name = "pixels",
             .dtype = UW_DTYPE_U8,
             .num_dims = 3,
             .shape = {TINY_SIZE, TINY_SIZE, 3}},
            {.name = "action", .dtype = UW_DTYPE_F32, .num_dims = 1, .shape = {2}},
            {.name = "state", .dtype = UW_DTYPE_F32, .num_dims = 1, .shape = {2}},
            {.name = "wall.thickness",
             .dtype = UW_DTYPE_F32,
             .num_dims = 1,
             .shape = {bad[i].dim}}};
        const uw_dataset_meta meta = {.env = "two_room", .action_repeat = 5};
        static const uint8_t rgb[TINY_SIZE * TINY_SIZE * 3];
        const float two[2] = {50, 50}, good[2] = {10, 10}, wrong[2] = {bad[i].value, 10};
        uw_recorder *rec = NULL;
        uw_err err = {0};
        const char *path = tempdir_file("bad.uw");
        CHECK_OK(uw_recorder_open(path, columns, 4, &meta, UW_OPEN_OVERWRITE, &rec, &err), &err);
        for (int row = 0; row < 20; row++) {
            const void *cells[] = {rgb, two, two, row < 10 ? good : wrong};
            CHECK_OK(uw_recorder_row(rec, cells, &err), &err);
            if (row % 10 == 9) CHECK_OK(uw_recorder_end_episode(rec, &err), &err);
        }
        CHECK_OK(uw_recorder_close(rec, &err), &err);
        const uw_train_config c = tiny_config(3);
        uw_context *ctx = NULL;
        uw_trainer t;
        CHECK_OK(uw_context_new(NULL, &ctx, &err), &err);
        assert_int_equal(uw__trainer_init(ctx, path, &c, &t, &err), bad[i].status);
        if (!strstr(err.text, bad[i].what)) fail_msg("%s", err.text);
        uw_context_free(ctx);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(as_recorded), cmocka_unit_test(layouts_as_recorded),
        cmocka_unit_test(windows_of_one_episode), cmocka_unit_test(says_what_was_varied),
        cmocka_unit_test(refuses_impossible_looks)};
    return cmocka_run_group_tests(tests, tempdir_setup, tempdir_teardown);
}
