/*
 * commands - options and entry points of the commands in main.c's table that are one file each.
 */
#pragma once

#include <airgap/cli.h>

#define COMMAND(name)                                             \
	extern const struct opt name##_options[];                 \
	extern const size_t name##_opts_size;                     \
	int name##_run(const void *opts, char **args, struct err *e)

COMMAND(lock);
COMMAND(images);
COMMAND(diff);
COMMAND(keygen);
COMMAND(sign);
COMMAND(verify);
COMMAND(inspect);
