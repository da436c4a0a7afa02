/* SPDX-License-Identifier: Apache-2.0 */
#include "resolve_run.h"

#include <airgap/fs.h>

/* The path of a file that an image adds, by its name there: it is carried in that image alone. NULL = none. */
static const char *added(const struct manifest *m, const char *name)
{
	for (size_t i = 0; i < m->n_images; i++)
		for (size_t k = 0; k < m->images[i].add.n; k++) {
			const char *path = m->images[i].add.items[k], *slash = strrchr(path, '/');

			if (strcmp(slash ? slash + 1 : path, name) == 0)
				return path;
		}
	return NULL;
}

static int open_it(struct run *r, const char *name, int *out_fd, struct err *e)
{
	const char *beside = manifest_file(r->m, name) ? NULL : added(r->m, name);

	if (!beside)
		return resolve_file_open(r, name, out_fd, e);

	auto_free char *path = run_path(r, beside);
	struct oci_blob ignored;

	*out_fd = run_open_file(path, &ignored, e);
	return MIN(*out_fd, 0);
}

static int look_into(struct run *r, const struct scan_rule *rule, struct err *e)
{
	auto_scan struct scan_finds finds = { 0 };
	auto_fd int fd = -1;

	if (manifest_file(r->m, rule->file) && !carry_wants(&r->carry, CARRY_FILES, rule->file))
		return 0;
	if (open_it(r, rule->file, &fd, e) < 0)
		return -1;
	if (scan_archive(fd, rule->file, rule->member, &finds, e) < 0)
		return err_wrap(e, "file '%s'", rule->file);
	if (!finds.n)
		run_warn(r, "file '%s': no image was found in its %s: look at the member of its rule", rule->file,
			 rule->member ? rule->member : "texts");
	return images_add_finds(&r->images, NULL, &finds, e);
}

int discover_files(struct run *r, struct err *e)
{
	for (size_t i = 0; i < r->m->discover.n_rules; i++)
		if (r->m->discover.rules[i].file && look_into(r, &r->m->discover.rules[i], e) < 0)
			return err_wrap(e, "discover.rules[%zu]", i);
	return 0;
}
