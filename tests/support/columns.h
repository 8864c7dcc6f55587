/* Comparing recordings column by column, byte by byte, whatever file they are in. */
#ifndef UW_COLUMNS_H
#define UW_COLUMNS_H

#include <umwelt/dataset.h>

#include "check.h"
#include "source.h"

static inline uw__source *columns_open(const char *path) {
    uw_format format;
    uw__source *source = NULL;
    uw_err err = {0};
    CHECK_OK(uw_format_detect(path, &format, &err), &err);
    CHECK_OK(uw__source_open(NULL, path, format, &source, &err), &err);
    return source;
}

/* Every column of a is in b with the same type, shape and bytes, and the other way round; returns how
 * many there are. */
static inline int columns_equal(const char *path_a, const char *path_b) {
    uw__source *a = columns_open(path_a), *b = columns_open(path_b);
    assert_int_equal(a->num_columns, b->num_columns);
    assert_int_equal(a->num_episodes, b->num_episodes);
    for (int32_t i = 0; i < a->num_columns; i++) {
        const uw_column *c = &a->columns[i];
        const int32_t k = uw__source_find(b, c->name);
        if (k < 0) fail_msg("no column '%s' in %s", c->name, path_b);
        assert_int_equal(c->dtype, b->columns[k].dtype);
        assert_int_equal(c->num_dims, b->columns[k].num_dims);
        assert_memory_equal(c->shape, b->columns[k].shape, sizeof c->shape);
        const size_t size = a->row_bytes[i];
        unsigned char *x = malloc(size), *y = malloc(size);
        assert_true(x && y);
        for (int64_t e = 0; e < a->num_episodes; e++) {
            assert_int_equal(a->episode_rows[e], b->episode_rows[e]);
            for (int64_t t = 0; t < a->episode_rows[e]; t++) {
                uw_err err = {0};
                CHECK_OK(a->rows(a, i, e, t, 1, x, &err), &err);
                CHECK_OK(b->rows(b, k, e, t, 1, y, &err), &err);
                if (memcmp(x, y, size))
                    fail_msg("column '%s', episode %d, row %d differs", c->name, (int)e, (int)t);
            }
        }
        free(x);
        free(y);
    }
    const int count = a->num_columns;
    uw__source_close(a);
    uw__source_close(b);
    return count;
}

#endif
