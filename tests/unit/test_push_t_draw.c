/* PushT's pictures: the frame as the resized canvas, guarded memory at every size, bodies that are
 * nowhere, layers, distractors. */
#include "check.h"

#include <math.h>

#include "push_t.h"
#include "raster.h"

enum {
    CANVAS = UW_PUSH_EDGE * UW_PUSH_EDGE * 3,
    FRAME = UW_PUSH_FRAME * UW_PUSH_FRAME * 3,
    GUARD = 64
};
static uint8_t canvas[CANVAS];

static double uniform(uint32_t *state) {
    *state = (uint32_t)((uint64_t)*state * 1664525u + 1013904223u);
    return (*state >> 8) / 16777216.0;
}

static void default_values(double *values) {
    uw_env_default_values(&uw__push_t, values);
}

/* Any shapes and colours, bodies anywhere and across the walls, contacts among them. */
static void random_scene(uint32_t *random, double *values, uw_push_view *view) {
    default_values(values);
    for (int32_t i = 0; i < UW_PUSH_NUM_FACTORS; i++) {
        const uw_factor *f = &uw__push_factors[i];
        for (int32_t k = 0; !f->ours && k < f->dim; k++) {
            const double at = f->low[k] + (f->high[k] - f->low[k]) * uniform(random);
            values[f->offset + k] = f->kind == UW_FACTOR_REAL ? at : rint(at);
        }
    }
    *view =
        (uw_push_view){.agent_angle = 7.0 * uniform(random), .block_angle = 7.0 * uniform(random)};
    for (int i = 0; i < 2; i++) {
        view->agent[i] = 700.0 * uniform(random) - 90.0;
        view->block[i] = 700.0 * uniform(random) - 90.0;
    }
    view->num_contacts = (int32_t)(4.0 * uniform(random));
    for (int32_t k = 0; k < view->num_contacts; k++)
        for (int i = 0; i < 2; i++) {
            view->contacts[k].a[i] = 600.0 * uniform(random) - 40.0;
            view->contacts[k].b[i] = view->contacts[k].a[i] + 50.0 * uniform(random);
            view->contacts[k].normal[i] = 1.0 - 2.0 * uniform(random);
        }
}

/* The frame leaves out what nothing is drawn on: it must not show. */
static void test_frame_is_resized_canvas(void **state) {
    (void)state;
    static uint8_t want[FRAME], got[FRAME];
    uint32_t random = (uint32_t)check_seed(11);
    for (int round = 0; round < 60; round++) {
        double values[UW_PUSH_NUM_VALUES];
        uw_push_view view;
        random_scene(&random, values, &view);
        if (round % 4 == 0) values[UW_PUSH_DISTRACTOR + UW_DISTRACTOR_NUMBER] = 5;
        view.steps = round;
        uw__push_draw_canvas(values, &view, canvas);
        uw__raster_reduce(&(uw_canvas){canvas, UW_PUSH_EDGE, UW_PUSH_EDGE, NULL}, want);
        uw__push_draw_view(values, &view, UW_PUSH_FRAME, got);
        assert_memory_equal(got, want, FRAME);
    }
}

/* Every size stays inside its buffer, fills it, and gives the same bytes again. */
static void test_sizes(void **state) {
    (void)state;
    static uint8_t memory[UW_MAX_FRAME_SIZE * UW_MAX_FRAME_SIZE * 3 + GUARD];
    static uint8_t again[UW_MAX_FRAME_SIZE * UW_MAX_FRAME_SIZE * 3];
    uint32_t random = (uint32_t)check_seed(5);
    for (int32_t size = 1; size <= UW_MAX_FRAME_SIZE; size += size < 40 ? 1 : 41) {
        double values[UW_PUSH_NUM_VALUES];
        uw_push_view view;
        random_scene(&random, values, &view);
        for (int c = 0; c < 3; c++) values[UW_PUSH_BACKGROUND_COLOR + c] = 1;
        values[UW_PUSH_DISTRACTOR + UW_DISTRACTOR_NUMBER] = size % 3;
        const size_t bytes = (size_t)size * (size_t)size * 3;
        memset(memory, 0, bytes);
        memset(memory + bytes, 0xA5, GUARD);
        uw__push_draw_view(values, &view, size, memory);
        for (int i = 0; i < GUARD; i++) assert_int_equal(memory[bytes + (size_t)i], 0xA5);
        memset(again, 255, bytes);
        uw__push_draw_view(values, &view, size, again);
        assert_memory_equal(memory, again, bytes);
    }
    memset(memory, 0xA5, 4);
    double values[UW_PUSH_NUM_VALUES];
    default_values(values);
    uw__push_draw_view(values, &(uw_push_view){.agent = {256, 256}}, 1, memory);
    assert_true(memory[0] > 200 && memory[0] < 255); /* one pixel: the mean of everything */
    assert_int_equal(memory[3], 0xA5);
}

/* A body that is not finite or too far away is not drawn; the rest is. */
static void test_nowhere(void **state) {
    (void)state;
    static const double bad[] = {NAN, INFINITY, -INFINITY, 1e300, -1e18, 3e9, 1e6};
    static const int32_t sizes[] = {UW_PUSH_FRAME, 64};
    static uint8_t want[FRAME], got[FRAME];
    double values[UW_PUSH_NUM_VALUES];
    default_values(values);
    for (int s = 0; s < 2; s++) {
        const size_t bytes = (size_t)sizes[s] * (size_t)sizes[s] * 3;
        const double away[UW_PUSH_STATE] = {250, 300, 5000, 5000, 1, 0, 0};
        uw__push_draw(values, away, away, 0, sizes[s], want);
        for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
            double place[UW_PUSH_STATE] = {250, 300, bad[i], 100, 1, bad[i], bad[i]};
            uw__push_draw(values, place, place, 0, sizes[s], got);
            assert_memory_equal(got, want, bytes);
            uw_push_view view = {
                .agent = {250, 300}, .block = {100, 100}, .block_angle = bad[i], .num_contacts = 1};
            if (isfinite(bad[i])) view.block[1] = bad[i];
            view.contacts[0].a[0] = view.contacts[0].normal[1] = bad[i];
            uw__push_draw_view(values, &view, sizes[s], got);
            assert_memory_equal(got, want, bytes);
            values[UW_PUSH_AGENT_SHAPE] = UW_PUSH_T;
            view.agent[0] = bad[i];
            uw__push_draw_view(values, &view, sizes[s], got);
            values[UW_PUSH_AGENT_SHAPE] = UW_PUSH_O;
            assert_memory_not_equal(got, want, bytes);
        }
    }
}

static const uint8_t *pixel(int x, int y) {
    return canvas + (y * UW_PUSH_EDGE + x) * 3;
}

/* A T over a T: the agent's bar is above the block, its stem below. */
static void test_layers(void **state) {
    (void)state;
    double values[UW_PUSH_NUM_VALUES];
    default_values(values);
    values[UW_PUSH_AGENT_SHAPE] = UW_PUSH_T;
    values[UW_PUSH_AGENT_SCALE] = 30;
    uw_push_view view = {.agent = {256, 200}, .block = {256, 200}};
    static const uint8_t agent[3] = {78, 126, 255}, block[3] = {143, 163, 184};
    uw__push_draw_canvas(values, &view, canvas);
    assert_memory_equal(pixel(230, 215), agent, 3);
    assert_memory_equal(pixel(256, 270), block, 3);
    values[UW_PUSH_AGENT_SHAPE] = UW_PUSH_O; /* a disc is above */
    view.agent[1] = 215;
    uw__push_draw_canvas(values, &view, canvas);
    assert_memory_equal(pixel(256, 215), agent, 3);
    values[UW_PUSH_AGENT_SHAPE] = UW_PUSH_PLUS; /* with five moving parts, the block is */
    view.agent[1] = 215;
    uw__push_draw_canvas(values, &view, canvas);
    assert_memory_equal(pixel(256, 215), block, 3);
    view.block[0] = 0; /* and walls are over everything */
    uw__push_draw_canvas(values, &view, canvas);
    assert_memory_equal(pixel(5, 215), ((const uint8_t[]){211, 211, 211}), 3);
}

/* Distractors of the lower layer are under the scene, of the upper one over it, in the frame and
 * directly. */
static void test_distractors(void **state) {
    (void)state;
    static const int32_t sizes[] = {UW_PUSH_FRAME, 64};
    static uint8_t without[FRAME], with[FRAME];
    double values[UW_PUSH_NUM_VALUES], *distractors = values + UW_PUSH_DISTRACTOR;
    default_values(values);
    values[UW_PUSH_RENDER_GOAL] = 0;
    distractors[UW_DISTRACTOR_SIZE] = 0.15;
    for (int s = 0; s < 2; s++) {
        const size_t n = (size_t)sizes[s] * (size_t)sizes[s];
        int changed[2] = {0}, body[2] = {0};
        for (int number = 1; number <= 2; number++)
            for (int seed = 0; seed < 12; seed++) {
                const uw_push_view view = {
                    .agent = {256, 400}, .block = {256, 200}, .steps = 3 * seed};
                distractors[UW_DISTRACTOR_SEED] = seed;
                distractors[UW_DISTRACTOR_NUMBER] = number - 1;
                uw__push_draw_view(values, &view, sizes[s], without);
                distractors[UW_DISTRACTOR_NUMBER] = number;
                uw__push_draw_view(values, &view, sizes[s], with);
                for (size_t i = 0; i < n; i++) {
                    if (!memcmp(with + 3 * i, without + 3 * i, 3)) continue;
                    changed[number - 1]++;
                    body[number - 1] +=
                        !memcmp(without + 3 * i, (const uint8_t[]){143, 163, 184}, 3);
                }
            }
        assert_true(changed[0] > 0 && changed[1] > 0);
        assert_int_equal(body[0], 0); /* the block's inside: never through the disc behind */
        assert_true(body[1] > 0);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_frame_is_resized_canvas),
        cmocka_unit_test(test_sizes),
        cmocka_unit_test(test_nowhere),
        cmocka_unit_test(test_layers),
        cmocka_unit_test(test_distractors),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
