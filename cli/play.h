/* Playing a world: what the terminal and the browser page share.
 *
 * A tick is one row of a recording: `repeat` env steps of one action.  With a model and a recording, a dream
 * runs beside the world: the model's rollout of the same actions, shown as the remembered frame nearest
 * to each imagined latent. */
#ifndef UW_PLAY_H
#define UW_PLAY_H

#include "cli.h"

enum { PLAY_MAX_PANELS = 3, PLAY_GAP = 4 };

typedef struct play {
    cli *c;
    const uw_env_class *world;
    uw_env *env;
    uw_variation variation;
    uint64_t seed; /* of the episode */
    int32_t size, repeat;
    /* with a model */
    uw_model *model;
    uw_memories *memories; /* NULL without a recording */
    cli_guide guide;           /* of --solver landmark and inverse */
    cli_pilot pilot;           /* imagines, and drives when asked to */
    uint8_t *frame;            /* [image_size, image_size, 3] */
    float *block;              /* [A] actions of the decision so far */
    float *plan;               /* [A] of the autopilot */
    int32_t rows_done, frameskip;
    float *window, *past;      /* imagined latents [history, D] and the actions between them */
    float *next;               /* [D] */
    int32_t num_window, history;
    uint8_t *dream;            /* [image_size, image_size, 3] */
    bool autopilot;
    /* how it goes */
    int64_t ticks, clipped, successes;
    uw_step last;
    uw_err err; /* of the call that failed */
} play;

/* Open what an argument names: a world, or a model file (its world, its memories from data, nullable). */
int play_open(cli *c, const char *what, const char *data, int32_t size, play *out);
void play_close(play *p);
/* Start the episode of the next seed; p->err tells of a failure, here and below. */
uw_status play_reset(play *p);
/* Let the dream start again from what is seen now. */
uw_status play_wake(play *p);
/* Take one tick: action [action_dim], ignored while the autopilot drives. */
uw_status play_tick(play *p, const float *action);
/* Go on from a state file; UW_ESHAPE for one of another world. */
uw_status play_load_state(play *p, const char *path);
/* Refuse a name that is taken before anything is played. */
uw_status play_check_free(play *p, const char *path, bool overwrite);
/* Leave the world as it is now in a state file. */
uw_status play_save_state(play *p, const char *path, bool overwrite);
/* Panels: the world, the goal, the dream when there is one. */
int32_t play_panels(const play *p);
/* Draw panel i of `size` pixels into rgb, whose rows are `stride` bytes apart. */
void play_panel(const play *p, int32_t i, int32_t size, uint8_t *rgb, size_t stride);
/* "step 120  distance 34.5  reached", for status lines. */
void play_status(const play *p, char *text, size_t size);
/* Fill c->result. */
void play_result(const play *p);

/* The two faces; both return an exit code. */
int play_in_terminal(play *p, double ticks_per_s);
int play_on_page(play *p, int32_t port, double ticks_per_s);

#endif
