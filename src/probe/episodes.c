/* Which rows of a recording are looked at: whole episodes, spread evenly, none that is held out. */
#include <math.h>
#include <stdlib.h>

#include "episodes.h"

/* Note the episodes that have a decision and are not held out; rows counts what they have to offer.
 */
static uw_status find_episodes(const uw_dataset *data, const uw_row_choice *c, int64_t *episodes,
                               int64_t *num, int64_t *rows, uw_err *err) {
    uw_windows *pairs = NULL;
    const uw_status s =
        uw_windows_new(data, c->skip + 1, 1, c->holdout, false, c->seed, &pairs, err);
    if (s) return s;
    const int64_t count = uw_windows_count(pairs);
    *num = *rows = 0;
    for (int64_t i = 0; i < count;) {
        int64_t row;
        uw_windows_at(pairs, i, &episodes[*num], &row);
        const int64_t length = uw_dataset_episode_rows(data, episodes[(*num)++]);
        *rows += (length - 1) / c->stride + 1;
        i += length - c->skip;
    }
    uw_windows_free(pairs);
    if (*num > 0) return UW_OK;
    uw_fail(err, UW_ESHAPE, "%s: wanted an episode of more than %d rows, got none", c->what,
            (int)c->skip);
    uw_err_fix(err, "record longer episodes: one decision of this model spans %d rows",
               (int)c->skip);
    return UW_ESHAPE;
}

uw_status uw__rows_choose(const uw_dataset *data, const uw_row_choice *c, uw_row **out,
                          int64_t *count, uw_err *err) {
    const int64_t all = uw_dataset_episodes(data), most = c->most;
    int64_t num, total, n = 0;
    int64_t *episodes = malloc((size_t)all * sizeof *episodes + 1);
    uw_row *rows = NULL;
    uw_status s = UW_OK;
    if (!episodes) return uw_fail(err, UW_ENOMEM, "%s: %lld episodes", c->what, (long long)all);
    s = find_episodes(data, c, episodes, &num, &total, err);
    if (s) goto done;
    const int64_t size = total < most ? total : most;
    const double share = (double)size / (double)total;
    rows = malloc((size_t)size * sizeof *rows);
    if (!rows) {
        s = uw_fail(err, UW_ENOMEM, "%s: %lld rows", c->what, (long long)size);
        goto done;
    }
    for (int64_t e = 0; e < num; e++) {
        /* the first always, then one whenever the share has filled up by one */
        if (e && floor((double)e * share) == floor((double)(e - 1) * share)) continue;
        const int64_t length = uw_dataset_episode_rows(data, episodes[e]);
        for (int64_t row = 0; row < length && n < size; row += c->stride)
            rows[n++] = (uw_row){episodes[e], row};
    }
    *out = rows;
    *count = n;
done:
    free(episodes);
    return s;
}
