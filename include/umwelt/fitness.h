/* Data fitness: what is wrong with a recording, before anyone trains on it.  No model needed.
 *
 *     uw_fitness_run(ctx, "plant.uw", &options, &report, &err);
 *     for (i < report->num_checks) printf("%s: %s\n", report->checks[i].name, report->checks[i].what);
 */
#ifndef UW_FITNESS_H
#define UW_FITNESS_H

#include <umwelt/context.h>
#include <umwelt/dataset.h>

#ifdef __cplusplus
extern "C" {
#endif

enum { UW_MAX_FITNESS_CHECKS = 96, UW_MAX_FITNESS_COVERAGE = 64, UW_MAX_FITNESS_SKIPS = 8 };

typedef enum uw_fitness_verdict {
    UW_FITNESS_GOOD = 0,
    UW_FITNESS_NOTE = 1,   /* unusual; train, but know it */
    UW_FITNESS_BAD = 2,    /* mend this first */
    UW_FITNESS_UNKNOWN = 3 /* cannot be told from this data */
} uw_fitness_verdict;
/* Return "good", "note", "bad" or "cannot tell". */
UW_API const char *uw_fitness_verdict_str(uw_fitness_verdict verdict);

/* One finding.  Names: "episodes", "missing numbers", "constant numbers", "stuck sensors", "outliers",
 * "clock", "duplicates", "split overlap", "state coverage", "action coverage", "actions matter".  A check that has
 * several objects to complain about has one row for each; one that has none has one row that says so. */
typedef struct uw_fitness_check {
    char name[32];
    char object[80]; /* "state[2]", "episode 17", or "" for the whole recording */
    uw_fitness_verdict verdict;
    double value, threshold; /* the number judged, and what it is judged by; NaN = none */
    char what[192];          /* in words */
    char advice[192];        /* "" when good */
} uw_fitness_check;

/* How much of its own range a number visits. */
typedef struct uw_coverage_row {
    char column[80]; /* "state[0]" */
    bool action;
    double low, high;  /* 0.5 % and 99.5 % quantiles */
    double cells;      /* exp of the entropy over 16 equal cells of [low, high], of 16: 1 = even */
    double correlation; /* with the next row */
} uw_coverage_row;

/* Do actions move the observation over this many rows? */
typedef struct uw_action_effect {
    int32_t frameskip;     /* rows */
    int64_t transitions;
    double nats;           /* linear-Gaussian conditional information I(action; next | now), biased upwards */
    double null_mean, null_high; /* the same with actions of other episodes: mean, 95 % quantile */
    double p_value;        /* (1 + shuffles that reach nats) / (1 + shuffles) */
    double share;          /* of the change's variance that actions explain beyond what now does, less the null's */
} uw_action_effect;

typedef struct uw_fitness_options {
    const char *action;  /* comma-separated columns; NULL = "action" */
    double holdout;      /* of the split that training would make; 0 = 0.1 */
    uint64_t split_seed; /* of that split */
    uint64_t seed;       /* of the shuffles */
} uw_fitness_options;

typedef struct uw_fitness_report {
    char path[160], data_hash[17];
    int64_t episodes, rows;
    uw_fitness_verdict verdict; /* the worst of all checks that could be told */
    int32_t num_checks;
    uw_fitness_check checks[UW_MAX_FITNESS_CHECKS];
    int32_t left_out; /* findings beyond UW_MAX_FITNESS_CHECKS */
    int32_t num_coverage;
    uw_coverage_row coverage[UW_MAX_FITNESS_COVERAGE];
    char observation[80]; /* what stood for the observation: "24 sensor numbers", "pictures, 8x8" */
    int32_t num_effects;  /* 0 without actions */
    uw_action_effect effects[UW_MAX_FITNESS_SKIPS];
    double seconds;
} uw_fitness_report;

/* Look a recording over.
 *
 * Streams: memory is bounded by the sample (some MB) and 200 bytes per episode, whatever the recording's size.
 *
 * Threads  one; the same bits always
 * Returns  UW_OK whatever is found; UW_EINVAL for options out of range or an empty recording; UW_EINTERRUPTED;
 *          UW_ENOMEM; as uw_dataset_open and uw_dataset_rows.  On error *out is untouched
 * See      docs/guide/trust.md */
UW_API uw_status uw_fitness_run(uw_context *ctx, const char *dataset, const uw_fitness_options *options,
                                uw_fitness_report *out, uw_err *err);

#ifdef __cplusplus
}
#endif
#endif
