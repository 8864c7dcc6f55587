# env: the registry and variations, TwoRoom, and what was recorded of it.
uw_test(test_env SOURCES unit/test_env.c MODULES env LABELS unit)
uw_test(test_variation SOURCES unit/test_variation.c MODULES env LABELS unit)
uw_test(test_numpy_rng SOURCES unit/test_numpy_rng.c MODULES env LABELS unit)
uw_test(test_two_room SOURCES unit/test_two_room.c MODULES env LABELS unit)
uw_test(test_ou SOURCES unit/test_ou.c MODULES env LABELS unit)
uw_test(test_distractor SOURCES unit/test_distractor.c MODULES env LABELS unit)
uw_test(test_texture SOURCES unit/test_texture.c MODULES env LABELS unit)

uw_test(alloc_env SOURCES property/alloc_env.c MODULES env LABELS property)
target_link_options(alloc_env PRIVATE -Wl,--wrap=malloc -Wl,--wrap=calloc -Wl,--wrap=realloc
                                      -Wl,--wrap=aligned_alloc)

# Collecting needs worlds, policies and the recorder, and nothing that learns.
uw_test(test_collect SOURCES unit/test_collect.c MODULES eval LABELS unit)

# One program, one entry per recorded aspect.
uw_test(parity_trace_tworoom_motion SOURCES parity/test_trace_two_room.c MODULES env io LABELS parity
        ARGS motion)
add_test(NAME parity_trace_tworoom_frames COMMAND parity_trace_tworoom_motion frames)
set_tests_properties(parity_trace_tworoom_frames PROPERTIES LABELS parity TIMEOUT 300)
uw_test(parity_trace_tworoom_resets SOURCES parity/test_trace_resets.c MODULES env io LABELS parity
        ARGS two_room tworoom)
uw_test_again(parity_trace_pusht_resets parity_trace_tworoom_resets pusht pusht)

if(UW_CHIPMUNK)
  uw_test(test_push_t SOURCES unit/test_push_t.c MODULES env LABELS unit)
  uw_test(pusht_space SOURCES property/pusht_space.c MODULES env LABELS property)
  uw_test(pusht_snapshot SOURCES property/pusht_snapshot.c MODULES env io LABELS property)
  uw_test(parity_trace_pusht_physics SOURCES parity/test_trace_push_t.c MODULES env io LABELS parity
          ARGS physics)
  foreach(aspect IN ITEMS substeps bodies discrete)
    uw_test_again(parity_trace_pusht_${aspect} parity_trace_pusht_physics ${aspect})
  endforeach()
  uw_test(test_raster SOURCES unit/test_raster.c MODULES env LABELS unit)
  uw_test(test_push_t_draw SOURCES unit/test_push_t_draw.c MODULES env LABELS unit)
  uw_test(parity_trace_pusht_frames SOURCES parity/test_trace_push_t_pictures.c MODULES env io
          LABELS parity ARGS frames)
  foreach(aspect IN ITEMS canvas direct)
    uw_test_again(parity_trace_pusht_${aspect} parity_trace_pusht_frames ${aspect})
  endforeach()
endif()
uw_test(parity_trace_tworoom_eval SOURCES parity/test_trace_eval.c MODULES env io LABELS parity
        ARGS tworoom)
uw_test_again(parity_trace_pusht_eval parity_trace_tworoom_eval pusht)
