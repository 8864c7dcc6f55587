/* Discrete actions as weights: a decision is G groups, each picks one of C choices, and a choice
 * sets choice_dim numbers.  The table of choices is rest, then both bounds on each axis: 2
 * choice_dim + 1 rows.  A relaxed group (any weights) means the weighted sum of the rows. */
#include <string.h>

#include "plan_internal.h"

int32_t uw__discrete_choices(int32_t choice_dim) {
    return 2 * choice_dim + 1;
}

/* Number `axis` of a choice. */
static float choice(const uw_planner *p, size_t row, size_t axis) {
    const float low = p->options.action_low, high = p->options.action_high;
    if (row == 1 + 2 * axis) return high;
    if (row == 2 + 2 * axis) return low;
    return low > 0.0f ? low : high < 0.0f ? high : 0.0f; /* rest, as near as the bounds allow */
}

static size_t groups(const uw_planner *p, size_t n) {
    return n * uw__plan_size(p) / (size_t)p->num_choices;
}

void uw__discrete_decode(const uw_planner *p, const float *weights, size_t n, float *actions) {
    const size_t c = (size_t)p->num_choices, dim = (size_t)p->options.choice_dim;
    for (size_t g = 0; g < groups(p, n); g++) {
        for (size_t axis = 0; axis < dim; axis++) {
            float sum = 0.0f;
            for (size_t row = 0; row < c; row++) sum += weights[g * c + row] * choice(p, row, axis);
            actions[g * dim + axis] = sum;
        }
    }
}

void uw__discrete_gradient(const uw_planner *p, const float *dactions, size_t n, float *dweights) {
    const size_t c = (size_t)p->num_choices, dim = (size_t)p->options.choice_dim;
    for (size_t g = 0; g < groups(p, n); g++) {
        for (size_t row = 0; row < c; row++) {
            float sum = 0.0f;
            for (size_t axis = 0; axis < dim; axis++)
                sum += dactions[g * dim + axis] * choice(p, row, axis);
            dweights[g * c + row] = sum;
        }
    }
}

void uw__discrete_round(const uw_planner *p, float *weights, size_t n) {
    const size_t c = (size_t)p->num_choices;
    for (size_t g = 0; g < groups(p, n); g++) {
        float *w = weights + g * c;
        size_t top = 0;
        for (size_t row = 1; row < c; row++)
            if (w[row] > w[top]) top = row;
        memset(w, 0, c * sizeof *w);
        w[top] = 1.0f;
    }
}
