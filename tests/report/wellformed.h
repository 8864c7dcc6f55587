/* A strict little XML reader: enough to say that a drawing or page of ours is well formed. */
#ifndef WELLFORMED_H
#define WELLFORMED_H

#include <ctype.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

enum { WF_DEPTH = 64, WF_NAME = 32 };

typedef struct wf {
    const char *at, *begin;
    char open[WF_DEPTH][WF_NAME];
    int depth, elements;
    char why[160];
} wf;

static bool wf_fail(wf *w, const char *why) {
    snprintf(w->why, sizeof w->why, "%s at byte %zu: %.60s", why, (size_t)(w->at - w->begin),
             w->at);
    return false;
}

static bool wf_entity(wf *w) {
    static const char *const known[] = {"&amp;", "&lt;", "&gt;", "&quot;", "&#39;"};
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        if (!strncmp(w->at, known[i], strlen(known[i]))) {
            w->at += strlen(known[i]);
            return true;
        }
    }
    return wf_fail(w, "bare ampersand or unknown entity");
}

static bool wf_name(wf *w, char *name) {
    size_t n = 0;
    while (isalnum((unsigned char)*w->at) || *w->at == '-' || *w->at == ':' || *w->at == '_') {
        if (n + 1 < WF_NAME) name[n++] = *w->at;
        w->at++;
    }
    name[n] = '\0';
    return n ? true : wf_fail(w, "wanted a name");
}

static bool wf_attribute(wf *w) {
    char name[WF_NAME];
    if (!wf_name(w, name)) return false;
    if (*w->at != '=' || w->at[1] != '"') return wf_fail(w, "wanted =\"");
    for (w->at += 2; *w->at != '"';) {
        if (!*w->at || *w->at == '<') return wf_fail(w, "bad attribute value");
        if (*w->at != '&')
            w->at++;
        else if (!wf_entity(w))
            return false;
    }
    w->at++;
    return true;
}

static bool wf_tag(wf *w) {
    char name[WF_NAME];
    if (!strncmp(w->at, "<!DOCTYPE html>", 15)) {
        w->at += 15;
        return true;
    }
    w->at++;
    if (*w->at == '/') {
        w->at++;
        if (!wf_name(w, name)) return false;
        if (w->depth < 1 || strcmp(w->open[w->depth - 1], name))
            return wf_fail(w, "closes what is not open");
        w->depth--;
        if (*w->at != '>') return wf_fail(w, "wanted >");
        w->at++;
        return true;
    }
    if (!wf_name(w, name)) return false;
    w->elements++;
    for (;;) {
        while (isspace((unsigned char)*w->at)) w->at++;
        if (!strncmp(w->at, "/>", 2)) {
            w->at += 2;
            return true;
        }
        if (*w->at == '>') break;
        if (!wf_attribute(w)) return false;
    }
    w->at++;
    if (w->depth == WF_DEPTH) return wf_fail(w, "too deep");
    memcpy(w->open[w->depth++], name, WF_NAME);
    return true;
}

/* True when text is one well-formed element (after a doctype); why tells what is not. */
static bool well_formed(const char *text, int *elements, char why[160]) {
    wf w = {.at = text, .begin = text};
    bool ok = true;
    while (ok && *w.at) {
        if (*w.at == '<')
            ok = wf_tag(&w);
        else if (*w.at == '&')
            ok = wf_entity(&w);
        else if ((unsigned char)*w.at < 0x20 && !isspace((unsigned char)*w.at))
            ok = wf_fail(&w, "control character");
        else if (w.depth == 0 && !isspace((unsigned char)*w.at))
            ok = wf_fail(&w, "text outside");
        else
            w.at++;
    }
    if (ok && w.depth) ok = wf_fail(&w, "never closed");
    snprintf(why, 160, "%s", w.why);
    if (elements) *elements = w.elements;
    return ok && w.elements > 0;
}

#endif
