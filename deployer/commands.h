/*
 * commands - the options and entry points behind the table in main.c, one file per command.
 */
#pragma once

#include "session.h"

#define COMMAND(name)                                             \
	extern const struct opt name##_options[];                 \
	extern const size_t name##_opts_size;                     \
	int name##_run(const void *opts, char **args, struct err *e)

COMMAND(push);
COMMAND(plan);
COMMAND(preflight);
COMMAND(install);
COMMAND(status);
COMMAND(verify);
COMMAND(inspect);
COMMAND(extract);
COMMAND(init);
COMMAND(facts);
COMMAND(mirrors);
