/* SPDX-License-Identifier: Apache-2.0 */
#include <airgap/bundle_journal.h>
#include <airgap/fs.h>
#include <airgap/stored.h>

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#define TITLE    "airgap-journal 1"
#define LINE_MAX_LEN 160u               /* 20 + 10 + 64 + 8 digits, three blanks, a newline */
#define TEXT_MAX (512u << 20)

/* ---- CRC-32 (IEEE), four bits at a time */

static uint32_t crc32_of(const char *p, size_t n)
{
	static const uint32_t table[16] = {
		0x00000000, 0x1db71064, 0x3b6e20c8, 0x26d930ac, 0x76dc4190, 0x6b6b51f4, 0x4db26158, 0x5005713c,
		0xedb88320, 0xf00f9344, 0xd6d6a3e8, 0xcb61b38c, 0x9b64c2b0, 0x86d3d2d4, 0xa00ae278, 0xbdbdf21c,
	};
	uint32_t crc = 0xffffffffu;

	for (size_t i = 0; i < n; i++) {
		crc ^= (uint8_t)p[i];
		crc = crc >> 4 ^ table[crc & 15];
		crc = crc >> 4 ^ table[crc & 15];
	}
	return ~crc;
}

/* ---- lines */

static size_t print_crc(char line[LINE_MAX_LEN], size_t len)
{
	return len + (size_t)snprintf(line + len, LINE_MAX_LEN - len, " %08x\n", crc32_of(line, len));
}

static size_t print_title(char out[LINE_MAX_LEN], const struct digest *layout, bool ordered)
{
	char hex[DIGEST_HEX];

	return print_crc(out, (size_t)snprintf(out, LINE_MAX_LEN, TITLE " %s %s", digest_hex(layout, hex),
					       ordered ? "ordered" : "sparse"));
}

static size_t print_line(char out[LINE_MAX_LEN], uint64_t frame, const struct journal_line *l)
{
	char hex[DIGEST_HEX];

	return print_crc(out, (size_t)snprintf(out, LINE_MAX_LEN, "%llu %u %s", (unsigned long long)frame, l->bytes,
					       digest_hex(&l->digest, hex)));
}

/* The next whole line whose CRC is right, without it; false at the end. */
static bool next_line(const char **text, const char *end, char out[LINE_MAX_LEN])
{
	while (*text < end) {
		const char *line = *text, *eol = memchr(line, '\n', (size_t)(end - line));

		if (!eol)
			return false;
		*text = eol + 1;

		size_t len = (size_t)(eol - line);
		char crc[9];

		if (len < 10 || len >= LINE_MAX_LEN || memchr(line, '\0', len))
			continue;
		snprintf(crc, sizeof(crc), "%08x", crc32_of(line, len - 9));
		if (line[len - 9] != ' ' || memcmp(line + len - 8, crc, 8) != 0)
			continue;
		memcpy(out, line, len - 9);
		out[len - 9] = '\0';
		return true;
	}
	return false;
}

/* Takes the field up to the next blank off *s and ends it there. */
static char *next_field(char **s)
{
	return strsep(s, " ");
}

static void take_line(char *line, struct journal_line *lines, uint64_t n_frames)
{
	const char *number = next_field(&line), *bytes = next_field(&line), *hex = next_field(&line);
	uint64_t frame = 0, n = 0;
	struct digest d;

	if (!hex || line || !u64_parse(number, &frame) || !u64_parse(bytes, &n))
		return;
	if (frame >= n_frames || n > UINT32_MAX || !digest_parse_hex(hex, strlen(hex), &d))
		return;
	lines[frame] = (struct journal_line){ (uint32_t)n, d };
}

bool journal_parse(const char *text, size_t len, const struct digest *layout, struct journal_line *lines,
		   uint64_t n_frames, bool *ordered)
{
	char line[LINE_MAX_LEN], title[LINE_MAX_LEN];
	const char *end = text + len;
	bool found = false;

	memset(lines, 0, n_frames * sizeof(lines[0]));
	for (int is_ordered = 0; is_ordered < 2 && !found; is_ordered++) {
		size_t n = print_title(title, layout, is_ordered);

		found = len >= n && memcmp(text, title, n) == 0;
		if (found) {
			*ordered = is_ordered;
			text += n;
		}
	}
	while (found && next_line(&text, end, line))
		take_line(line, lines, n_frames);
	return found;
}

int journal_load(const char *path, const struct digest *layout, struct journal_line *lines, uint64_t n_frames,
		 bool *ordered, struct err *e)
{
	auto_buf struct buf text = BUF_INIT(TEXT_MAX);
	int there = fs_exists(path, e);

	memset(lines, 0, n_frames * sizeof(lines[0]));
	if (there <= 0)
		return there;
	if (fs_load(path, TEXT_MAX, &text, e) < 0)
		return -1;
	return journal_parse(buf_str(&text), text.len, layout, lines, n_frames, ordered);
}

/* ---- writing */

int journal_create(struct journal *j, const char *path, const struct digest *layout, bool ordered,
		   const struct journal_line *lines, uint64_t n_frames, struct err *e)
{
	auto_buf struct buf text = BUF_INIT(TEXT_MAX);
	char line[LINE_MAX_LEN];

	buf_put(&text, line, print_title(line, layout, ordered));
	for (uint64_t f = 0; f < n_frames; f++)
		if (lines[f].bytes)
			buf_put(&text, line, print_line(line, f, &lines[f]));
	if (fs_save(path, text.ptr, text.len, 0600, e) < 0)
		return -1;
	j->fd = fs_open(path, O_WRONLY | O_APPEND, 0, e);
	if (j->fd < 0)
		return -1;
	pthread_mutex_init(&j->lock, NULL);
	return 0;
}

static int add_text(struct journal *j, const char *p, size_t n, struct err *e)
{
	pthread_mutex_lock(&j->lock);

	int r = fs_write_all(j->fd, p, n, e);

	pthread_mutex_unlock(&j->lock);
	return r < 0 ? err_wrap(e, "journal") : 0;
}

int journal_add(struct journal *j, uint64_t frame, const struct journal_line *l, struct err *e)
{
	char line[LINE_MAX_LEN];

	return add_text(j, line, print_line(line, frame, l), e);
}

int journal_drop(struct journal *j, uint64_t first, uint64_t n, struct err *e)
{
	static const struct journal_line none;

	for (uint64_t i = 0; i < n; i++)
		if (journal_add(j, first + i, &none, e) < 0)
			return -1;
	return 0;
}

void journal_close(struct journal *j)
{
	if (j->fd < 0)
		return;
	close(j->fd);
	j->fd = -1;
	pthread_mutex_destroy(&j->lock);
}
