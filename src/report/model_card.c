/* The model card: the report's facts and numbers in Markdown, for a repository or a wiki.
 *
 * Sections follow Mitchell et al., "Model Cards for Model Reporting" (2019): details, intended use,
 * data, metrics with their intervals, caveats. */
#include "report_internal.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "fileio.h"

/* Text of others in a table's cell or a list: no markup of theirs becomes ours. */
static void plain(uw_text *out, const char *text) {
    for (; text && *text; text++) {
        if (strchr("\\`*_{}[]<>|#", *text)) uw__text_add(out, "\\");
        uw__text_bytes(out, *text == '\n' || *text == '\r' ? " " : text, 1);
    }
}

static void row(uw_text *out, const char *name, const char *value) {
    if (!value || !*value) return;
    uw__text_printf(out, "| %s | ", name);
    plain(out, value);
    uw__text_add(out, " |\n");
}

static void rate(uw_text *out, const uw_rate *r) {
    uw__text_printf(out, "%d / %d = ", r->successes, r->episodes);
    uw__text_percent(out, r->rate);
    uw__text_add(out, " [");
    uw__text_percent(out, r->low);
    uw__text_add(out, ", ");
    uw__text_percent(out, r->high);
    uw__text_add(out, "]");
}

/* Markup of the page as a Markdown list: items begin with a dash, other tags go, entities are read.
 */
static void list_of(uw_text *out, const char *html) {
    static const struct {
        const char *entity, *text;
    } known[] = {
        {"&amp;", "&"}, {"&lt;", "\\<"}, {"&gt;", "\\>"}, {"&quot;", "\""}, {"&#39;", "'"}};
    while (html && *html) {
        if (*html == '<') {
            if (!strncmp(html, "<li", 3)) uw__text_add(out, "- ");
            if (!strncmp(html, "</li", 4)) uw__text_add(out, "\n");
            if (!strncmp(html, "<code", 5) || !strncmp(html, "</code", 6)) uw__text_add(out, "`");
            const char *end = strchr(html, '>');
            html = end ? end + 1 : html + strlen(html);
            continue;
        }
        size_t k = 0;
        while (k < sizeof known / sizeof *known &&
               strncmp(html, known[k].entity, strlen(known[k].entity)) != 0)
            k++;
        if (k < sizeof known / sizeof *known) {
            uw__text_add(out, known[k].text);
            html += strlen(known[k].entity);
        } else {
            uw__text_bytes(out, html++, 1);
        }
    }
}

static void details(const uw_report *r, int32_t side, uw_text *out) {
    const uw_model *model = r->in->sides[side].model;
    const uw_provenance *p = uw_model_provenance(model);
    const uw_model_config *c = uw_model_config_of(model);
    char sha[65], number[64];
    uw_model_sha256(model, sha);
    uw__text_add(out, "\n| detail | |\n|---|---|\n");
    snprintf(number, sizeof number, "%lld", (long long)uw_model_num_parameters(model));
    row(out, "parameters", number);
    snprintf(number, sizeof number, "%d", c->latent_dim);
    row(out, "numbers of a latent", number);
    if (c->input == UW_INPUT_COLUMNS)
        row(out, "sees (columns)", p->observe);
    else {
        snprintf(number, sizeof number, "%d x %d pixels", c->image_size, c->image_size);
        row(out, "sees", number);
    }
    row(out, "world of its data", p->env);
    row(out, "preset", p->preset);
    snprintf(number, sizeof number, "%llu", (unsigned long long)p->seed);
    row(out, "seed", number);
    row(out, "recording it was trained on (hash)", p->dataset_hash);
    row(out, "factors varied in training",
        p->trained_factors && *p->trained_factors ? p->trained_factors : "none");
    row(out, "SHA-256 of the weights", sha);
    row(out, "umwelt", p->version);
}

static void success(const uw_report_side *s, uw_text *out) {
    if (!s->eval) return;
    uw__text_printf(out,
                    "\n| driver, protocol `%s`, at most %d env steps | goals reached, exact 95 %% "
                    "interval |\n|---|---|\n",
                    s->eval->protocol, s->eval->budget);
    uw__text_add(out, "| **this model** | ");
    rate(out, &s->eval->success);
    uw__text_add(out, " |\n");
    for (int d = 1; s->baselines && d < UW_NUM_DRIVERS; d++) {
        if (!s->baselines[d].num_episodes) continue;
        uw__text_printf(out, "| %s | ", uw_driver_str((uw_driver)d));
        rate(out, &s->baselines[d].success);
        uw__text_add(out, " |\n");
    }
}

static void robustness(const uw_card *card, uw_text *out) {
    if (!card) return;
    uw__text_add(out, "\n| what changes | goals reached, exact 95 % interval | of nominal | varied "
                      "in training |\n"
                      "|---|---|---|---|\n| nothing | ");
    rate(out, &card->nominal);
    uw__text_add(out, " | | |\n");
    for (int32_t i = 0; i < card->num_cells; i++) {
        const uw_card_cell *c = &card->cells[i];
        uw__text_add(out, "| ");
        plain(out, c->factor);
        uw__text_add(out, ", ");
        plain(out, c->value);
        uw__text_add(out, " | ");
        rate(out, &c->rate);
        uw__text_add(out, " | ");
        uw__text_percent(out, c->of_nominal);
        uw__text_printf(out, " | %s |\n", c->in_training ? "yes" : "no");
    }
}

static void knowledge(const uw_probe_report *p, uw_text *out) {
    if (!p) return;
    uw__text_add(out, "\nEffective rank ");
    uw__text_fixed(out, p->effective_rank, 1);
    uw__text_printf(out, " of %d.", p->num_eigenvalues);
    if (p->num_drift) {
        const uw_drift_row *d = &p->drift[p->num_drift - 1];
        uw__text_printf(out, " %d decisions ahead, the error is ", d->step);
        uw__text_number(out, d->ratio, 2);
        uw__text_add(out, " of that of \"nothing changes\".");
    }
    uw__text_add(out, "\n");
    if (p->num_probes < 1) return;
    uw__text_add(out, "\n| linear probe | R2 on held-out episodes | typical error | shuffled "
                      "labels' R2 |\n|---|---|---|---|\n");
    for (int32_t i = 0; i < p->num_probes; i++) {
        const uw_probe_row *q = &p->probes[i];
        uw__text_add(out, "| ");
        plain(out, q->column);
        uw__text_add(out, " | ");
        uw__text_exact(out, q->r2, 4);
        uw__text_add(out, " | ");
        uw__text_number(out, q->rmse, 3);
        uw__text_add(out, " ");
        plain(out, q->unit);
        uw__text_add(out, " | ");
        uw__text_exact(out, q->shuffled_r2, 2);
        uw__text_add(out, " |\n");
    }
}

static void belief(const uw_report_side *s, uw_text *out) {
    if (s->certificate) {
        uw__text_printf(out, "\n**%s.** ", uw_certify_verdict_str(s->certificate->verdict));
        plain(out, s->certificate->headline);
        uw__text_add(out, "\n\n| condition of the theorem | found | number |\n|---|---|---|\n");
        for (int32_t i = 0; i < UW_NUM_CHECKS; i++) {
            const uw_check *c = &s->certificate->checks[i];
            if (!c->id) continue;
            uw__text_printf(out, "| %s ", c->id);
            plain(out, c->name);
            uw__text_printf(out, " | %s | ", uw_finding_str(c->finding));
            if (c->num_measures) uw__text_number(out, c->measures[0].value, 3);
            uw__text_add(out, " |\n");
        }
    }
    if (!s->injections) return;
    uw__text_add(out, "\n| what happens | noticed, exact 95 % interval | decisions until then, "
                      "median |\n|---|---|---|\n");
    for (int32_t i = 0; i < s->injections->num_rows; i++) {
        const uw_injection_row *row = &s->injections->rows[i];
        if (!row->applies) continue;
        uw__text_printf(out, "| %s | ", uw__injection_title(row->injection));
        rate(out, &row->detected);
        uw__text_add(out, " | ");
        uw__text_number(out, row->injection == UW_INJECT_NOTHING ? NAN : row->delay_median, 2);
        uw__text_add(out, " |\n");
    }
}

static void one_side(const uw_report *r, int32_t side, uw_text *out) {
    const uw_report_side *s = &r->in->sides[side];
    if (r->in->num_sides > 1) {
        uw__text_add(out, "\n# ");
        plain(out, uw__side_title(r, side));
        uw__text_add(out, "\n");
    }
    uw__text_add(out, "\n## Model\n");
    details(r, side, out);
    if (s->eval || s->card) uw__text_add(out, "\n## How often it reaches its goals\n");
    success(s, out);
    robustness(s->card, out);
    uw__text_add(out, "\n## What it knows\n");
    knowledge(s->probe, out);
    if (s->certificate || s->injections) uw__text_add(out, "\n## Whether to believe it\n");
    belief(s, out);
    uw_text advice = {0};
    uw__page_advice(r, side, &advice);
    uw__text_add(out, "\n## When not to trust it\n\n");
    list_of(out, advice.data);
    out->failed = out->failed || advice.failed;
    uw__text_fini(&advice);
}

uw_status uw_report_model_card(const uw_report_inputs *inputs, const char *path, bool overwrite,
                               uw_err *err) {
    uw_report r = {.in = inputs};
    uw_text out = {0};
    uw_status s = uw__report_check(inputs, err);
    if (s) return s;
    r.world = inputs->env && *inputs->env ? uw_env_find(inputs->env) : NULL;
    uw__text_add(&out, "# Model card: ");
    plain(&out, inputs->title && *inputs->title ? inputs->title : "a umwelt model");
    uw__text_add(&out, "\n\nFor planning towards goals in the world that it was trained in, from "
                       "the observations named "
                       "below. It was not made, and is not fit, for anything that harms when it "
                       "fails: read \"When not to "
                       "trust it\" first.\n");
    for (int32_t i = 0; i < inputs->num_sides; i++) one_side(&r, i, &out);
    if (inputs->command && *inputs->command) {
        uw__text_add(&out, "\n## Made by\n\n    ");
        uw__text_add(&out, inputs->command);
        uw__text_add(&out, "\n");
    }
    s = out.failed ? uw_fail(err, UW_ENOMEM, "%s: model card", path)
                   : uw__file_write_atomic(path, out.data, out.size, overwrite, err);
    uw__text_fini(&out);
    return s;
}
