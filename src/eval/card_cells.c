/* What a robustness card has cells for: names and values read, and what each of them changes.
 *
 * A combined cell changes several factors at once; which ones "all", "goal.colors" and "goal.looks"
 * mean follows from the factors that are named beside them, or from the usual card. */
#include "eval_internal.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "internal.h"
#include "variation.h"

enum { MAX_NAME = 48, HALVINGS = 24 };

static const char *const usual[] = {"agent.color", "background.color", "wall.color",
                                    "door.color",  "agent.radius",     "block.color",
                                    "goal.color",  "agent.scale",      "block.scale"};
enum { NUM_USUAL = sizeof usual / sizeof usual[0] };

static const char *const value_names[UW_NUM_CELL_VALUES] = {"min", "max", "random"};

static const char all_cell[] = "all", colors_cell[] = "goal.colors", looks_cell[] = "goal.looks";

/* Cells of our own factors: what is drawn anew in every episode, and what is set to a number so
 * that it shows at all. */
static const struct ours {
    const char *cell, *drawn[3], *set;
    double to;
} ours[] = {
    {"distractors", {"distractor.seed"}, "distractor.number", 6}, /* three behind, three before */
    {"texture", {"texture.pattern", "texture.seed", "texture.size"}, "texture.strength", 1},
};
enum { NUM_OURS = sizeof ours / sizeof ours[0] };

static const struct ours *ours_find(const uw_env_class *cls, const char *name) {
    for (int i = 0; i < NUM_OURS; i++)
        if (strcmp(ours[i].cell, name) == 0 && uw_env_factor(cls, ours[i].set, NULL))
            return &ours[i];
    return NULL;
}

static bool is_combined(const uw_env_class *cls, const char *name) {
    return strcmp(name, all_cell) == 0 || strcmp(name, colors_cell) == 0 ||
           strcmp(name, looks_cell) == 0 || ours_find(cls, name);
}

/* ---- reading -------------------------------------------------------------------------------- */

static uw_status refuse(const uw_env_class *cls, const char *name, uw_err *err) {
    const char *known[UW_MAX_FACTOR_VALUES + NUM_OURS + 4];
    int32_t count = 0;
    for (int32_t i = 0; i < cls->num_factors; i++)
        if (!cls->factors[i].placed) known[count++] = cls->factors[i].name;
    known[count++] = all_cell;
    known[count++] = colors_cell;
    known[count++] = looks_cell;
    known[count++] = "every";
    for (int i = 0; i < NUM_OURS; i++)
        if (ours_find(cls, ours[i].cell)) known[count++] = ours[i].cell;
    const char *near = uw__nearest(name, known, count);
    uw_fail(err, UW_ENOTFOUND, "%s: no factor to vary named %.60s", cls->name, name);
    if (near)
        uw_err_fix(err, "did you mean %s?", near);
    else
        uw_err_fix(err, "umwelt inspect %s lists its factors; all takes the usual ones at once",
                   cls->name);
    return UW_ENOTFOUND;
}

static uw_status add_one(uw_card_plan *p, const char *name, uw_cell_value value, uw_err *err) {
    for (int32_t i = 0; i < p->num_cells; i++)
        if (p->value[i] == value && strcmp(p->cell[i], name) == 0)
            return UW_OK; /* named twice is meant once */
    if (p->num_cells == UW_MAX_CARD_CELLS) {
        uw_fail(err, UW_EINVAL, "factors: wanted at most %d cells, got more",
                (int)UW_MAX_CARD_CELLS);
        uw_err_fix(err, "name fewer factors, or fewer values");
        return UW_EINVAL;
    }
    snprintf(p->cell[p->num_cells], MAX_NAME, "%s", name);
    p->value[p->num_cells++] = value;
    return UW_OK;
}

/* Add the cells of one name. */
static uw_status add(uw_card_plan *p, const char *name, const bool *values, uw_err *err) {
    const uw_factor *f = uw_env_factor(p->cls, name, NULL);
    if (is_combined(p->cls, name)) return add_one(p, name, UW_CELL_RANDOM, err);
    if (!f || f->placed) return refuse(p->cls, name, err);
    p->varied[f - p->cls->factors] = true;
    uw_status status = UW_OK;
    for (int v = 0; v < UW_NUM_CELL_VALUES && !status; v++)
        if (values[v]) status = add_one(p, name, (uw_cell_value)v, err);
    return status;
}

static uw_status add_combined(uw_card_plan *p, bool looks, uw_err *err) {
    uw_status status = add_one(p, all_cell, UW_CELL_RANDOM, err);
    if (!status) status = add_one(p, colors_cell, UW_CELL_RANDOM, err);
    if (!status && looks) status = add_one(p, looks_cell, UW_CELL_RANDOM, err);
    for (int i = 0; i < NUM_OURS && !status; i++) /* the usual card has discs, no texture */
        if (ours_find(p->cls, ours[i].cell) && (looks || i == 0))
            status = add_one(p, ours[i].cell, UW_CELL_RANDOM, err);
    return status;
}

static uw_status add_usual(uw_card_plan *p, const bool *values, uw_err *err) {
    uw_status status = UW_OK;
    for (int i = 0; i < NUM_USUAL && !status; i++)
        if (uw_env_factor(p->cls, usual[i], NULL)) status = add(p, usual[i], values, err);
    return status;
}

static uw_status add_every(uw_card_plan *p, const bool *values, uw_err *err) {
    uw_status status = UW_OK;
    for (int32_t i = 0; i < p->cls->num_factors && !status; i++) {
        const uw_factor *f = &p->cls->factors[i];
        if (!f->placed && !f->ours && (f->affects_motion || f->affects_picture))
            status = add(p, f->name, values, err);
    }
    return status ? status : add_combined(p, true, err);
}

/* Take the next word of a comma-separated list; return false after the last. */
static bool next_word(const char **at, char *word) {
    if (!*at) return false;
    const size_t length = strcspn(*at, ",");
    snprintf(word, MAX_NAME, "%.*s", (int)(length < MAX_NAME ? length : MAX_NAME), *at);
    *at = (*at)[length] ? *at + length + 1 : NULL;
    return true;
}

static uw_status read_values(const char *list, bool *values, uw_err *err) {
    char word[MAX_NAME];
    for (const char *at = list ? list : "random"; next_word(&at, word);) {
        int v = 0;
        while (v < UW_NUM_CELL_VALUES && strcmp(word, value_names[v]) != 0) v++;
        if (v < UW_NUM_CELL_VALUES) {
            values[v] = true;
            continue;
        }
        const char *near = uw__nearest(word, value_names, UW_NUM_CELL_VALUES);
        uw_fail(err, UW_ENOTFOUND, "values: wanted min, max or random, got '%s'", word);
        if (near) uw_err_fix(err, "did you mean %s?", near);
        return UW_ENOTFOUND;
    }
    return UW_OK;
}

/* What the combined cells change: of the factors that are named, else of the usual ones. */
static uw_status mean_groups(uw_card_plan *p, uw_err *err) {
    static const bool random_only[UW_NUM_CELL_VALUES] = {[UW_CELL_RANDOM] = true};
    uw_card_plan full = {.cls = p->cls};
    const uw_status status = add_usual(&full, random_only, err);
    if (status) return status;
    bool named = false, color = false, look = false;
    for (int32_t i = 0; i < p->cls->num_factors; i++) named = named || p->varied[i];
    for (int32_t i = 0; i < p->cls->num_factors; i++) {
        const uw_factor *f = &p->cls->factors[i];
        if (!named) p->varied[i] = full.varied[i];
        p->colors[i] = p->varied[i] && f->kind == UW_FACTOR_COLOR;
        p->looks[i] = p->varied[i] && f->affects_picture && !f->affects_motion;
        color = color || p->colors[i];
        look = look || p->looks[i];
    }
    for (int32_t i = 0; i < p->cls->num_factors; i++) {
        const bool is_color = full.varied[i] && p->cls->factors[i].kind == UW_FACTOR_COLOR;
        if (!color) p->colors[i] = is_color;
        if (!look) p->looks[i] = is_color;
    }
    return UW_OK;
}

uw_status uw__card_plan(const uw_env_class *cls, const uw_card_options *options, uw_card_plan *plan,
                        uw_err *err) {
    bool values[UW_NUM_CELL_VALUES] = {false};
    char word[MAX_NAME];
    *plan = (uw_card_plan){.cls = cls};
    uw_status status = read_values(options->values, values, err);
    if (!status && !options->factors) {
        status = add_usual(plan, values, err);
        if (!status) status = add_combined(plan, false, err);
    }
    for (const char *at = options->factors; !status && next_word(&at, word);)
        status = strcmp(word, "every") == 0 ? add_every(plan, values, err)
                                            : add(plan, word, values, err);
    return status ? status : mean_groups(plan, err);
}

/* ---- what a cell changes --------------------------------------------------------------------- */

/* True when the cell draws factor i of the class. */
static bool draws(const uw_card_plan *p, const char *cell, int32_t i) {
    const char *name = p->cls->factors[i].name;
    const struct ours *own = ours_find(p->cls, cell);
    if (strcmp(cell, all_cell) == 0) return p->varied[i];
    if (strcmp(cell, colors_cell) == 0) return p->colors[i];
    if (strcmp(cell, looks_cell) == 0) return p->looks[i];
    for (int k = 0; own && k < 3 && own->drawn[k]; k++)
        if (strcmp(own->drawn[k], name) == 0) return true;
    return strcmp(name, cell) == 0;
}

/* The factor's numbers a part t of the way from its default to an end. */
static void part_way(const uw_factor *f, bool high, double t, double *value) {
    for (int32_t i = 0; i < f->dim; i++) {
        const double end = high ? f->high[i] : f->low[i];
        const double x = f->init[i] + t * (end - f->init[i]);
        value[i] = t >= 1.0                    ? end
                   : f->kind == UW_FACTOR_REAL ? (f->wide ? x : (double)(float)x)
                                               : floor(x + 0.5);
    }
}

static bool allowed(const uw_env_class *cls, const uw_factor *f, const double *base,
                    const double *value) {
    double values[UW_MAX_FACTOR_VALUES];
    memcpy(values, base, (size_t)cls->num_values * sizeof *values);
    memcpy(values + f->offset, value, (size_t)f->dim * sizeof *values);
    return uw__values_check(cls, values, NULL, NULL) == UW_OK && uw__agent_shows(cls, values);
}

/* Set a factor to an end, or as near to it as the world's rules and the agent's contrast allow. */
static void set_end(const uw_env_class *cls, const uw_factor *f, bool high, uw_variation *v) {
    double base[UW_MAX_FACTOR_VALUES], low = 0.0, far = 1.0;
    double *value = v->value[f - cls->factors];
    uw_env_default_values(cls, base);
    for (int32_t i = 0; i < cls->num_factors; i++)
        if (v->mode[i] == UW_VARY_FIXED)
            memcpy(base + cls->factors[i].offset, v->value[i],
                   (size_t)cls->factors[i].dim * sizeof *base);
    v->mode[f - cls->factors] = UW_VARY_FIXED;
    part_way(f, high, 1.0, value);
    if (allowed(cls, f, base, value)) return;
    for (int n = 0; n < HALVINGS; n++) {
        const double middle = 0.5 * (low + far);
        part_way(f, high, middle, value);
        if (allowed(cls, f, base, value))
            low = middle;
        else
            far = middle;
    }
    part_way(f, high, low, value);
}

/* Write a value as text: a word, one number where all are the same, or all of them. */
static void describe(const uw_factor *f, const double *value, char *text, size_t size) {
    bool same = f->kind != UW_FACTOR_COLOR;
    size_t used = 0;
    for (int32_t i = 1; i < f->dim; i++) same = same && value[i] == value[0];
    if (f->words) {
        snprintf(text, size, "%s", f->words[(int32_t)(value[0] - f->low[0])]);
        return;
    }
    for (int32_t i = 0; i < (same ? 1 : f->dim) && used < size; i++)
        used += (size_t)snprintf(text + used, size - used, "%s%.4g", i ? "," : "", value[i]);
}

/* True when `name` is one of the comma-separated words of `list`. */
static bool listed(const char *list, const char *name) {
    const size_t length = strlen(name);
    for (const char *at = list; *at; at += strspn(at, ", ")) {
        const size_t word = strcspn(at, ", ");
        if (word == length && memcmp(at, name, length) == 0) return true;
        at += word;
    }
    return false;
}

static bool set_one(const uw_card_plan *p, int32_t i, const uw_factor *f, uw_variation *v,
                    uw_card_cell *cell) {
    const int32_t at = (int32_t)(f - p->cls->factors);
    const uw_variation before = *v;
    set_end(p->cls, f, p->value[i] == UW_CELL_MAX, v);
    describe(f, v->value[at], cell->at, sizeof cell->at);
    const double *was = before.mode[at] == UW_VARY_FIXED ? before.value[at] : f->init;
    return before.mode[at] == UW_VARY_SAMPLE ||
           memcmp(was, v->value[at], (size_t)f->dim * sizeof *was) != 0;
}

bool uw__card_cell(const uw_card_plan *plan, int32_t i, const char *trained,
                   uw_variation *variation, uw_variation *goal, bool *other_goal,
                   uw_card_cell *cell) {
    const uw_env_class *cls = plan->cls;
    const char *name = plan->cell[i];
    const struct ours *own = ours_find(cls, name);
    bool changes = true;
    snprintf(cell->factor, sizeof cell->factor, "%s", name);
    snprintf(cell->value, sizeof cell->value, "%s", value_names[plan->value[i]]);
    *other_goal = strcmp(name, colors_cell) == 0 || strcmp(name, looks_cell) == 0;
    cell->in_training = true;
    for (int32_t k = 0; k < cls->num_factors; k++) {
        const uw_factor *f = &cls->factors[k];
        if (own && strcmp(f->name, own->set) == 0) {
            variation->mode[k] = UW_VARY_FIXED;
            variation->value[k][0] = own->to;
        } else if (!draws(plan, name, k)) {
            continue;
        } else if (plan->value[i] == UW_CELL_RANDOM) {
            variation->mode[k] = goal->mode[k] = UW_VARY_SAMPLE;
        } else {
            changes = set_one(plan, i, f, variation, cell);
        }
        cell->in_training = cell->in_training && listed(trained, f->name);
        cell->ours = cell->ours || f->ours;
    }
    return changes;
}
