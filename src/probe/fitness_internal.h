/* The parts of a fitness report: numbers and their sums, passes over the rows, episodes that repeat each other,
 * and what actions do. */
#ifndef UW_FITNESS_INTERNAL_H
#define UW_FITNESS_INTERNAL_H

#include <umwelt/fitness.h>

#include "latents.h"

enum {
    UW_FITNESS_NUMBERS = 256, /* looked at; a recording with more keeps the first */
    UW_FITNESS_SAMPLE = 4096, /* rows that quantiles come from */
    UW_FITNESS_SKETCH = 16    /* row hashes kept per episode */
};

typedef enum uw_number_kind {
    UW_NUMBER_SENSOR = 0,
    UW_NUMBER_ACTION = 1,
    UW_NUMBER_CLOCK = 2, /* a column called time: judged for gaps only */
    UW_NUMBER_OTHER = 3  /* counters, rewards, flags: present, not judged */
} uw_number_kind;

/* One number of one column, and what the passes learn about it. */
typedef struct uw_number {
    char name[80]; /* "state[0]" */
    int32_t column, place;
    uw_number_kind kind;
    /* first pass */
    int64_t count, missing; /* finite; not finite (of actions: but in last rows) */
    double low, high, mean, m2;
    int64_t pairs, changes; /* consecutive finite rows of an episode, and those that differ */
    double cross;           /* sum over pairs of the products of deviations from `origin` */
    double origin, sum_pairs, square_pairs; /* first finite value; of the earlier of each pair */
    double *sample;         /* [num_sample], finite, sorted when the pass is over */
    int64_t num_sample;
    double median, spread;  /* 90 % less 10 % quantile */
    bool rests;             /* a third of its values are its median: it has no usual size */
    /* second pass */
    int64_t outliers, outlier_episodes, first_episode, first_row;
    double outlier_size; /* sum of |x| over outliers */
    int64_t last_outlier_episode;
} uw_number;

/* A column of sensors that repeats itself. */
typedef struct uw_stillness {
    int64_t pairs, repeats;      /* of rows, all numbers alike */
    int64_t stuck_runs, stuck_rows, longest, first_episode, first_row;
} uw_stillness;

typedef struct uw_clock {
    double median;
    int64_t steps, gaps, backward, first_episode, first_row;
    double largest;
} uw_clock;

/* What tells an episode from others. */
typedef struct uw_print {
    uint64_t hash;                       /* of all rows in order */
    uint64_t sketch[UW_FITNESS_SKETCH];  /* its smallest row hashes, ascending, UINT64_MAX beyond */
    int64_t rows;
} uw_print;

typedef struct uw_fitness {
    uw_context *ctx;
    const uw_dataset *data;
    const uw_fitness_options *options;
    uw_fitness_report *report;
    int32_t num_numbers, left_out; /* numbers beyond UW_FITNESS_NUMBERS */
    uw_number *numbers;
    uw_stillness still[UW_MAX_COLUMNS];
    uw_clock clock;
    int32_t clock_number;          /* of numbers; -1 = none */
    uw_print *prints;              /* [episodes] */
    double *sample_memory;
} uw_fitness;

/* Add a finding; the texts are printf's.  Dropped and counted when there is no room. */
void uw__fitness_add(uw_fitness *f, const char *name, const char *object, uw_fitness_verdict verdict, double value,
                     double threshold, const char *advice, const char *format, ...) UW_PRINTF(8, 9);
/* True when a name is among comma-separated words. */
bool uw__fitness_listed(const char *words, const char *name);

/* fitness_scan.c: both passes.  Returns as uw_dataset_rows, UW_ENOMEM, UW_EINTERRUPTED. */
uw_status uw__fitness_scan(uw_fitness *f, uw_err *err);

/* fitness_episodes.c: duplicates and overlap between the parts of a split.  Returns UW_ENOMEM. */
uw_status uw__fitness_episodes(uw_fitness *f, uw_err *err);

/* fitness_actions.c: what actions do over several frameskips. */
uw_status uw__fitness_actions(uw_fitness *f, uw_err *err);

#endif
