/* The context: threads, instruction sets, the list that doctor prints. */
#include "check.h"
#include "internal.h"
#include "kernels.h"

static void test_default(void **state) {
    uw_context *ctx = NULL;
    uw_err err = {0};
    int32_t count = 0;
    (void)state;
    unsetenv("UW_MAX_ISA");
    CHECK_OK(uw_context_new(NULL, &ctx, &err), &err);
    assert_int_equal(uw_context_threads(ctx), uw__cpu_count());
    const uw_kernel_choice *choices = uw_context_kernels(ctx, &count);
    assert_int_equal(count, UW_NUM_OPS);
    for (int32_t i = 0; i < count; i++) {
        assert_true(choices[i].op && *choices[i].op);
        assert_true(choices[i].isa && *choices[i].isa);
    }
    assert_string_equal(choices[UW_OP_gemm].op, "gemm");
    uw_context_free(ctx);
    uw_context_free(NULL);
    assert_string_equal(uw_version(), UW_VERSION);
}

static void test_cap(void **state) {
    const uw_context_options options = {.num_threads = 2, .max_isa = "ref"};
    uw_context *ctx = NULL;
    uw_err err = {0};
    int32_t count = 0;
    (void)state;
    CHECK_OK(uw_context_new(&options, &ctx, &err), &err);
    assert_int_equal(uw_context_threads(ctx), 2);
    assert_string_equal(uw_context_isa(ctx), "ref");
    const uw_kernel_choice *choices = uw_context_kernels(ctx, &count);
    for (int32_t i = 0; i < count; i++) assert_string_equal(choices[i].isa, "ref");
    uw_context_free(ctx);

    setenv("UW_MAX_ISA", "ref", 1);
    CHECK_OK(uw_context_new(NULL, &ctx, &err), &err);
    assert_string_equal(uw_context_isa(ctx), "ref");
    uw_context_free(ctx);
    setenv("UW_MAX_ISA", "avx51", 1);
    assert_int_equal(uw_context_new(NULL, &ctx, &err), UW_EINVAL);
    assert_null(ctx);
    assert_non_null(strstr(err.text, "UW_MAX_ISA"));
    assert_non_null(strstr(err.fix, "avx512"));
    unsetenv("UW_MAX_ISA");
}

static void test_bad(void **state) {
    uw_context *ctx = NULL;
    uw_err err = {0};
    const uw_context_options isa = {.max_isa = "sse"};
    const uw_context_options few = {.num_threads = -1}, many = {.num_threads = 257};
    (void)state;
    assert_int_equal(uw_context_new(&isa, &ctx, &err), UW_EINVAL);
    assert_non_null(strstr(err.text, "sse"));
    assert_int_equal(uw_context_new(&few, &ctx, &err), UW_EINVAL);
    assert_int_equal(uw_context_new(&many, &ctx, NULL), UW_EINVAL);
    assert_null(ctx);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_default),
        cmocka_unit_test(test_cap),
        cmocka_unit_test(test_bad),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
