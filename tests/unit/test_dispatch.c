/* The table of kernels: complete under every cap, named, and what the cap allows. */
#include "check.h"
#include "cpu.h"
#include "kernels.h"

/* Every pointer of the table, in the order of UW_OP_*: only whether they are set and which. */
static void pointers(const uw_kernels *k, void (*out[UW_NUM_OPS])(void)) {
#define X(field, type) out[UW_OP_##field] = (void (*)(void))k->field;
    UW_KERNEL_MAP(X)
#undef X
}

static void complete_under_every_cap(void **state) {
    (void)state;
    static const char *const caps[] = {"ref", "avx2", "avx512", "avx512bf16", "amx", "neon", NULL};
    const unsigned cpu = uw__cpu_detect();
    for (size_t i = 0; i < sizeof caps / sizeof *caps; i++) {
        bool known = false;
        const unsigned allowed = cpu & uw__cpu_cap(caps[i], &known);
        uw_kernels k = {0};
        void (*functions[UW_NUM_OPS])(void);
        uw__kernels_init(&k, allowed);
        pointers(&k, functions);
        assert_non_null(k.isa);
        for (int op = 0; op < UW_NUM_OPS; op++) {
            assert_non_null(functions[op]);
            assert_non_null(k.chosen[op]);
            if (i == 0) assert_string_equal(k.chosen[op], "ref");
        }
        if (!(allowed & UW_CPU_AVX512)) assert_string_not_equal(k.isa, "avx512");
        if (!(allowed & UW_CPU_AVX512_BF16)) assert_string_not_equal(k.isa, "avx512bf16");
        if (!(allowed & UW_CPU_AMX_BF16)) assert_string_not_equal(k.isa, "amx");
        if (!(allowed & UW_CPU_AVX2)) assert_string_not_equal(k.isa, "avx2");
        if (!(allowed & UW_CPU_NEON)) assert_string_not_equal(k.isa, "neon");
        if (!allowed) assert_string_equal(k.isa, "ref");
    }
}

static void names(void **state) {
    (void)state;
    assert_string_equal(uw__kernel_name(UW_OP_gemm), "gemm");
    assert_string_equal(uw__kernel_name(UW_OP_u8_affine), "u8_affine");
    assert_null(uw__kernel_name(-1));
    assert_null(uw__kernel_name(UW_NUM_OPS));
    for (int a = 0; a < UW_NUM_OPS; a++) {
        for (int b = 0; b < a; b++) assert_string_not_equal(uw__kernel_name(a), uw__kernel_name(b));
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(complete_under_every_cap),
        cmocka_unit_test(names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
