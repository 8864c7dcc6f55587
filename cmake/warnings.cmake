target_compile_options(uw_flags INTERFACE
  -Wall -Wextra -Wpedantic -Wconversion -Wshadow -Wvla -Wstrict-prototypes -Wmissing-prototypes -Wundef)
if(UW_WERROR)
  target_compile_options(uw_flags INTERFACE -Werror)
endif()
