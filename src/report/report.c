/* Gather what the page is made from, write it, publish it. */
#include "report_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fileio.h"
#include "internal.h"

enum { MAX_GIF = 64 << 20 };

uw_status uw__report_check(const uw_report_inputs *in, uw_err *err) {
    if (in->num_sides < 1 || in->num_sides > 2)
        return uw_fail(err, UW_EINVAL, "report: sides, wanted 1 or 2, got %d", in->num_sides);
    for (int32_t i = 0; i < in->num_sides; i++)
        if (!in->sides[i].model)
            return uw_fail(err, UW_EINVAL, "report: side %d has no model", i + 1);
    return UW_OK;
}

static uw_status gather(uw_context *ctx, uw_report *r, uw_err *err) {
    uw_status s = UW_OK;
    for (int32_t i = 0; i < r->in->num_sides && !s; i++) {
        s = uw__curves_read(r->in->sides[i].run_dir, &r->curves[i], err);
        if (!s)
            s = uw__latent_map_drawn(ctx, r->in->sides[i].model, r->in->env, r->in->seed,
                                     &r->map[i], err);
        if (!s && !r->map[i].n && r->in->dataset && *r->in->dataset)
            s = uw__latent_map_recorded(ctx, r->in->sides[i].model, r->in->dataset,
                                        r->in->sides[i].probe, &r->map[i], err);
        if (!s)
            s = uw__imagined_png(ctx, r->in->sides[i].model, r->in->dataset, &r->imagined[i],
                                 &r->imagined_bytes[i], err);
    }
    if (!s && r->in->animation)
        s = uw__file_read(r->in->animation, MAX_GIF, &r->gif, &r->gif_bytes, err);
    return s;
}

uw_status uw_report_write(uw_context *ctx, const uw_report_inputs *inputs, const char *path,
                          const char *figures_dir, bool overwrite, uw_err *err) {
    uw_report r = {.in = inputs};
    uw_text page = {0};
    uw_status s = uw__report_check(inputs, err);
    if (s) return s;
    r.world = inputs->env && *inputs->env ? uw_env_find(inputs->env) : NULL;
    s = gather(ctx, &r, err);
    if (s) goto done;
    uw__page_write(&r, &page);
    if (page.failed) s = uw_fail(err, UW_ENOMEM, "%s: page", path);
    if (!s && figures_dir) s = uw__figures_write(&r, figures_dir, overwrite, err);
    for (int32_t i = 0; i < inputs->num_sides && figures_dir && !s; i++) {
        char png[1024];
        if (!r.imagined[i]) continue;
        snprintf(png, sizeof png, "%s/imagined%s.png", figures_dir,
                 inputs->num_sides < 2 ? ""
                 : i                   ? "-2"
                                       : "-1");
        s = uw__file_write_atomic(png, r.imagined[i], r.imagined_bytes[i], overwrite, err);
    }
    if (!s) s = uw__file_write_atomic(path, page.data, page.size, overwrite, err);
done:
    uw__text_fini(&page);
    for (int32_t i = 0; i < 2; i++) {
        uw__curves_fini(&r.curves[i]);
        uw__latent_map_fini(&r.map[i]);
        free(r.imagined[i]);
    }
    free(r.gif);
    return s;
}
