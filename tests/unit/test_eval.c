/* Evaluation: the protocol's episodes, threads, what does not fit, the table, the card. */
#include "check.h"

#include <math.h>

#include <umwelt/eval.h>

#include "context.h"
#include "eval_internal.h"
#include "hand_model.h"
#include "tempdir.h"

static uw_eval_options few(int32_t episodes) {
    uw_eval_options o = UW_EVAL_OPTIONS_DEFAULT;
    o.episodes = episodes;
    return o;
}

/* ---- the protocol
 * ------------------------------------------------------------------------------------ */

static void test_setups_are_functions_of_seed_and_index(void **state) {
    (void)state;
    const uw_env_class *cls = uw_env_find("two_room");
    uw_variation colors = {.mode = {UW_VARY_DEFAULT}}, goal = {.mode = {UW_VARY_DEFAULT}};
    uw_err err = {0};
    const char *const drawn[] = {"agent.color~sample", "background.color~sample",
                                 "agent.radius~sample"};
    for (size_t i = 0; i < 3; i++) CHECK_OK(uw_variation_parse(cls, drawn[i], &colors, &err), &err);
    CHECK_OK(uw_variation_parse(cls, "agent.color~sample", &goal, &err), &err);
    uw_eval_options plain = few(1), varied = few(1);
    varied.variation = &colors;
    varied.goal_variation = &goal;
    double least_contrast = INFINITY, least_radius = INFINITY, most_radius = 0;
    for (int32_t i = 0; i < 400; i++) {
        uw_setup a, b, v;
        CHECK_OK(uw__protocol_setup(cls, &plain, i, &a, &err), &err);
        CHECK_OK(uw__protocol_setup(cls, &plain, i, &b, &err), &err);
        assert_memory_equal(&a.task, &b.task, sizeof a.task);
        assert_true(a.task.hard == (i % 2 == 0));
        const bool left = a.task.start[0] < 112, goal_left = a.task.goal[0] < 112;
        assert_true(a.task.hard == (left != goal_left));
        assert_true(hypot((double)(a.task.start[0] - a.task.goal[0]),
                          (double)(a.task.start[1] - a.task.goal[1])) >= 32.0);
        CHECK_OK(uw__protocol_setup(cls, &varied, i, &v, &err), &err);
        const double *w = v.values, *g = v.goal_values;
        const int agent = uw_env_factor(cls, "agent.color", NULL)->offset;
        const int ground = uw_env_factor(cls, "background.color", NULL)->offset;
        const int radius = uw_env_factor(cls, "agent.radius", NULL)->offset;
        double contrast[2] = {0, 0};
        for (int k = 0; k < 3; k++) {
            contrast[0] += pow(w[agent + k] - w[ground + k], 2);
            contrast[1] += pow(g[agent + k] - g[ground + k], 2);
            assert_true(g[ground + k] == w[ground + k]); /* only what the goal names differs */
        }
        assert_true(g[radius] == w[radius]);
        assert_true(memcmp(w + agent, g + agent, 3 * sizeof *w) != 0);
        least_contrast = fmin(least_contrast, sqrt(fmin(contrast[0], contrast[1])));
        least_radius = fmin(least_radius, w[radius]);
        most_radius = fmax(most_radius, w[radius]);
    }
    assert_true(least_contrast >= 100.0 && least_contrast < 120.0);
    assert_true(least_radius < 7.2 && most_radius > 12.5 && most_radius < 12.73);
}

static void test_another_seed_is_another_set(void **state) {
    (void)state;
    const uw_env_class *cls = uw_env_find("two_room");
    uw_eval_options a = few(1), b = few(1);
    uw_err err = {0};
    b.seed = 1;
    int same = 0;
    for (int32_t i = 0; i < 50; i++) {
        uw_setup s, t;
        CHECK_OK(uw__protocol_setup(cls, &a, i, &s, &err), &err);
        CHECK_OK(uw__protocol_setup(cls, &b, i, &t, &err), &err);
        same += s.task.start[0] == t.task.start[0];
    }
    assert_int_equal(same, 0);
}

/* ---- what is refused
 * --------------------------------------------------------------------------------- */

static void refused(uw_eval_options o, const uw_model *model, const char *env, uw_driver driver,
                    uw_status want, const char *text, const char *fix) {
    uw_context *ctx = context(1);
    uw_err err = {0};
    uw_eval_result result = {.num_episodes = 77};
    const uw_status status = uw_eval_run(ctx, model, env, driver, 0, &o, &result, &err);
    if (status != want || !strstr(err.text, text) || !strstr(err.fix, fix))
        fail_msg("got %d: %s | %s; wanted %d: %s | %s", (int)status, err.text, err.fix, (int)want,
                 text, fix);
    assert_int_equal(result.num_episodes, 77);
    uw_context_free(ctx);
}

static void test_bad_options(void **state) {
    (void)state;
    uw_eval_options o = few(2);
    refused(o, NULL, "two_rom", UW_DRIVER_RANDOM, UW_ENOTFOUND, "two_rom", "two_room");
    refused(o, NULL, NULL, UW_DRIVER_RANDOM, UW_ENOTFOUND, "no such world", "");
    refused(o, NULL, "two_room", UW_DRIVER_MODEL, UW_EINVAL, "model", "");
    refused(o, NULL, "two_room", (uw_driver)9, UW_EINVAL, "driver", "");
    o.protocol = "random-gaol";
    refused(o, NULL, "two_room", UW_DRIVER_RANDOM, UW_ENOTFOUND, "random-gaol", "random-goal");
    o = few(0);
    refused(o, NULL, "two_room", UW_DRIVER_RANDOM, UW_EINVAL, "episodes", "");
    o = few(2);
    o.budget = -1;
    refused(o, NULL, "two_room", UW_DRIVER_RANDOM, UW_EINVAL, "budget", "");
    o = few(2);
    o.planner.num_elites = o.planner.num_samples;
    refused(o, NULL, "two_room", UW_DRIVER_TRUE_DYNAMICS, UW_EINVAL, "planner", "elites");
    uw_variation placed = {.mode = {UW_VARY_DEFAULT}};
    uw_err err = {0};
    CHECK_OK(uw_variation_parse(uw_env_find("two_room"), "agent.position=50,50", &placed, &err),
             &err);
    o = few(2);
    o.variation = &placed;
    refused(o, NULL, "two_room", UW_DRIVER_RANDOM, UW_EINVAL, "agent.position", "agent.position");
}

static void test_model_and_world_must_fit(void **state) {
    (void)state;
    uw_model *wide = hand_model(3, 2, "state"), *deep = hand_model(2, 5, "state");
    uw_model *other = hand_model(2, 2, "wheel.speed");
    refused(few(2), wide, "two_room", UW_DRIVER_MODEL, UW_ESHAPE,
            "acts with 3 numbers, wanted the 2", "two_room");
    refused(few(2), deep, "two_room", UW_DRIVER_MODEL, UW_ESHAPE, "(5 numbers)", "observe");
    refused(few(2), other, "two_room", UW_DRIVER_MODEL, UW_ESHAPE, "wheel.speed", "observe");
    uw_model *broken = nan_model();
    refused(few(2), broken, "two_room", UW_DRIVER_MODEL, UW_ENONFINITE,
            "episode 0: the goal's latent", "inspect");
    uw_model_unload(broken);
    uw_model_unload(wide);
    uw_model_unload(deep);
    uw_model_unload(other);
}

/* ---- running
 * ----------------------------------------------------------------------------------------- */

static void same_episodes(const uw_eval_result *a, const uw_eval_result *b) {
    assert_int_equal(a->num_episodes, b->num_episodes);
    for (int32_t i = 0; i < a->num_episodes; i++) {
        const uw_episode *x = &a->episodes[i], *y = &b->episodes[i];
        assert_true(x->index == i && y->index == i && x->success == y->success &&
                    x->steps == y->steps && x->solved_at_start == y->solved_at_start);
        assert_memory_equal(&x->final_distance, &y->final_distance, sizeof(float));
    }
}

static void test_threads_change_nothing(void **state) {
    (void)state;
    uw_model *known = hand_model(2, 2, "state"), *seen = blind_model(16);
    uw_eval_options o = few(12);
    o.keep_traces = 2;
    o.budget = 60;
    o.planner.num_samples = 32;
    o.planner.num_elites = 8;
    for (int d = 0; d <= UW_NUM_DRIVERS; d++) { /* the last: a model that sees pictures */
        const uw_model *model = d == UW_NUM_DRIVERS ? seen : known;
        const uw_driver driver = d == UW_NUM_DRIVERS ? UW_DRIVER_MODEL : (uw_driver)d;
        if (driver == UW_DRIVER_REPLAY) continue; /* this protocol has nothing recorded */
        uw_eval_result want = {0};
        for (int32_t threads = 1; threads <= 3; threads++) {
            uw_context *ctx = context(threads);
            uw_eval_result got = {0};
            uw_err err = {0};
            CHECK_OK(uw_eval_run(ctx, model, "two_room", driver, 0, &o, &got, &err), &err);
            uw_context_free(ctx);
            if (threads == 1) {
                want = got;
                continue;
            }
            same_episodes(&want, &got);
            for (int t = 0; t < 2; t++) {
                assert_int_equal(want.traces[t].num_states, got.traces[t].num_states);
                assert_memory_equal(want.traces[t].states, got.traces[t].states,
                                    (size_t)got.traces[t].num_states * 2 * sizeof(double));
            }
            uw_eval_result_fini(&got);
        }
        uw_eval_result_fini(&want);
    }
    uw_model_unload(known);
    uw_model_unload(seen);
}

/* A model that knows open space exactly, and no wall: every easy episode, and its own imagination.
 */
static void test_a_model_drives(void **state) {
    (void)state;
    uw_model *model = hand_model(2, 2, "state");
    uw_context *ctx = context(2);
    uw_eval_options o = few(20);
    uw_eval_result r = {0};
    uw_err err = {0};
    o.keep_traces = 20;
    o.planner.num_samples = 64;
    CHECK_OK(uw_eval_run(ctx, model, "two_room", UW_DRIVER_MODEL, 0, &o, &r, &err), &err);
    assert_string_equal(r.protocol, "random-goal");
    assert_string_equal(r.env, "two_room");
    assert_true(r.budget == 100 && r.action_repeat == 5 && r.num_episodes == 20);
    assert_true(r.easy.episodes == 10 && r.hard.episodes == 10);
    assert_int_equal(r.easy.successes, 10);
    assert_int_equal(r.success.successes, r.easy.successes + r.hard.successes);
    assert_int_equal(r.solved_at_start, 0);
    assert_true(r.plan_ms_p50 > 0 && r.plan_ms_p99 >= r.plan_ms_p50 &&
                r.plan_ms_max >= r.plan_ms_p99);
    assert_true(r.mean_steps > 1 && r.mean_steps < 100 && r.decisions > 20);
    for (int32_t i = 0; i < 20; i++) {
        const uw_episode *e = &r.episodes[i];
        const uw_trace *t = &r.traces[i];
        assert_int_equal(t->num_states, e->steps + 1);
        assert_int_equal(t->num_decisions, (e->steps + 4) / 5);
        assert_true(t->latent_dim == 2 && t->horizon == o.planner.horizon);
        assert_memory_equal(t->states, e->task.start, 2 * sizeof(double));
        const double *last = t->states + (size_t)e->steps * 2;
        CHECK_NEAR(e->final_distance,
                   hypot((double)(last[0] - e->task.goal[0]), (double)(last[1] - e->task.goal[1])),
                   1e-3);
        assert_true(e->success == (e->final_distance < 16.0f));
        if (!e->success || i % 2 == 0 || e->steps < 5) continue;
        /* In open space the first imagined latent is where the world is five steps later. */
        const double off = hypot((double)(t->imagined[0] - t->states[10]),
                                 (double)(t->imagined[1] - t->states[11]));
        if (t->states[10] > 30 && t->states[10] < 90 && t->states[11] > 30 && t->states[11] < 190)
            CHECK_NEAR(off, 0.0, 1e-3);
    }
    uw_eval_result_fini(&r);
    uw_context_free(ctx);
    uw_model_unload(model);
}

static bool stop_soon(void *cookie, const char *what, int64_t done, int64_t total) {
    int *calls = cookie;
    assert_string_equal(what, "eval");
    assert_true(done >= 1 && done <= total && total == 5000);
    return ++*calls < 3;
}

static void test_interrupted(void **state) {
    (void)state;
    int calls = 0;
    uw_context *ctx = NULL;
    uw_err err = {0};
    const uw_context_options c = {.num_threads = 2, .progress = stop_soon, .cookie = &calls};
    CHECK_OK(uw_context_new(&c, &ctx, &err), &err);
    const uw_eval_options o = few(5000);
    uw_eval_result r = {0};
    assert_int_equal(uw_eval_run(ctx, NULL, "two_room", UW_DRIVER_ORACLE, 0, &o, &r, &err),
                     UW_EINTERRUPTED);
    assert_null(r.episodes);
    uw_context_free(ctx);
}

static void test_a_start_may_be_the_goal(void **state) {
    (void)state;
    uw_context *ctx = context(1);
    uw_eval_options o = few(1);
    uw_contest contest = {.ctx = ctx,
                          .cls = uw_env_find("two_room"),
                          .driver = UW_DRIVER_ORACLE,
                          .planner = &o.planner};
    uw_player *player = NULL;
    uw_setup setup;
    uw_step start;
    uw_err err = {0};
    CHECK_OK(uw__contest_init(&contest, 0, &err), &err);
    CHECK_OK(uw__player_new(&contest, &player, &err), &err);
    CHECK_OK(uw__protocol_setup(contest.cls, &o, 0, &setup, &err), &err);
    CHECK_OK(uw__player_begin(player, &setup, 0, &start, &err), &err);
    assert_false(start.success);
    setup.task.goal[0] = 60.0f;
    setup.task.goal[1] = setup.task.start[1] = 112.0f;
    setup.task.start[0] = 69.0f;
    CHECK_OK(uw__player_begin(player, &setup, 0, &start, &err), &err);
    assert_true(start.success);
    CHECK_NEAR(start.distance, 9.0, 1e-4);
    double at[UW_MAX_STATE_DIM]; /* and looking did not move it */
    uw_env_get_state(uw__player_env(player), at);
    assert_true(at[0] == setup.task.start[0] && at[1] == setup.task.start[1]);
    uw__player_free(player);
    uw_context_free(ctx);
}

/* ---- the table and the card
 * -------------------------------------------------------------------------- */

static void test_table(void **state) {
    (void)state;
    uw_context *ctx = context(2);
    const uw_eval_options o = few(6);
    uw_eval_result r = {0};
    uw_err err = {0};
    CHECK_OK(uw_eval_run(ctx, NULL, "two_room", UW_DRIVER_ORACLE, 0, &o, &r, &err), &err);
    const char *path = tempdir_file("table.csv");
    CHECK_OK(uw_eval_write_csv(&r, path, false, &err), &err);
    assert_int_equal(uw_eval_write_csv(&r, path, false, &err), UW_EEXIST);
    CHECK_OK(uw_eval_write_csv(&r, path, true, &err), &err);
    char line[512];
    FILE *f = fopen(path, "r");
    assert_non_null(f);
    assert_non_null(fgets(line, sizeof line, f));
    assert_string_equal(line,
                        "episode,hard,success,solved_at_start,steps,shortest,final_distance,"
                        "plan_ms_mean,start.agent.x,start.agent.y,goal.agent.x,goal.agent.y\n");
    for (int i = 0; i < 6; i++) {
        int v[6];
        float x[6];
        assert_non_null(fgets(line, sizeof line, f));
        assert_int_equal(sscanf(line, "%d,%d,%d,%d,%d,%d,%f,%f,%f,%f,%f,%f", &v[0], &v[1], &v[2],
                                &v[3], &v[4], &v[5], &x[0], &x[1], &x[2], &x[3], &x[4], &x[5]),
                         12);
        const uw_episode *e = &r.episodes[i];
        assert_true(v[0] == i && v[1] == (i % 2 == 0) && v[2] == 1 && v[3] == 0);
        assert_true(v[4] == e->steps && v[5] == e->task.shortest && v[4] == v[5]);
        assert_true(x[0] == e->final_distance && x[2] == e->task.start[0] &&
                    x[5] == e->task.goal[1]);
    }
    assert_null(fgets(line, sizeof line, f));
    fclose(f);
    uw_eval_result_fini(&r);
    uw_context_free(ctx);
}

static void test_card(void **state) {
    (void)state;
    uw_model *model = hand_model(2, 2, "state");
    uw_context *ctx = context(2);
    uw_eval_options o = few(4);
    uw_err err = {0};
    uw_card card;
    o.planner.num_samples = 24;
    o.planner.num_elites = 8;
    o.budget = 50;
    CHECK_OK(uw_stress_run(ctx, model, "two_room", NULL, &o, &card, &err), &err);
    static const char *const cells[] = {"agent.color", "background.color", "wall.color",
                                        "door.color",  "agent.radius",     "all",
                                        "goal.colors", "distractors"};
    assert_int_equal(card.num_cells, 8);
    assert_true(card.nominal.episodes == 4 && card.nominal.successes >= 2);
    for (int i = 0; i < 8; i++) {
        const uw_card_cell *c = &card.cells[i];
        assert_string_equal(c->factor, cells[i]);
        assert_string_equal(c->value, "random");
        assert_int_equal(c->rate.episodes, 4);
        CHECK_NEAR(c->of_nominal, c->rate.rate / card.nominal.rate, 1e-12);
        /* The hand-made model names two factors of its training. */
        assert_true(c->in_training == (i < 2));
        /* It sees the state, so colours cannot matter. */
        assert_true(c->ours == (i == 7));
        if (i < 4 || i >= 6) assert_int_equal(c->rate.successes, card.nominal.successes);
        assert_true(card.cells[card.worst].rate.rate <= c->rate.rate);
    }
    CHECK_OK(uw_stress_run(ctx, model, "two_room", "wall.thickness,agent.color,agent.color,all", &o,
                           &card, &err),
             &err);
    assert_int_equal(card.num_cells, 3);
    assert_string_equal(card.cells[0].factor, "wall.thickness");
    assert_false(card.cells[2].in_training);
    CHECK_OK(
        uw_stress_run(ctx, model, "two_room", "distractor.number,distractors", &o, &card, &err),
        &err);
    assert_int_equal(card.num_cells, 2);
    assert_true(card.cells[0].ours && card.cells[1].ours);
    assert_int_equal(card.cells[1].rate.successes, card.nominal.successes);
    CHECK_OK(uw_stress_run(ctx, model, "two_room", "all", &o, &card, &err), &err);
    assert_int_equal(card.num_cells, 1);
    assert_int_equal(uw_stress_run(ctx, model, "two_room", "agent.colour", &o, &card, &err),
                     UW_ENOTFOUND);
    assert_non_null(strstr(err.fix, "agent.color"));
    assert_int_equal(uw_stress_run(ctx, model, "two_room", "agent.position", &o, &card, &err),
                     UW_ENOTFOUND);
    assert_int_equal(uw_stress_run(ctx, model, "two_room", "", &o, &card, &err), UW_ENOTFOUND);
    uw_context_free(ctx);
    uw_model_unload(model);
}

/* The cell of a factor at a value; NULL when the card has none. */
static const uw_card_cell *cell_of(const uw_card *card, const char *factor, const char *value) {
    for (int32_t i = 0; i < card->num_cells; i++)
        if (!strcmp(card->cells[i].factor, factor) && !strcmp(card->cells[i].value, value))
            return &card->cells[i];
    return NULL;
}

/* What the ends come to, by the world's own ranges and rules. */
static void test_card_values(void **state) {
    (void)state;
    static const struct {
        const char *factor, *low, *high;
    } want[] = {{"wall.thickness", "7", "41"},
                {"agent.radius", "7", "12.73"}, /* the door's 14 over 1.1 */
                {"door.size", "8", "21"},       /* 1.1 times the agent's 7, in whole pixels */
                {"wall.axis", "horizontal", "vertical"},
                {"background.color", "0,0,0", "255,255,255"}};
    uw_model *model = hand_model(2, 2, "state");
    uw_context *ctx = context(2);
    uw_eval_options o = few(2);
    uw_err err = {0};
    uw_card card, plain;
    o.planner.num_samples = 24;
    o.planner.num_elites = 8;
    o.budget = 20;
    uw_card_options c = {
        .factors = "wall.thickness,agent.radius,door.size,wall.axis,background.color,agent.color",
        .values = "max,min,random"};
    CHECK_OK(uw_card_run(ctx, model, "two_room", &c, &o, &card, &err), &err);
    assert_int_equal(card.num_cells, 18);
    for (size_t i = 0; i < sizeof want / sizeof want[0]; i++) {
        assert_string_equal(cell_of(&card, want[i].factor, "min")->at, want[i].low);
        assert_string_equal(cell_of(&card, want[i].factor, "max")->at, want[i].high);
        assert_string_equal(cell_of(&card, want[i].factor, "random")->at, "");
    }
    /* White is what the floor is: as near to it as 100 of 255 leave. */
    int rgb[3];
    assert_int_equal(
        sscanf(cell_of(&card, "agent.color", "max")->at, "%d,%d,%d", rgb, rgb + 1, rgb + 2), 3);
    assert_true(rgb[0] == 255 && rgb[1] == rgb[2] && rgb[1] > 180 && 255 - rgb[1] >= 70);
    /* An end that is the default is the nominal cell; the model names background.color. */
    assert_int_equal(cell_of(&card, "background.color", "max")->rate.successes,
                     card.nominal.successes);
    assert_true(cell_of(&card, "background.color", "min")->in_training);
    assert_false(cell_of(&card, "wall.axis", "min")->in_training);

    /* A value is what the world gets: the cell is the run that sets the factor by hand. */
    const uw_env_class *cls = uw_env_find("two_room");
    uw_variation thick = {.mode = {UW_VARY_DEFAULT}};
    CHECK_OK(uw_variation_parse(cls, "wall.thickness=41", &thick, &err), &err);
    o.variation = &thick;
    CHECK_OK(uw_stress_run(ctx, model, "two_room", "agent.color", &o, &plain, &err), &err);
    assert_int_equal(plain.nominal.successes,
                     cell_of(&card, "wall.thickness", "max")->rate.successes);
    o.variation = NULL;

    c = (uw_card_options){.factors = "wall.axis", .values = "median"};
    assert_int_equal(uw_card_run(ctx, model, "two_room", &c, &o, &card, &err), UW_ENOTFOUND);
    c.values = "randon";
    assert_int_equal(uw_card_run(ctx, model, "two_room", &c, &o, &card, &err), UW_ENOTFOUND);
    assert_non_null(strstr(err.fix, "random"));
    uw_context_free(ctx);
    uw_model_unload(model);
}

/* Every factor of both worlds has its cells, and doors behind walls are counted. */
static void test_card_of_every_factor(void **state) {
    (void)state;
    uw_model *model = hand_model(2, 2, "state");
    uw_context *ctx = context(2);
    uw_eval_options o = few(40);
    uw_err err = {0};
    uw_card card;
    o.planner.num_samples = 4;
    o.planner.num_elites = 2;
    o.planner.iters = 1;
    o.planner.horizon = 1;
    o.budget = 1;
    const uw_card_options c = {.factors = "every", .values = "min,max,random"};
    CHECK_OK(uw_card_run(ctx, model, "two_room", &c, &o, &card, &err), &err);
    const uw_env_class *cls = uw_env_find("two_room");
    for (int32_t i = 0; i < cls->num_factors; i++) {
        const uw_factor *f = &cls->factors[i];
        const bool wanted = !f->placed && !f->ours && (f->affects_motion || f->affects_picture);
        assert_true((cell_of(&card, f->name, "max") != NULL) == wanted);
        assert_true((cell_of(&card, f->name, "random") != NULL) == wanted);
    }
    assert_non_null(cell_of(&card, "goal.looks", "random"));
    assert_non_null(cell_of(&card, "distractors", "random"));
    assert_null(cell_of(&card, "all", "max"));
    assert_int_equal(cell_of(&card, "wall.color", "random")->no_way, 0);

    uw_variation hidden = {.mode = {UW_VARY_DEFAULT}}; /* the door behind the outer wall */
    CHECK_OK(uw_variation_parse(cls, "door.position=0,0,0", &hidden, &err), &err);
    o.variation = &hidden;
    CHECK_OK(uw_stress_run(ctx, model, "two_room", "wall.color", &o, &card, &err), &err);
    assert_int_equal(card.cells[0].no_way, 20); /* the hard half */
    uw_context_free(ctx);
    uw_model_unload(model);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_setups_are_functions_of_seed_and_index),
        cmocka_unit_test(test_another_seed_is_another_set),
        cmocka_unit_test(test_bad_options),
        cmocka_unit_test(test_model_and_world_must_fit),
        cmocka_unit_test(test_threads_change_nothing),
        cmocka_unit_test(test_a_model_drives),
        cmocka_unit_test(test_interrupted),
        cmocka_unit_test(test_a_start_may_be_the_goal),
        cmocka_unit_test(test_table),
        cmocka_unit_test(test_card),
        cmocka_unit_test(test_card_values),
        cmocka_unit_test(test_card_of_every_factor),
    };
    return cmocka_run_group_tests(tests, tempdir_setup, tempdir_teardown);
}
