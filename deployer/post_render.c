/* SPDX-License-Identifier: Apache-2.0 */
#include "post_render.h"

#include <airgap/fs.h>
#include <airgap/rewrite.h>

#include <stdio.h>
#include <unistd.h>

#define MANIFESTS_MAX (64u << 20)       /* as much as helm's output may have */

bool post_render_is(int argc, char **argv)
{
	return argc == 3 && strcmp(argv[1], POST_RENDER) == 0;
}

static int run(const char *file, struct err *e)
{
	auto_buf struct buf names = BUF_INIT(REWRITE_MAX), in = BUF_INIT(MANIFESTS_MAX), out = BUF_INIT(2 * (size_t)MANIFESTS_MAX);

	if (fs_load(file, REWRITE_MAX, &names, e) < 0 || buf_read_fd(&in, STDIN_FILENO, e) < 0 ||
	    rewrite_manifests(names.ptr, names.len, buf_str(&in), in.len, &out, e) < 0)
		return -1;
	return fs_write_all(STDOUT_FILENO, buf_str(&out), out.len, e);
}

int post_render_main(const char *file)
{
	struct err e = { 0 };

	if (run(file, &e) == 0)
		return 0;
	fprintf(stderr, "Error: " POST_RENDER ": %s\n", e.msg);
	return (int)e.code;
}
