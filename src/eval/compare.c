/* Two runs of the same episodes: the paired table and the exact test of McNemar (1947).
 *
 * Episodes that both win or both lose say nothing about which is better; of those that differ, each
 * side wins half the time if they are equal, so the count of one side is binomial. */
#include <math.h>
#include <string.h>

#include "eval_internal.h"
#include "special.h"

double uw_mcnemar(int32_t only_first, int32_t only_second) {
    const double less = fmin(only_first, only_second), n = (double)only_first + only_second;
    if (!(n > 0.0)) return 1.0;
    /* P(X <= k) of n fair coins is the incomplete beta function I_1/2(n - k, k + 1). */
    return fmin(1.0, 2.0 * uw__beta_cdf(n - less, less + 1.0, 0.5));
}

static bool same_pairs(const uw_eval_result *a, const uw_eval_result *b) {
    if (strcmp(a->env, b->env) != 0 || strcmp(a->protocol, b->protocol) != 0 ||
        a->budget != b->budget || a->num_episodes != b->num_episodes)
        return false;
    for (int32_t i = 0; i < a->num_episodes; i++) {
        const uw_task *s = &a->episodes[i].task, *t = &b->episodes[i].task;
        if (memcmp(s->start, t->start, sizeof s->start) != 0 ||
            memcmp(s->goal, t->goal, sizeof s->goal) != 0)
            return false;
    }
    return true;
}

uw_status uw_eval_compare(const uw_eval_result *first, const uw_eval_result *second, uw_paired *out,
                          uw_err *err) {
    if (!same_pairs(first, second))
        return uw_fail(err, UW_ESHAPE,
                       "compare: wanted the same episodes, got %d of %s in %s and %d of %s in %s",
                       (int)first->num_episodes, first->protocol, first->env,
                       (int)second->num_episodes, second->protocol, second->env);
    uw_paired p = {0};
    for (int32_t i = 0; i < first->num_episodes; i++) {
        const bool a = first->episodes[i].success, b = second->episodes[i].success;
        p.both += a && b;
        p.only_first += a && !b;
        p.only_second += b && !a;
        p.neither += !a && !b;
    }
    p.p_value = uw_mcnemar(p.only_first, p.only_second);
    *out = p;
    return UW_OK;
}
