/* The page in a build without its server. */
#include "play.h"

int play_on_page(play *p, int32_t port, double ticks_per_s) {
    (void)port, (void)ticks_per_s;
    uw_err err = {0};
    uw_fail(&err, UW_EUNSUPPORTED, "--page: not built in");
    uw_err_fix(&err, "play in the terminal, or build with -DUW_PAGE=ON");
    return cli_fail(p->c, UW_EUNSUPPORTED, &err);
}
