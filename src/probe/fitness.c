/* Data fitness: which numbers there are, and what the passes over them mean.
 *
 * Thresholds are effect sizes, not p-values, except where chance is the question (do actions
 * matter): with enough rows every test rejects. */
#include <umwelt/fitness.h>

#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "fitness_internal.h"
#include "internal.h"
#include "matrices.h"
#include "spectrum.h"
#include "statistics.h"

enum { CELLS = 16, FEW_EPISODES = 28, FEW_VALUES = 17, MAX_ACTIONS = 16 };
static const double MISSING_BAD = 0.05; /* share of a number's rows */
static const double COVERED = 0.2;      /* exp of the entropy over even cells, of all cells */
/* Share of repeated rows above which a column is known to rest, and its runs mean nothing. */
static const double NORMALLY_STILL = 0.02;
static const double CONDITION_BAD =
    100.0; /* of the correlation matrix of actions: A13 of the certificate */
static const double GAPS_BAD = 0.01; /* share of clock steps */

const char *uw_fitness_verdict_str(uw_fitness_verdict verdict) {
    static const char *const words[] = {"good", "note", "bad", "cannot tell"};
    return (unsigned)verdict <= UW_FITNESS_UNKNOWN ? words[verdict] : "?";
}

void uw__fitness_add(uw_fitness *f, const char *name, const char *object,
                     uw_fitness_verdict verdict, double value, double threshold, const char *advice,
                     const char *format, ...) {
    uw_fitness_report *r = f->report;
    if (verdict != UW_FITNESS_UNKNOWN && verdict > r->verdict) r->verdict = verdict;
    if (r->num_checks == UW_MAX_FITNESS_CHECKS) {
        r->left_out++;
        return;
    }
    uw_fitness_check *c = &r->checks[r->num_checks++];
    *c = (uw_fitness_check){.verdict = verdict, .value = value, .threshold = threshold};
    snprintf(c->name, sizeof c->name, "%s", name);
    snprintf(c->object, sizeof c->object, "%s", object);
    snprintf(c->advice, sizeof c->advice, "%s", advice);
    va_list args;
    va_start(args, format);
    vsnprintf(c->what, sizeof c->what, format, args);
    va_end(args);
}

bool uw__fitness_listed(const char *words, const char *name) {
    const size_t length = strlen(name);
    while (*words) {
        const size_t word = strcspn(words, ",");
        if (word == length && !memcmp(words, name, length)) return true;
        words += word + (words[word] == ',');
    }
    return false;
}

/* ---- which numbers ----------------------------------------------------------------------------
 */

static uw_number_kind kind_of(const uw_fitness *f, const uw_column *c) {
    const char *actions = f->options->action;
    if (uw__fitness_listed(actions ? actions : "action", c->name)) return UW_NUMBER_ACTION;
    if (c->num_dims == 0 && uw__fitness_listed("time,timestamp,t,clock,seconds,time_s", c->name))
        return UW_NUMBER_CLOCK;
    if (uw__fitness_listed("reward,terminated,truncated,done,step,step_idx,frame,index,id,episode,"
                           "episode_idx,row",
                           c->name) ||
        c->dtype == UW_DTYPE_BOOL)
        return UW_NUMBER_OTHER;
    return UW_NUMBER_SENSOR;
}

static uw_status find_numbers(uw_fitness *f, uw_err *err) {
    f->clock_number = -1;
    f->numbers = calloc(UW_FITNESS_NUMBERS, sizeof *f->numbers);
    if (!f->numbers) return uw_fail(err, UW_ENOMEM, "fitness: numbers");
    for (int32_t c = 0; c < uw_dataset_num_columns(f->data); c++) {
        const uw_column *column = uw_dataset_column(f->data, c);
        int64_t numbers = 1;
        if (column->num_dims >= 3) continue;
        for (int32_t i = 0; i < column->num_dims; i++) numbers *= column->shape[i];
        for (int32_t i = 0; i < numbers; i++) {
            if (f->num_numbers == UW_FITNESS_NUMBERS) {
                f->left_out++;
                continue;
            }
            uw_number *n = &f->numbers[f->num_numbers];
            *n = (uw_number){.column = c, .place = i, .kind = kind_of(f, column)};
            if (column->num_dims)
                snprintf(n->name, sizeof n->name, "%s[%d]", column->name, i);
            else
                snprintf(n->name, sizeof n->name, "%s", column->name);
            if (n->kind == UW_NUMBER_CLOCK && f->clock_number < 0) f->clock_number = f->num_numbers;
            f->num_numbers++;
        }
    }
    f->sample_memory = malloc(((size_t)f->num_numbers * UW_FITNESS_SAMPLE + 1) * sizeof(double));
    f->prints = calloc((size_t)uw_dataset_episodes(f->data) + 1, sizeof *f->prints);
    if (!f->sample_memory || !f->prints)
        return uw_fail(err, UW_ENOMEM, "fitness: %d numbers of %" PRId64 " episodes",
                       f->num_numbers, uw_dataset_episodes(f->data));
    for (int32_t i = 0; i < f->num_numbers; i++)
        f->numbers[i].sample = f->sample_memory + (size_t)i * UW_FITNESS_SAMPLE;
    return UW_OK;
}

/* True for a number that is judged by its values. */
static bool judged(const uw_number *n) {
    return n->kind == UW_NUMBER_SENSOR || n->kind == UW_NUMBER_ACTION;
}

/* ---- what it means -----------------------------------------------------------------------------
 */

static void tell_episodes(uw_fitness *f) {
    const int64_t episodes = uw_dataset_episodes(f->data);
    const bool few = episodes < FEW_EPISODES;
    uw__fitness_add(
        f, "episodes", "", few ? UW_FITNESS_NOTE : UW_FITNESS_GOOD, (double)episodes, FEW_EPISODES,
        few ? "intervals resample episodes and bands count them: cut a long recording into "
              "runs, or record more"
            : "",
        "%" PRId64 " episodes, %" PRId64 " rows", episodes, uw_dataset_total_rows(f->data));
}

static void tell_missing(uw_fitness *f) {
    int32_t told = 0;
    for (int32_t i = 0; i < f->num_numbers; i++) {
        const uw_number *n = &f->numbers[i];
        const double share = (double)n->missing / (double)(n->count + n->missing + !n->count);
        if (!n->missing || n->kind == UW_NUMBER_OTHER) continue;
        told++;
        uw__fitness_add(f, "missing numbers", n->name,
                        share > MISSING_BAD ? UW_FITNESS_BAD : UW_FITNESS_NOTE, share, MISSING_BAD,
                        share > MISSING_BAD
                            ? "leave the column out (observe=...), or mend the sensor"
                            : "windows with a gap are left out of training",
                        "%" PRId64 " of %" PRId64 " are NaN or infinite (%.2g %%)", n->missing,
                        n->missing + n->count, 100.0 * share);
    }
    if (!told)
        uw__fitness_add(f, "missing numbers", "", UW_FITNESS_GOOD, 0.0, MISSING_BAD, "",
                        "every number is finite");
}

static void tell_constant(uw_fitness *f) {
    int32_t told = 0;
    for (int32_t i = 0; i < f->num_numbers; i++) {
        const uw_number *n = &f->numbers[i];
        if (!judged(n) || !n->count || n->low != n->high) continue;
        told++;
        const bool action = n->kind == UW_NUMBER_ACTION;
        uw__fitness_add(
            f, "constant numbers", n->name, action ? UW_FITNESS_BAD : UW_FITNESS_NOTE, n->low, NAN,
            action ? "an action that never moves teaches nothing: leave it out, or excite it"
                   : "leave the column out: it says nothing and is divided by its deviation",
            "always %.6g", n->low);
    }
    if (!told)
        uw__fitness_add(f, "constant numbers", "", UW_FITNESS_GOOD, 0.0, NAN, "",
                        "every sensor and action number changes");
}

static void tell_stuck(uw_fitness *f) {
    int32_t told = 0;
    for (int32_t c = 0; c < uw_dataset_num_columns(f->data); c++) {
        const uw_stillness *s = &f->still[c];
        const uw_column *column = uw_dataset_column(f->data, c);
        const uw_number_kind kind = kind_of(f, column);
        if (!s->stuck_runs || (kind != UW_NUMBER_SENSOR && column->num_dims < 3)) continue;
        /* a column that often repeats a row by itself is not stuck when it does */
        const int64_t in_runs = s->stuck_rows - s->stuck_runs;
        const double usual = (double)(s->repeats - in_runs) / (double)(s->pairs - in_runs + 1);
        if (usual > NORMALLY_STILL || 2 * s->repeats > s->pairs) continue;
        told++;
        const double share = (double)s->stuck_rows / (double)uw_dataset_total_rows(f->data);
        uw__fitness_add(
            f, "stuck sensors", column->name, share > 0.01 ? UW_FITNESS_BAD : UW_FITNESS_NOTE,
            share, 0.01, "leave those episodes out, or find out why the sensor stood still",
            "%" PRId64 " runs of up to %" PRId64 " equal rows, first in episode %" PRId64
            " from row %" PRId64 "; elsewhere %.1f %% of rows repeat",
            s->stuck_runs, s->longest, s->first_episode, s->first_row, 100.0 * usual);
    }
    if (!told)
        uw__fitness_add(f, "stuck sensors", "", UW_FITNESS_GOOD, 0.0, 0.01, "",
                        "no sensor that usually changes stands still for long");
}

/* What units could be mixed up when numbers are so many times too large. */
static const char *unit_guess(double ratio) {
    static const struct {
        double factor;
        const char *words;
    } units[] = {{1000.0, "; 1000 times is milli"},
                 {180.0 / 3.14159265358979, "; 57.3 times is degrees among radians"},
                 {100.0, "; 100 times is centimetres among metres, or percent"},
                 {60.0, "; 60 times is minutes and seconds"},
                 {25.4, "; 25.4 times is millimetres among inches"},
                 {3600.0, "; 3600 times is hours and seconds"}};
    for (size_t i = 0; i < sizeof units / sizeof *units; i++)
        if (fabs(log(ratio / units[i].factor)) < 0.15) return units[i].words;
    return "";
}

static void tell_outliers(uw_fitness *f) {
    int32_t told = 0;
    for (int32_t i = 0; i < f->num_numbers; i++) {
        const uw_number *n = &f->numbers[i];
        if (!n->outliers) continue;
        told++;
        /* beside the usual size of the number */
        double usual = 0.0;
        int64_t used = 0;
        for (int64_t k = 0; k < n->num_sample; k++) {
            if (fabs(n->sample[k] - n->median) > 8.0 * n->spread) continue;
            usual += fabs(n->sample[k]);
            used++;
        }
        const double size = n->outlier_size / (double)n->outliers;
        const double ratio = used && usual > 0.0 ? size / (usual / (double)used) : NAN;
        const bool whole = n->outliers > 4 * n->outlier_episodes;
        uw__fitness_add(
            f, "outliers", n->name, whole ? UW_FITNESS_BAD : UW_FITNESS_NOTE, ratio, NAN,
            whole ? "convert those episodes to the unit of the others, or leave them out"
                  : "single spikes: mask them as NaN, so that training leaves them out",
            "%" PRId64 " rows of %" PRId64 " episodes are %.3g times the usual size%s, "
            "first episode %" PRId64 ", row %" PRId64,
            n->outliers, n->outlier_episodes, ratio, unit_guess(ratio), n->first_episode,
            n->first_row);
    }
    if (!told)
        uw__fitness_add(f, "outliers", "", UW_FITNESS_GOOD, 0.0, NAN, "",
                        "no number is further than 8 times its 10-90 %% range from its median");
}

static void tell_clock(uw_fitness *f) {
    const uw_clock *c = &f->clock;
    if (f->clock_number < 0) {
        uw__fitness_add(f, "clock", "", UW_FITNESS_UNKNOWN, NAN, NAN, "",
                        "no column of time: rows are taken to be evenly spaced");
        return;
    }
    const char *name = f->numbers[f->clock_number].name;
    const double share = (double)(c->gaps + c->backward) / (double)(c->steps + !c->steps);
    if (!c->gaps && !c->backward) {
        uw__fitness_add(f, "clock", name, UW_FITNESS_GOOD, 0.0, GAPS_BAD, "",
                        "steps of %.4g, none above 1.5 times that", c->median);
        return;
    }
    uw__fitness_add(
        f, "clock", name, share > GAPS_BAD || c->backward ? UW_FITNESS_BAD : UW_FITNESS_NOTE, share,
        GAPS_BAD,
        c->backward ? "a clock that goes back joins two runs: begin a new episode there"
                    : "begin a new episode after a gap: the model takes rows as evenly spaced",
        "%" PRId64 " gaps (up to %.4g, usual %.4g), %" PRId64
        " steps back, first in episode %" PRId64 " at row %" PRId64,
        c->gaps, c->largest, c->median, c->backward, c->first_episode, c->first_row);
}

/* ---- coverage ----------------------------------------------------------------------------------
 */

static uw_coverage_row coverage_of(const uw_number *n) {
    uw_coverage_row row = {.action = n->kind == UW_NUMBER_ACTION};
    snprintf(row.column, sizeof row.column, "%s", n->name);
    row.low = uw__quantile(n->sample, n->num_sample, 0.005);
    row.high = uw__quantile(n->sample, n->num_sample, 0.995);
    int64_t cells[CELLS] = {0}, used = 0;
    for (int64_t i = 0; i < n->num_sample; i++) {
        const double at = (n->sample[i] - row.low) / (row.high - row.low) * CELLS;
        if (!(at >= 0.0 && at <= CELLS)) continue;
        cells[at < CELLS ? (int32_t)at : CELLS - 1]++;
        used++;
    }
    double entropy = 0.0;
    for (int32_t i = 0; i < CELLS; i++) {
        const double p = (double)cells[i] / (double)(used + !used);
        if (p > 0.0) entropy -= p * log(p);
    }
    row.cells = exp(entropy) / CELLS;
    const double m = (double)n->pairs, mean = n->mean - n->origin;
    const double variance = n->m2 / (double)n->count;
    /* the later rows' mean and variance are the column's, but for the ends of episodes */
    row.correlation = m > 0.0 ? (n->cross / m - n->sum_pairs / m * mean) / variance : NAN;
    return row;
}

static void tell_coverage(uw_fitness *f, bool actions) {
    uw_fitness_report *r = f->report;
    const char *name = actions ? "action coverage" : "state coverage";
    int32_t told = 0, numbers = 0;
    double least = 1.0;
    for (int32_t i = 0; i < f->num_numbers; i++) {
        const uw_number *n = &f->numbers[i];
        if (!judged(n) || (n->kind == UW_NUMBER_ACTION) != actions || !n->changes) continue;
        int32_t distinct = 1;
        for (int64_t k = 1; k < n->num_sample && distinct < FEW_VALUES; k++)
            distinct += n->sample[k] != n->sample[k - 1];
        if (distinct < FEW_VALUES) continue; /* a switch has no range to cover */
        const uw_coverage_row row = coverage_of(n);
        if (!(row.high > row.low)) continue;
        if (r->num_coverage < UW_MAX_FITNESS_COVERAGE) r->coverage[r->num_coverage++] = row;
        numbers++;
        if (n->rests) continue; /* rare motion is what it is there to show */
        if (row.cells < least) least = row.cells;
        if (row.cells >= COVERED) continue;
        told++;
        uw__fitness_add(f, name, n->name, UW_FITNESS_NOTE, row.cells, COVERED,
                        actions ? "vary the actions more: a planner asks for all of them"
                                : "explore more: what is rare here is not learnt",
                        "%.0f %% of [%.4g, %.4g] is visited evenly, the rest hardly ever",
                        100.0 * row.cells, row.low, row.high);
    }
    if (!numbers)
        uw__fitness_add(f, name, "", UW_FITNESS_UNKNOWN, NAN, COVERED, "",
                        actions ? "no action numbers that take many values"
                                : "no sensor numbers that take many values");
    else if (!told)
        uw__fitness_add(f, name, "", UW_FITNESS_GOOD, least, COVERED, "",
                        "every number visits %.0f %% of its range or more", 100.0 * least);
}

/* Correlations of actions over a sample of rows: directions that are never excited. */
static uw_status tell_excitation(uw_fitness *f, uw_err *err) {
    int32_t numbers[MAX_ACTIONS], a = 0;
    for (int32_t i = 0; i < f->num_numbers && a < MAX_ACTIONS; i++)
        if (f->numbers[i].kind == UW_NUMBER_ACTION && f->numbers[i].low < f->numbers[i].high)
            numbers[a++] = i;
    if (a < 2) return UW_OK;
    double cov[MAX_ACTIONS * MAX_ACTIONS] = {0}, values[MAX_ACTIONS], x[MAX_ACTIONS];
    unsigned char cell[4096];
    const int64_t total = uw_dataset_total_rows(f->data);
    const int64_t stride = (total + UW_FITNESS_SAMPLE - 1) / UW_FITNESS_SAMPLE;
    int64_t used = 0, before = 0;
    for (int64_t e = 0; e < uw_dataset_episodes(f->data); e++) {
        const int64_t rows = uw_dataset_episode_rows(f->data, e);
        for (int64_t t = (stride - before % stride) % stride; t < rows; t += stride) {
            bool finite = true;
            for (int32_t i = 0; i < a; i++) {
                const uw_number *n = &f->numbers[numbers[i]];
                const uw_column *c = uw_dataset_column(f->data, n->column);
                if (!i || f->numbers[numbers[i - 1]].column != n->column) {
                    size_t bytes = uw_dtype_bytes(c->dtype);
                    for (int32_t k = 0; k < c->num_dims; k++) bytes *= (size_t)c->shape[k];
                    if (bytes > sizeof cell) return UW_OK;
                    const uw_status s = uw_dataset_rows(f->data, n->column, e, t, 1, 1, cell, err);
                    if (s) return s;
                }
                x[i] =
                    uw__cell_number(c->dtype, cell + (size_t)n->place * uw_dtype_bytes(c->dtype));
                x[i] = (x[i] - n->mean) / sqrt(n->m2 / (double)n->count);
                finite = finite && isfinite(x[i]);
            }
            if (!finite) continue;
            used++;
            for (int32_t i = 0; i < a; i++)
                for (int32_t j = 0; j < a; j++) cov[i * a + j] += x[i] * x[j];
        }
        before += rows;
    }
    if (used < 2 * a) return UW_OK;
    uw__jacobi_eigen(cov, a, values, NULL);
    const double condition =
        values[a - 1] > 1e-9 * values[0] ? values[0] / values[a - 1] : INFINITY;
    const bool bad = !(condition < CONDITION_BAD);
    uw__fitness_add(f, "action coverage", "directions", bad ? UW_FITNESS_BAD : UW_FITNESS_GOOD,
                    condition, CONDITION_BAD,
                    bad ? "some combination of actions never varies: its effect cannot be learnt"
                        : "",
                    "condition number %.3g of the correlations of %d action numbers", condition, a);
    return UW_OK;
}

/* ---- the run -----------------------------------------------------------------------------------
 */

static uw_status judge(uw_fitness *f, uw_err *err) {
    tell_episodes(f);
    tell_missing(f);
    tell_constant(f);
    tell_stuck(f);
    tell_outliers(f);
    tell_clock(f);
    uw_status s = uw__fitness_episodes(f, err);
    if (s) return s;
    bool actions = false;
    for (int32_t i = 0; i < f->num_numbers; i++)
        actions = actions || f->numbers[i].kind == UW_NUMBER_ACTION;
    tell_coverage(f, false);
    if (actions) tell_coverage(f, true);
    if (actions) s = tell_excitation(f, err);
    return s ? s : uw__fitness_actions(f, err);
}

uw_status uw_fitness_run(uw_context *ctx, const char *dataset, const uw_fitness_options *options,
                         uw_fitness_report *out, uw_err *err) {
    const double start = uw__clock_s();
    uw_fitness_options o = {0};
    uw_dataset *data = NULL;
    uw_fitness f = {.ctx = ctx, .options = &o};
    if (options) o = *options;
    if (o.holdout == 0.0) o.holdout = 0.1;
    if (!(o.holdout > 0.0 && o.holdout < 1.0))
        return uw_fail(err, UW_EINVAL, "holdout: wanted between 0 and 1, got %g", o.holdout);
    uw_status s = uw_dataset_open(dataset, &data, err);
    if (s) return s;
    f.data = data;
    f.report = calloc(1, sizeof *f.report);
    if (!f.report) s = uw_fail(err, UW_ENOMEM, "%s: fitness", dataset);
    if (!s && uw_dataset_total_rows(data) < 1)
        s = uw_fail(err, UW_EINVAL, "%s: no rows, wanted a recording", dataset);
    if (!s) s = find_numbers(&f, err);
    if (!s) s = uw__fitness_scan(&f, err);
    if (!s) s = judge(&f, err);
    if (!s) {
        const char *slash = strrchr(dataset, '/');
        snprintf(f.report->path, sizeof f.report->path, "%s", slash ? slash + 1 : dataset);
        snprintf(f.report->data_hash, sizeof f.report->data_hash, "%s", uw_dataset_hash(data));
        f.report->episodes = uw_dataset_episodes(data);
        f.report->rows = uw_dataset_total_rows(data);
        f.report->seconds = uw__clock_s() - start;
        *out = *f.report;
    }
    free(f.report);
    free(f.numbers);
    free(f.sample_memory);
    free(f.prints);
    uw_dataset_close(data);
    return s;
}
