/* PushT against what was recorded of the reference simulator.
 *
 *     parity_trace_pusht_physics physics    every quantity after every step of every episode
 *     parity_trace_pusht_physics substeps   after every physics step, with the contact cache
 *     parity_trace_pusht_physics bodies     mass, moment, centre and corners of block and agent
 *     parity_trace_pusht_physics discrete   the polar bins of pusht_discrete
 *
 * What is replayed and how much of it is read from the files.  Debian's Chipmunk gives 0
 * everywhere; the bound leaves room for a compiler that contracts a * b + c. */
#include "trace.h"

#include "fileio.h"
#include "gym_space.h"
#include "json_text.h"
#include "push_t_world.h"

static const double bound = 1e-9;

/* Largest difference seen so far, and that of the bodies' motion. */
static double worst, worst_motion;

static void compare(const char *what, int64_t episode, int64_t row, double got, double want) {
    const double off = fabs(got - want);
    if (!(off <= worst)) worst = off;
    if (!(off <= bound))
        fail_msg("episode %d, row %d, %s: %.17g, wanted %.17g, off by %.3g", (int)episode, (int)row,
                 what, got, want, off);
}

static void compare_array(const uw_tensor *t, int64_t episode, int64_t rows, int64_t row,
                          const double *got) {
    int64_t width = trace_row_numbers(t); /* [E, rows, ...] or [rows, ...] */
    const int64_t lead = episode < 0 ? 1 : rows;
    width /= lead;
    const int64_t at = ((episode < 0 ? 0 : episode) * rows + row) * width;
    for (int64_t i = 0; i < width; i++)
        compare(t->name, episode, row, got[i], trace_number(t, at + i));
}

/* ---- what both traces record
 * ---------------------------------------------------------------------- */

enum { NUM_BODY_ARRAYS = 8 };
static const char *const body_arrays[NUM_BODY_ARRAYS] = {"agent_pos",   "agent_vel", "agent_angle",
                                                         "agent_w",     "block_pos", "block_vel",
                                                         "block_angle", "block_w"};

static void open_bodies(uw_npz *npz, const char *part, uw_tensor *out) {
    for (int i = 0; i < NUM_BODY_ARRAYS; i++) out[i] = trace_array(npz, part, body_arrays[i]);
}

static void compare_bodies(const uw_push_world *world, const uw_tensor *arrays, int64_t episode,
                           int64_t rows, int64_t row) {
    for (int b = 0; b < 2; b++) {
        const cpBody *body = &world->body[UW_PUSH_AGENT + b];
        const cpVect p = cpBodyGetPosition(body);
        const double position[2] = {p.x, p.y}, velocity[2] = {body->v.x, body->v.y};
        const double *const got[4] = {position, velocity, &body->a, &body->w};
        const double before = worst;
        worst = worst_motion;
        for (int i = 0; i < 4; i++) compare_array(&arrays[4 * b + i], episode, rows, row, got[i]);
        worst_motion = worst;
        worst = fmax(before, worst);
    }
}

/* What a step gave, against the recorded row. */
typedef struct outcome {
    uw_tensor obs, reward, terminated, truncated, points, contacts, pose, proprio;
} outcome;

static void open_outcome(uw_npz *npz, const char *part, outcome *o) {
    o->obs = trace_array(npz, part, "obs");
    o->reward = trace_array(npz, part, "reward");
    o->terminated = trace_array(npz, part, "terminated");
    o->truncated = trace_array(npz, part, "truncated");
    o->points = trace_array(npz, part, "contact_points");
    o->contacts = trace_array(npz, part, "n_contacts");
    o->pose = trace_array(npz, part, "info.block_pose");
    o->proprio = trace_array(npz, part, "info.goal_proprio");
}

static void compare_outcome(const uw_push_world *world, const outcome *o, const uw_step *step,
                            int64_t episode, int64_t steps, int64_t t) {
    const int64_t i = (episode < 0 ? 0 : episode) * steps + t;
    const double *goal = world->memory.goal;
    double state[UW_PUSH_STATE], readings[UW_MAX_READINGS];
    uw__push_state(world, state);
    uw__push_t.read(world, readings); /* block_pose 3, block_velocity 3, n_contacts 1, ... */
    compare_array(&o->obs, episode, steps + 1, t + 1, state);
    compare_array(&o->pose, episode, steps, t, readings);
    compare_array(&o->proprio, episode, steps, t,
                  (const double[4]){goal[0], goal[1], goal[5], goal[6]});
    compare("reward", episode, t, uw__push_reward(world), trace_number(&o->reward, i));
    assert_true(step->reward == (float)uw__push_reward(world));
    assert_int_equal(step->success, trace_number(&o->terminated, i) != 0.0);
    assert_true(trace_number(&o->truncated, i) == 0.0);
    assert_int_equal(world->memory.contact_points, trace_number(&o->points, i));
    assert_true(readings[6] == trace_number(&o->contacts, i));
}

static void row_of(const uw_tensor *t, int64_t row, int64_t width, double *out) {
    for (int64_t i = 0; i < width; i++) out[i] = trace_number(t, row * width + i);
}

/* ---- physics
 * -------------------------------------------------------------------------------------- */

static void test_physics(void **state) {
    (void)state;
    uw_npz *npz = trace_open("pusht_physics.npz");
    uw_tensor bodies[NUM_BODY_ARRAYS];
    outcome told;
    open_bodies(npz, NULL, bodies);
    open_outcome(npz, NULL, &told);
    const uw_tensor action = trace_array(npz, NULL, "action"),
                    sets = trace_array(npz, NULL, "set_state");
    const uw_tensor goals = trace_array(npz, NULL, "goal_set"),
                    starts = trace_array(npz, NULL, "start_set");
    const uw_tensor judged = trace_array(npz, NULL, "goal_state");
    const char **dtypes = NULL;
    int64_t count = 0, successes = 0, teleports = 0, touching = 0;
    uw_err err = {0};
    CHECK_OK(uw__npz_strings(npz, uw__npz_find(npz, "action_dtype"), &dtypes, &count, &err), &err);
    const int64_t episodes = action.shape[0], steps = action.shape[1];
    assert_true(episodes > 0 && steps > 0 && count == episodes);
    static uw_push_world world;
    for (int64_t e = 0; e < episodes; e++) {
        double values[UW_MAX_FACTOR_VALUES], goal[UW_PUSH_STATE], start[UW_PUSH_STATE];
        trace_values(npz, NULL, &uw__push_t, e, values);
        row_of(&goals, e, UW_PUSH_STATE, goal);
        row_of(&starts, e, UW_PUSH_STATE, start);
        uw__push_begin(&world, values, goal, start);
        for (int i = 0; i < UW_PUSH_STATE; i++)
            assert_true(goal[i] == trace_number(&judged, e * UW_PUSH_STATE + i));
        compare_bodies(&world, bodies, e, steps + 1, 0);
        for (int64_t t = 0; t < steps; t++) {
            double a[2], set[UW_PUSH_STATE];
            uw_step step;
            row_of(&action, e * steps + t, 2, a);
            row_of(&sets, e * steps + t, UW_PUSH_STATE, set);
            if (!isnan(set[0])) {
                uw__push_set(&world, set);
                teleports++;
            }
            uw__push_act(&world, a, !strcmp(dtypes[e], "f8"), &step);
            compare_bodies(&world, bodies, e, steps + 1, t + 1);
            compare_outcome(&world, &told, &step, e, steps, t);
            successes += step.success;
            touching += world.memory.contact_points > 0;
        }
    }
    print_message(
        "%d episodes x %d steps: largest difference in motion %.3g, in all %.3g; %d steps in "
        "contact, %d at the goal, %d teleports\n",
        (int)episodes, (int)steps, worst_motion, worst, (int)touching, (int)successes,
        (int)teleports);
    uw__npz_close(npz);
}

/* ---- sub-steps
 * ------------------------------------------------------------------------------------ */

/* The contact cache against one recorded row: pairs in the order of their shapes' numbers. */
static void compare_cache(const uw_push_world *world, const uw_tensor *arbiter,
                          const uw_tensor *contact, int64_t row) {
    const int64_t slots = arbiter->shape[1];
    const uw_push_memory *m = &world->memory;
    assert_true(m->num_touches <= slots);
    int last = -1;
    for (int64_t s = 0; s < slots; s++) {
        const uw_push_touch *next = NULL; /* the next greater pair */
        int rank = UW_PUSH_MAX_SHAPES * UW_PUSH_MAX_SHAPES;
        for (int32_t i = 0; i < m->num_touches; i++) {
            const int here = m->touch[i].a * UW_PUSH_MAX_SHAPES + m->touch[i].b;
            if (here <= last || here >= rank) continue;
            next = &m->touch[i];
            rank = here;
        }
        last = rank;
        double head[6] = {0}, points[2][6] = {{0}};
        if (next) {
            const double said[6] = {next->a,     next->b,        next->count,
                                    next->state, next->normal.x, next->normal.y};
            memcpy(head, said, sizeof said);
            for (int k = 0; k < next->count; k++) {
                const struct cpContact *c = &next->contact[k];
                const double numbers[6] = {c->r1.x, c->r1.y, c->r2.x, c->r2.y, c->jnAcc, c->jtAcc};
                memcpy(points[k], numbers, sizeof numbers);
            }
        }
        for (int i = 0; i < 6; i++)
            compare("arbiter", s, row, head[i], trace_number(arbiter, (row * slots + s) * 6 + i));
        for (int i = 0; i < 12; i++)
            compare("contact", s, row, points[i / 6][i % 6],
                    trace_number(contact, (row * slots + s) * 12 + i));
    }
}

/* One episode; returns false when the file has none of this name. */
static bool replay_substeps(uw_npz *npz, int number, int64_t *rows, int64_t *contacts) {
    char part[16], sub[24], key[32];
    snprintf(part, sizeof part, "ep%d", number);
    snprintf(sub, sizeof sub, "ep%d.sub", number);
    snprintf(key, sizeof key, "%s.seed", part);
    if (uw__npz_find(npz, key) < 0) return false;
    uw_tensor bodies[NUM_BODY_ARRAYS], after[NUM_BODY_ARRAYS];
    outcome told;
    open_bodies(npz, part, bodies);
    open_bodies(npz, sub, after);
    open_outcome(npz, part, &told);
    const uw_tensor seed = trace_array(npz, part, "seed"),
                    action = trace_array(npz, part, "action");
    const uw_tensor command = trace_array(npz, part, "agent_vel_command");
    const uw_tensor arbiter = trace_array(npz, part, "arbiter"),
                    contact = trace_array(npz, part, "contact");
    const uw_tensor goals = trace_array(npz, part, "goal_set"),
                    starts = trace_array(npz, part, "start_set");
    const int64_t steps = action.shape[0], per_step = command.shape[0] / steps;
    double values[UW_MAX_FACTOR_VALUES], goal[UW_PUSH_STATE], start[UW_PUSH_STATE];
    uw_env_default_values(&uw__push_t, values);
    static const int placed[] = {UW_PUSH_F_AGENT_START, UW_PUSH_F_BLOCK_ANGLE,
                                 UW_PUSH_F_BLOCK_START};
    for (int i = 0; i < 3; i++) /* the bodies are made where the seed says, then moved */
        uw__gym_draw(&uw__push_t, (uint64_t)trace_number(&seed, 0), placed[i], 0,
                     values + uw__push_factors[placed[i]].offset);
    row_of(&goals, 0, UW_PUSH_STATE, goal);
    row_of(&starts, 0, UW_PUSH_STATE, start);
    static uw_push_world world, same;
    uw__push_begin(&world, values, goal, start);
    uw__push_begin(&same, values, goal, start);
    compare_bodies(&world, bodies, -1, steps + 1, 0);
    assert_int_equal(per_step, UW_PUSH_SUBSTEPS);
    for (int64_t t = 0; t < steps; t++) {
        double a[2], target[2];
        uw_step step;
        row_of(&action, t, 2, a);
        uw__push_target(&world, a, false, target);
        for (int64_t k = 0; k < per_step; k++) {
            const int64_t row = t * per_step + k;
            uw__push_steer(&world, target, false);
            const cpVect v = world.body[UW_PUSH_AGENT].v;
            compare_array(&command, -1, 1, row, (const double[2]){v.x, v.y});
            uw__push_world_step(&world);
            compare_bodies(&world, after, -1, 1, row);
            compare_cache(&world, &arbiter, &contact, row);
            *contacts += world.memory.num_touches;
            ++*rows;
        }
        uw__push_act(&same, a, false, &step);
        compare_bodies(&same, bodies, -1, steps + 1, t + 1);
        compare_outcome(&same, &told, &step, -1, steps, t);
    }
    return true;
}

static void test_substeps(void **state) {
    (void)state;
    uw_npz *npz = trace_open("pusht_substeps.npz");
    int64_t rows = 0, contacts = 0;
    int episodes = 0;
    while (replay_substeps(npz, episodes, &rows, &contacts)) episodes++;
    print_message(
        "%d episodes, %d physics steps, %d remembered pairs: largest difference in motion %.3g, in "
        "all %.3g\n",
        episodes, (int)rows, (int)contacts, worst_motion, worst);
    assert_true(episodes > 0 && rows > 0);
    uw__npz_close(npz);
}

/* ---- bodies
 * --------------------------------------------------------------------------------------- */

/* Read the next number, past brackets, commas and keys. */
static double next_number(uw_jreader *r) {
    double value = 0.0;
    int64_t whole;
    bool integer;
    while (*r->at && !strchr("-0123456789", *r->at)) r->at++;
    CHECK_OK(uw__jread_number(r, &value, &whole, &integer), r->err);
    return value;
}

/* Go on behind `text`; false when it does not come before `stop` (NULL: at all). */
static bool go_to(uw_jreader *r, const char *text, const char *stop) {
    char *found = strstr(r->at, text);
    if (!found || (stop && found > stop)) return false;
    r->at = found + strlen(text);
    return true;
}

static void compare_body(uw_jreader *r, const uw_push_world *world, int which, int64_t episode) {
    const uw_push_geometry *g = &world->geometry[which];
    const cpBody *body = &world->body[which];
    const bool disc = g->num_parts == 0;
    assert_true(go_to(r, "\"type\": \"", NULL));
    assert_memory_equal(r->at, disc ? "kinematic" : "dynamic", disc ? 9 : 7);
    if (!disc) {
        assert_true(go_to(r, "\"mass\":", NULL));
        compare("mass", episode, which, body->m, next_number(r));
        compare("moment", episode, which, body->i, next_number(r));
        compare("moment", episode, which, g->moment, body->i);
    }
    assert_true(go_to(r, "\"cog\":", NULL));
    compare("centre x", episode, which, body->cog.x, next_number(r));
    compare("centre y", episode, which, body->cog.y, next_number(r));
    for (int i = 0; i < (disc ? 1 : g->num_parts); i++) {
        assert_true(go_to(r, "\"radius\":", NULL));
        compare("radius", episode, which, g->radius, next_number(r));
        for (int k = 0; !disc && k < g->corners[i]; k++)
            for (int c = 0; c < 2; c++)
                compare("corner", episode, k, g->hull[i][k][c], next_number(r));
    }
    /* and nothing more of this body */
    const char *other = strstr(r->at, "\"cog\":");
    assert_false(go_to(r, "\"radius\":", other ? other : r->end));
}

static void test_bodies(void **state) {
    (void)state;
    uw_npz *npz = trace_open("pusht_physics.npz");
    const uw_tensor seeds = trace_array(npz, NULL, "seed");
    char path[512];
    void *text = NULL;
    size_t size = 0;
    uw_err err = {0};
    snprintf(path, sizeof path, "%s/traces/pusht_physics_bodies.json", check_vectors());
    CHECK_OK(uw__file_read(path, 1u << 24, &text, &size, &err), &err);
    char *copy = malloc(size + 1);
    assert_non_null(copy);
    memcpy(copy, text, size);
    copy[size] = '\0';
    uw_jreader r = {.file = path, .start = copy, .at = copy, .end = copy + size, .err = &err};
    static uw_push_world world;
    unsigned seen[2] = {0};
    for (int64_t e = 0; e < seeds.shape[0]; e++) {
        double values[UW_MAX_FACTOR_VALUES];
        trace_values(npz, NULL, &uw__push_t, e, values);
        uw__push_world_build(&world, values);
        assert_true(go_to(&r, "\"agent\":", NULL));
        compare_body(&r, &world, UW_PUSH_AGENT, e);
        assert_true(go_to(&r, "\"block\":", NULL));
        compare_body(&r, &world, UW_PUSH_BLOCK, e);
        seen[0] |= 1u << world.memory.spec.agent_shape;
        seen[1] |= 1u << world.memory.spec.block_shape;
    }
    print_message("%d episodes, agent shapes %#x, block shapes %#x: largest difference %.3g\n",
                  (int)seeds.shape[0], seen[0], seen[1], worst);
    free(copy);
    free(text);
    uw__npz_close(npz);
}

/* ---- discrete
 * ------------------------------------------------------------------------------------- */

static void test_discrete(void **state) {
    (void)state;
    uw_npz *npz = trace_open("pusht_discrete.npz");
    const uw_tensor table = trace_array(npz, NULL, "table"),
                    action = trace_array(npz, NULL, "action");
    const uw_tensor bins = trace_array(npz, NULL, "bins");
    assert_int_equal(table.shape[0], UW_PUSH_BINS);
    assert_int_equal(table.shape[1], UW_PUSH_BINS);
    for (int32_t i = 0; i < UW_PUSH_BINS * UW_PUSH_BINS; i++) {
        float got[2];
        uw__push_bin_action((const int32_t[2]){i / UW_PUSH_BINS, i % UW_PUSH_BINS}, got);
        for (int k = 0; k < 2; k++) assert_true((double)got[k] == trace_number(&table, 2 * i + k));
    }
    assert_true(action.shape[0] > 0);
    for (int64_t i = 0; i < action.shape[0]; i++) {
        double a[2];
        int32_t bin[2];
        row_of(&action, i, 2, a);
        uw__push_quantize(a, bin);
        for (int k = 0; k < 2; k++) assert_int_equal(bin[k], trace_number(&bins, 2 * i + k));
    }
    print_message("%d actions of the table, %d bins\n", UW_PUSH_BINS * UW_PUSH_BINS,
                  (int)action.shape[0]);
    uw__npz_close(npz);
}

int main(int argc, char **argv) {
    static const struct {
        const char *name;
        CMUnitTestFunction test;
    } known[] = {{"physics", test_physics},
                 {"substeps", test_substeps},
                 {"bodies", test_bodies},
                 {"discrete", test_discrete}};
    for (size_t i = 0; argc == 2 && i < sizeof known / sizeof *known; i++) {
        if (strcmp(argv[1], known[i].name) != 0) continue;
        const struct CMUnitTest tests[] = {{known[i].name, known[i].test, NULL, NULL, NULL}};
        return trace_exit(cmocka_run_group_tests(tests, NULL, NULL));
    }
    fprintf(stderr, "usage: %s physics|substeps|bodies|discrete\n", argv[0]);
    return 2;
}
