/* What the verbs' tables and the library's keys are printed as: keys, man page, completion. */
#ifndef UW_CLI_NAMES_H
#define UW_CLI_NAMES_H

/* Print `umwelt train --help keys`. */
void cli_print_keys(void);
/* Print the man page (roff) or a completion script from the verbs' tables. */
void cli_print_man(void);
int cli_print_completion(const char *shell);

#endif
