/* What the checks are called, what they mean, and what to do: words for people who have not read
 * the paper. */
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "certify_internal.h"

static const struct {
    const char *id, *name, *meaning, *effect, *remedy;
} words[UW_NUM_CHECKS] = {
    {"A1", "Gaussian coordinates", "Each direction of the latent is distributed like a bell curve.",
     "The latent is then at best a bent copy of the true state: order is kept, distances are not.",
     "raise sigreg_weight; if the world itself is not Gaussian, trust probes with labels instead"},
    {"A2", "jointly Gaussian", "Directions are Gaussian together, not only one by one.",
     "Directions hang together in a way that a rotation cannot undo.",
     "raise sigreg_directions or sigreg_weight"},
    {"A3", "white latent", "Directions have variance one and are uncorrelated.",
     "The whitening error enters the bound squared; distances are distorted.",
     "raise sigreg_weight, or train longer"},
    {"A4", "stationary", "Late rows of an episode are distributed like early ones.",
     "Expected change mixes drift with noise, and the theory does not apply to the pooled rows.",
     "record longer episodes and leave out their beginnings, or start them at random states"},
    {"A5", "additive noise", "The size of the unexplained step does not depend on where it starts.",
     "The code bends the state: the strongest sign without labels that it is not linear in the "
     "truth.",
     "train longer, or with more capacity; a rendering that hides the state cannot be mended"},
    {"A6", "linear drift, both ways", "Tomorrow is linear in today, and today in tomorrow.",
     "The code is not linear in a Gaussian state, or the state's noise is not Gaussian.",
     "if only the backward one fails the world's noise is not Gaussian: rely on labels"},
    {"A7", "Markov steps",
     "Two steps are one step twice: nothing is remembered besides the latent.",
     "A part of the state is hidden or the code mixes rates; rho cannot be read off.",
     "raise history_size or observe more columns"},
    {"A8", "one speed", "All directions forget equally fast (rho_min > rho_max^2).",
     "A fast coordinate is lost: the square of a slow one is easier to predict and takes its "
     "place.",
     "change the stride so that rates are closer, or split fast and slow sensors over two models"},
    {"A9", "reversible", "The film looks the same backwards: no direction turns into another.",
     "The optimum is found for the symmetric part of the step; turning directions may be mixed up.",
     "momentum turns directions: observe velocities' causes, or rely on labels"},
    {"A10", "independent directions", "Directions move independently, noise included.",
     "Coordinates of the truth cannot be told apart by their motion.",
     "explore so that parts of the world move on their own"},
    {"A11", "enough change per step", "A step changes something, and not everything.",
     "The margin between linear and nonlinear codes vanishes: tiny errors of the loss allow large "
     "ones of the code.",
     "use a larger stride when rho is near 1, a smaller one when it is near 0"},
    {"A12", "coverage", "The data visit all directions of the latent.",
     "Nothing is known where the data have not been.", "explore more; check for constant sensors"},
    {"A13", "excitation", "Actions vary in every direction.",
     "Effects of actions that never vary alone cannot be identified.",
     "record with a more random policy"},
    {"A14", "matching dimension", "The latent has as many directions as the world has.",
     "Too many: spare directions hold functions of the others.  Too few: part of the world is "
     "missing.",
     "set latent_dim to the world's dimension"},
};

void uw__certify_words(uw_certificate *out) {
    for (int i = 0; i < UW_NUM_CHECKS; i++) {
        uw_check *c = &out->checks[i];
        c->id = words[i].id;
        c->name = words[i].name;
        c->meaning = words[i].meaning;
        c->effect = words[i].effect;
        c->remedy = words[i].remedy;
    }
}

const char *uw_finding_str(uw_finding finding) {
    switch (finding) {
    case UW_HOLDS:
        return "holds";
    case UW_DOUBTFUL:
        return "in doubt";
    case UW_VIOLATED:
        return "violated";
    case UW_CANNOT_TELL:
        return "cannot tell";
    }
    return "unknown";
}

const char *uw_certify_verdict_str(uw_certify_verdict verdict) {
    switch (verdict) {
    case UW_CERTIFIED:
        return "CERTIFIED";
    case UW_CERTIFIED_WITH_LABELS:
        return "CERTIFIED WITH LABELS";
    case UW_NOT_COVERED:
        return "NOT COVERED BY THEORY";
    case UW_COLLAPSED:
        return "COLLAPSED";
    case UW_TOO_LITTLE_DATA:
        return "TOO LITTLE DATA";
    }
    return "unknown";
}

const char *uw_rho_source_str(uw_rho_source source) {
    switch (source) {
    case UW_RHO_GIVEN:
        return "given";
    case UW_RHO_LABELS:
        return "labels";
    case UW_RHO_FITTED:
        return "fitted";
    }
    return "unknown";
}

/* ---- measures and findings ---------------------------------------------------------------------
 */

/* Small is good unless pass > fail; an interval over both thresholds says that the data cannot
 * tell. */
static uw_finding judge(const uw_measure *m) {
    double value = m->value, low = m->low, high = m->high, pass = m->pass, fail = m->fail;
    if (isnan(value)) return UW_CANNOT_TELL;
    if (pass > fail) {
        value = -value;
        low = -m->high;
        high = -m->low;
        pass = -pass;
        fail = -fail;
    }
    if (value <= pass) return high > fail ? UW_CANNOT_TELL : UW_HOLDS;
    if (low <= pass) return UW_CANNOT_TELL;
    return value > fail ? UW_VIOLATED : UW_DOUBTFUL;
}

static void add(uw_certifier *run, int check, const uw_measure *measure) {
    uw_check *c = &run->out->checks[check];
    if (c->num_measures == UW_MAX_MEASURES) return;
    uw_measure *m = &c->measures[c->num_measures++];
    *m = *measure;
    m->finding = judge(m);
}

void uw__check_add(uw_certifier *run, int check, const char *name, const uw_estimate *e, bool root,
                   double pass, double fail) {
    const double value = isnan(e->corrected) ? e->point : e->corrected;
    uw_measure m = {name, value, e->low, e->high, pass, fail, UW_CANNOT_TELL};
    if (root) { /* what is below zero is noise that was taken off */
        m.value = isnan(value) ? NAN : sqrt(fmax(0.0, value));
        m.low = isnan(e->low) ? NAN : sqrt(fmax(0.0, e->low));
        m.high = isnan(e->high) ? NAN : sqrt(fmax(0.0, e->high));
    }
    add(run, check, &m);
}

void uw__check_add_value(uw_certifier *run, int check, const char *name, double value, double pass,
                         double fail) {
    add(run, check, &(uw_measure){name, value, NAN, NAN, pass, fail, UW_CANNOT_TELL});
}

void uw__check_note(uw_certifier *run, int check, const char *format, ...) {
    va_list args;
    va_start(args, format);
    vsnprintf(run->out->checks[check].note, sizeof run->out->checks[check].note, format, args);
    va_end(args);
}

/* How much a finding matters beside others of the same check. */
static int weight(uw_finding finding) {
    static const int order[] = {
        [UW_HOLDS] = 0, [UW_CANNOT_TELL] = 1, [UW_DOUBTFUL] = 2, [UW_VIOLATED] = 3};
    return order[finding];
}

static void settle_check(uw_check *c, bool enough) {
    int32_t decisive = -1;
    for (int32_t i = 0; i < c->num_measures; i++) {
        uw_measure *m = &c->measures[i];
        if (isnan(m->pass)) continue;
        if (!enough) m->finding = UW_CANNOT_TELL;
        if (decisive < 0 || weight(m->finding) > weight(c->measures[decisive].finding))
            decisive = i;
    }
    c->finding = decisive < 0 ? UW_CANNOT_TELL : c->measures[decisive].finding;
    if (decisive > 0) { /* the one that decides comes first, the others keep their order */
        const uw_measure m = c->measures[decisive];
        memmove(c->measures + 1, c->measures, (size_t)decisive * sizeof m);
        c->measures[0] = m;
    }
}

void uw__certify_settle(uw_certifier *run) {
    uw_certificate *c = run->out;
    for (int32_t i = 0; i < UW_NUM_CHECKS; i++) {
        uw_check *check = &c->checks[i];
        settle_check(check, run->resamples > 0);
        /* what only needs looking at when it can be seen: coverage, actions, a dimension that
         * nobody knows */
        const bool needed = i <= A11;
        if (check->finding == UW_VIOLATED)
            c->failed[c->num_failed++] = i;
        else if (check->finding == UW_DOUBTFUL || (check->finding == UW_CANNOT_TELL && needed))
            c->doubtful[c->num_doubtful++] = i;
    }
}
