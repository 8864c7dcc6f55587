/* Playing on a page: a small server for one browser on this machine.
 *
 * It listens on 127.0.0.1 alone, answers only requests that carry the key of its own address and name this
 * machine as their host (a page elsewhere can neither read nor drive it), and keeps no connection waiting:
 * each POST is one tick and answers with the picture that follows. */
#include "play.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <microhttpd.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

enum { KEY_BYTES = 16, MAX_BODY = 1024, WAIT_MS = 200 };

extern const char play_page_html[];

typedef struct server {
    play *p;
    struct MHD_Daemon *daemon;
    char key[2 * KEY_BYTES + 1]; /* hex */
    int port;
    uint8_t *rgb; /* all panels side by side */
    int32_t width;
    double ticks_per_s;
    bool quit;
    uw_status status;
} server;

/* One request's body so far. */
typedef struct body {
    char text[MAX_BODY + 1];
    size_t size;
    bool too_long;
} body;

/* ---- answers ------------------------------------------------------------------------------------- */

static enum MHD_Result reply(struct MHD_Connection *to, unsigned code, const char *type, void *data, size_t size,
                             const char *status) {
    struct MHD_Response *r = MHD_create_response_from_buffer(size, data, MHD_RESPMEM_MUST_COPY);
    if (!r) return MHD_NO;
    MHD_add_response_header(r, "Content-Type", type);
    MHD_add_response_header(r, "Cache-Control", "no-store");
    MHD_add_response_header(r, "X-Content-Type-Options", "nosniff");
    MHD_add_response_header(r, "Content-Security-Policy",
                            "default-src 'none'; img-src blob: data:; style-src 'unsafe-inline'; "
                            "script-src 'unsafe-inline'; connect-src 'self'");
    if (status) MHD_add_response_header(r, "X-Status", status);
    const enum MHD_Result sent = MHD_queue_response(to, code, r);
    MHD_destroy_response(r);
    return sent;
}

static enum MHD_Result refuse(struct MHD_Connection *to, unsigned code, const char *why) {
    char text[160];
    const int n = snprintf(text, sizeof text, "umwelt play: %s\n", why);
    return reply(to, code, "text/plain; charset=utf-8", text, (size_t)n, NULL);
}

static enum MHD_Result reply_picture(server *s, struct MHD_Connection *to) {
    const play *p = s->p;
    const size_t stride = (size_t)s->width * 3;
    for (int32_t i = 0; i < play_panels(p); i++)
        play_panel(p, i, p->size, s->rgb + (size_t)(i * (p->size + PLAY_GAP)) * 3, stride);
    void *png = NULL;
    size_t size = 0;
    uw_err err = {0};
    if (uw_png_encode(s->rgb, s->width, p->size, &png, &size, &err))
        return refuse(to, MHD_HTTP_INTERNAL_SERVER_ERROR, err.text);
    char status[128];
    play_status(p, status, sizeof status);
    const enum MHD_Result sent = reply(to, MHD_HTTP_OK, "image/png", png, size, status);
    uw_free(png);
    return sent;
}

static enum MHD_Result reply_page(server *s, struct MHD_Connection *to) {
    const play *p = s->p;
    json_t *facts = json_pack("{s:s,s:i,s:i,s:i,s:i,s:f,s:b,s:b}", "world", p->world->name, "actions",
                              p->world->action_dim, "panels", play_panels(p), "size", p->size, "gap", PLAY_GAP,
                              "rate", s->ticks_per_s, "model", p->model != NULL, "dream", p->memories != NULL);
    char *text = facts ? json_dumps(facts, JSON_COMPACT) : NULL;
    json_decref(facts);
    const size_t size = strlen(play_page_html) + (text ? strlen(text) : 0) + 64;
    char *page = text ? malloc(size) : NULL;
    enum MHD_Result sent = MHD_NO;
    if (page) {
        const char *place = strstr(play_page_html, "null/*FACTS*/");
        const int n = snprintf(page, size, "%.*s%s%s", (int)(place - play_page_html), play_page_html, text,
                               place + strlen("null/*FACTS*/"));
        sent = reply(to, MHD_HTTP_OK, "text/html; charset=utf-8", page, (size_t)n, NULL);
    }
    free(page);
    free(text);
    return sent;
}

/* ---- requests ------------------------------------------------------------------------------------ */

/* Read the numbers of an action, separated by commas; those that are left out are 0. */
static bool parse_action(const char *text, int32_t dim, float *action) {
    int32_t count = 0;
    for (char *end; *text; text = *end == ',' ? end + 1 : end) {
        const float x = strtof(text, &end);
        if (end == text || count == dim || (*end && *end != ',') || !(x >= -1e6f && x <= 1e6f)) return false;
        action[count++] = x;
    }
    return true;
}

static enum MHD_Result act(server *s, struct MHD_Connection *to, const char *what, const char *text) {
    float action[UW_MAX_ACTION_DIM] = {0};
    uw_status status = UW_OK;
    if (!strcmp(what, "tick")) {
        if (!parse_action(text, s->p->world->action_dim, action))
            return refuse(to, MHD_HTTP_BAD_REQUEST, "action: wanted finite numbers with commas between");
        status = play_tick(s->p, action);
    } else if (!strcmp(what, "reset")) {
        status = play_reset(s->p);
    } else if (!strcmp(what, "wake")) {
        status = play_wake(s->p);
    } else if (!strcmp(what, "autopilot")) {
        s->p->autopilot = s->p->model && !s->p->autopilot;
    } else if (!strcmp(what, "quit")) {
        s->quit = true;
    } else {
        return refuse(to, MHD_HTTP_NOT_FOUND, "no such request");
    }
    if (status) {
        s->status = status;
        return refuse(to, MHD_HTTP_INTERNAL_SERVER_ERROR, s->p->err.text);
    }
    return reply_picture(s, to);
}

/* The request names this machine: a name that was bent to 127.0.0.1 elsewhere does not pass. */
static bool own_host(const server *s, struct MHD_Connection *from) {
    const char *host = MHD_lookup_connection_value(from, MHD_HEADER_KIND, "Host");
    const char *origin = MHD_lookup_connection_value(from, MHD_HEADER_KIND, "Origin");
    char by_number[32], by_name[32];
    snprintf(by_number, sizeof by_number, "127.0.0.1:%d", s->port);
    snprintf(by_name, sizeof by_name, "localhost:%d", s->port);
    if (!host || (strcmp(host, by_number) != 0 && strcmp(host, by_name) != 0)) return false;
    return !origin || (!strncmp(origin, "http://", 7) && !strcmp(origin + 7, host));
}

static enum MHD_Result answer(void *cookie, struct MHD_Connection *from, const char *url, const char *method,
                              const char *version, const char *data, size_t *size, void **state) {
    (void)version;
    server *s = cookie;
    body *b = *state;
    if (!b) { /* headers only so far */
        *state = calloc(1, sizeof *b);
        return *state ? MHD_YES : MHD_NO;
    }
    if (*size) {
        const size_t room = MAX_BODY - b->size, n = *size < room ? *size : room;
        memcpy(b->text + b->size, data, n);
        b->size += n;
        b->too_long |= n < *size;
        *size = 0;
        return MHD_YES;
    }
    if (!own_host(s, from)) return refuse(from, MHD_HTTP_FORBIDDEN, "this page is for this machine only");
    const size_t key = strlen(s->key);
    if (url[0] != '/' || strncmp(url + 1, s->key, key) != 0 || url[1 + key] != '/')
        return refuse(from, MHD_HTTP_FORBIDDEN, "the address lacks its key");
    const char *what = url + key + 2;
    if (b->too_long) return refuse(from, MHD_HTTP_CONTENT_TOO_LARGE, "too long");
    if (!strcmp(method, "GET") && !*what) return reply_page(s, from);
    if (!strcmp(method, "GET") && !strcmp(what, "picture")) return reply_picture(s, from);
    if (!strcmp(method, "POST")) return act(s, from, what, b->text);
    return refuse(from, MHD_HTTP_NOT_FOUND, "no such page");
}

static void finished(void *cookie, struct MHD_Connection *from, void **state, enum MHD_RequestTerminationCode how) {
    (void)cookie, (void)from, (void)how;
    free(*state);
    *state = NULL;
}

/* ---- the server ---------------------------------------------------------------------------------- */

static bool make_key(char *key) {
    unsigned char random[KEY_BYTES];
    if (getrandom(random, sizeof random, 0) != (ssize_t)sizeof random) return false;
    for (int i = 0; i < KEY_BYTES; i++) snprintf(key + 2 * i, 3, "%02x", random[i]);
    return true;
}

int play_on_page(play *p, int32_t port, double ticks_per_s) {
    server s = {.p = p, .ticks_per_s = ticks_per_s};
    int code = CLI_OK;
    const struct sockaddr_in here = {
        .sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr = {htonl(INADDR_LOOPBACK)}};
    s.width = play_panels(p) * p->size + (play_panels(p) - 1) * PLAY_GAP;
    s.rgb = malloc((size_t)s.width * (size_t)p->size * 3);
    if (!s.rgb || !make_key(s.key)) {
        free(s.rgb);
        return cli_fail(p->c, UW_ENOMEM, NULL);
    }
    memset(s.rgb, 255, (size_t)s.width * (size_t)p->size * 3);
    s.daemon = MHD_start_daemon(MHD_NO_FLAG, 0, NULL, NULL, answer, &s, MHD_OPTION_SOCK_ADDR, &here,
                                MHD_OPTION_CONNECTION_LIMIT, 8u, MHD_OPTION_CONNECTION_TIMEOUT, 10u,
                                MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)65536, MHD_OPTION_NOTIFY_COMPLETED,
                                finished, NULL, MHD_OPTION_END);
    const union MHD_DaemonInfo *bound = s.daemon ? MHD_get_daemon_info(s.daemon, MHD_DAEMON_INFO_BIND_PORT) : NULL;
    if (!bound) {
        uw_err err = {0};
        uw_fail(&err, UW_EIO, "port %d: cannot listen on 127.0.0.1: %s", port, strerror(errno));
        uw_err_fix(&err, "leave --port out to take any free one");
        code = cli_fail(p->c, UW_EIO, &err);
        goto done;
    }
    s.port = bound->port;
    fprintf(stderr, "play %s at http://127.0.0.1:%d/%s/ (q on the page, or Ctrl-C here, ends)\n", p->world->name,
            s.port, s.key);
    while (!s.quit && !s.status && !cli_stopped()) MHD_run_wait(s.daemon, WAIT_MS);
    if (s.quit) /* let the last answer out */
        for (int i = 0; i < 5; i++) MHD_run_wait(s.daemon, 20);
    if (s.status) code = cli_fail(p->c, s.status, &p->err);
done:
    if (s.daemon) MHD_stop_daemon(s.daemon);
    free(s.rgb);
    return code;
}
