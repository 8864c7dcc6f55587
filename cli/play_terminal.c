/* Playing in a terminal: half blocks in 24-bit colour, keys and the mouse as they come.
 *
 * A terminal tells when a key goes down, never when it goes up: a push lasts a few ticks and is renewed by the
 * keyboard's own repeat. */
#include "play.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

enum {
    PUSH_TICKS = 5,      /* a key press holds this long */
    MAX_PANEL = 96,      /* pixels; two per character row */
    STATUS_LINES = 3,
    MAX_KEYS = 256
};

typedef struct screen {
    struct termios before;
    int32_t panel;       /* edge of one panel in pixels */
    int32_t width;       /* of the picture in pixels: panels and gaps */
    uint8_t *rgb;        /* [panel, width, 3] */
    char *text;          /* one frame's escape sequences */
    size_t text_size;
    /* what is being pushed */
    float push[UW_MAX_ACTION_DIM];
    int32_t left[UW_MAX_ACTION_DIM]; /* ticks */
    bool quit;
} screen;

static double now_s(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static void put(const char *text) {
    for (size_t at = 0, n = strlen(text); at < n;) {
        const ssize_t wrote = write(STDOUT_FILENO, text + at, n - at);
        if (wrote < 0 && errno != EINTR) return;
        if (wrote > 0) at += (size_t)wrote;
    }
}

/* ---- the picture --------------------------------------------------------------------------------- */

static uw_status fit(screen *s, const play *p) {
    struct winsize window = {0};
    if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &window) || !window.ws_col || !window.ws_row)
        window = (struct winsize){.ws_col = 80, .ws_row = 24};
    const int32_t panels = play_panels(p);
    int32_t edge = (window.ws_col - (panels - 1) * PLAY_GAP) / panels;
    const int32_t tall = 2 * (window.ws_row - STATUS_LINES);
    if (edge > tall) edge = tall;
    if (edge > MAX_PANEL) edge = MAX_PANEL;
    edge -= edge % 2;
    if (edge < 16) edge = 16;
    if (edge == s->panel) return UW_OK;
    s->panel = edge;
    s->width = panels * edge + (panels - 1) * PLAY_GAP;
    s->text_size = (size_t)s->width * (size_t)(edge / 2) * 48 + 1024;
    free(s->rgb);
    free(s->text);
    s->rgb = calloc((size_t)s->width * (size_t)edge, 3);
    s->text = malloc(s->text_size);
    put("\033[2J");
    return s->rgb && s->text ? UW_OK : UW_ENOMEM;
}

/* Two pixels per character: the upper as foreground of a half block, the lower as its background. */
static void show(screen *s, const play *p) {
    static const char *const titles[] = {"world", "goal", "dream"};
    const size_t stride = (size_t)s->width * 3;
    for (int32_t i = 0; i < play_panels(p); i++)
        play_panel(p, i, s->panel, s->rgb + (size_t)(i * (s->panel + PLAY_GAP)) * 3, stride);
    char status[128];
    play_status(p, status, sizeof status);
    size_t n = (size_t)snprintf(s->text, s->text_size, "\033[H");
    for (int32_t i = 0; i < play_panels(p); i++)
        n += (size_t)snprintf(s->text + n, s->text_size - n, "%-*s", s->panel + PLAY_GAP, titles[i]);
    n += (size_t)snprintf(s->text + n, s->text_size - n, "\033[K\r\n");
    for (int32_t y = 0; y < s->panel; y += 2) {
        uint32_t upper = 1u << 24, lower = 1u << 24; /* no colour yet */
        for (int32_t x = 0; x < s->width; x++) {
            const uint8_t *a = s->rgb + (size_t)y * stride + 3 * (size_t)x, *b = a + stride;
            const bool gap = x % (s->panel + PLAY_GAP) >= s->panel;
            const uint32_t u = (uint32_t)a[0] << 16 | (uint32_t)a[1] << 8 | a[2];
            const uint32_t l = (uint32_t)b[0] << 16 | (uint32_t)b[1] << 8 | b[2];
            if (gap) {
                n += (size_t)snprintf(s->text + n, s->text_size - n, "%s ", upper >> 24 ? "" : "\033[0m");
                upper = lower = 1u << 24;
                continue;
            }
            if (u != upper) n += (size_t)snprintf(s->text + n, s->text_size - n, "\033[38;2;%d;%d;%dm", a[0], a[1], a[2]);
            if (l != lower) n += (size_t)snprintf(s->text + n, s->text_size - n, "\033[48;2;%d;%d;%dm", b[0], b[1], b[2]);
            n += (size_t)snprintf(s->text + n, s->text_size - n, "\xe2\x96\x80");
            upper = u, lower = l;
        }
        n += (size_t)snprintf(s->text + n, s->text_size - n, "\033[0m\033[K\r\n");
    }
    snprintf(s->text + n, s->text_size - n, "%s\033[K\r\narrows act  r next episode%s  q quit\033[K", status,
             !p->model ? "" : p->memories ? "  p planner  i dream from here" : "  p planner");
    put(s->text);
}

/* ---- keys ---------------------------------------------------------------------------------------- */

static void push(screen *s, int32_t number, int32_t dim, float value) {
    if (number >= dim) return;
    s->push[number] = value;
    s->left[number] = PUSH_TICKS;
}

/* A click or a drag over the world's panel: a joystick whose middle is the panel's middle. */
static void mouse(screen *s, int32_t dim, int button, int column, int row) {
    if ((button & 3) == 3 || dim < 2 || column > s->panel) return;
    const float half = 0.5f * (float)s->panel;
    const float x = ((float)column - half) / half, y = (2.0f * (float)(row - 1) - half) / half;
    push(s, 0, dim, x < -1 ? -1 : x > 1 ? 1 : x);
    push(s, 1, dim, y < -1 ? -1 : y > 1 ? 1 : y);
}

static uw_status letter(screen *s, play *p, char key) {
    const int32_t dim = p->world->action_dim, second = dim > 2 ? 2 : 0;
    switch (key) {
    case 'w': push(s, second + 1, dim, -1); break;
    case 's': push(s, second + 1, dim, 1); break;
    case 'a': push(s, second, dim, -1); break;
    case 'd': push(s, second, dim, 1); break;
    case 'r': return play_reset(p);
    case 'i': return play_wake(p);
    case 'p': p->autopilot = p->model && !p->autopilot; break;
    case 'q':
    case 3: s->quit = true; break;
    default: break;
    }
    return UW_OK;
}

static uw_status take_keys(screen *s, play *p, const char *keys, size_t n) {
    const int32_t dim = p->world->action_dim;
    for (size_t i = 0; i < n; i++) {
        if (keys[i] != '\033') {
            const uw_status status = letter(s, p, keys[i]);
            if (status) return status;
            continue;
        }
        int button, column, row, used = 0;
        char end;
        if (sscanf(keys + i, "\033[<%d;%d;%d%c%n", &button, &column, &row, &end, &used) == 4 && used > 0) {
            if (end == 'M') mouse(s, dim, button, column, row);
            i += (size_t)used - 1;
        } else if (i + 2 < n && (keys[i + 1] == '[' || keys[i + 1] == 'O')) {
            const char arrow = keys[i + 2];
            if (arrow == 'A' || arrow == 'B') push(s, dim > 1 ? 1 : 0, dim, arrow == 'A' ? -1.0f : 1.0f);
            if (arrow == 'C' || arrow == 'D') push(s, 0, dim, arrow == 'D' ? -1.0f : 1.0f);
            i += 2;
        }
    }
    return UW_OK;
}

/* Wait until `until`, taking keys as they come. */
static uw_status wait_keys(screen *s, play *p, double until) {
    for (;;) {
        const double left = until - now_s();
        struct pollfd in = {.fd = STDIN_FILENO, .events = POLLIN};
        const int ready = poll(&in, 1, left > 0 ? (int)(left * 1e3) + 1 : 0);
        if (ready > 0) {
            char keys[MAX_KEYS + 1];
            const ssize_t n = read(STDIN_FILENO, keys, MAX_KEYS);
            if (n == 0 || (n < 0 && errno != EINTR)) s->quit = true;
            keys[n > 0 ? n : 0] = '\0';
            const uw_status status = n > 0 ? take_keys(s, p, keys, (size_t)n) : UW_OK;
            if (status) return status;
        }
        if (cli_stopped()) s->quit = true;
        if (s->quit || now_s() >= until) return UW_OK;
    }
}

int play_in_terminal(play *p, double ticks_per_s) {
    screen s = {0};
    if (tcgetattr(STDIN_FILENO, &s.before)) return cli_usage(p->c, "terminal", NULL, "cannot be set up");
    struct termios raw = s.before;
    raw.c_lflag &= ~(tcflag_t)(ICANON | ECHO | ISIG);
    raw.c_cc[VMIN] = 0;
    raw.c_cc[VTIME] = 0;
    tcsetattr(STDIN_FILENO, TCSAFLUSH, &raw);
    put("\033[?1049h\033[?25l\033[?1002h\033[?1006h"); /* own screen, no cursor, drags in SGR form */
    uw_status status = UW_OK;
    while (!status && !s.quit) {
        status = fit(&s, p);
        if (status) break;
        show(&s, p);
        status = wait_keys(&s, p, now_s() + 1.0 / ticks_per_s);
        if (status || s.quit) break;
        status = play_tick(p, s.push);
        for (int32_t i = 0; i < UW_MAX_ACTION_DIM; i++)
            if (s.left[i] > 0 && --s.left[i] == 0) s.push[i] = 0;
    }
    put("\033[?1006l\033[?1002l\033[?25h\033[?1049l");
    tcsetattr(STDIN_FILENO, TCSAFLUSH, &s.before);
    free(s.rgb);
    free(s.text);
    return status ? cli_fail(p->c, status, &p->err) : CLI_OK;
}
