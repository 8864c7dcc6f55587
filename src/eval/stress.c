/* The robustness card: one run per cell, each with one factor, or several, changed.
 *
 * The draws of a factor depend on seed and episode only through the variation that names it, starts
 * and goals on seed, episode and geometry: cells that change colours alone meet the very same
 * pairs. */
#include "eval_internal.h"

#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "internal.h"

/* Count the episodes that nobody can solve, where the world knows of ways. */
static int32_t count_no_way(const uw_env_class *cls, const uw_eval_result *result) {
    int32_t count = 0;
    for (int32_t i = 0; cls->path_length && !*result->data_hash && i < result->num_episodes; i++)
        count += result->episodes[i].task.shortest == 0 && !result->episodes[i].solved_at_start;
    return count;
}

static uw_status run_cell(uw_context *ctx, const uw_model *model, const uw_eval_options *base,
                          const uw_card_plan *p, int32_t i, const uw_part *part, uw_card *card,
                          uw_err *err) {
    uw_variation variation = {.mode = {UW_VARY_DEFAULT}}, goal = {.mode = {UW_VARY_DEFAULT}};
    uw_eval_options options = *base;
    uw_card_cell *cell = &card->cells[i];
    bool other_goal;
    if (base->variation) variation = *base->variation;
    if (base->goal_variation) goal = *base->goal_variation;
    const char *trained = uw_model_provenance(model)->trained_factors;
    if (!uw__card_cell(p, i, trained, &variation, &goal, &other_goal, cell)) {
        cell->rate = card->nominal;
        return UW_OK;
    }
    options.variation = &variation;
    if (other_goal) options.goal_variation = &goal;
    uw_eval_result result = {0};
    const uw_status status =
        uw__eval_part(ctx, model, p->cls->name, UW_DRIVER_MODEL, 0, &options, part, &result, err);
    cell->rate = result.success;
    cell->no_way = count_no_way(p->cls, &result);
    uw_eval_result_fini(&result);
    return status;
}

uw_status uw_card_run(uw_context *ctx, const uw_model *model, const char *env,
                      const uw_card_options *options, const uw_eval_options *eval, uw_card *out,
                      uw_err *err) {
    const double start = uw__clock_s();
    const uw_env_class *cls = NULL;
    uw_card_plan *p = calloc(1, sizeof *p);
    uw_card *card = calloc(1, sizeof *card);
    uw_eval_result nominal = {0};
    uw_eval_options base = *eval;
    base.keep_traces = 0;
    uw_status status = UW_OK;
    if (!p || !card) {
        status = uw_fail(err, UW_ENOMEM, "stress: no memory for the card");
        goto done;
    }
    status = uw__world_find(env, &cls, err);
    if (!status) status = uw__card_plan(cls, options, p, err);
    if (status) goto done;

    uw_part part = {"stress", 0, (int64_t)base.episodes * (p->num_cells + 1), NULL};
    status = uw__eval_part(ctx, model, env, UW_DRIVER_MODEL, 0, &base, &part, &nominal, err);
    card->nominal = nominal.success;
    for (; !status && card->num_cells < p->num_cells; card->num_cells++) {
        const int32_t i = card->num_cells;
        uw_card_cell *cell = &card->cells[i];
        part.done += base.episodes;
        status = run_cell(ctx, model, &base, p, i, &part, card, err);
        cell->of_nominal = card->nominal.rate > 0.0 ? cell->rate.rate / card->nominal.rate : 0.0;
        if (cell->rate.rate < card->cells[card->worst].rate.rate) card->worst = i;
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

uw_status uw_stress_run(uw_context *ctx, const uw_model *model, const char *env,
                        const char *factors, const uw_eval_options *options, uw_card *out,
                        uw_err *err) {
    const uw_card_options card = {.factors = factors};
    return uw_card_run(ctx, model, env, &card, options, out, err);
}
