/* PushT's pictures against what was recorded of the reference simulator.
 *
 *     parity_trace_pusht_frames frames   every recorded 224 x 224 frame: 0 differing values
 *     parity_trace_pusht_frames canvas   every recorded 512 x 512 canvas behind them: 0 differing
 * values parity_trace_pusht_frames direct   direct drawing: how far it is from the canvas, averaged
 *
 * The world is restored as the recording did, so that the contacts, which the pictures show, come
 * from our own physics.  What is drawn and how much of it is read from the files. */
#include "trace.h"

#include "fileio.h"
#include "image.h"
#include "push_t_world.h"

enum { CANVAS = UW_PUSH_EDGE * UW_PUSH_EDGE * 3, FRAME = UW_PUSH_FRAME * UW_PUSH_FRAME * 3 };

/* Read a recorded picture; false when the folder of vectors lacks it. */
static bool load_picture(const char *folder, const char *tag, int32_t edge, uint8_t *out) {
    char path[512];
    void *data = NULL;
    size_t size = 0;
    uint8_t *rgb = NULL;
    int32_t width = 0, height = 0;
    uw_err err = {0};
    snprintf(path, sizeof path, "%s/traces/%s/%s.png", check_vectors(), folder, tag);
    if (access(path, R_OK) != 0) return false;
    CHECK_OK(uw__file_read(path, TRACE_MAX_BYTES, &data, &size, &err), &err);
    CHECK_OK(uw__png_decode(path, data, size, &rgb, &width, &height, &err), &err);
    assert_int_equal(width, edge);
    assert_int_equal(height, edge);
    memcpy(out, rgb, (size_t)edge * (size_t)edge * 3);
    free(rgb);
    free(data);
    return true;
}

/* Without a single picture nothing was compared. */
static void skip_without(int64_t compared) {
    if (compared) return;
    print_message("skipped: there are no pictures\n");
    trace_opened = 0;
    skip();
}

static int64_t count_differing(const uint8_t *got, const uint8_t *want, int64_t n) {
    int64_t differing = 0;
    for (int64_t i = 0; i < n; i++) differing += got[i] != want[i];
    return differing;
}

/* ---- the recorded pictures ------------------------------------------------------------------- */

typedef struct recording {
    uw_npz *npz;
    const char **tag;
    int64_t count;
    uw_tensor set_state, goal_state, agent_pos, agent_angle, block_pos, block_angle;
} recording;

static void recording_open(recording *r) {
    uw_err err = {0};
    r->npz = trace_open("pusht_frames.npz");
    CHECK_OK(uw__npz_strings(r->npz, uw__npz_find(r->npz, "tag"), &r->tag, &r->count, &err), &err);
    assert_true(r->count > 0);
    r->set_state = trace_array(r->npz, NULL, "set_state");
    r->goal_state = trace_array(r->npz, NULL, "goal_state");
    r->agent_pos = trace_array(r->npz, NULL, "agent_pos");
    r->agent_angle = trace_array(r->npz, NULL, "agent_angle");
    r->block_pos = trace_array(r->npz, NULL, "block_pos");
    r->block_angle = trace_array(r->npz, NULL, "block_angle");
}

static void row_of(const uw_tensor *t, int64_t row, double *out) {
    const int64_t n = trace_row_numbers(t);
    for (int64_t k = 0; k < n; k++) out[k] = trace_number(t, row * n + k);
}

/* Restore picture `row` as the recording did: goal, then start, each with its physics step. */
static void restore(const recording *r, int64_t row, double *values, uw_push_world *world) {
    double start[UW_PUSH_STATE], goal[UW_PUSH_STATE];
    trace_values(r->npz, NULL, &uw__push_t, row, values);
    row_of(&r->goal_state, row, goal);
    row_of(&r->set_state, row, start);
    if (isnan(start[0])) { /* the factors gave the start */
        memcpy(start, values + UW_PUSH_AGENT_START, 2 * sizeof *start);
        memcpy(start + 2, values + UW_PUSH_BLOCK_START, 2 * sizeof *start);
        start[4] = values[UW_PUSH_BLOCK_ANGLE];
        memcpy(start + 5, values + UW_PUSH_AGENT_VELOCITY, 2 * sizeof *start);
    }
    memset(world, 0, sizeof *world);
    uw__push_begin(world, values, goal, start);
}

/* The recorded poses, with our contacts. */
static void view_of(const recording *r, int64_t row, const uw_push_world *world,
                    uw_push_view *view) {
    *view = (uw_push_view){0};
    row_of(&r->agent_pos, row, view->agent);
    row_of(&r->agent_angle, row, &view->agent_angle);
    row_of(&r->block_pos, row, view->block);
    row_of(&r->block_angle, row, &view->block_angle);
    uw__push_world_contacts(world, view);
}

/* ---- exactly -------------------------------------------------------------------------------- */

static void test_frames(void **state) {
    (void)state;
    static uint8_t got[FRAME], want[FRAME];
    static uw_push_world world;
    recording r;
    recording_open(&r);
    int64_t differing = 0, touching = 0, compared = 0;
    for (int64_t i = 0; i < r.count; i++) {
        double values[UW_PUSH_NUM_VALUES];
        uw_push_view view;
        if (!load_picture("pusht_frames", r.tag[i], UW_PUSH_FRAME, want)) continue;
        restore(&r, i, values, &world);
        view_of(&r, i, &world, &view);
        uw__push_t.render(&world, values, 0, UW_PUSH_FRAME, got);
        const int64_t off = count_differing(got, want, FRAME);
        if (off) print_message("%s: %d values differ\n", r.tag[i], (int)off);
        differing += off;
        compared++;
        touching += view.num_contacts > 0;
    }
    print_message("%d of %d frames, %d with contacts: %d of %.0f values differ\n", (int)compared,
                  (int)r.count, (int)touching, (int)differing, (double)compared * FRAME);
    assert_int_equal(differing, 0);
    uw__npz_close(r.npz);
    skip_without(compared);
}

static void test_canvas(void **state) {
    (void)state;
    static uint8_t got[CANVAS], want[CANVAS];
    static uw_push_world world;
    recording r;
    recording_open(&r);
    int64_t differing = 0, compared = 0;
    for (int64_t i = 0; i < r.count; i++) {
        double values[UW_PUSH_NUM_VALUES];
        uw_push_view view;
        if (!load_picture("pusht_canvas", r.tag[i], UW_PUSH_EDGE, want)) continue;
        restore(&r, i, values, &world);
        view_of(&r, i, &world, &view);
        uw__push_draw_canvas(values, &view, got);
        const int64_t off = count_differing(got, want, CANVAS);
        if (off) print_message("%s: %d values differ\n", r.tag[i], (int)off);
        differing += off;
        compared++;
    }
    print_message("%d of %d canvases: %d of %.0f values differ\n", (int)compared, (int)r.count,
                  (int)differing, (double)compared * CANVAS);
    assert_int_equal(differing, 0);
    uw__npz_close(r.npz);
    skip_without(compared);
}

/* ---- directly ------------------------------------------------------------------------------- */

/* Mean of the canvas under a pixel, whatever the size. */
static void average(const uint8_t *canvas, int32_t size, double *out) {
    const double cell = (double)UW_PUSH_EDGE / size;
    for (int32_t y = 0; y < size; y++)
        for (int32_t x = 0; x < size; x++) {
            double sum[3] = {0};
            for (int32_t v = (int32_t)(y * cell); v < (y + 1) * cell; v++)
                for (int32_t u = (int32_t)(x * cell); u < (x + 1) * cell; u++) {
                    const double h = fmin(v + 1, (y + 1) * cell) - fmax(v, y * cell);
                    const double w = fmin(u + 1, (x + 1) * cell) - fmax(u, x * cell);
                    for (int c = 0; c < 3; c++)
                        sum[c] += w * h * canvas[(v * UW_PUSH_EDGE + u) * 3 + c];
                }
            for (int c = 0; c < 3; c++) out[(y * size + x) * 3 + c] = sum[c] / (cell * cell);
        }
}

/* What direct drawing may differ by, in levels of 255.  Small pixels show single pixels of pygame's
 * edges. */
typedef struct band {
    int32_t size;
    double mean, max;
} band;

static void test_direct(void **state) {
    (void)state;
    static const band bands[] = {{32, 0.13, 40}, {64, 0.12, 40}, {96, 0.11, 55}, {128, 0.10, 85}};
    enum { SIZES = sizeof bands / sizeof bands[0] };
    static uint8_t canvas[CANVAS], got[128 * 128 * 3];
    static double want[128 * 128 * 3];
    static uw_push_world world;
    double mean[SIZES] = {0}, max[SIZES] = {0};
    recording r;
    recording_open(&r);
    for (int64_t i = 0; i < r.count; i++) {
        double values[UW_PUSH_NUM_VALUES];
        uw_push_view view;
        restore(&r, i, values, &world);
        view_of(&r, i, &world, &view);
        uw__push_draw_canvas(values, &view, canvas);
        for (int s = 0; s < SIZES; s++) {
            const int32_t size = bands[s].size, n = size * size * 3;
            double sum = 0.0;
            average(canvas, size, want);
            uw__push_draw_view(values, &view, size, got);
            for (int32_t k = 0; k < n; k++) {
                const double off = fabs(got[k] - want[k]);
                sum += off;
                max[s] = fmax(max[s], off);
            }
            mean[s] += sum / n / (double)r.count;
        }
    }
    for (int s = 0; s < SIZES; s++) {
        print_message("%3d px: mean %.3f, largest %.1f levels from the averaged canvas\n",
                      (int)bands[s].size, mean[s], max[s]);
        assert_true(mean[s] < bands[s].mean);
        assert_true(max[s] < bands[s].max);
    }
    uw__npz_close(r.npz);
}

int main(int argc, char **argv) {
#if !defined(UW_PNG)
    if (argc == 2 && strcmp(argv[1], "direct") != 0) {
        printf("skipped: this build reads no PNG\n");
        return UW_SKIP;
    }
#endif
    const struct CMUnitTest frames[] = {cmocka_unit_test(test_frames)};
    const struct CMUnitTest canvas[] = {cmocka_unit_test(test_canvas)};
    const struct CMUnitTest direct[] = {cmocka_unit_test(test_direct)};
    if (argc == 2 && !strcmp(argv[1], "frames"))
        return trace_exit(cmocka_run_group_tests(frames, NULL, NULL));
    if (argc == 2 && !strcmp(argv[1], "canvas"))
        return trace_exit(cmocka_run_group_tests(canvas, NULL, NULL));
    if (argc == 2 && !strcmp(argv[1], "direct"))
        return trace_exit(cmocka_run_group_tests(direct, NULL, NULL));
    fprintf(stderr, "usage: %s frames|canvas|direct\n", argv[0]);
    return 2;
}
