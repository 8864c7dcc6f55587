/* libyaml's own header: it shares its name with ours, so it is the next one of that name. */
#ifndef UW_LIBYAML_H
#define UW_LIBYAML_H

#pragma GCC system_header /* include_next is an extension, known to gcc and clang */
#include_next <yaml.h>

#endif
