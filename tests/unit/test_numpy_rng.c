/* NumPy's generator against numbers that NumPy gave. */
#include "check.h"

#include "numpy_rng.h"

enum { MAX_LINE = 512 };

/* Compare one recorded number with the next one of the generator. */
static void check_number(const char *kind, uw_numpy_rng *rng, const double *arguments, int i,
                         const char *want) {
    if (!strcmp(kind, "raw")) {
        assert_true(uw__numpy_u64(rng) == strtoull(want, NULL, 10));
    } else if (!strcmp(kind, "random")) {
        assert_true(uw__numpy_random(rng) == strtod(want, NULL));
    } else if (!strcmp(kind, "uniform")) {
        assert_true(uw__numpy_uniform(rng, arguments[0], arguments[1]) == strtod(want, NULL));
    } else if (!strcmp(kind, "mixed") && i % 2 == 1) {
        assert_true(uw__numpy_random(rng) == strtod(want, NULL));
    } else {
        assert_true(!strcmp(kind, "below") || !strcmp(kind, "mixed"));
        assert_int_equal(uw__numpy_below(rng, (uint32_t)arguments[0]), strtoull(want, NULL, 10));
    }
}

static void test_recorded(void **state) {
    (void)state;
    char path[512], line[MAX_LINE];
    snprintf(path, sizeof path, "%s/numpy/pcg64.txt", UW_VECTORS_DEFAULT);
    FILE *f = fopen(path, "r");
    assert_non_null(f);
    int numbers = 0;
    while (fgets(line, sizeof line, f)) {
        const char *kind = strtok(line, " \n");
        uw_numpy_rng rng;
        uw__numpy_seed(&rng, strtoull(strtok(NULL, " \n"), NULL, 10));
        double arguments[2] = {0};
        int count = 0;
        for (char *word; (word = strtok(NULL, " \n")) && *word != ':'; count++) {
            assert_true(count < 2);
            arguments[count] = strtod(word, NULL);
        }
        char *word;
        for (int i = 0; (word = strtok(NULL, " \n")); i++, numbers++)
            check_number(kind, &rng, arguments, i, word);
    }
    fclose(f);
    print_message("%d numbers\n", numbers);
    assert_true(numbers > 1000);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_recorded)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
