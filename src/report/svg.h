/* A small plot library: line plots, interval bars, grouped bars and coloured maps as SVG.
 *
 * Two dresses of the same drawing: UW_SVG_PAGE takes its colours from the page's CSS variables, so
 * that it follows light and dark; UW_SVG_FILE stands alone, with its title drawn and its colours
 * inside. */
#ifndef UW_SVG_H
#define UW_SVG_H

#include <stdint.h>

#include "text.h"

typedef enum uw_svg_dress { UW_SVG_PAGE = 0, UW_SVG_FILE = 1 } uw_svg_dress;

enum { UW_SVG_COLOURS = 6 }; /* of the palette; series i takes colour i mod 6 */

/* Write the CSS rules of every class the drawings use, with colours as variables (page) or values.
 */
void uw__svg_style(uw_text *out, uw_svg_dress dress);
/* Write the page's variables, light and dark. */
void uw__svg_variables(uw_text *out, bool dark);

/* One axis; low == high means "from the data". */
typedef struct uw_axis {
    const char *label;
    double low, high;
    bool log;       /* positive values only; the others are left out */
    bool from_zero; /* the data's range is extended to 0 */
} uw_axis;

typedef struct uw_svg_series {
    const char *name;    /* in the legend; NULL = none */
    int32_t colour;      /* 0 .. 5; -1 = muted */
    const double *x, *y; /* [n]; not finite points are left out and break the line */
    int32_t n;
    bool dashed, markers;
} uw_svg_series;

typedef struct uw_line_chart {
    const char *title;
    uw_axis x, y;
    const uw_svg_series *series;
    int32_t num_series;
} uw_line_chart;
void uw__svg_lines(uw_text *out, const uw_line_chart *chart, uw_svg_dress dress);

/* A rate (or any value on low .. high) with its interval. */
typedef struct uw_interval {
    double value, low, high; /* NaN value: not measured */
} uw_interval;
typedef struct uw_interval_row {
    const char *label, *note; /* note: muted, after the label; nullable */
    uw_interval of[2];        /* one per series */
    bool strong;              /* label drawn bold */
    int32_t colour;           /* with one series; as in uw_svg_series */
} uw_interval_row;
typedef struct uw_interval_chart {
    const char *title;
    const char *names[2]; /* of the series, in the legend; names[1] NULL = one series */
    int32_t num_series;   /* 1 or 2 */
    const uw_interval_row *rows;
    int32_t num_rows;
    double reference; /* dashed line at this rate; NaN = none */
} uw_interval_chart;
/* Rates 0 .. 1 on a percent scale: dot and exact interval, numbers beside. */
void uw__svg_intervals(uw_text *out, const uw_interval_chart *chart, uw_svg_dress dress);

typedef struct uw_bar_group {
    const char *label;
    double value[UW_SVG_COLOURS]; /* [num_bars]; NaN = left out */
} uw_bar_group;
typedef struct uw_bar_chart {
    const char *title;
    uw_axis y;
    const char *names[UW_SVG_COLOURS]; /* [num_bars], legend */
    int32_t colour[UW_SVG_COLOURS];    /* as in uw_svg_series */
    int32_t num_bars, num_groups;
    const uw_bar_group *groups;
} uw_bar_chart;
void uw__svg_bars(uw_text *out, const uw_bar_chart *chart, uw_svg_dress dress);

typedef struct uw_map_chart {
    const char *title, *x_label, *y_label;
    const char *value_label;     /* of the colour scale */
    const double *x, *y, *value; /* [n], finite */
    int32_t n;
} uw_map_chart;
/* Points at equal scale on both axes, coloured by value (viridis). */
void uw__svg_map(uw_text *out, const uw_map_chart *chart, uw_svg_dress dress);

#endif
