/* Results on stdout, everything else on stderr; one error line and its fix; progress with rate and time left;
 * Ctrl-C as a request that leaves a resumable state. */
#include "cli.h"

#include <inttypes.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static volatile sig_atomic_t stop_signal; /* SIGINT or SIGTERM once it came */

/* The first signal asks for a stop at the next safe point; a second one ends the process at once, which
 * every writer of files survives too. */
static void on_signal(int number) {
    if (stop_signal) _exit(128 + number);
    stop_signal = number;
}

bool cli_stopped(void) {
    return stop_signal != 0;
}

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static void close_progress_line(cli *c) {
    if (c->progress_open) fputc('\n', stderr);
    c->progress_open = false;
}

static void on_log(void *cookie, uw_log_level level, const char *text) {
    cli *c = cookie;
    if (c->quiet && level != UW_LOG_WARN) return;
    close_progress_line(c);
    fprintf(stderr, "%s%s\n", level == UW_LOG_WARN ? "warning: " : "", text);
}

static void format_duration(double seconds, char *text, size_t size) {
    if (seconds < 100)
        snprintf(text, size, "%.0f s", seconds);
    else
        snprintf(text, size, "%.0f min %02.0f s", seconds / 60 - 0.5, (double)((int64_t)seconds % 60));
}

/* One line per piece of work: redrawn ten times a second on a terminal, else every five seconds. */
static bool on_progress(void *cookie, const char *what, int64_t done, int64_t total) {
    cli *c = cookie;
    const double t = now();
    const bool terminal = isatty(STDERR_FILENO);
    if (!c->progress_what || strcmp(c->progress_what, what)) {
        close_progress_line(c);
        c->progress_what = what;
        c->progress_started = t;
        c->progress_shown = terminal ? 0 : t;
        c->progress_first = done;
    }
    const bool finished = total > 0 && done >= total;
    if (!c->quiet && (finished || t - c->progress_shown >= (terminal ? 0.1 : 5.0))) {
        const double elapsed = t - c->progress_started;
        const double rate = elapsed > 0 ? (double)(done - c->progress_first) / elapsed : 0;
        char left[48];
        format_duration(rate > 0 ? (double)(total - done) / rate : 0, left, sizeof left);
        fprintf(stderr, "%s%-9s %" PRId64 "/%" PRId64 "  %.4g/s  %s %s%s", terminal ? "\r" : "", what, done,
                total, rate, finished ? "in" : "left:", finished ? "" : left, terminal ? "" : "");
        if (finished) fprintf(stderr, "%.1f s        ", elapsed);
        fprintf(stderr, terminal ? "\033[K" : "\n");
        c->progress_open = terminal;
        c->progress_shown = t;
    }
    if (finished) {
        close_progress_line(c);
        c->progress_what = NULL;
    }
    return !stop_signal;
}

int cli_begin(cli *c) {
    struct sigaction action = {.sa_handler = on_signal};
    sigemptyset(&action.sa_mask);
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    signal(SIGXFSZ, SIG_IGN); /* a file-size limit is an error to report, not a death */

    uw_err err = {0};
    const uw_context_options options = {.num_threads = c->threads,
                                        .max_isa = c->max_isa,
                                        .precision = c->bf16 ? UW_PRECISION_BF16 : UW_PRECISION_F32,
                                        .log = on_log,
                                        .cookie = c,
                                        .progress = on_progress};
    const uw_status status = uw_context_new(&options, &c->ctx, &err);
    c->started = now();
    c->result = json_object();
    return status ? cli_fail(c, status, &err) : CLI_OK;
}

static int exit_code(uw_status status) {
    switch (status) {
    case UW_OK: return CLI_OK;
    case UW_EINVAL: return CLI_USAGE;
    case UW_ENOTFOUND: return CLI_NOT_FOUND;
    case UW_EFORMAT:
    case UW_EUNSUPPORTED: return CLI_MALFORMED;
    case UW_ESHAPE: return CLI_MISMATCH;
    case UW_ENOMEM:
    case UW_ENOSPC: return CLI_RESOURCE;
    case UW_ENONFINITE: return CLI_NUMERICAL;
    case UW_EINTERRUPTED: return stop_signal == SIGTERM ? CLI_SIGTERM : CLI_SIGINT;
    case UW_EIO:
    case UW_EEXIST: break;
    }
    return CLI_FAILURE;
}

/* The one error line, its fix, and their JSON twin. `text` is "object: what". */
static int report_error(cli *c, int code, const char *text, const char *fix) {
    const char *verb = c->verb ? c->verb->name : "";
    close_progress_line(c);
    fprintf(stderr, "umwelt%s%s: %s\n", *verb ? " " : "", verb, text);
    if (fix && *fix) fprintf(stderr, "  fix: %s\n", fix);
    if (c->json) {
        char object[200] = "";
        const char *colon = strstr(text, ": ");
        if (colon && (size_t)(colon - text) < sizeof object) {
            memcpy(object, text, (size_t)(colon - text));
            object[colon - text] = 0;
        }
        json_t *error = json_pack("{s:{s:i,s:s,s:s,s:s}}", "error", "code", code, "what",
                                  colon ? colon + 2 : text, "object", object, "fix", fix ? fix : "");
        if (error) {
            json_dumpf(error, stdout, JSON_COMPACT);
            putchar('\n');
        } else { /* text that is not UTF-8 cannot travel in JSON */
            printf("{\"error\":{\"code\":%d,\"what\":\"see stderr\",\"object\":\"\",\"fix\":\"\"}}\n", code);
        }
        json_decref(error);
    }
    return code;
}

int cli_fail(cli *c, uw_status status, const uw_err *err) {
    const char *text = err && err->text[0] ? err->text : uw_status_str(status);
    const char *fix = err ? err->fix : "";
    if (status == UW_EEXIST && !*fix) fix = "give another --out, or --force to overwrite it";
    return report_error(c, exit_code(status), text, fix);
}

int cli_usage(cli *c, const char *object, const char *fix, const char *format, ...) {
    char what[300], text[400];
    va_list args;
    va_start(args, format);
    vsnprintf(what, sizeof what, format, args);
    va_end(args);
    snprintf(text, sizeof text, "%s: %s", object, what);
    return report_error(c, CLI_USAGE, text, fix);
}

int cli_name(cli *c, const char *kind, const char *given, const char *const *names) {
    int32_t count = 0;
    for (; names[count]; count++)
        if (!strcmp(names[count], given)) return CLI_OK;
    char fix[200] = "";
    const char *near = uw_nearest(given, names, count);
    if (near) {
        snprintf(fix, sizeof fix, "did you mean %s?", near);
    } else {
        size_t used = (size_t)snprintf(fix, sizeof fix, "there is:");
        for (int32_t i = 0; i < count && used < sizeof fix; i++)
            used += (size_t)snprintf(fix + used, sizeof fix - used, " %s", names[i]);
    }
    return cli_usage(c, given, fix, "no such %s", kind);
}

int cli_interrupted(cli *c, const char *format, ...) {
    char command[600], fix[640];
    va_list args;
    va_start(args, format);
    vsnprintf(command, sizeof command, format, args);
    va_end(args);
    snprintf(fix, sizeof fix, "resume with: %s", command);
    return report_error(c, exit_code(UW_EINTERRUPTED), "stopped: the state is on disk", fix);
}

void cli_say(cli *c, const char *format, ...) {
    if (c->json) return;
    close_progress_line(c);
    va_list args;
    va_start(args, format);
    vprintf(format, args);
    va_end(args);
    fflush(stdout);
}

void cli_note(cli *c, const char *format, ...) {
    if (c->quiet) return;
    close_progress_line(c);
    va_list args;
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
}

int cli_finish(cli *c) {
    if (c->json) {
        json_object_set_new(c->result, "umwelt", json_string(uw_version()));
        json_object_set_new(c->result, "verb", json_string(c->verb->name));
        json_object_set_new(c->result, "seed", json_integer((json_int_t)c->seed));
        json_object_set_new(c->result, "threads", json_integer(uw_context_threads(c->ctx)));
        json_object_set_new(c->result, "isa", json_string(uw_context_isa(c->ctx)));
        json_object_set_new(c->result, "seconds", json_real(now() - c->started));
        json_dumpf(c->result, stdout, JSON_COMPACT | JSON_REAL_PRECISION(17));
        putchar('\n');
    }
    /* A result that could not be written (a full disk behind a redirection) is not a success. */
    if (fflush(stdout) || ferror(stdout)) return CLI_RESOURCE;
    return CLI_OK;
}

void cli_end(cli *c) {
    close_progress_line(c);
    json_decref(c->result);
    uw_context_free(c->ctx);
}
