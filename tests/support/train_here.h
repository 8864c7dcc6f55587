/* Train in a temporary folder and keep what was said: for tests of runs. */
#ifndef UW_TRAIN_HERE_H
#define UW_TRAIN_HERE_H

#include "run_files.h"
#include "tempdir.h"
#include "tiny_run.h"

static char train_said[4096]; /* every message of the last run, one per line */
static uw_err train_err;      /* of the last run */
static int train_stop_after;  /* steps until progress asks for a stop; 0 = never */

static inline void train_log(void *cookie, uw_log_level level, const char *text) {
    const size_t used = strlen(train_said);
    (void)cookie;
    snprintf(train_said + used, sizeof train_said - used, "%s%s\n",
             level == UW_LOG_WARN ? "WARN " : "", text);
}

static inline bool train_progress(void *cookie, const char *what, int64_t done, int64_t total) {
    (void)cookie, (void)what, (void)done, (void)total;
    return --train_stop_after != 0;
}

typedef enum train_mode { TRAIN_NEW, TRAIN_RESUME, TRAIN_OVERWRITE } train_mode;

/* Train data into the folder `name` of the temporary folder. */
static inline uw_status train_here(const char *data, const char *name, const uw_train_config *config,
                                   train_mode mode, uw_train_result *out) {
    const uw_context_options options = {
        .num_threads = 2, .log = train_log, .progress = train_progress};
    char data_path[1024], run_path[1024];
    uw_context *ctx = NULL;
    snprintf(data_path, sizeof data_path, "%s", tempdir_file(data));
    snprintf(run_path, sizeof run_path, "%s", tempdir_file(name));
    train_said[0] = '\0';
    train_err = (uw_err){0};
    CHECK_OK(uw_context_new(&options, &ctx, &train_err), &train_err);
    const uw_status s = uw_train_run(ctx, data_path, run_path, config, mode == TRAIN_RESUME,
                                     mode == TRAIN_OVERWRITE, out, &train_err);
    uw_context_free(ctx);
    return s;
}

/* The same, stopped after `steps` steps. */
static inline void train_stopped(const char *data, const char *name, const uw_train_config *config,
                                 int steps) {
    uw_train_result r;
    train_stop_after = steps;
    assert_int_equal(train_here(data, name, config, TRAIN_NEW, &r), UW_EINTERRUPTED);
    train_stop_after = 0;
}

#endif
