/* Labels of a readout: words that name recorded numbers, what is read, what it is measured by, and
 * the mean picture beside it. */
#include <math.h>

#include "arena_block.h"
#include "feed.h"
#include "parts.h"
#include "tempdir.h"
#include "trainer.h"

enum { EPISODES = 6, ROWS = 15, SIDE = 8 };

/* place [3] px, turn [1] rad, text: a column that no number is in. */
static void record(const char *path) {
    const uw_column columns[] = {
        {.name = "pixels", .dtype = UW_DTYPE_U8, .num_dims = 3, .shape = {SIDE, SIDE, 3}},
        {.name = "action", .dtype = UW_DTYPE_F32, .num_dims = 1, .shape = {2}},
        {.name = "place", .dtype = UW_DTYPE_F64, .num_dims = 1, .shape = {3}, .unit = "px"},
        {.name = "turn", .dtype = UW_DTYPE_F32, .num_dims = 1, .shape = {1}, .unit = "rad"},
    };
    const uw_dataset_meta meta = {.action_repeat = 1};
    uw_recorder *rec = NULL;
    uw_err err = {0};
    CHECK_OK(uw_recorder_open(path, columns, 4, &meta, UW_OPEN_NEW, &rec, &err), &err);
    for (int e = 0; e < EPISODES; e++) {
        for (int t = 0; t < ROWS; t++) {
            uint8_t rgb[SIDE * SIDE * 3];
            for (int i = 0; i < SIDE * SIDE * 3; i++) rgb[i] = (uint8_t)(i + 3 * e + t);
            const float action[2] = {(float)t, (float)-e}, turn = 0.3f * (float)t;
            const double place[3] = {e, 10.0 * t, 7.0};
            const void *cells[] = {rgb, action, place, &turn};
            CHECK_OK(uw_recorder_row(rec, cells, &err), &err);
        }
        CHECK_OK(uw_recorder_end_episode(rec, &err), &err);
    }
    CHECK_OK(uw_recorder_close(rec, &err), &err);
}

static uw_dataset *open_data(void) {
    uw_dataset *data = NULL;
    uw_err err = {0};
    CHECK_OK(uw_dataset_open(tempdir_file("data.uw"), &data, &err), &err);
    return data;
}

static void words(void **state) {
    (void)state;
    uw_dataset *data = open_data();
    uw_labels l;
    uw_err err = {0};
    CHECK_OK(uw__labels_parse(data, "", &l, &err), &err);
    assert_int_equal(l.count + l.numbers, 0);
    CHECK_OK(uw__labels_parse(data, "place[0-1],place[2]:rad,turn", &l, &err), &err);
    assert_int_equal(l.count, 4);
    assert_int_equal(l.numbers, 6); /* two places, two angles */
    assert_true(!l.label[1].angle && l.label[2].angle && l.label[3].angle);
    assert_int_equal(l.label[2].at, 2);
    double temp[3];
    uw_real y[6];
    CHECK_OK(uw__labels_read(data, &l, 4, 2, 1, 1, temp, y, &err), &err);
    const double want[6] = {4.0, 20.0, sin(7.0), cos(7.0), sin(0.6), cos(0.6)};
    for (int i = 0; i < 6; i++) CHECK_NEAR(y[i], want[i], 1e-6);
    static const char *const bad[][2] = {
        {"plase", "did you mean place?"},
        {"place[3]", "for example"},
        {"place[1-0]", "for example"},
        {"place[", "for example"},
        {"place[0]:deg", "for example"},
        {"place[0", "for example"},
        {"pixels", "inspect"},
        {"place[-1]", "for example"},
        {"place[0]x", "for example"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        err = (uw_err){0};
        if (!uw__labels_parse(data, bad[i][0], &l, &err)) fail_msg("%s was accepted", bad[i][0]);
        assert_non_null(strstr(err.fix, bad[i][1]));
    }
    char many[400] = "place";
    for (int i = 0; i < 30; i++) strcat(many, ",place");
    assert_int_equal(uw__labels_parse(data, many, &l, &err), UW_EINVAL);
    uw_dataset_close(data);
}

static uw_train_config config(void) {
    uw_train_config c;
    uw_err err = {0};
    CHECK_OK(uw_train_preset("two_room", &c, &err), &err);
    c.model.input = UW_INPUT_CENTRED;
    c.model.frameskip = 3;
    c.model.action_history = 2;
    c.window = 3;
    c.rollout_steps = 2;
    c.batch = 16;
    c.extra_frames = 9;
    c.holdout = 0.0;
    strcpy(c.readout, "place[0-1],turn");
    c.readout_weight = 1.0f;
    return c;
}

/* A batch: windows, single frames behind them, labels and pictures by their statistics, actions
 * with the end of those before. */
static void batches(void **state) {
    (void)state;
    const uw_train_config c = config();
    uw_context *ctx = NULL;
    uw_trainer t;
    uw_err err = {0};
    CHECK_OK(uw_context_new(&(uw_context_options){.num_threads = 2}, &ctx, &err), &err);
    CHECK_OK(uw__trainer_init(ctx, tempdir_file("data.uw"), &c, &t, &err), &err);
    const uw_real *mean = uw__bind(&t.net, t.net.at_readout + 2, t.buffers);
    const uw_real *std = uw__bind(&t.net, t.net.at_readout + 3, t.buffers);
    assert_int_equal(t.net.config.readout_dim, 4);
    CHECK_NEAR(mean[0], 2.5, 0.05); /* of episodes 0 .. 5 */
    CHECK_NEAR(std[0], sqrt(35.0 / 12.0), 0.05);
    assert_true(mean[2] == 0 && std[2] == 1 && mean[3] == 0 && std[3] == 1);
    const uw_real *picture = uw__bind(&t.net, t.net.at_input, t.buffers);
    const uw_real scale = *uw__bind(&t.net, t.net.at_input + 1, t.buffers);
    CHECK_NEAR(picture[10], 10.0 + 3.0 * 2.5 + 3.0, 0.2); /* window starts: rows 0 .. 6 */
    assert_true(scale > 1 && scale < 20);

    CHECK_OK(uw__batch_load(&t.exec, &t.net, &t.feed, &t.config, t.buffers, 5, 0, t.batch, &err),
             &err);
    const size_t rows = uw__loss_rows(&t.config, 16);
    assert_int_equal(rows, 16 * 3 + 9);
    /* A batch keeps the pictures as bytes for a network that prepares them itself. */
    uw_real *x = malloc(rows * t.net.input_reals * sizeof *x);
    assert_true(uw__net_takes_frames(&t.net));
    uw__net_prepare(&t.exec, &t.net, t.buffers, t.batch->frames, rows, x);
    for (size_t r = 0; r < rows; r++) {
        const size_t item = r < 48 ? r / 3 : 16 + (r - 48), step = r < 48 ? r % 3 : 0;
        int64_t episode, row;
        uw_windows_at(t.feed.train, t.batch->picks[item], &episode, &row);
        row += 3 * (int64_t)step;
        const uw_real *y = t.batch->y + r * 4, *seen = x + r * t.net.input_reals;
        CHECK_NEAR(y[0] * std[0] + mean[0], (double)episode, 1e-4);
        CHECK_NEAR(y[1] * std[1] + mean[1], 10.0 * (double)row, 1e-3);
        CHECK_NEAR(y[2], sin(0.3 * (double)row), 1e-6);
        for (int i = 0; i < 12; i++)
            CHECK_NEAR(seen[i] * scale + picture[i], (double)(i + 3 * episode + row), 1e-3);
    }
    free(x);
    bool began = false;
    for (size_t w = 0; w < 16; w++) {
        int64_t episode, row;
        uw_windows_at(t.feed.train, t.batch->picks[w], &episode, &row);
        for (int64_t s = 0; s < 2; s++) { /* [3 actions, the 2 before them] */
            const uw_real *a = t.batch->a + (w * 2 + (size_t)s) * 10;
            for (int64_t i = 0; i < 5; i++) {
                const int64_t at = row + 3 * s + (i < 3 ? i : i - 5);
                began = began || at < 0;
                assert_true(a[2 * i] == (at < 0 ? 0.0f : (float)at));
                assert_true(a[2 * i + 1] == (at < 0 ? 0.0f : (float)-episode));
            }
        }
    }
    assert_true(began); /* an episode's first rows were among them */
    uw__trainer_fini(&t);
    uw_context_free(ctx);
}

static void trainer(const uw_train_config *c, uw_context **ctx, uw_trainer *t) {
    uw_err err = {0};
    CHECK_OK(uw_context_new(&(uw_context_options){.num_threads = 1}, ctx, &err), &err);
    CHECK_OK(uw__trainer_init(*ctx, tempdir_file("data.uw"), c, t, &err), &err);
}

/* The ramp holds the predictor's two weights back: none at first, half of them half way. */
static void ramp(void **state) {
    (void)state;
    uw_train_config c = config();
    uw_context *ctx = NULL;
    uw_trainer t;
    uw_err err = {0};
    c.steps = 20;
    c.prediction_ramp = 0.4f;
    trainer(&c, &ctx, &t);
    for (int64_t step = 0; step < 12; step += 4) { /* the ramp ends at 8 */
        uw_step_stats s;
        CHECK_OK(uw__trainer_step(&t, step, &s, &err), &err);
        const uw_losses *l = &s.losses;
        const double share = step < 8 ? (double)step / 8.0 : 1.0;
        assert_true(l->prediction > 0.0 && l->readout > 0.0);
        CHECK_NEAR(l->total, share * (l->prediction + l->rollout) + 3.0 * l->sigreg + l->readout,
                   1e-6);
    }
    uw__trainer_fini(&t);
    uw_context_free(ctx);
}

/* Steps of the predictor alone move its numbers and no other, statistics included. */
static void predictor_alone(void **state) {
    (void)state;
    uw_train_config c = config();
    uw_context *ctx = NULL;
    uw_trainer t;
    uw_step_stats s;
    uw_err err = {0};
    c.steps = 2;
    c.predictor_steps = 3;
    c.predictor_batch = 10;
    c.model.conv_norm = UW_CONV_NORM_BATCH;
    trainer(&c, &ctx, &t);
    for (int64_t step = 0; step < 2; step++) CHECK_OK(uw__trainer_step(&t, step, &s, &err), &err);
    const size_t n = t.net.num_params, buffers = t.net.num_buffers;
    uw_real *before = malloc((n + buffers) * sizeof *before);
    assert_non_null(before);
    memcpy(before, t.params, n * sizeof *before);
    memcpy(before + n, t.buffers, buffers * sizeof *before);
    for (int64_t step = 2; step < 5; step++) CHECK_OK(uw__trainer_step(&t, step, &s, &err), &err);
    assert_true(s.losses.prediction > 0.0 && s.losses.sigreg == 0.0 && s.losses.readout == 0.0);
    assert_memory_equal(t.buffers, before + n, buffers * sizeof *before);
    for (int32_t i = 0; i < t.net.num_tensors; i++) {
        const uw_net_tensor *tensor = &t.net.tensors[i];
        if (tensor->buffer) continue;
        const bool same = !memcmp(t.params + tensor->offset, before + tensor->offset,
                                  tensor->count * sizeof *before);
        if (same == !strncmp(tensor->name, "predictor", 9)) fail_msg("%s", tensor->name);
    }
    free(before);
    uw__trainer_fini(&t);
    uw_context_free(ctx);
}

static int setup(void **state) {
    if (tempdir_setup(state)) return -1;
    record(tempdir_file("data.uw"));
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(words), cmocka_unit_test(batches),
                                       cmocka_unit_test(ramp), cmocka_unit_test(predictor_alone)};
    return cmocka_run_group_tests(tests, setup, tempdir_teardown);
}
