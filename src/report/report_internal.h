/* The inside of a report: what is gathered first, the figures drawn from it, the page around them.
 */
#ifndef UW_REPORT_INTERNAL_H
#define UW_REPORT_INTERNAL_H

#include <umwelt/report.h>

#include "svg.h"

/* Training curves of one run's log.csv; n 0 = none. */
typedef struct uw_curves {
    int32_t n;
    double *table; /* owns the columns below, each [n], NaN where a cell was empty */
    double *step, *loss, *prediction, *rollout, *sigreg, *sigreg_null, *rank;
} uw_curves;
/* Read run_dir/log.csv, thinned to at most 2000 rows; a missing file or column is not an error.
 * Own: *out, uw__curves_fini. */
uw_status uw__curves_read(const char *run_dir, uw_curves *out, uw_err *err);
void uw__curves_fini(uw_curves *curves);

enum { UW_MAP_VALUES = 3 };
/* Latents on their two main directions, with numbers to colour them by; n 0 = none. */
typedef struct uw_latent_map {
    int32_t n, num_values;
    double *table; /* owns the columns below, each [n] */
    double *pc1, *pc2, *value[UW_MAP_VALUES];
    char name[UW_MAP_VALUES][96]; /* of the values */
    double share[2];              /* of the variance, per direction */
    bool recorded;                /* frames of the recording, not places drawn all over the world */
} uw_latent_map;
/* Of states drawn all over a two-dimensional world, coloured by both coordinates and by the length of the way from a
 * corner; leaves *out empty for other worlds. */
uw_status uw__latent_map_drawn(uw_context *ctx, const uw_model *model, const char *env,
                               uint64_t seed, uw_latent_map *out, uw_err *err);
/* Of a recording's rows, coloured by the columns that probe (nullable) reads best. */
uw_status uw__latent_map_recorded(uw_context *ctx, const uw_model *model, const char *dataset,
                                  const uw_probe_report *probe, uw_latent_map *out, uw_err *err);
void uw__latent_map_fini(uw_latent_map *map);
/* Project x [n, d] on its two main directions: pc1, pc2 [n], share [2].  Signs are fixed by the
 * largest weight of each direction.  Returns UW_ENOMEM. */
uw_status uw__project(const float *x, int32_t n, int32_t d, double *pc1, double *pc2,
                      double *share);

/* Draw recorded frames over the remembered ones nearest to what the model imagined, as a PNG: *png, *bytes (free).
 * None (NULL, 0) for models of columns and recordings too short. */
uw_status uw__imagined_png(uw_context *ctx, const uw_model *model, const char *dataset, void **png,
                           size_t *bytes, uw_err *err);

/* Everything the page is made from. */
typedef struct uw_report {
    const uw_report_inputs *in;
    const uw_env_class *world; /* NULL when unknown */
    uw_curves curves[2];
    uw_latent_map map[2];
    void *gif, *imagined[2]; /* files */
    size_t gif_bytes, imagined_bytes[2];
} uw_report;

/* Refuse inputs without a model. */
uw_status uw__report_check(const uw_report_inputs *in, uw_err *err);

/* ---- figures -------------------------------------------------------------------------------- */

/* Draw one figure; csv (nullable) gets its numbers.  side is ignored by figures that show both.
 * Returns false, and adds nothing, when there is nothing to show. */
typedef bool uw_figure_fn(const uw_report *r, int32_t side, uw_svg_dress dress, uw_text *svg,
                          uw_text *csv);
/* name (of its files), drawn once per side */
#define UW_FIGURE_MAP(X)                                                                           \
    X(success, false)                                                                              \
    X(losses, true)                                                                                \
    X(sigreg, false)                                                                               \
    X(rank, false)                                                                                 \
    X(probes, true)                                                                                \
    X(drift, false)                                                                                \
    X(drift_unit, false)                                                                           \
    X(spectrum, false)                                                                             \
    X(robustness, false)                                                                           \
    X(run, true)                                                                                   \
    X(surprise, true)                                                                              \
    X(actions, false)                                                                              \
    X(map_1, true)                                                                                 \
    X(map_2, true)                                                                                 \
    X(map_3, true)
#define X(name, per_side) uw_figure_fn uw__figure_##name;
UW_FIGURE_MAP(X)
#undef X

/* ---- numbers of a figure; csv NULL writes nothing ---- */
void uw__csv_add(uw_text *csv, const char *text);
/* A word as a cell, quoted when it has to be. */
void uw__csv_word(uw_text *csv, const char *word);
/* n numbers as cells, each after a comma (the first too when `after`), and a line end. */
void uw__csv_numbers(uw_text *csv, bool after, const double *x, int32_t n);
/* A rate as a dot with its interval; NULL, or one of no episodes: not measured. */
uw_interval uw__interval_of(const uw_rate *rate);

/* Write every figure as SVG and CSV into a folder. */
uw_status uw__figures_write(const uw_report *r, const char *dir, bool overwrite, uw_err *err);

/* ---- words ---------------------------------------------------------------------------------- */

/* Return the title of a side, never NULL. */
const char *uw__side_title(const uw_report *r, int32_t side);
/* Return the plain name of a factor of a card ("floor colour"). */
const char *uw__factor_title(const char *factor);
/* Return how a cell's values were drawn, or "". */
const char *uw__value_title(const char *value);
/* Return an injected event in words. */
const char *uw__injection_title(uw_injection injection);
/* Return the unit of the first probe, or "". */
const char *uw__unit_of(const uw_report *r);

/* ---- the page ------------------------------------------------------------------------------- */

/* Write the whole page. */
void uw__page_write(const uw_report *r, uw_text *out);
/* Write the page's style sheet. */
void uw__page_style(uw_text *out);
/* Write the list of reasons for care, derived from the numbers of a side. */
void uw__page_advice(const uw_report *r, int32_t side, uw_text *out);
/* Write the tables and facts of a side. */
void uw__page_facts(const uw_report *r, int32_t side, uw_text *out);
void uw__page_probe_table(const uw_report *r, int32_t side, uw_text *out);
void uw__page_drift_table(const uw_report *r, int32_t side, uw_text *out);
void uw__page_card_table(const uw_report *r, int32_t side, uw_text *out);
void uw__page_gauges(const uw_report *r, int32_t side, uw_text *out);
void uw__page_certificate(const uw_report *r, int32_t side, uw_text *out);
void uw__page_surprise(const uw_report *r, int32_t side, uw_text *out);
void uw__page_fitness(const uw_report *r, uw_text *out);
void uw__page_latency(const uw_report *r, int32_t side, uw_text *out);

#endif
