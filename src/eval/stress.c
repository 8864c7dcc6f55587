/* The robustness card: one run per cell, each with one factor (or all) drawn anew in every episode.
 *
 * The draws of a factor depend on seed and episode only through the variation that names it, starts
 * and goals on seed, episode and geometry: cells that change colours alone meet the very same
 * pairs. */
#include "eval_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "internal.h"

enum { MAX_NAME = 48, MAX_CELLS = UW_MAX_CARD_CELLS };

static const char all_cell[] = "all", goal_cell[] = "goal.colors", discs_cell[] = "distractors";
static const char *const usual[] = {"agent.color", "background.color", "wall.color",
                                    "door.color",  "agent.radius",     "block.color",
                                    "goal.color",  "agent.scale",      "block.scale"};
static const double num_discs = 6; /* of the cell distractors: three behind, three before */
enum { NUM_USUAL = sizeof usual / sizeof usual[0] };

/* What to run: cells in order, and the factors that "all" and "goal.colors" mean. */
typedef struct plan {
    int32_t num_cells, num_factors;
    char cell[MAX_CELLS][MAX_NAME];
    bool varied[UW_MAX_FACTOR_VALUES]; /* [num_factors of the class] by "all" */
    bool colors[UW_MAX_FACTOR_VALUES]; /* [num_factors of the class] by "goal.colors" */
} plan;

static bool has_discs(const uw_env_class *cls) {
    return uw_env_factor(cls, "distractor.number", NULL) &&
           uw_env_factor(cls, "distractor.seed", NULL);
}

/* ---- which cells
 * -------------------------------------------------------------------------------------- */

static uw_status refuse(const uw_env_class *cls, const char *name, uw_err *err) {
    const char *known[UW_MAX_FACTOR_VALUES + 3];
    int32_t count = 0;
    for (int32_t i = 0; i < cls->num_factors; i++)
        if (!cls->factors[i].placed) known[count++] = cls->factors[i].name;
    known[count++] = all_cell;
    known[count++] = goal_cell;
    if (has_discs(cls)) known[count++] = discs_cell;
    const char *near = uw__nearest(name, known, count);
    uw_fail(err, UW_ENOTFOUND, "%s: no factor to vary named %.60s", cls->name, name);
    if (near)
        uw_err_fix(err, "did you mean %s?", near);
    else
        uw_err_fix(err, "umwelt inspect %s lists its factors; all takes the usual ones at once",
                   cls->name);
    return UW_ENOTFOUND;
}

static uw_status add_cell(plan *p, const uw_env_class *cls, const char *name, uw_err *err) {
    const uw_factor *f = uw_env_factor(cls, name, NULL);
    const bool known = strcmp(name, all_cell) == 0 || strcmp(name, goal_cell) == 0 ||
                       (strcmp(name, discs_cell) == 0 && has_discs(cls));
    if (!known && (!f || f->placed)) return refuse(cls, name, err);
    for (int32_t i = 0; i < p->num_cells; i++)
        if (strcmp(p->cell[i], name) == 0) return UW_OK; /* named twice is meant once */
    if (p->num_cells == MAX_CELLS)
        return uw_fail(err, UW_EINVAL, "factors: wanted at most %d, got more", (int)MAX_CELLS);
    snprintf(p->cell[p->num_cells++], MAX_NAME, "%s", name);
    if (f) {
        p->varied[f - cls->factors] = true;
        p->num_factors++;
    }
    return UW_OK;
}

static uw_status add_usual(plan *p, const uw_env_class *cls, uw_err *err) {
    uw_status status = UW_OK;
    for (int i = 0; i < NUM_USUAL && !status; i++)
        if (uw_env_factor(cls, usual[i], NULL)) status = add_cell(p, cls, usual[i], err);
    return status;
}

/* Add the cells of a comma-separated list. */
static uw_status add_list(plan *p, const uw_env_class *cls, const char *list, uw_err *err) {
    for (const char *at = list;; at++) {
        char name[MAX_NAME];
        const size_t length = strcspn(at, ",");
        snprintf(name, sizeof name, "%.*s", (int)(length < MAX_NAME ? length : MAX_NAME), at);
        const uw_status status = add_cell(p, cls, name, err);
        at += length;
        if (status || *at == '\0') return status;
    }
}

static uw_status read_factors(const uw_env_class *cls, const char *factors, plan *p, uw_err *err) {
    plan full = {0}; /* what groups mean where the list does not say */
    uw_status status = add_usual(&full, cls, err);
    if (!status) status = factors ? add_list(p, cls, factors, err) : add_usual(p, cls, err);
    if (!status && !factors) status = add_cell(p, cls, all_cell, err);
    if (!status && !factors) status = add_cell(p, cls, goal_cell, err);
    if (!status && !factors && has_discs(cls)) status = add_cell(p, cls, discs_cell, err);
    if (status) return status;
    if (p->num_factors == 0) memcpy(p->varied, full.varied, sizeof p->varied);
    bool any = false;
    for (int32_t i = 0; i < cls->num_factors; i++) {
        p->colors[i] = p->varied[i] && cls->factors[i].kind == UW_FACTOR_COLOR;
        any = any || p->colors[i];
    }
    for (int32_t i = 0; i < cls->num_factors && !any; i++)
        p->colors[i] = full.varied[i] && cls->factors[i].kind == UW_FACTOR_COLOR;
    return UW_OK;
}

/* ---- one cell
 * ----------------------------------------------------------------------------------------- */

/* True when the cell draws factor i of the class. */
static bool draws(const plan *p, const uw_env_class *cls, const char *cell, int32_t i) {
    if (strcmp(cell, all_cell) == 0) return p->varied[i];
    if (strcmp(cell, goal_cell) == 0) return p->colors[i];
    if (strcmp(cell, discs_cell) == 0) return strcmp(cls->factors[i].name, "distractor.seed") == 0;
    return strcmp(cls->factors[i].name, cell) == 0;
}

/* True when `name` is one of the comma-separated words of `list`. */
static bool listed(const char *list, const char *name) {
    const size_t length = strlen(name);
    for (const char *at = list; *at; at += strspn(at, ", ")) {
        const size_t word = strcspn(at, ", ");
        if (word == length && memcmp(at, name, length) == 0) return true;
        at += word;
    }
    return false;
}

static uw_status run_cell(uw_context *ctx, const uw_model *model, const uw_env_class *cls,
                          const uw_eval_options *base, const plan *p, const uw_part *part,
                          uw_card_cell *cell, uw_err *err) {
    uw_variation variation = {.mode = {UW_VARY_DEFAULT}}, goal = {.mode = {UW_VARY_DEFAULT}};
    uw_eval_options options = *base;
    const char *trained = uw_model_provenance(model)->trained_factors;
    if (base->variation) variation = *base->variation;
    if (base->goal_variation) goal = *base->goal_variation;
    cell->in_training = true;
    for (int32_t i = 0; i < cls->num_factors; i++) {
        if (!draws(p, cls, cell->factor, i)) continue;
        variation.mode[i] = goal.mode[i] = UW_VARY_SAMPLE;
        cell->in_training = cell->in_training && listed(trained, cls->factors[i].name);
        cell->ours = cell->ours || cls->factors[i].ours;
    }
    if (strcmp(cell->factor, discs_cell) == 0) {
        const ptrdiff_t number = uw_env_factor(cls, "distractor.number", NULL) - cls->factors;
        variation.mode[number] = UW_VARY_FIXED;
        variation.value[number][0] = num_discs;
    }
    options.variation = &variation;
    if (strcmp(cell->factor, goal_cell) == 0) options.goal_variation = &goal;
    uw_eval_result result = {0};
    const uw_status status =
        uw__eval_part(ctx, model, cls->name, UW_DRIVER_MODEL, 0, &options, part, &result, err);
    cell->rate = result.success;
    uw_eval_result_fini(&result);
    return status;
}

uw_status uw_stress_run(uw_context *ctx, const uw_model *model, const char *env,
                        const char *factors, const uw_eval_options *options, uw_card *out,
                        uw_err *err) {
    const double start = uw__clock_s();
    const uw_env_class *cls = NULL;
    plan *p = calloc(1, sizeof *p);
    uw_card *card = calloc(1, sizeof *card);
    uw_eval_result nominal = {0};
    uw_eval_options base = *options;
    base.keep_traces = 0;
    uw_status status = UW_OK;
    if (!p || !card) {
        status = uw_fail(err, UW_ENOMEM, "stress: no memory for the card");
        goto done;
    }
    status = uw__world_find(env, &cls, err);
    if (!status) status = read_factors(cls, factors, p, err);
    if (status) goto done;

    uw_part part = {"stress", 0, (int64_t)options->episodes * (p->num_cells + 1), NULL};
    status = uw__eval_part(ctx, model, env, UW_DRIVER_MODEL, 0, &base, &part, &nominal, err);
    card->nominal = nominal.success;
    for (; !status && card->num_cells < p->num_cells; card->num_cells++) {
        uw_card_cell *cell = &card->cells[card->num_cells];
        snprintf(cell->factor, sizeof cell->factor, "%s", p->cell[card->num_cells]);
        snprintf(cell->value, sizeof cell->value, "random");
        part.done += options->episodes;
        status = run_cell(ctx, model, cls, &base, p, &part, cell, err);
        cell->of_nominal = card->nominal.rate > 0.0 ? cell->rate.rate / card->nominal.rate : 0.0;
        if (cell->rate.rate < card->cells[card->worst].rate.rate) card->worst = card->num_cells;
    }
    if (status) goto done;
    card->seconds = uw__clock_s() - start;
    *out = *card;
done:
    uw_eval_result_fini(&nominal);
    free(card);
    free(p);
    return status;
}
