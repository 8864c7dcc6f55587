/* Options of planners: words, defaults, limits, and which solver is meant. */
#include <string.h>

#include "plan_internal.h"

enum {
    MAX_HORIZON = 4096,
    MAX_ACTION_DIM = 4096,
    MAX_SAMPLES = 1 << 16,
    MAX_ITERS = 1000,
    MAX_LATENT_DIM = 1 << 20,
    MAX_HISTORY = 4096,
    MAX_CONSTRAINTS = 64,
    NUM_SOLVERS = UW_SOLVER_LAGRANGIAN + 1
};

const uw_solver_rules *uw__solver_rules(uw_solver solver) {
    static const uw_solver_rules *const RULES[NUM_SOLVERS] = {
        [UW_SOLVER_CEM] = &uw__cem_rules,
        [UW_SOLVER_ICEM] = &uw__cem_rules, /* differs in its options only */
        [UW_SOLVER_MPPI] = &uw__mppi_rules,
        [UW_SOLVER_PREDICTIVE] = &uw__predictive_rules,
        [UW_SOLVER_GRADIENT] = &uw__gradient_rules,
        [UW_SOLVER_PGD] = &uw__pgd_rules,
        [UW_SOLVER_CATEGORICAL] = &uw__categorical_rules,
        [UW_SOLVER_LAGRANGIAN] = &uw__lagrangian_rules,
    };
    return RULES[solver];
}

bool uw_solver_needs_gradient(uw_solver solver) {
    return (unsigned)solver < NUM_SOLVERS && uw__solver_rules(solver)->gradient;
}

/* ---- words ----------------------------------------------------------------------------------- */

const char *const *uw_solver_words(void) {
    static const char *const WORDS[NUM_SOLVERS + 1] = {
        [UW_SOLVER_CEM] = "cem",
        [UW_SOLVER_ICEM] = "icem",
        [UW_SOLVER_MPPI] = "mppi",
        [UW_SOLVER_PREDICTIVE] = "predictive",
        [UW_SOLVER_GRADIENT] = "gradient",
        [UW_SOLVER_PGD] = "pgd",
        [UW_SOLVER_CATEGORICAL] = "categorical",
        [UW_SOLVER_LAGRANGIAN] = "lagrangian",
    };
    return WORDS;
}

static bool word_find(const char *word, const char *const *words, int32_t *out) {
    for (int32_t i = 0; words[i]; i++) {
        if (strcmp(word, words[i]) == 0) {
            *out = i;
            return true;
        }
    }
    return false;
}

bool uw_solver_parse(const char *word, uw_solver *out) {
    int32_t i = 0;
    if (!word_find(word, uw_solver_words(), &i)) return false;
    *out = (uw_solver)i;
    return true;
}

bool uw_objective_parse(const char *word, uw_objective *out) {
    static const char *const WORDS[] = {"sum", "last", "min", NULL};
    int32_t i = 0;
    if (!word_find(word, WORDS, &i)) return false;
    *out = (uw_objective)i;
    return true;
}

/* ---- defaults -------------------------------------------------------------------------------- */

uw_planner_options uw_planner_options_default(void) {
    return UW_PLANNER_OPTIONS_DEFAULT;
}

uw_planner_options uw_planner_options_for(uw_solver solver) {
    uw_planner_options o = UW_PLANNER_OPTIONS_DEFAULT;
    o.solver = solver;
    switch (solver) {
    case UW_SOLVER_CEM:
    case UW_SOLVER_PREDICTIVE:
        break;
    case UW_SOLVER_ICEM:
        o.noise_ar = 0.0f;
        o.noise_beta = 2.0f;
        o.momentum = 0.1f;
        break;
    case UW_SOLVER_MPPI:
        o.init_std = 0.5f;
        break; /* it never narrows */
    case UW_SOLVER_CATEGORICAL:
        o.smoothing = 0.02f;
        break;
    case UW_SOLVER_GRADIENT:
    case UW_SOLVER_LAGRANGIAN: /* few starts, many steps: a step costs three rollouts */
    case UW_SOLVER_PGD:
        o.num_samples = 16;
        o.num_elites = 1;
        o.keep_elites = 0;
        o.iters = solver == UW_SOLVER_LAGRANGIAN ? 6 : 30;
        if (solver == UW_SOLVER_PGD)
            o.grad_clip = 0.5f; /* a simplex is of that size, costs of any */
        break;
    }
    return o;
}

uw_planner_options uw_planner_options_reference(uw_solver solver) {
    const bool icem = solver == UW_SOLVER_ICEM, once = solver == UW_SOLVER_PREDICTIVE;
    const bool descends = uw_solver_needs_gradient(solver);
    return (uw_planner_options){
        .solver = solver,
        .objective = UW_OBJECTIVE_LAST,
        .horizon = 5,
        .num_samples = descends ? 1 : 300,
        .num_elites = descends || once ? 1 : 30,
        .iters = once ? 1 : 30,
        .keep_elites = icem ? 5 : 0,
        .init_std = 1.0f,
        .noise_beta = icem ? 2.0f : 0.0f,
        .momentum = icem ? 0.1f : 0.0f,
        .action_low = -1.0f,
        .action_high = 1.0f,
        .sample_std = true,
        .unbounded = !icem,
        .compat = true,
        .descent = solver == UW_SOLVER_LAGRANGIAN ? UW_DESCENT_ADAM : UW_DESCENT_SGD,
        .learning_rate = 1.0f,
        .weight_decay = 0.01f, /* torch's, which the shipped configuration leaves on */
    };
}

static float filled(float value, float fallback) {
    return value != 0.0f ? value : fallback;
}

uw_planner_options uw__options_filled(const uw_planner_options *given) {
    uw_planner_options o = *given;
    o.temperature = filled(o.temperature, 0.5f);
    o.learning_rate = filled(o.learning_rate, o.solver == UW_SOLVER_PGD ? 1.0f : 0.1f);
    o.penalty = filled(o.penalty, 1.0f);
    o.penalty_growth = filled(o.penalty_growth, 2.0f);
    o.penalty_max = filled(o.penalty_max, 1e4f);
    if (o.outer_iters == 0) o.outer_iters = 5;
    if (o.solver == UW_SOLVER_PGD) o.descent = UW_DESCENT_SGD;
    return o;
}

/* ---- limits ---------------------------------------------------------------------------------- */

static bool within(int32_t value, int32_t low, int32_t high) {
    return value >= low && value <= high;
}

/* True for a finite value in [low, high]; false for NaN. */
static bool real_within(double value, double low, double high) {
    return value >= low && value <= high;
}

static const double LARGE = 1e30; /* finite, and far from overflow in any product */

static bool sizes_ok(const uw_dynamics_dims *d, const uw_planner_options *o) {
    const bool descends = uw_solver_needs_gradient(o->solver);
    const bool all = descends || o->solver == UW_SOLVER_MPPI; /* K = N will do */
    return within(d->latent_dim, 1, MAX_LATENT_DIM) && within(d->action_dim, 1, MAX_ACTION_DIM) &&
           within(d->history_size, 1, MAX_HISTORY) && d->num_samples >= 1 &&
           within(o->horizon, 1, MAX_HORIZON) && o->horizon <= d->horizon &&
           within(o->num_samples, descends ? 1 : 2, MAX_SAMPLES) &&
           within(o->num_elites, 1, all ? o->num_samples : o->num_samples - 1) &&
           within(o->iters, 1, MAX_ITERS) && o->keep_elites >= 0 &&
           within(o->choice_dim, 0, d->action_dim) &&
           (o->choice_dim == 0 || d->action_dim % o->choice_dim == 0) &&
           within(o->num_constraints, 0, o->solver == UW_SOLVER_LAGRANGIAN ? MAX_CONSTRAINTS : 0) &&
           within(o->outer_iters, 0, MAX_ITERS);
}

static bool descent_ok(const uw_planner_options *o) {
    return within((int32_t)o->descent, UW_DESCENT_ADAM, UW_DESCENT_SGD) &&
           real_within((double)o->learning_rate, 0.0, LARGE) &&
           real_within((double)o->weight_decay, 0.0, LARGE) &&
           real_within((double)o->grad_clip, 0.0, LARGE) &&
           real_within((double)o->action_noise, 0.0, LARGE) &&
           real_within((double)o->penalty, 0.0, LARGE) &&
           real_within((double)o->penalty_growth, 0.0, LARGE) &&
           real_within((double)o->penalty_max, 0.0, LARGE);
}

/* Upper bounds too: they keep 3 N H max(A, D) below 2^51, so that no size overflows. */
bool uw__options_ok(const uw_dynamics_dims *d, const uw_planner_options *o) {
    return d && o && within((int32_t)o->solver, 0, NUM_SOLVERS - 1) && sizes_ok(d, o) &&
           within((int32_t)o->objective, UW_OBJECTIVE_SUM, UW_OBJECTIVE_MIN) &&
           real_within((double)o->init_std, 0.0, LARGE) &&
           real_within((double)o->min_std, 0.0, LARGE) &&
           real_within((double)o->noise_ar, -1.0, 1.0) &&
           real_within((double)o->noise_beta, -8.0, 8.0) &&
           real_within((double)o->momentum, 0.0, 1.0) &&
           real_within((double)o->temperature, 0.0, LARGE) &&
           real_within((double)o->smoothing, 0.0, LARGE) &&
           real_within((double)o->action_low, -LARGE, (double)o->action_high) &&
           real_within((double)o->action_high, (double)o->action_low, LARGE) &&
           real_within((double)o->action_cost, 0.0, LARGE) &&
           real_within(o->deadline_s, 0.0, 1e9) && descent_ok(o);
}
