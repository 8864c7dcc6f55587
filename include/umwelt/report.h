/* The report: one self-contained HTML file with plots, pictures and an animation, readable without network
 * and on a phone; and the pictures by themselves.
 *
 *     uw_report_inputs in = {.title = "TwoRoom", .model = model, .eval = &eval, ...};
 *     uw_report_write(ctx, &in, "report.html", true, &err);
 */
#ifndef UW_REPORT_H
#define UW_REPORT_H

#include <umwelt/certify.h>
#include <umwelt/eval.h>
#include <umwelt/fitness.h>
#include <umwelt/probe.h>
#include <umwelt/surprise.h>
#include <umwelt/train.h>

#ifdef __cplusplus
extern "C" {
#endif

/* What one model shows; everything but model may be NULL and is then left out. */
typedef struct uw_report_side {
    const char *title;                 /* "colour-robust", "plain" */
    const uw_model *model;
    const char *run_dir;               /* for the training curves of log.csv */
    const uw_train_result *train;
    const uw_eval_result *eval;
    const uw_eval_result *baselines;   /* [UW_NUM_DRIVERS], by uw_driver; num_episodes 0 = not run */
    const uw_probe_report *probe;
    const uw_card *card;
    const uw_certificate *certificate;
    const uw_surprise_report *surprise;
    const uw_injection_report *injections;
    const uw_run_curve *curve;         /* over the run's kept models */
} uw_report_side;

typedef struct uw_report_inputs {
    const char *title, *env, *command; /* command: how this report was made */
    const char *dataset;               /* for the nearest remembered frames, and maps of worlds that are no plane */
    const uw_fitness_report *fitness;  /* of it; nullable */
    int32_t num_sides;                 /* 1 or 2 (compare) */
    uw_report_side sides[2];
    const char *animation;             /* path of the GIF to embed, or NULL */
    uint64_t seed;
} uw_report_inputs;

/* Write the HTML atomically; figures also as SVG beside it (figures_dir, nullable). */
UW_API uw_status uw_report_write(uw_context *ctx, const uw_report_inputs *inputs, const char *path,
                                 const char *figures_dir, bool overwrite, uw_err *err);

/* Write a model card in Markdown: the same facts and numbers, for a repository. */
UW_API uw_status uw_report_model_card(const uw_report_inputs *inputs, const char *path, bool overwrite,
                                      uw_err *err);

/* Write an animated GIF of the traces kept in an evaluation: goal picture, what happened, and the
 * remembered frame nearest to what the model imagined, side by side, one row per episode. */
UW_API uw_status uw_report_animation(uw_context *ctx, const uw_model *model, const char *env,
                                     const char *dataset, const uw_eval_result *eval,
                                     int32_t num_episodes, const char *path, bool overwrite,
                                     uw_err *err);

/* Write / read an 8-bit RGB PNG: rgb [height, width, 3]. uw_png_read allocates *rgb (free with uw_free). */
UW_API uw_status uw_png_write(const char *path, const uint8_t *rgb, int32_t width, int32_t height,
                              bool overwrite, uw_err *err);
UW_API uw_status uw_png_read(const char *path, uint8_t **rgb, int32_t *width, int32_t *height,
                             uw_err *err);
/* The same into memory: *data, *size bytes (free with uw_free). */
UW_API uw_status uw_png_encode(const uint8_t *rgb, int32_t width, int32_t height, void **data,
                               size_t *size, uw_err *err);
/* Free memory that the library handed out. */
UW_API void uw_free(void *memory);

#ifdef __cplusplus
}
#endif
#endif
