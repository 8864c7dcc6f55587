/* Interval bars, grouped bars and coloured maps. */
#include "svg_internal.h"

#include <math.h>
#include <stdio.h>

/* ---- rates with intervals ------------------------------------------------------------------- */

enum {
    INTERVALS_WIDTH = 400,
    TRACK_LEFT = 4,
    TRACK_RIGHT = 252,
    TRACK_STEP = 20,
    LABEL_STEP = 18,
    ROW_GAP = 8
};

/* A bound in percent: 95.0, but 0 and 100 where they are exact. */
static void bound(uw_text *t, double rate) {
    if (rate <= 0.0 || rate >= 1.0)
        uw__text_fixed(t, 100.0 * rate, 1);
    else
        uw__text_exact(t, 100.0 * rate, 1);
}

static void rate_text(uw_text *out, double x, double y, const uw_interval *v) {
    uw_text t = {0};
    if (isfinite(v->value)) {
        uw__text_percent(&t, v->value);
        uw__text_add(&t, "  [");
        bound(&t, v->low);
        uw__text_add(&t, ", ");
        bound(&t, v->high);
        uw__text_add(&t, "]");
    } else {
        uw__text_add(&t, "not measured");
    }
    if (t.data) uw__svg_label(out, x, y, "num", "start", t.data);
    out->failed = out->failed || t.failed;
    uw__text_fini(&t);
}

static void draw_interval(uw_text *out, const uw_scale *x, double y, const uw_interval *v,
                          const char *colour) {
    uw__svg_line(out, "tr", x->from, y, x->to, y);
    if (!isfinite(v->value)) return;
    char css[16];
    snprintf(css, sizeof css, "l iv %s", colour);
    uw__svg_line(out, css, uw__scale_at(x, v->low), y, uw__scale_at(x, v->high), y);
    uw__text_printf(out, "<circle class=\"f %s halo\" r=\"5\" cx=\"", colour);
    uw__text_fixed(out, uw__scale_at(x, v->value), 2);
    uw__text_add(out, "\" cy=\"");
    uw__text_fixed(out, y, 2);
    uw__text_add(out, "\"/>");
}

static void percent_axis(uw_text *out, const uw_scale *x, double top, double bottom) {
    for (int p = 0; p <= 100; p += 25) {
        char text[16];
        const double at = uw__scale_at(x, p / 100.0);
        snprintf(text, sizeof text, p == 100 ? "100 %%" : "%d", p);
        uw__svg_line(out, "gr", at, top, at, bottom);
        uw__svg_label(out, at, bottom + 15, "mu num", p == 0 ? "start" : "middle", text);
    }
}

void uw__svg_intervals(uw_text *out, const uw_interval_chart *c, uw_svg_dress dress) {
    const double row = LABEL_STEP + TRACK_STEP * c->num_series + ROW_GAP;
    const int32_t colours[2] = {0, 1};
    const double legend = c->num_series > 1 ? 26.0 : 0.0;
    const double height = legend + row * c->num_rows + 26;
    const double extra = uw__svg_open(out, c->title, INTERVALS_WIDTH, height, dress);
    const uw_scale x = {0.0, 1.0, TRACK_LEFT, TRACK_RIGHT, false};
    if (c->num_series > 1)
        uw__svg_legend(out, TRACK_LEFT, extra + 2, c->names, colours, NULL, 2, true);
    const double top = extra + legend, bottom = top + row * c->num_rows;
    percent_axis(out, &x, top + 4, bottom);
    if (isfinite(c->reference)) {
        const double at = uw__scale_at(&x, c->reference);
        uw__svg_line(out, "l thin cm da", at, top + 4, at, bottom);
    }
    for (int32_t r = 0; r < c->num_rows; r++) {
        const uw_interval_row *of = &c->rows[r];
        double y = top + row * r + 14;
        uw__text_printf(out, "<text x=\"%d\" y=\"", TRACK_LEFT);
        uw__text_fixed(out, y, 2);
        uw__text_printf(out, "\"><tspan%s>", of->strong ? " class=\"b\"" : "");
        uw__text_escape(out, of->label);
        uw__text_add(out, "</tspan>");
        if (of->note && of->note[0]) {
            uw__text_add(out, "<tspan class=\"mu\" dx=\"8\">");
            uw__text_escape(out, of->note);
            uw__text_add(out, "</tspan>");
        }
        uw__text_add(out, "</text>");
        for (int32_t k = 0; k < c->num_series; k++) {
            y = top + row * r + LABEL_STEP + TRACK_STEP * k + 10;
            draw_interval(out, &x, y, &of->of[k],
                          uw__svg_colour(c->num_series > 1 ? k : of->colour));
            rate_text(out, TRACK_RIGHT + 14, y + 4, &of->of[k]);
        }
    }
    uw__svg_close(out);
}

/* ---- grouped bars --------------------------------------------------------------------------- */

static bool has_place(double v) {
    return isfinite(v) && fabs(v) <= 1e300;
}

static void draw_group(uw_text *out, const uw_bar_chart *c, const uw_bar_group *g, double left,
                       double width, const uw_scale *y) {
    const double bar = width / (c->num_bars + 0.8);
    const double zero = uw__scale_at(y, fmin(fmax(0.0, y->low), y->high));
    for (int32_t b = 0; b < c->num_bars; b++) {
        if (!has_place(g->value[b])) continue;
        const double at = uw__scale_at(y, fmin(fmax(g->value[b], y->low), y->high));
        uw__text_printf(out, "<rect class=\"f %s\" rx=\"1.5\" x=\"", uw__svg_colour(c->colour[b]));
        uw__text_fixed(out, left + bar * (b + 0.4) + 1, 2);
        uw__text_add(out, "\" y=\"");
        uw__text_fixed(out, fmin(at, zero), 2);
        uw__text_add(out, "\" width=\"");
        uw__text_fixed(out, fmax(bar - 2, 1), 2);
        uw__text_add(out, "\" height=\"");
        uw__text_fixed(out, fmax(fabs(at - zero), 1), 2);
        uw__text_add(out, "\"/>");
    }
    uw__svg_label(out, left + 0.5 * width, y->from + 17, "", "middle", g->label);
}

void uw__svg_bars(uw_text *out, const uw_bar_chart *c, uw_svg_dress dress) {
    enum { HEIGHT = 250, LEFT = 54 };
    double low = INFINITY, high = -INFINITY;
    for (int32_t g = 0; g < c->num_groups; g++) {
        for (int32_t b = 0; b < c->num_bars; b++) {
            if (!has_place(c->groups[g].value[b])) continue;
            low = fmin(low, c->groups[g].value[b]);
            high = fmax(high, c->groups[g].value[b]);
        }
    }
    const double extra = uw__svg_open(out, c->title, UW_SVG_WIDTH, HEIGHT, dress);
    const double legend =
        uw__svg_legend(out, LEFT, extra + 2, c->names, c->colour, NULL, c->num_bars, true);
    const uw_scale y = uw__scale_make(&c->y, low, high, extra + HEIGHT - 26, extra + legend + 10);
    double ticks[UW_MAX_TICKS];
    const int32_t n = uw__scale_ticks(&y, ticks);
    for (int32_t i = 0; i < n; i++) {
        const double at = uw__scale_at(&y, ticks[i]);
        uw_text t = {0};
        uw__text_number(&t, ticks[i], 3);
        uw__svg_line(out, "gr", LEFT, at, UW_SVG_WIDTH - 14, at);
        if (t.data) uw__svg_label(out, LEFT - 7, at + 4, "mu num", "end", t.data);
        out->failed = out->failed || t.failed;
        uw__text_fini(&t);
    }
    const double width = (UW_SVG_WIDTH - 14.0 - LEFT) / (c->num_groups > 0 ? c->num_groups : 1);
    for (int32_t g = 0; g < c->num_groups; g++)
        draw_group(out, c, &c->groups[g], LEFT + width * g, width, &y);
    uw__svg_line(out, "ax", LEFT, uw__scale_at(&y, fmax(0.0, y.low)), UW_SVG_WIDTH - 14,
                 uw__scale_at(&y, fmax(0.0, y.low)));
    uw__svg_close(out);
}

/* ---- maps ----------------------------------------------------------------------------------- */

/* Viridis at 9 even places; told apart by brightness alone, so also without colour. */
static const unsigned char viridis[9][3] = {{68, 1, 84},    {72, 40, 120},  {62, 74, 137},
                                            {49, 104, 142}, {38, 130, 142}, {31, 158, 137},
                                            {53, 183, 121}, {109, 205, 89}, {253, 231, 37}};

static void viridis_at(double t, int *rgb) {
    const double at = 8.0 * fmin(fmax(t, 0.0), 1.0);
    const int i = at >= 8.0 ? 7 : (int)at;
    for (int c = 0; c < 3; c++)
        rgb[c] = (int)lround(viridis[i][c] + (at - i) * (viridis[i + 1][c] - viridis[i][c]));
}

static void range(const double *x, int32_t n, double *low, double *high) {
    *low = n ? x[0] : 0.0;
    *high = n ? x[0] : 1.0;
    for (int32_t i = 1; i < n; i++) {
        *low = fmin(*low, x[i]);
        *high = fmax(*high, x[i]);
    }
    if (!(*low < *high)) *high = *low + 1.0;
}

/* Colour scale: a strip of cells, its ends labelled. */
static void draw_scale(uw_text *out, const uw_map_chart *c, double low, double high, double y) {
    enum { CELLS = 24, LEFT = 84, WIDTH = 216 };
    for (int i = 0; i < CELLS; i++) {
        int rgb[3];
        viridis_at((i + 0.5) / CELLS, rgb);
        uw__text_printf(out, "<rect x=\"%d\" y=\"", LEFT + i * WIDTH / CELLS);
        uw__text_fixed(out, y, 2);
        uw__text_printf(out, "\" width=\"%d\" height=\"9\" fill=\"#%02x%02x%02x\"/>",
                        WIDTH / CELLS + 1, rgb[0], rgb[1], rgb[2]);
    }
    uw_text t = {0};
    uw__text_number(&t, low, 3);
    if (t.data) uw__svg_label(out, LEFT - 8, y + 9, "mu num", "end", t.data);
    uw__text_fini(&t);
    uw__text_number(&t, high, 3);
    if (t.data) uw__svg_label(out, LEFT + WIDTH + 8, y + 9, "mu num", "start", t.data);
    uw__text_fini(&t);
    if (c->value_label)
        uw__svg_label(out, LEFT + WIDTH / 2.0, y + 25, "mu", "middle", c->value_label);
}

void uw__svg_map(uw_text *out, const uw_map_chart *c, uw_svg_dress dress) {
    enum { WIDTH = 364, SIDE = 324, LEFT = 30 };
    double x_low, x_high, y_low, y_high, low, high;
    range(c->x, c->n, &x_low, &x_high);
    range(c->y, c->n, &y_low, &y_high);
    range(c->value, c->n, &low, &high);
    const double extra = uw__svg_open(out, c->title, WIDTH, SIDE + 68, dress);
    /* one unit is as long on both axes: distances in the picture are distances in the latent */
    const double unit = (SIDE - 16) / fmax(x_high - x_low, y_high - y_low);
    const double cx = LEFT + SIDE / 2.0, cy = extra + SIDE / 2.0 + 2;
    uw__text_printf(out, "<rect class=\"gr\" fill=\"none\" rx=\"4\" x=\"%d\" y=\"", LEFT);
    uw__text_fixed(out, extra + 2, 2);
    uw__text_printf(out, "\" width=\"%d\" height=\"%d\"/>", SIDE, SIDE);
    for (int32_t i = 0; i < c->n; i++) {
        int rgb[3];
        viridis_at((c->value[i] - low) / (high - low), rgb);
        uw__text_add(out, "<circle r=\"3.2\" cx=\"");
        uw__text_fixed(out, cx + unit * (c->x[i] - 0.5 * (x_low + x_high)), 1);
        uw__text_add(out, "\" cy=\"");
        uw__text_fixed(out, cy - unit * (c->y[i] - 0.5 * (y_low + y_high)), 1);
        uw__text_printf(out, "\" fill=\"#%02x%02x%02x\"/>", rgb[0], rgb[1], rgb[2]);
    }
    if (c->x_label) uw__svg_label(out, cx, extra + SIDE + 18, "mu", "middle", c->x_label);
    if (c->y_label) {
        uw__text_add(out, "<g transform=\"translate(20 ");
        uw__text_fixed(out, cy, 2);
        uw__text_add(out, ") rotate(-90)\">");
        uw__svg_label(out, 0, 0, "mu", "middle", c->y_label);
        uw__text_add(out, "</g>");
    }
    draw_scale(out, c, low, high, extra + SIDE + 30);
    uw__svg_close(out);
}
