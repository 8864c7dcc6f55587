/* Status, arena, checked arithmetic, CPU caps, nearest names. */
#include "check.h"

#include <umwelt/arena.h>
#include <umwelt/tensor.h>

#include "checked.h"
#include "clock.h"
#include "cpu.h"
#include "internal.h"

static void status_texts_are_total(void **state) {
    (void)state;
    assert_string_equal(uw_status_str(UW_OK), "ok");
    for (int s = -40; s < 40; s++) assert_non_null(uw_status_str((uw_status)s));
    assert_string_equal(uw_status_str((uw_status)1), "unknown status");
}

static void fail_formats_cuts_and_accepts_null(void **state) {
    (void)state;
    uw_err err = {0};
    assert_int_equal(uw_fail(&err, UW_EFORMAT, "%s: wanted %d", "a.uw", 3), UW_EFORMAT);
    assert_string_equal(err.text, "a.uw: wanted 3");
    char longer[600];
    memset(longer, 'x', sizeof longer - 1);
    longer[sizeof longer - 1] = 0;
    uw_fail(&err, UW_EIO, "%s", longer);
    assert_int_equal(strlen(err.text), sizeof err.text - 1);
    uw_err_fix(&err, "try %s", "again");
    assert_string_equal(err.fix, "try again");
    assert_int_equal(uw_fail(NULL, UW_EIO, "x"), UW_EIO);
    uw_err_fix(NULL, "x");
}

/* One layout, measured and placed: the same number of bytes, every block aligned and zeroed. */
static void *layout(uw_arena *a, void **second) {
    void *first = uw_arena_alloc(a, 3, 5);
    *second = uw_arena_alloc(a, 7, sizeof(double));
    return first;
}

static void arena_measures_what_it_places(void **state) {
    (void)state;
    void *second;
    uw_arena measure = UW_ARENA_MEASURE;
    assert_null(layout(&measure, &second));
    assert_false(measure.failed);
    assert_int_equal(uw_arena_used(&measure), 64 + 56);

    unsigned char *mem = aligned_alloc(64, 128);
    memset(mem, 0xff, 128);
    uw_arena place = {.base = mem, .cap = measure.used};
    unsigned char *first = layout(&place, &second);
    assert_ptr_equal(first, mem);
    assert_ptr_equal(second, mem + 64);
    for (size_t i = 0; i < measure.used; i++) assert_int_equal(mem[i], 0);

    uw_arena small = {.base = mem, .cap = measure.used - 1};
    layout(&small, &second);
    assert_true(small.failed);
    assert_null(uw_arena_alloc(&small, 1, 1)); /* sticky */
    free(mem);
}

static void arena_refuses_overflow(void **state) {
    (void)state;
    uw_arena measure = UW_ARENA_MEASURE;
    assert_null(uw_arena_alloc(&measure, SIZE_MAX / 2, 4));
    assert_true(measure.failed);
}

static void checked_arithmetic(void **state) {
    (void)state;
    uint64_t out;
    assert_true(uw__mul_u64(1u << 31, 4, &out));
    assert_false(uw__mul_u64(UINT64_MAX, 2, &out));
    assert_false(uw__add_u64(UINT64_MAX, 1, &out));
    assert_true(uw__range_ok(3, 5, 8));
    assert_false(uw__range_ok(4, 5, 8));
    assert_false(uw__range_ok(UINT64_MAX, 2, 8));
    assert_true(uw__range_ok(8, 0, 8));
}

static void tensor_counts_are_checked(void **state) {
    (void)state;
    uw_tensor t = {.num_dims = 2, .shape = {3, 4}};
    assert_int_equal(uw_tensor_count(&t), 12);
    t.num_dims = 0;
    assert_int_equal(uw_tensor_count(&t), 1);
    t = (uw_tensor){.num_dims = 2, .shape = {INT64_MAX, 2}};
    assert_int_equal(uw_tensor_count(&t), -1);
    t = (uw_tensor){.num_dims = 1, .shape = {-1}};
    assert_int_equal(uw_tensor_count(&t), -1);
    assert_int_equal(uw_dtype_bytes(UW_DTYPE_BF16), 2);
    assert_int_equal(uw_dtype_bytes((uw_dtype)99), 0);
    assert_string_equal(uw_dtype_str(UW_DTYPE_I64), "I64");
}

static void isa_caps(void **state) {
    (void)state;
    bool known;
    assert_int_equal(uw__cpu_cap("ref", &known), 0);
    assert_true(known);
    assert_int_equal(uw__cpu_cap("avx2", NULL), UW_CPU_AVX2);
    const unsigned below_tiles = uw__cpu_cap("avx512bf16", &known);
    assert_true(known);
    assert_true((below_tiles & UW_CPU_AVX512_BF16) && !(below_tiles & UW_CPU_AMX_BF16));
    uw__cpu_cap("avx3", &known);
    assert_false(known);
    assert_int_equal(uw__cpu_cap(NULL, &known), ~0u);
    const unsigned cpu = uw__cpu_detect();
    if (cpu & UW_CPU_AVX512) assert_true(cpu & UW_CPU_AVX2);
}

static void nearest_names(void **state) {
    (void)state;
    static const char *const names[] = {"train", "eval", "inspect", "agent.color"};
    assert_string_equal(uw__nearest("trian", names, 4), "train");
    assert_string_equal(uw__nearest("inspct", names, 4), "inspect");
    assert_string_equal(uw__nearest("agent.colour", names, 4), "agent.color");
    assert_string_equal(uw__nearest("ins", names, 4), "inspect");
    assert_null(uw__nearest("zzzz", names, 4));
    assert_null(uw__nearest("", names, 4));
}

static void clock_goes_forward(void **state) {
    (void)state;
    const int64_t a = uw__clock_ns(), b = uw__clock_ns();
    assert_true(b >= a);
}

static bool stop_at_three(void *cookie, const char *what, int64_t done, int64_t total) {
    (void)what, (void)total;
    (*(int *)cookie)++;
    return done < 3;
}

static void keep_text(void *cookie, uw_log_level level, const char *text) {
    (void)level;
    snprintf(cookie, 32, "%s", text);
}

static void log_and_progress(void **state) {
    (void)state;
    int calls = 0;
    uw_context ctx = {.options = {.progress = stop_at_three, .cookie = &calls}};
    assert_true(uw__progress(&ctx, "x", 2, 5));
    assert_false(uw__progress(&ctx, "x", 3, 5));
    assert_int_equal(calls, 2);
    assert_true(uw__progress(NULL, "x", 3, 5));
    char text[32] = "";
    ctx = (uw_context){.options = {.log = keep_text, .cookie = text}};
    uw__log(&ctx, UW_LOG_WARN, "rank %d", 3);
    assert_string_equal(text, "rank 3");
    uw__log(NULL, UW_LOG_WARN, "nobody listens");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(status_texts_are_total),
        cmocka_unit_test(fail_formats_cuts_and_accepts_null),
        cmocka_unit_test(arena_measures_what_it_places),
        cmocka_unit_test(arena_refuses_overflow),
        cmocka_unit_test(checked_arithmetic),
        cmocka_unit_test(tensor_counts_are_checked),
        cmocka_unit_test(isa_caps),
        cmocka_unit_test(nearest_names),
        cmocka_unit_test(clock_goes_forward),
        cmocka_unit_test(log_and_progress),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
