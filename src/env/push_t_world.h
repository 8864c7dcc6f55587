/* PushT's inside: bodies and shapes from Chipmunk, a table of our own that they live on.
 *
 * Chipmunk finds contacts and solves them (cpCollide, cpArbiter..., cpBody...); the space around them - which
 * pairs are looked at in which order, what is remembered between steps - is ours, in plain memory without
 * pointers: so nothing is allocated, nothing is printed, and a snapshot is a copy. */
#ifndef UW_PUSH_T_WORLD_H
#define UW_PUSH_T_WORLD_H

#include <chipmunk/chipmunk_private.h>

#include "push_t.h"

enum {
    UW_PUSH_WALLS = 4,
    UW_PUSH_MAX_SHAPES = UW_PUSH_WALLS + 2 * UW_PUSH_MAX_PARTS, /* walls, the agent's, the block's */
    UW_PUSH_MAX_PAIRS = 40, /* 6 moving shapes with 4 walls and with each other: 39 */
    UW_PUSH_SUBSTEPS = 10,  /* physics steps per env step */
    UW_PUSH_BINS = 16       /* of radius and of direction of pusht_discrete */
};

enum uw_push_body { UW_PUSH_TABLE = 0, UW_PUSH_AGENT = 1, UW_PUSH_BLOCK = 2, UW_PUSH_BODIES = 3 };

/* ---- push_t_pairs.c: which shapes may touch ----------------------------------------------------- */

/* A node of a tree of boxes; node i < UW_PUSH_MAX_SHAPES is the leaf of shape i. */
typedef struct uw_push_node {
    cpBB box;                /* px; of a moving leaf: larger than its shape */
    int8_t parent, child[2]; /* -1 = none */
    uint8_t used;            /* of an inner node: 0 = free */
} uw_push_node;

/* Two leaves whose boxes overlap, and what narrow collision found last: where it starts next time. */
typedef struct uw_push_pair {
    int8_t a, b;
    cpCollisionID id;
} uw_push_pair;

typedef struct uw_push_tree {
    uw_push_node node[2 * UW_PUSH_MAX_SHAPES];
    int8_t fixed_root, moving_root;
    uint8_t fresh[UW_PUSH_MAX_SHAPES]; /* not 0: the leaf was placed in this round */
    int32_t num_pairs;
    uw_push_pair pair[UW_PUSH_MAX_PAIRS]; /* oldest first */
} uw_push_tree;

/* Shapes to look at more closely; pair = -1: none is kept of them in this round. */
typedef struct uw_push_candidate {
    int8_t a, b;
    int32_t pair;
} uw_push_candidate;

void uw__push_tree_init(uw_push_tree *tree);
/* Add a wall's box, or a moving shape's with its body's velocity. */
void uw__push_tree_add_fixed(uw_push_tree *tree, int32_t shape, cpBB box);
void uw__push_tree_add(uw_push_tree *tree, int32_t shape, cpBB box, cpVect velocity);
/* Place again the shapes that left their boxes, in the given order, and list what may touch, in the
 * order of Chipmunk's own tree.  Returns the number of candidates [UW_PUSH_MAX_PAIRS]. */
int32_t uw__push_tree_update(uw_push_tree *tree, const int8_t *order, int32_t count, const cpBB *box,
                             const cpVect *velocity, uw_push_candidate *out);
/* Return whether the links are a tree of exactly these leaves and the pairs are pairs of them. */
bool uw__push_tree_ok(const uw_push_tree *tree, int32_t num_shapes);

/* ---- push_t_space.c: the table -------------------------------------------------------------------- */

typedef enum uw_push_touch_state {
    UW_PUSH_FIRST = 0,  /* as Chipmunk's arbiters count */
    UW_PUSH_AGAIN = 1,
    UW_PUSH_CACHED = 3
} uw_push_touch_state;

/* Two shapes that touch, or did within the last three physics steps. */
typedef struct uw_push_touch {
    int8_t a, b, state;
    int8_t age;    /* physics steps since they touched */
    int8_t place;  /* in the solver's order of this step; -1 = not solved */
    int32_t count; /* contacts */
    cpVect normal;
    struct cpContact contact[CP_MAX_CONTACTS_PER_ARBITER];
} uw_push_touch;

/* A body in motion. */
typedef struct uw_push_motion {
    cpVect p, v, v_bias; /* of the centre of gravity, px, px/s */
    double a, w, w_bias; /* rad, rad/s */
    cpTransform transform;
} uw_push_motion;

/* What an instance is made of. */
typedef struct uw_push_spec {
    int32_t agent_shape, block_shape;
    double agent_scale, block_scale; /* px */
} uw_push_spec;

/* Everything that decides the future, without a pointer. */
typedef struct uw_push_memory {
    uw_push_spec spec;
    uw_push_motion motion[UW_PUSH_BODIES]; /* written by save only: the bodies hold it */
    double goal[UW_PUSH_STATE];
    uw_push_tree tree;
    int32_t num_touches;
    uw_push_touch touch[UW_PUSH_MAX_PAIRS];
    int32_t contact_points; /* summed since the last env step began */
    uint8_t moved;          /* not 0: a physics step was made; bytes, since a snapshot may hold any */
} uw_push_memory;

typedef union uw_push_any_shape {
    cpShape shape;
    cpSegmentShape segment;
    cpCircleShape circle;
    cpPolyShape poly;
} uw_push_any_shape;

typedef struct uw_push_world {
    uw_push_memory memory;
    uw_push_geometry geometry[UW_PUSH_BODIES]; /* of agent and block */
    cpBody body[UW_PUSH_BODIES];
    uw_push_any_shape shape[UW_PUSH_MAX_SHAPES];
    int32_t num_shapes;
    int8_t order[UW_PUSH_MAX_SHAPES]; /* moving shapes as Chipmunk's hash set lists them */
    int32_t num_moving;
    double correction; /* share of an overlap that a physics step gives back */
} uw_push_world;

/* Make the bodies and shapes, at rest; positions and angles come from values. */
void uw__push_world_build(uw_push_world *world, const double *values);
/* Make bodies and shapes alone, for a spec that is already in memory. */
void uw__push_world_shapes(uw_push_world *world);
/* One physics step of 0.01 s. */
void uw__push_world_step(uw_push_world *world);
/* Fill the contacts of the last physics step, in solver order. */
void uw__push_world_contacts(const uw_push_world *world, uw_push_view *view);

/* ---- push_t.c: the task ------------------------------------------------------------------------- */

/* Start as the reference's reset does: bodies where values say, then the goal's state set, then the start's,
 * each with its physics step. */
void uw__push_begin(uw_push_world *world, const double *values, const double *goal,
                    const double *start);
/* Set a state as the reference's _set_state does: what it does not say stays, and one physics step. */
void uw__push_set(uw_push_world *world, const double *state);
/* Steer towards an action for one physics step: the velocity that is wanted, in float32 as NumPy 2 has it
 * for a float32 action, or in double. */
void uw__push_target(const uw_push_world *world, const double *action, bool wide, double *target);
void uw__push_steer(uw_push_world *world, const double *target, bool wide);
/* One env step.  action: [2], any finite numbers. */
void uw__push_act(uw_push_world *world, const double *action, bool wide, uw_step *out);
/* The same state numbers as the reference's observation: the block's angle in [0, 2 pi). */
void uw__push_state(const uw_push_world *world, double *state);
double uw__push_reward(const uw_push_world *world);

/* Polar bins of pusht_discrete: the bin of an action, and the action of a bin. */
void uw__push_quantize(const double *action, int32_t *bin);
void uw__push_bin_action(const int32_t *bin, float *action);

/* ---- push_t_snapshot.c --------------------------------------------------------------------------- */

void uw__push_save(const void *self, void *snapshot);
uw_status uw__push_restore(void *self, const void *snapshot);

/* ---- push_t_policy.c ----------------------------------------------------------------------------- */

void uw__push_oracle(const void *self, float *action);
void uw__push_straight(const void *self, float *action);
void uw__push_weak(const void *self, const double *uniform, float *action);
bool uw__push_astray(const void *self);
void uw__push_about(const void *self, const double *uniform, const double *normal, double *memory,
                    float *action);
void uw__push_sample_task(uint64_t seed, uint64_t index, const double *values, bool hard, uw_task *out);

#endif
