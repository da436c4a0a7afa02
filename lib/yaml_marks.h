/*
 * yaml_marks - where keys stood, while a text is read. Private to yaml*.c.
 */
#pragma once

#include <airgap/yaml.h>

struct ydoc_marks *marks_new(const char *subject) MUST_CHECK;
/* key NULL: the entry of an array. m NULL: nothing is kept. */
void marks_add(struct ydoc_marks *m, const json_t *container, const char *key, size_t index, unsigned line);
