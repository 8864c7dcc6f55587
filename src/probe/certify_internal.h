/* The parts of a certificate, in the order they happen: sample, spectrum and dynamics, shape, regressions, classical
 * tests, labels, words.  Each part fills its checks from sums over groups of whole episodes. */
#ifndef UW_CERTIFY_INTERNAL_H
#define UW_CERTIFY_INTERNAL_H

#include <umwelt/certify.h>

#include "statistics.h"

enum {
    UW_MAX_GROUPS = 64,     /* episodes are resampled in at most so many groups */
    UW_MIN_EPISODES = 20,   /* below, no interval: groups say too little about their spread */
    UW_EIGEN_DIM = 32,      /* resampled statistics take eigenvalues up to this size */
    UW_REGRESSED = 6,       /* slowest directions that quadratic and cubic terms are made of */
    UW_MAX_LAGS = 64
};

/* Rows of finite numbers in pieces of consecutive rows, in units of the whole sample's covariance. */
typedef struct uw_sample {
    int64_t rows, dropped, pairs;
    int32_t dim;               /* K */
    int32_t rank;              /* P: directions with variance */
    int32_t num_states, num_actions;
    double *h;                 /* [rows, K] less their mean */
    double *y;                 /* [rows, P] white, slowest direction first, as uncorrelated over a step as can be */
    double *z;                 /* [rows, num_states] standardised; NULL */
    double *actions;           /* [rows, num_actions]; NULL */
    int64_t *first;            /* [num_pieces + 1] */
    int64_t num_pieces;
    int64_t *episode;          /* [num_episodes + 1] first row of each episode that has rows */
    int64_t num_episodes;
    int32_t *group;            /* [num_episodes] */
    int32_t num_groups;
    double *eigenvalues;       /* [K] of Cov h, descending */
    double *rho;               /* [P] one-step correlation of y's coordinates, descending */
    double *halves;            /* [2, P, P] rows: slowest directions of y in even groups, and in odd ones */
    double *step;              /* [P, P] C1: E y_t y_{t+1}' */
    double rho_mean;
    int32_t lags;              /* of the multi-lag fit */
    int32_t apart;             /* rows that are this far apart are nearly uncorrelated (< 0.1) */
} uw_sample;

/* Build a sample; *out is uw__sample_fini's also after an error. */
uw_status uw__sample_init(uw_context *ctx, const uw_series *series, uw_sample *out, uw_err *err);
void uw__sample_fini(uw_sample *sample);
/* Return the episode's last row + 1 of the piece that row i is in: y_t and y_{t+k} are k steps apart when t + k is
 * below it. */
int64_t uw__sample_piece_end(const uw_sample *sample, int64_t *piece, int64_t row);
/* Allocate [groups, size] sums and let add(arg, first, last, sums) add rows first .. last - 1 of an episode to its
 * group's; episodes of one group in order, groups in parallel.  NULL when out of memory. */
typedef void uw_add_fn(void *arg, int64_t first, int64_t last, double *sums);
double *uw__sample_sums(uw_context *ctx, const uw_sample *sample, int64_t size, uw_add_fn *add, void *arg);

/* What all parts see. */
typedef struct uw_certifier {
    uw_context *ctx;
    const uw_certify_options *options; /* defaults resolved */
    const uw_sample *sample;
    uw_certificate *out;
    int32_t resamples; /* 0 with too few episodes */
} uw_certifier;

/* Places of the checks in uw_certificate.checks. */
enum { A1, A2, A3, A4, A5, A6, A7, A8, A9, A10, A11, A12, A13, A14 };

/* Add a measure to a check: root = the estimate is of a square. */
void uw__check_add(uw_certifier *run, int check, const char *name, const uw_estimate *e, bool root,
                   double pass, double fail);
/* The same for a plain number without an interval; pass, fail NaN: shown only. */
void uw__check_add_value(uw_certifier *run, int check, const char *name, double value, double pass,
                         double fail);
void uw__check_note(uw_certifier *run, int check, const char *format, ...) UW_PRINTF(3, 4);

uw_status uw__certify_moments(uw_certifier *run);  /* A3, A4, A7 .. A12, A14, rho and the bound */
uw_status uw__certify_shape(uw_certifier *run);    /* A1, A2 */
uw_status uw__certify_steps(uw_certifier *run);    /* A5, A6 */
uw_status uw__certify_classics(uw_certifier *run); /* p-values of the literature, A10's and A13's distances */
uw_status uw__certify_labels(uw_certifier *run);   /* scores against the true latents */

/* Fill the fixed words of all checks; settle each check's finding; the verdict and its words. */
void uw__certify_words(uw_certificate *out);
void uw__certify_settle(uw_certifier *run);
void uw__certify_verdict(uw_certifier *run);

/* Fit c(k) = s ((1 - w) rho^k + w rho^2k), k = 0 .. lags: the autocorrelation of a code that is linear in the true latent
 * but for an energy w of degree two (Mehler).  Started at w = 0.  c: [lags + 1]. */
void uw__mixture_fit(const double *c, int32_t lags, double *rho, double *w);

#endif
