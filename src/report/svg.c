/* The drawing's frame (element, style, legend, scales, ticks) and line plots.
 *
 * Coordinates have two decimals; every text that is not ours is escaped. */
#include "svg_internal.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* Okabe and Ito's colours, told apart by every common colour vision; the dark twins are lighter. */
static const char *const light_palette[UW_SVG_COLOURS] = {"#0072b2", "#d55e00", "#009e73",
                                                          "#b3589a", "#56a4d9", "#c98a00"};
static const char *const dark_palette[UW_SVG_COLOURS] = {"#5cb3ef", "#ff9152", "#41cfa8",
                                                         "#e59ac6", "#a3d5f7", "#f2bd55"};

typedef struct ground {
    const char *name, *light, *dark;
} ground;
static const ground grounds[] = {
    {"ink", "#1c2128", "#e8eaed"},  {"muted", "#68707b", "#9aa3ae"},
    {"grid", "#e4e7eb", "#30363d"}, {"track", "#eef0f3", "#262c34"},
    {"card", "#ffffff", "#171c22"},
};

/* ---- style ---------------------------------------------------------------------------------- */

void uw__svg_variables(uw_text *out, bool dark) {
    for (size_t i = 0; i < sizeof grounds / sizeof *grounds; i++)
        uw__text_printf(out, "--%s:%s;", grounds[i].name,
                        dark ? grounds[i].dark : grounds[i].light);
    for (int i = 0; i < UW_SVG_COLOURS; i++)
        uw__text_printf(out, "--c%d:%s;", i, dark ? dark_palette[i] : light_palette[i]);
}

/* A colour by name: a variable of the page, or its value. */
static const char *ink(uw_svg_dress dress, const char *name, char *scratch, size_t size) {
    if (dress == UW_SVG_PAGE) {
        snprintf(scratch, size, "var(--%s)", name);
        return scratch;
    }
    for (size_t i = 0; i < sizeof grounds / sizeof *grounds; i++)
        if (!strcmp(grounds[i].name, name)) return grounds[i].light;
    return light_palette[name[1] - '0'];
}

static void colour_rules(uw_text *out, uw_svg_dress dress, const char *css, const char *name) {
    char scratch[24];
    const char *c = ink(dress, name, scratch, sizeof scratch);
    uw__text_printf(out, ".l.%s{stroke:%s}.f.%s{fill:%s}", css, c, css, c);
}

void uw__svg_style(uw_text *out, uw_svg_dress dress) {
    char a[24], b[24];
    uw__text_printf(out,
                    "svg.uw{font:12px system-ui,-apple-system,'Segoe UI',Roboto,'DejaVu Sans',"
                    "sans-serif}.uw text{fill:%s}.uw .mu{fill:%s}",
                    ink(dress, "ink", a, sizeof a), ink(dress, "muted", b, sizeof b));
    uw__text_printf(out,
                    ".uw .b{font-weight:600}.uw .ttl{font-size:14px;font-weight:600}"
                    ".uw .num{font-variant-numeric:tabular-nums}.uw .gr{stroke:%s}",
                    ink(dress, "grid", a, sizeof a));
    uw__text_printf(out, ".uw .ax{stroke:%s}.uw .tr{stroke:%s;stroke-width:6;stroke-linecap:round}",
                    ink(dress, "muted", a, sizeof a), ink(dress, "track", b, sizeof b));
    uw__text_printf(out, ".uw .halo{stroke:%s;stroke-width:1.5}", ink(dress, "card", a, sizeof a));
    uw__text_add(out, ".l{fill:none;stroke-width:2;stroke-linejoin:round;stroke-linecap:round}"
                      ".l.iv{stroke-width:4}.l.thin{stroke-width:1.2}.da{stroke-dasharray:5 4}");
    char css[3] = "c0";
    for (int i = 0; i < UW_SVG_COLOURS; i++) {
        css[1] = (char)('0' + i);
        colour_rules(out, dress, css, css);
    }
    colour_rules(out, dress, "cm", "muted");
}

const char *uw__svg_colour(int32_t colour) {
    static const char *const css[UW_SVG_COLOURS] = {"c0", "c1", "c2", "c3", "c4", "c5"};
    return colour < 0 ? "cm" : css[colour % UW_SVG_COLOURS];
}

/* ---- pieces --------------------------------------------------------------------------------- */

double uw__svg_title_height(uw_svg_dress dress) {
    return dress == UW_SVG_FILE ? 28.0 : 0.0;
}

double uw__svg_open(uw_text *out, const char *title, int32_t width, double height,
                    uw_svg_dress dress) {
    const double extra = uw__svg_title_height(dress);
    uw__text_printf(out,
                    "<svg class=\"uw\" xmlns=\"http://www.w3.org/2000/svg\" role=\"img\" "
                    "viewBox=\"0 0 %d ",
                    width);
    uw__text_fixed(out, height + extra, 0);
    uw__text_add(out, "\"");
    if (dress == UW_SVG_FILE) {
        uw__text_printf(out, " width=\"%d\" height=\"", width);
        uw__text_fixed(out, height + extra, 0);
        uw__text_add(out, "\"");
    }
    uw__text_add(out, "><title>");
    uw__text_escape(out, title);
    uw__text_add(out, "</title>");
    if (dress == UW_SVG_FILE) {
        uw__text_add(out, "<style>");
        uw__svg_style(out, dress);
        uw__text_add(out, "</style><rect width=\"100%\" height=\"100%\" fill=\"#ffffff\"/>");
        uw__svg_label(out, 10, 20, "ttl", "start", title);
    }
    return extra;
}

void uw__svg_close(uw_text *out) {
    uw__text_add(out, "</svg>\n");
}

void uw__svg_label(uw_text *out, double x, double y, const char *css, const char *anchor,
                   const char *text) {
    uw__text_add(out, "<text x=\"");
    uw__text_fixed(out, x, 2);
    uw__text_add(out, "\" y=\"");
    uw__text_fixed(out, y, 2);
    uw__text_printf(out, "\" class=\"%s\" text-anchor=\"%s\">", css, anchor);
    uw__text_escape(out, text);
    uw__text_add(out, "</text>");
}

void uw__svg_line(uw_text *out, const char *css, double x1, double y1, double x2, double y2) {
    const double at[4] = {x1, y1, x2, y2};
    static const char *const name[4] = {"x1", "y1", "x2", "y2"};
    uw__text_printf(out, "<line class=\"%s\"", css);
    for (int i = 0; i < 4; i++) {
        uw__text_printf(out, " %s=\"", name[i]);
        uw__text_fixed(out, at[i], 2);
        uw__text_add(out, "\"");
    }
    uw__text_add(out, "/>");
}

double uw__svg_text_width(const char *text) {
    size_t letters = 0; /* UTF-8 continuation bytes take no room */
    for (; *text; text++) letters += ((unsigned char)*text & 0xC0) != 0x80;
    return 6.6 * (double)letters;
}

double uw__svg_legend(uw_text *out, double x, double y, const char *const *names,
                      const int32_t *colours, const bool *dashed, int32_t count, bool draw) {
    double at = x, row = y + 10;
    bool any = false;
    for (int32_t i = 0; i < count; i++) {
        if (!names[i] || !names[i][0]) continue;
        const double width = 24 + uw__svg_text_width(names[i]) + 14;
        if (any && at + width > UW_SVG_WIDTH) {
            at = x;
            row += 17;
        }
        if (draw) {
            char css[16];
            snprintf(css, sizeof css, "l %s%s", uw__svg_colour(colours[i]),
                     dashed && dashed[i] ? " da" : "");
            uw__svg_line(out, css, at, row - 4, at + 16, row - 4);
            uw__svg_label(out, at + 22, row, "", "start", names[i]);
        }
        at += width;
        any = true;
    }
    return any ? row - y + 10 : 0.0;
}

/* ---- scales --------------------------------------------------------------------------------- */

/* 1, 2 or 5 times a power of ten, so that about `count` steps cover the range. */
static double nice_step(double range, int count) {
    const double rough = range / count, power = pow(10.0, floor(log10(rough)));
    const double mantissa = rough / power;
    return power * (mantissa <= 1.0 ? 1.0 : mantissa <= 2.0 ? 2.0 : mantissa <= 5.0 ? 5.0 : 10.0);
}

uw_scale uw__scale_make(const uw_axis *axis, double data_low, double data_high, double from,
                        double to) {
    const bool given = axis->low < axis->high;
    double low = given ? axis->low : data_low, high = given ? axis->high : data_high;
    if (!(low <= high)) { /* nothing to show */
        low = axis->log ? 0.1 : 0.0;
        high = 1.0;
    }
    if (axis->log) {
        if (!given) {
            low = pow(10.0, floor(log10(low) * 2.0) / 2.0); /* half decades */
            high = pow(10.0, ceil(log10(high) * 2.0) / 2.0);
        }
        if (!(low < high)) high = low * 10.0;
        return (uw_scale){low, high, from, to, true};
    }
    if (axis->from_zero && low > 0.0) low = 0.0;
    if (axis->from_zero && high < 0.0) high = 0.0;
    if (!(low < high)) {
        const double pad = low == 0.0 ? 1.0 : 0.1 * fabs(low);
        low -= axis->from_zero ? 0.0 : pad;
        high += pad;
    }
    if (!given) {
        const double step = nice_step(high - low, 5);
        low = step * floor(low / step + 1e-9);
        high = step * ceil(high / step - 1e-9);
    }
    return (uw_scale){low, high, from, to, false};
}

double uw__scale_at(const uw_scale *s, double v) {
    const double t = s->log ? (log(v) - log(s->low)) / (log(s->high) - log(s->low))
                            : (v - s->low) / (s->high - s->low);
    return s->from + t * (s->to - s->from);
}

int32_t uw__scale_ticks(const uw_scale *s, double *ticks) {
    int32_t n = 0;
    if (!s->log) {
        const double step = nice_step(s->high - s->low, 5), first = ceil(s->low / step - 1e-9);
        for (; n < UW_MAX_TICKS && (first + n) * step <= s->high + 1e-9 * step; n++) {
            ticks[n] = (first + n) * step;
            if (fabs(ticks[n]) < 1e-9 * step) ticks[n] = 0.0;
        }
        return n;
    }
    const double decades = log10(s->high) - log10(s->low);
    const int skip = decades > 10.0 ? (int)ceil(decades / 6.0) : 1;
    for (int e = (int)floor(log10(s->low)); e <= (int)ceil(log10(s->high)); e += skip) {
        static const double within[] = {1, 2, 5};
        const int per = decades <= 2.1 ? 3 : 1;
        for (int m = 0; m < per && n < UW_MAX_TICKS; m++) {
            const double v = within[m] * pow(10.0, e);
            if (v >= s->low * (1 - 1e-9) && v <= s->high * (1 + 1e-9)) ticks[n++] = v;
        }
    }
    return n;
}

/* ---- line plots ----------------------------------------------------------------------------- */

/* Beyond 1e300 (or below its inverse, on a log axis) the arithmetic of scales would overflow. */
static bool in_range(double v, bool log) {
    return isfinite(v) && fabs(v) <= 1e300 && (!log || v >= 1e-300);
}

static bool shown(const uw_line_chart *c, const uw_svg_series *s, int32_t i) {
    return in_range(s->x[i], c->x.log) && in_range(s->y[i], c->y.log);
}

static void data_range(const uw_line_chart *c, bool of_y, double *low, double *high) {
    *low = INFINITY;
    *high = -INFINITY;
    for (int32_t k = 0; k < c->num_series; k++) {
        const uw_svg_series *s = &c->series[k];
        for (int32_t i = 0; i < s->n; i++) {
            if (!shown(c, s, i)) continue;
            const double v = of_y ? s->y[i] : s->x[i];
            *low = fmin(*low, v);
            *high = fmax(*high, v);
        }
    }
}

static void number_label(uw_text *out, double x, double y, const char *anchor, double v) {
    uw_text t = {0};
    uw__text_number(&t, v, 3);
    if (t.data) uw__svg_label(out, x, y, "mu num", anchor, t.data);
    out->failed = out->failed || t.failed;
    uw__text_fini(&t);
}

static void draw_axes(uw_text *out, const uw_line_chart *c, const uw_scale *x, const uw_scale *y) {
    double ticks[UW_MAX_TICKS];
    int32_t n = uw__scale_ticks(y, ticks);
    for (int32_t i = 0; i < n; i++) {
        const double at = uw__scale_at(y, ticks[i]);
        uw__svg_line(out, "gr", x->from, at, x->to, at);
        number_label(out, x->from - 7, at + 4, "end", ticks[i]);
    }
    n = uw__scale_ticks(x, ticks);
    for (int32_t i = 0; i < n; i++) {
        const double at = uw__scale_at(x, ticks[i]);
        uw__svg_line(out, "ax", at, y->from, at, y->from + 4);
        number_label(out, at, y->from + 17, "middle", ticks[i]);
    }
    uw__svg_line(out, "ax", x->from, y->from, x->to, y->from);
    if (c->x.label)
        uw__svg_label(out, 0.5 * (x->from + x->to), y->from + 34, "mu", "middle", c->x.label);
}

static void draw_series(uw_text *out, const uw_line_chart *c, const uw_svg_series *s,
                        const uw_scale *x, const uw_scale *y) {
    const char *colour = uw__svg_colour(s->colour);
    uw__text_printf(out, "<path class=\"l %s%s\" d=\"", colour, s->dashed ? " da" : "");
    bool pen = false;
    for (int32_t i = 0; i < s->n; i++) {
        if (!shown(c, s, i)) {
            pen = false;
            continue;
        }
        uw__text_add(out, pen ? "L" : "M");
        uw__text_fixed(out, uw__scale_at(x, s->x[i]), 2);
        uw__text_add(out, " ");
        uw__text_fixed(out, uw__scale_at(y, s->y[i]), 2);
        pen = true;
    }
    uw__text_add(out, "\"/>");
    for (int32_t i = 0; s->markers && i < s->n; i++) {
        if (!shown(c, s, i)) continue;
        uw__text_printf(out, "<circle class=\"f %s\" r=\"3\" cx=\"", colour);
        uw__text_fixed(out, uw__scale_at(x, s->x[i]), 2);
        uw__text_add(out, "\" cy=\"");
        uw__text_fixed(out, uw__scale_at(y, s->y[i]), 2);
        uw__text_add(out, "\"/>");
    }
}

void uw__svg_lines(uw_text *out, const uw_line_chart *c, uw_svg_dress dress) {
    enum { MAX_LEGEND = 16, HEIGHT = 270 };
    const char *names[MAX_LEGEND];
    int32_t colours[MAX_LEGEND];
    bool dashed[MAX_LEGEND];
    int32_t entries = 0;
    for (int32_t k = 0; k < c->num_series && entries < MAX_LEGEND; k++) {
        names[entries] = c->series[k].name;
        colours[entries] = c->series[k].colour;
        dashed[entries++] = c->series[k].dashed;
    }
    const double left = 54, extra = uw__svg_open(out, c->title, UW_SVG_WIDTH, HEIGHT, dress);
    double top =
        extra + uw__svg_legend(out, left, extra + 2, names, colours, dashed, entries, true) + 8;
    if (c->y.label) {
        uw__svg_label(out, 4, top + 6, "mu", "start", c->y.label);
        top += 18;
    }
    double low, high;
    data_range(c, false, &low, &high);
    /* a time axis ends where the data ends, not at a rounder number */
    const uw_axis tight = {.low = low, .high = high, .log = c->x.log};
    const uw_scale x = uw__scale_make(c->x.low < c->x.high || !(low < high) ? &c->x : &tight, low,
                                      high, left, UW_SVG_WIDTH - 14);
    data_range(c, true, &low, &high);
    const uw_scale y = uw__scale_make(&c->y, low, high, extra + HEIGHT - 42, top);
    draw_axes(out, c, &x, &y);
    for (int32_t k = 0; k < c->num_series; k++) draw_series(out, c, &c->series[k], &x, &y);
    uw__svg_close(out);
}
