/* umwelt play: drive a world by hand, and watch a model dream the same actions. */
#include "play.h"

#include <unistd.h>

static const cli_option options[] = {
    {"page", NULL, "play in a browser: serve one page on this machine only", NULL},
    {"port", "N", "of the page; 0 = any free one", "0"},
    {"data", "D.uw", "recording the dream is shown with (needs a model)", NULL},
    CLI_GUIDE_OPTIONS,
    CLI_PLANNER_OPTIONS,
    {"env", "ENV", "world to play in", "the model's"},
    {"size", "PX", "edge of a panel on the page", "224"},
    {"rate", "HZ", "decisions per second", "10"},
    {"from", "STATE", "go on from a state file that --out left", NULL},
    {"variation", "NAME=VALUE|NAME~sample", "change a factor of variation (repeatable)", NULL},
    {0},
};

static int run(cli *c) {
    int32_t port, size;
    double rate;
    int code = cli_int(c, "port", 0, 0, 65535, &port);
    if (!code) code = cli_int(c, "size", 224, 16, UW_MAX_FRAME_SIZE, &size);
    if (!code) code = cli_number(c, "rate", 10, 0.5, 100, &rate);
    if (code) return code;
    const bool page = cli_flag(c, "page");
    if (!page && (!isatty(0) || !isatty(1)))
        return cli_usage(c, "terminal", "umwelt play two_room --page serves a page instead",
                         "wanted one to play in, got a pipe or a file");
    play p;
    code = play_open(c, c->args[0], cli_str(c, "data", NULL), size, &p);
    const char *from = cli_str(c, "from", NULL);
    uw_status s = UW_OK;
    if (!code && c->out) s = play_check_free(&p, c->out, c->force);
    if (!code && !s && from) s = play_load_state(&p, from);
    if (s) code = cli_fail(c, s, &p.err);
    if (!code) code = page ? play_on_page(&p, port, rate) : play_in_terminal(&p, rate);
    if (!code && c->out) s = play_save_state(&p, c->out, c->force);
    if (!code && s) code = cli_fail(c, s, &p.err);
    if (!code) {
        play_result(&p);
        code = cli_finish(c);
    }
    play_close(&p);
    return code;
}

const cli_verb cli_play = {
    .name = "play",
    .summary = "drive a world by hand, beside a model's dream of it",
    .arguments = "MODEL|ENV",
    .about = "Drive a world with the keys or the mouse, in the terminal or (--page) in a browser on this machine. "
             "Arrows or WASD act, r starts the next episode, q ends.  With a model, p lets its planner drive; with "
             "--data as well, a third panel shows the model's imagination of the same actions as the nearest "
             "remembered frames, and i lets it start again from what is seen.  --out leaves the world's state at the "
             "end; --from goes on from it, to the same bits.",
    .examples = "  umwelt play two_room\n"
                "  umwelt play pusht --page\n"
                "  umwelt play pusht --out here.state; umwelt play pusht --from here.state\n"
                "  umwelt play run/model.safetensors --data experience.uw --page\n",
    .min_args = 1,
    .max_args = 1,
    .options = options,
    .writes = true,
    .run = run,
};
