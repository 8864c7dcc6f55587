/* Write a report from made-up numbers and a few recorded episodes: make_report FOLDER SIDES [GIF].
 * For the browser test, and for looking at. */
#include <stdio.h>
#include <stdlib.h>

#include "synthetic.h"

int main(int argc, char **argv) {
    if (argc < 3) return 2;
    static synthetic s;
    uw_err err = {0};
    uw_context *ctx = NULL;
    char html[1024], figures[1024], card[1024], data[1024];
    snprintf(html, sizeof html, "%s/report.html", argv[1]);
    snprintf(figures, sizeof figures, "%s/figures", argv[1]);
    snprintf(card, sizeof card, "%s/MODEL_CARD.md", argv[1]);
    snprintf(data, sizeof data, "%s/experience.uw", argv[1]);
    uw_status status = uw_context_new(&(uw_context_options){.num_threads = 2}, &ctx, &err);
    if (!status && synthetic_log(argv[1])) status = UW_EIO;
    if (!status)
        status = synthetic_make(&s, atoi(argv[2]), "TwoRoom <b>&amp; \"friends\"</b>", argv[1],
                                argc > 3 ? argv[3] : NULL, &err);
    uw_collect_options few = UW_COLLECT_OPTIONS_DEFAULT;
    few.episodes = 4;
    few.steps = 14;
    few.overwrite = true;
    uw_collect_result recorded;
    if (!status) status = uw_collect_run(ctx, "two_room", data, &few, &recorded, &err);
    s.inputs.dataset = data;
    synthetic_trust(&s);
    if (!status) status = uw_report_write(ctx, &s.inputs, html, figures, true, &err);
    if (!status) status = uw_report_model_card(&s.inputs, card, true, &err);
    if (status) fprintf(stderr, "make_report: %s\n", err.text);
    synthetic_free(&s);
    uw_context_free(ctx);
    return status ? 1 : 0;
}
