/* The verdict: which of five, why, and what would change it. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "certify_internal.h"

/* Gates of the labels, from the published bands. */
static const double LINEAR = 0.95, GAP = 0.05, ORTHOGONAL = 0.2;

/* Numbers of the latent that hardly vary beside the mean one. */
static int32_t dead_numbers(const uw_sample *o, double trace) {
    int32_t dead = 0;
    for (int32_t i = 0; i < o->dim; i++) {
        double variance = 0.0;
        for (int64_t r = 0; r < o->rows; r++) {
            const double h = o->h[r * o->dim + i];
            variance += h * h / (double)o->rows;
        }
        dead += variance < 0.01 * trace / o->dim;
    }
    return dead;
}

/* Alarms of a code that has lost its dimensions.  For few dimensions a tenth of K is no dimension
 * at all: then half of them, and a half more, have to be left.  Empty directions are no collapse as
 * long as the numbers live: a world of few dimensions in a wide latent has them (A14 says so). */
static const char *collapse(const uw_sample *o) {
    const int32_t k = o->dim;
    double trace = 0.0, entropy = 0.0;
    for (int32_t i = 0; i < k; i++) trace += fmax(0.0, o->eigenvalues[i]);
    if (o->rank == 0 || !(trace > 0.0)) return "the latent is constant";
    for (int32_t i = 0; i < k; i++) {
        const double share = o->eigenvalues[i] / trace;
        if (share > 0.0) entropy -= share * log(share);
    }
    const double few = fmin(2.0, 0.5 * k + 0.5);
    if (trace < 0.05 * k) return "the latent's variance has shrunk to almost nothing";
    if (exp(entropy) < fmax(few, 0.1 * k) && k > 1)
        return "the latent has almost no directions left";
    if (k >= 8 && o->eigenvalues[0] > 0.5 * trace)
        return "one direction holds most of the latent's variance";
    if (2 * dead_numbers(o, trace) > k) return "most numbers of the latent are dead";
    return NULL;
}

/* "A5 additive noise, A8 one speed"; more than three by their numbers alone */
static void list(const uw_certificate *c, const int32_t *places, int32_t count, char *text,
                 size_t size) {
    size_t used = 0;
    text[0] = '\0';
    for (int32_t i = 0; i < count && used < size; i++)
        used += (size_t)snprintf(text + used, size - used, "%s%s%s%s", i ? ", " : "",
                                 c->checks[places[i]].id, count > 3 ? "" : " ",
                                 count > 3 ? "" : c->checks[places[i]].name);
}

/* Episodes like these that would bring the bound's upper limit down to what was asked for; 0 when
 * none would. */
static int64_t episodes_for_target(const uw_certificate *c) {
    const int32_t n = c->true_dim ? c->true_dim : c->latent_dim;
    const double allowed = (1.0 - c->target) * n - c->bound, spread = c->bound_high - c->bound;
    if (isnan(c->bound) || allowed <= 0.0) return 0; /* more of the same would not help */
    if (isnan(spread)) return 4 * c->episodes; /* the interval has no end yet: halve it first */
    const double more = spread / allowed * (spread / allowed);
    return more < 1e6 ? (int64_t)ceil((double)c->episodes * more) : 0;
}

static bool labels_agree(const uw_label_scores *s) {
    return s->r2_low >= LINEAR && s->orthogonal_gap <= GAP && s->orthogonality <= ORTHOGONAL;
}

static void say_not_covered(uw_certificate *c) {
    char names[160];
    const bool failed = c->num_failed > 0;
    list(c, failed ? c->failed : c->doubtful, failed ? c->num_failed : c->num_doubtful, names,
         sizeof names);
    c->verdict = UW_NOT_COVERED;
    snprintf(c->headline, sizeof c->headline, "The theory says nothing about this latent; %s: %s.",
             failed ? "violated" : "in doubt", names);
    snprintf(c->advice, sizeof c->advice,
             "First: %s (%s).  The model may still plan well: look at its success, and at probes "
             "against labels.",
             c->checks[failed ? c->failed[0] : c->doubtful[0]].remedy,
             c->checks[failed ? c->failed[0] : c->doubtful[0]].id);
}

static void say_too_little(uw_certificate *c, const char *why) {
    c->verdict = UW_TOO_LITTLE_DATA;
    snprintf(c->headline, sizeof c->headline, "%s", why);
    if (c->needed_episodes)
        snprintf(c->advice, sizeof c->advice,
                 "Record about %lld episodes like these (there are %lld), or give what is "
                 "known: --rho, or the true latents with --state.",
                 (long long)c->needed_episodes, (long long)c->episodes);
    else
        snprintf(c->advice, sizeof c->advice,
                 "Give what is known of the world: --rho, or the true latents with --state.");
}

static void say_certified(uw_certificate *c) {
    c->verdict = UW_CERTIFIED;
    snprintf(c->headline, sizeof c->headline,
             "The latent is the true state up to a rotation: R2 is at least %.3f%s.", c->r2_floor,
             c->rho_source == UW_RHO_FITTED ? ", if the world is Gaussian as the latent is" : "");
    snprintf(c->advice, sizeof c->advice,
             "Distances in the latent are distances in the (standardised) state: squared-distance "
             "goals and linear-quadratic costs keep their meaning.");
}

static void say_labels(uw_certificate *c) {
    c->verdict = UW_CERTIFIED_WITH_LABELS;
    snprintf(c->headline, sizeof c->headline,
             "On held-out episodes the latent is the recorded true state up to a rotation: "
             "R2 %.4f, of which a rotation alone gives %.4f.",
             c->scores.r2, c->scores.r2_orthogonal);
    char names[160];
    list(c, c->failed, c->num_failed, names, sizeof names);
    if (c->num_failed)
        snprintf(c->advice, sizeof c->advice,
                 "This rests on the labels; by the theory alone it would not be covered: %s.",
                 names);
    else
        snprintf(
            c->advice, sizeof c->advice,
            "This rests on the labels of this recording; where it has not been, nothing is known.");
}

void uw__certify_verdict(uw_certifier *run) {
    uw_certificate *c = run->out;
    /* read off a latent that is not what theory expects, rho means nothing, nor does a bound that
     * rests on it */
    if (c->rho_source == UW_RHO_FITTED && c->num_failed)
        c->nonlinear = c->bound = c->bound_high = c->r2_floor = NAN;
    const char *collapsed = collapse(run->sample);
    if (collapsed) {
        c->verdict = UW_COLLAPSED;
        snprintf(c->headline, sizeof c->headline, "The code has collapsed: %s.", collapsed);
        snprintf(c->advice, sizeof c->advice,
                 "Train longer, or raise sigreg_weight; umwelt probe shows the spectrum.");
        c->bound = c->bound_high = c->r2_floor = NAN; /* of a code that is gone */
    } else if (!run->resamples) {
        char why[200];
        c->needed_episodes = UW_MIN_EPISODES;
        snprintf(why, sizeof why, "Too few episodes for an interval: wanted at least %d, got %lld.",
                 UW_MIN_EPISODES, (long long)c->episodes);
        say_too_little(c, why);
    } else if (!c->num_failed && !c->num_doubtful && c->r2_floor >= c->target) {
        say_certified(c);
    } else if (labels_agree(&c->scores)) {
        say_labels(c);
    } else if (c->num_failed || c->num_doubtful) {
        bool only_noise = !c->num_failed;
        for (int32_t i = 0; i < c->num_doubtful; i++)
            only_noise = only_noise && c->checks[c->doubtful[i]].finding == UW_CANNOT_TELL;
        if (only_noise) {
            c->needed_episodes = 4 * c->episodes; /* half the intervals' width */
            say_too_little(c, "Nothing is violated, but some intervals are too wide to tell.");
        } else {
            say_not_covered(c);
        }
    } else {
        char why[200];
        c->needed_episodes = episodes_for_target(c);
        if (isnan(c->r2_floor))
            snprintf(why, sizeof why,
                     "All conditions hold, but the bound is too wide to say anything about R2.");
        else
            snprintf(why, sizeof why,
                     "All conditions hold, but R2 is only known to be at least %.3f, wanted %.3f.",
                     c->r2_floor, c->target);
        say_too_little(c, why);
    }
}
