/* What the charts share: the frame, scales, ticks, legend. */
#ifndef UW_SVG_INTERNAL_H
#define UW_SVG_INTERNAL_H

#include "svg.h"

enum {
    UW_SVG_WIDTH = 440
}; /* of the charts; text stays readable when a phone shrinks it by a fifth */

/* Open <svg>, with role and title, and in a file its style and drawn title.  Returns the y below
 * the title. */
double uw__svg_open(uw_text *out, const char *title, int32_t width, double height,
                    uw_svg_dress dress);
void uw__svg_close(uw_text *out);
/* Extra height that the drawn title takes. */
double uw__svg_title_height(uw_svg_dress dress);

/* Text at a point: css is classes; anchor "start", "middle" or "end". */
void uw__svg_label(uw_text *out, double x, double y, const char *css, const char *anchor,
                   const char *text);
void uw__svg_line(uw_text *out, const char *css, double x1, double y1, double x2, double y2);
/* Width of text in units at the labels' size, from above. */
double uw__svg_text_width(const char *text);
/* Legend of names (NULL entries skipped) from x on, wrapped; returns its height. */
double uw__svg_legend(uw_text *out, double x, double y, const char *const *names,
                      const int32_t *colours, const bool *dashed, int32_t count, bool draw);
/* The class of a series' colour: "c0" .. "c5", "cm" for muted. */
const char *uw__svg_colour(int32_t colour);

/* A scale from values to places. */
typedef struct uw_scale {
    double low, high, from, to; /* values; places */
    bool log;
} uw_scale;
/* Round an axis' range outwards to its ticks. */
uw_scale uw__scale_make(const uw_axis *axis, double data_low, double data_high, double from,
                        double to);
double uw__scale_at(const uw_scale *s, double v);
enum { UW_MAX_TICKS = 12 };
/* Ticks inside the scale, at most UW_MAX_TICKS. */
int32_t uw__scale_ticks(const uw_scale *s, double *ticks);

#endif
