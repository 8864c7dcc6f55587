/* The per-episode table: one line of CSV per episode, written at once or not at all. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "csv.h"
#include "eval_internal.h"
#include "fileio.h"

/* A growing text that remembers when memory ran out. */
typedef struct text {
    char *data;
    size_t size, cap;
    bool failed;
} text;

static void put(text *t, const char *piece) {
    const size_t length = strlen(piece);
    if (t->failed) return;
    if (t->size + length >= t->cap) {
        const size_t cap = 2 * t->cap + length + 4096;
        char *data = realloc(t->data, cap);
        if (!data) {
            t->failed = true;
            return;
        }
        t->data = data;
        t->cap = cap;
    }
    memcpy(t->data + t->size, piece, length + 1);
    t->size += length;
}

static void put_int(text *t, int64_t value, const char *end) {
    char digits[32];
    snprintf(digits, sizeof digits, "%lld", (long long)value);
    put(t, digits);
    put(t, end);
}

static void put_real(text *t, float value, const char *end) {
    char digits[48];
    uw__format_f32(digits, sizeof digits, value);
    put(t, digits);
    put(t, end);
}

static void put_header(text *t, const uw_env_class *cls, bool recorded) {
    static const char *const ENDS[] = {"start.", "goal."};
    put(t, "episode,hard,success,solved_at_start,steps,shortest,final_distance,plan_ms_mean");
    for (int end = 0; end < 2; end++) {
        for (int32_t i = 0; i < cls->state_dim; i++) {
            put(t, ",");
            put(t, ENDS[end]);
            put(t, cls->state_names[i]);
        }
    }
    if (recorded) put(t, ",data.episode,data.row");
    put(t, "\n");
}

uw_status uw_eval_write_csv(const uw_eval_result *result, const char *path, bool overwrite,
                            uw_err *err) {
    const uw_env_class *cls = uw_env_find(result->env);
    if (!cls) return uw_fail(err, UW_ENOTFOUND, "%s: no such world", result->env);
    const bool recorded = *result->data_hash != '\0';
    text t = {0};
    put_header(&t, cls, recorded);
    for (int32_t i = 0; i < result->num_episodes; i++) {
        const uw_episode *e = &result->episodes[i];
        const int32_t whole[] = {e->index,           e->task.hard, e->success,
                                 e->solved_at_start, e->steps,     e->task.shortest};
        for (size_t k = 0; k < sizeof whole / sizeof *whole; k++) put_int(&t, whole[k], ",");
        put_real(&t, e->final_distance, ",");
        put_real(&t, (float)e->plan_ms_mean, "");
        for (int32_t k = 0; k < 2 * cls->state_dim; k++) {
            put(&t, ",");
            put_real(&t,
                     k < cls->state_dim ? (float)e->task.start[k]
                                        : (float)e->task.goal[k - cls->state_dim],
                     "");
        }
        if (recorded) {
            put(&t, ",");
            put_int(&t, e->data_episode, ",");
            put_int(&t, e->data_row, "");
        }
        put(&t, "\n");
    }
    const uw_status status = t.failed ? uw_fail(err, UW_ENOMEM, "%s: no memory for the table", path)
                                      : uw__file_write_atomic(path, t.data, t.size, overwrite, err);
    free(t.data);
    return status;
}
