# plan: the solvers, the planner around them, the controller around that.
uw_test(test_plan_noise SOURCES unit/test_plan_noise.c MODULES plan LABELS unit)
uw_test(test_planner SOURCES unit/test_planner.c MODULES plan LABELS unit)
uw_test(test_solvers SOURCES unit/test_solvers.c MODULES plan LABELS unit)
uw_test(test_controller SOURCES unit/test_controller.c MODULES plan LABELS unit)
uw_test(plan_quality SOURCES property/plan_quality.c MODULES plan LABELS property)
uw_test(controller_adversarial SOURCES property/controller_adversarial.c MODULES plan LABELS property)

uw_test(alloc_controller SOURCES property/alloc_controller.c MODULES probe LABELS property)
foreach(call IN ITEMS malloc calloc realloc free posix_memalign aligned_alloc pthread_mutex_lock
        pthread_cond_wait read write open fopen)
  target_link_options(alloc_controller PRIVATE -Wl,--wrap=${call})
endforeach()

# One program, one entry per solver.
uw_test(parity_golden_solver_cem SOURCES parity/golden_solver.c MODULES plan io LABELS parity ARGS cem)
foreach(solver IN ITEMS icem mppi predictive_sampling gradient pgd categorical_cem lagrangian)
  uw_test_again(parity_golden_solver_${solver} parity_golden_solver_cem ${solver})
endforeach()
uw_test(parity_golden_solver_cem_lewm SOURCES parity/golden_solver_model.c MODULES plan io train LABELS parity)
uw_parity_isas(parity_golden_solver_cem_lewm parity_golden_solver_cem_lewm)
uw_test(parity_plan_bf16 SOURCES parity/plan_bf16.c MODULES plan io train LABELS parity)
uw_parity_isas(parity_plan_bf16 parity_plan_bf16)
