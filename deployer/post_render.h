/*
 * post_render - what helm runs between its rendering and its installing: `deployer post-render FILE`, FILE by rewrite_dump.
 *
 * No command for people: it is not in --help.
 */
#pragma once

#include <stdbool.h>

#define POST_RENDER "post-render"

bool post_render_is(int argc, char **argv);
/* Standard input to standard output; the exit status. Nothing is written when it fails. */
int post_render_main(const char *file);
