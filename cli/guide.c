/* Solvers that a recording guides: landmark goes by a map of it, inverse acts as a policy that was fitted to it. */
#include <stdio.h>
#include <string.h>

#include "cli.h"

bool cli_is_landmark(const char *solver) {
    return solver && strcmp(solver, "landmark") == 0;
}

bool cli_is_inverse(const char *solver) {
    return solver && strcmp(solver, "inverse") == 0;
}

static bool is_file(const char *path) {
    FILE *f = path ? fopen(path, "rb") : NULL;
    if (f) fclose(f);
    return f != NULL;
}

int cli_guide_check(cli *c, const char *solver, const char *against) {
    const bool landmark = cli_is_landmark(solver) || cli_is_landmark(against);
    const bool inverse = cli_is_inverse(solver) || cli_is_inverse(against);
    const bool data = cli_flag(c, "data");
    const char *policy = cli_str(c, "policy", NULL);
    if (landmark && !data)
        return cli_usage(c, "--solver", "add --data with the recording to make its map from",
                         "landmark plans from memory, wanted --data");
    if (inverse && !data && !policy)
        return cli_usage(c, "--solver", "add --data with the recording to fit it to, or --policy with a fitted one",
                         "inverse acts by a policy, wanted --data or --policy");
    if (policy && !data && !is_file(policy)) {
        uw_err err = {0};
        uw_fail(&err, UW_ENOTFOUND, "%s: no such file", policy);
        uw_err_fix(&err, "with --data a policy is fitted and kept there");
        return cli_fail(c, UW_ENOTFOUND, &err);
    }
    if (cli_flag(c, "landmarks") && !landmark)
        return cli_usage(c, "--landmarks", NULL, "wanted --solver landmark");
    int32_t count;
    const int code = cli_int(c, "landmarks", 512, 1, UW_MAX_LANDMARKS, &count);
    return code ? code : cli_int(c, "policy-steps", 0, 1, UW_MAX_POLICY_STEPS, &count);
}

bool cli_policy_first(const cli *c) {
    return cli_flag(c, "policy") && !cli_is_inverse(cli_str(c, "solver", NULL)) &&
           !cli_is_inverse(cli_str(c, "against", NULL));
}

static uw_status make_policy(cli *c, const uw_model *model, double holdout, uint64_t holdout_seed,
                             cli_guide *g, uw_err *err) {
    const char *file = cli_str(c, "policy", NULL);
    if (is_file(file)) return uw_policy_load(c->ctx, model, file, &g->policy, err);
    uw_policy_options o = {.holdout = holdout, .holdout_seed = holdout_seed, .seed = c->seed};
    cli_int(c, "policy-steps", 0, 1, UW_MAX_POLICY_STEPS, &o.steps);
    uw_status s = uw_policy_fit(c->ctx, model, cli_str(c, "data", NULL), &o, &g->policy, err);
    if (!s && file) s = uw_policy_save(g->policy, file, false, err);
    return s;
}

uw_status cli_guide_make(cli *c, const char *solver, bool first, const uw_model *model, double holdout,
                         uint64_t holdout_seed, cli_guide *out, uw_err *err) {
    *out = (cli_guide){.actor_first = first};
    if (cli_is_landmark(solver)) {
        uw_landmarks_options o = {.holdout = holdout, .holdout_seed = holdout_seed};
        cli_int(c, "landmarks", 512, 1, UW_MAX_LANDMARKS, &o.num_landmarks);
        const uw_status s = uw_landmarks_load(c->ctx, model, cli_str(c, "data", NULL), &o, &out->map, err);
        if (s) return s;
        out->value = uw_landmarks_value(out->map);
    }
    if (!cli_is_inverse(solver) && !first) return UW_OK;
    const uw_status s = make_policy(c, model, holdout, holdout_seed, out, err);
    if (!s) out->actor = uw_policy_actor(out->policy);
    return s;
}

void cli_guide_free(cli_guide *g) {
    uw_landmarks_unload(g->map);
    uw_policy_unload(g->policy);
}

void cli_guide_eval(const cli_guide *g, uw_eval_options *options) {
    if (g->map) options->value = &g->value;
    options->actor = g->policy ? &g->actor : NULL;
    options->actor_first = g->actor_first;
}

void cli_guide_planner(const cli_guide *g, uw_planner *planner) {
    if (g->map) uw_planner_set_value(planner, &g->value);
    if (g->policy) uw_planner_set_actor(planner, &g->actor, g->actor_first);
}
