/* Protocols: starts, goals, budgets, and what the world looks like in an episode.
 *
 * Everything about episode i follows from the seed and i, so that two drivers, two models and two
 * numbers of threads meet the same episodes. */
#include "eval_internal.h"

#include <math.h>
#include <string.h>

#include "internal.h"

enum { MAX_REDRAWS = 1000 };

/* Sources: stable-worldmodel's eval_wm.py and its configuration (offset 25, budget 50, plans of 25
 * env steps), CLEAR-LeWM v0.9 for the rules. */
static const uw_protocol protocols[] = {
    {.name = "random-goal", .budget = 100},
    {.name = "released", .budget = 50, .offset = 25, .solve = 25},
    {.name = "clear-moderate", .budget = 50, .offset = 25, .solve = 25, .rule = UW_RULE_MODERATE},
    {.name = "clear-strict", .budget = 50, .offset = 25, .solve = 25, .rule = UW_RULE_STRICT},
};
enum { NUM_PROTOCOLS = sizeof protocols / sizeof protocols[0] };
static const char *const names[NUM_PROTOCOLS + 1] = {"random-goal", "released", "clear-moderate",
                                                     "clear-strict", NULL};

const char *const *uw_protocol_names(void) {
    return names;
}

bool uw_protocol_needs_data(const char *protocol) {
    for (int i = 0; i < NUM_PROTOCOLS; i++)
        if (protocol && strcmp(names[i], protocol) == 0) return protocols[i].offset > 0;
    return false;
}

uw_status uw__protocol_find(const char *name, const uw_protocol **out, uw_err *err) {
    for (int i = 0; i < NUM_PROTOCOLS; i++) {
        if (name && strcmp(names[i], name) == 0) {
            *out = &protocols[i];
            return UW_OK;
        }
    }
    uw_fail(err, UW_ENOTFOUND, "%s: no such protocol", name ? name : "(none)");
    const char *near = name ? uw__nearest(name, names, NUM_PROTOCOLS) : NULL;
    if (near)
        uw_err_fix(err, "did you mean %s?", near);
    else
        uw_err_fix(err, "there are random-goal, released, clear-moderate and clear-strict");
    return UW_ENOTFOUND;
}

uw_status uw__protocol_check(const uw_protocol *protocol, const uw_env_class *cls,
                             const uw_eval_options *options, uw_err *err) {
    const uw_variation *given[] = {options->variation, options->goal_variation};
    for (int v = 0; v < 2; v++) {
        for (int32_t i = 0; given[v] && i < cls->num_factors; i++) {
            if (given[v]->mode[i] == UW_VARY_DEFAULT || !cls->factors[i].placed) continue;
            uw_fail(err, UW_EINVAL, "%s: %s: %s draws it itself, wanted no value for it", cls->name,
                    cls->factors[i].name, protocol->name);
            uw_err_fix(err, "leave %s out; --seed chooses the starts and goals",
                       cls->factors[i].name);
            return UW_EINVAL;
        }
    }
    return UW_OK;
}

bool uw__agent_shows(const uw_env_class *cls, const double *values) {
    static const double LEAST_CONTRAST = 100.0; /* of 255, Euclidean in RGB */
    const uw_factor *agent = uw_env_factor(cls, "agent.color", NULL);
    const uw_factor *ground = uw_env_factor(cls, "background.color", NULL);
    if (!agent || !ground || agent->dim != 3 || ground->dim != 3) return true;
    double square = 0.0;
    for (int i = 0; i < 3; i++) {
        const double off = values[agent->offset + i] - values[ground->offset + i];
        square += off * off;
    }
    return sqrt(square) >= LEAST_CONTRAST;
}

static bool is_drawn(const uw_env_class *cls, const uw_variation *v, const char *name) {
    const uw_factor *f = uw_env_factor(cls, name, NULL);
    return f && v->mode[f - cls->factors] == UW_VARY_SAMPLE;
}

/* True when the agent can be told from the floor, or nobody drew their colours. */
static bool visible(const uw_env_class *cls, const uw_variation *v, const double *values) {
    return (!is_drawn(cls, v, "agent.color") && !is_drawn(cls, v, "background.color")) ||
           uw__agent_shows(cls, values);
}

/* Resolve a variation over `values`, which hold what it does not mention, redrawing until the agent
 * can be seen.  Every try, episode and purpose has its own place in the sequence of draws. */
static uw_status resolve(const uw_env_class *cls, const uw_variation *v, const uw_setup *base,
                         uint64_t seed, uint64_t place, double *values, bool *fixed, uw_err *err) {
    for (uint64_t redraw = 0; redraw < MAX_REDRAWS; redraw++) {
        double drawn[UW_MAX_FACTOR_VALUES];
        const uw_status status =
            uw_variation_resolve(cls, v, seed, place + (redraw << 32), drawn, fixed, err);
        if (status) return status;
        for (int32_t i = 0; base && i < cls->num_factors; i++) {
            const uw_factor *f = &cls->factors[i];
            if (v->mode[i] == UW_VARY_DEFAULT)
                memcpy(drawn + f->offset, base->values + f->offset, (size_t)f->dim * sizeof *drawn);
        }
        if (!visible(cls, v, drawn)) continue;
        memcpy(values, drawn, (size_t)cls->num_values * sizeof *values);
        return UW_OK;
    }
    uw_fail(err, UW_EINVAL, "%s: agent.color: too close to background.color in %d draws", cls->name,
            (int)MAX_REDRAWS);
    uw_err_fix(err, "fix only one of the two colours, or neither");
    return UW_EINVAL;
}

static const uw_variation none = {.mode = {UW_VARY_DEFAULT}};

uw_status uw__protocol_look(const uw_env_class *cls, const uw_eval_options *options, int32_t index,
                            uw_setup *setup, uw_err *err) {
    return resolve(cls, options->variation ? options->variation : &none, NULL, options->seed,
                   (uint64_t)index, setup->values, setup->fixed, err);
}

uw_status uw__protocol_goal_look(const uw_env_class *cls, const uw_eval_options *options,
                                 int32_t index, uw_setup *setup, uw_err *err) {
    static const uint64_t GOALS = (uint64_t)1 << 62; /* draws of the goal pictures */
    bool unused[UW_MAX_FACTOR_VALUES];
    if (options->goal_variation)
        return resolve(cls, options->goal_variation, setup, options->seed, GOALS + (uint64_t)index,
                       setup->goal_values, unused, err);
    memcpy(setup->goal_values, setup->values, sizeof setup->goal_values);
    return UW_OK;
}

uw_status uw__protocol_setup(const uw_env_class *cls, const uw_eval_options *options, int32_t index,
                             uw_setup *out, uw_err *err) {
    uw_setup s = {.reset_seed = options->seed, .episode = -1, .row = -1};
    uw_status status = uw__protocol_look(cls, options, index, &s, err);
    if (!status) status = uw__protocol_goal_look(cls, options, index, &s, err);
    if (status) return status;
    cls->sample_task(options->seed, (uint64_t)index, s.values, index % 2 == 0, &s.task);
    *out = s;
    return UW_OK;
}
