/* SPDX-License-Identifier: Apache-2.0 */
#include <airgap/log.h>

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#define MS_FIRST_DRAW 1000u     /* short work shows no bar */
#define MS_REDRAW     100u
#define MS_REPORT     1000u     /* JSON events, and the sampling of the rate */

static atomic_int wanted = LOG_INFO;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

/* All below belongs to the lock. */
static enum log_format format = LOG_TEXT;
static bool show_progress, on_terminal;
static struct {
	char *what;             /* NULL: none under way */
	uint64_t total, done;
	uint64_t begun_ms, drawn_ms;    /* drawn_ms: also of the last JSON event */
	uint64_t sampled_ms, sampled;   /* for the rate */
	double rate;            /* bytes a second */
	char **current;         /* what is being worked on, the oldest first */
	size_t n_current;
	bool visible;           /* the bar stands on the line now */
} bar;

static const char *const level_names[] = { "error", "warning", "info", "debug" };

/* ---- text from outside */

/* The code point at s and its length in *n; UINT32_MAX for a byte that is not UTF-8 (length 1). */
static uint32_t next_char(const char *s, size_t *n)
{
	const uint8_t *p = (const uint8_t *)s;
	size_t len = p[0] < 0x80 ? 1 : p[0] < 0xc2 ? 0 : p[0] < 0xe0 ? 2 : p[0] < 0xf0 ? 3 : p[0] < 0xf5 ? 4 : 0;
	static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
	uint32_t c;

	*n = 1;
	if (len == 1)
		return p[0];
	if (len == 0)
		return UINT32_MAX;
	c = p[0] & (0x7fu >> len);
	for (size_t i = 1; i < len; i++) {
		if ((p[i] & 0xc0) != 0x80)
			return UINT32_MAX;
		c = c << 6 | (p[i] & 0x3fu);
	}
	if (c < least[len] || c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff))
		return UINT32_MAX;
	*n = len;
	return c;
}

/* What would move the cursor, start an escape sequence or turn the reading direction round. */
static bool is_control(uint32_t c)
{
	return c < 0x20 || (c >= 0x7f && c <= 0x9f) || c == 0x2028 || c == 0x2029 || (c >= 0x200e && c <= 0x200f) ||
	       (c >= 0x202a && c <= 0x202e) || (c >= 0x2066 && c <= 0x2069);
}

static void put_text(FILE *f, const char *s)
{
	size_t n;

	for (; *s; s += n) {
		uint32_t c = next_char(s, &n);

		if (c == '\n')
			fputs("\\n", f);
		else if (c == UINT32_MAX || (is_control(c) && c < 0x80))
			fprintf(f, "\\x%02x", (unsigned)(uint8_t)*s);
		else if (is_control(c))
			fprintf(f, "\\u%04x", (unsigned)c);
		else
			fwrite(s, 1, n, f);
	}
}

static void put_json(FILE *f, const char *s)
{
	size_t n;

	putc('"', f);
	for (; *s; s += n) {
		uint32_t c = next_char(s, &n);

		if (c == UINT32_MAX)
			fputs("\\ufffd", f);
		else if (c == '"' || c == '\\')
			fprintf(f, "\\%c", (char)c);
		else if (c == '\n')
			fputs("\\n", f);
		else if (is_control(c))
			fprintf(f, "\\u%04x", (unsigned)c);
		else
			fwrite(s, 1, n, f);
	}
	putc('"', f);
}

/* ---- lines: each one is made in memory and written at once */

struct line {
	FILE *f;
	char *text;
	size_t len;
};

static bool line_begin(struct line *l)
{
	l->text = NULL;
	l->f = open_memstream(&l->text, &l->len);
	return l->f != NULL;
}

static void line_end(struct line *l)
{
	fclose(l->f);
	for (size_t at = 0; at < l->len;) {
		ssize_t n = write(STDERR_FILENO, l->text + at, l->len - at);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			break;  /* nobody listens: there is no one to tell */
		at += (size_t)n;
	}
	free(l->text);
}

static void put_time(FILE *f)
{
	struct timespec now;
	struct tm tm;
	char text[32];

	clock_gettime(CLOCK_REALTIME, &now);
	gmtime_r(&now.tv_sec, &tm);
	strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &tm);
	fprintf(f, "{\"time\":\"%s.%03ldZ\"", text, now.tv_nsec / 1000000);
}

static uint64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000u + (uint64_t)now.tv_nsec / 1000000u;
}

/* ---- the bar */

static void erase_bar(FILE *f)
{
	if (bar.visible)
		fputs("\r\033[K", f);
	bar.visible = false;
}

static size_t terminal_width(void)
{
	struct winsize w;

	return ioctl(STDERR_FILENO, TIOCGWINSZ, &w) == 0 && w.ws_col >= 20 ? w.ws_col : 80;
}

/* "images: 1.2 GiB of 4.5 GiB, 26%, 110.0 MiB/s, 0:31 left" */
static char *bar_numbers(void)
{
	char done[16], total[16], rate[16];
	unsigned long long left = 0;

	log_size(done, bar.done);
	log_size(rate, (uint64_t)bar.rate);
	if (!bar.total)
		return xasprintf("%s: %s, %s/s", bar.what, done, rate);
	log_size(total, bar.total);

	auto_free char *start = xasprintf("%s: %s of %s, %.0f%%", bar.what, done, total,
					  MIN(100.0, (double)bar.done * 100.0 / (double)bar.total));

	if (bar.rate < 1.0 || bar.done >= bar.total)
		return TAKE(start);
	left = (unsigned long long)((double)(bar.total - bar.done) / bar.rate);
	return xasprintf("%s, %s/s, %llu:%02llu left", start, rate, left / 60, left % 60);
}

/* The same, with ": web:1.0 and 3 more" behind it. */
static char *bar_text(void)
{
	auto_free char *numbers = bar_numbers();

	if (bar.n_current == 0)
		return TAKE(numbers);
	if (bar.n_current == 1)
		return xasprintf("%s: %s", numbers, bar.current[0]);
	return xasprintf("%s: %s and %zu more", numbers, bar.current[0], bar.n_current - 1);
}

static void draw_bar(FILE *f)
{
	auto_free char *text = bar_text();
	size_t width = terminal_width() - 1, at = 0, n;

	/* A line longer than the terminal would not be erased whole. */
	while (text[at] && width--) {
		next_char(text + at, &n);
		at += n;
	}
	text[at] = '\0';
	fputs("\r\033[K", f);
	put_text(f, text);
	bar.visible = true;
}

static bool bar_is_due(uint64_t now)
{
	return bar.what && on_terminal && now - bar.begun_ms >= MS_FIRST_DRAW && now - bar.drawn_ms >= MS_REDRAW;
}

static void sample_rate(uint64_t now)
{
	uint64_t ms = now - bar.sampled_ms;

	if (ms < MS_REPORT)
		return;

	double r = (double)(bar.done - bar.sampled) * 1000.0 / (double)ms;

	bar.rate = bar.rate > 0 ? 0.7 * bar.rate + 0.3 * r : r;
	bar.sampled_ms = now;
	bar.sampled = bar.done;
}

static void write_progress_event(uint64_t now)
{
	struct line l;

	if (!line_begin(&l))
		return;
	put_time(l.f);
	fputs(",\"event\":\"progress\",\"what\":", l.f);
	put_json(l.f, bar.what);
	fprintf(l.f, ",\"done\":%llu,\"total\":%llu,\"rate\":%llu}\n", (unsigned long long)bar.done,
		(unsigned long long)bar.total, (unsigned long long)bar.rate);
	line_end(&l);
	bar.drawn_ms = now;
}

/* ---- public */

void log_setup(enum log_level level, enum log_format how, bool progress)
{
	atomic_store(&wanted, (int)level);
	pthread_mutex_lock(&lock);
	format = how;
	show_progress = progress;
	on_terminal = progress && how == LOG_TEXT && isatty(STDERR_FILENO);
	pthread_mutex_unlock(&lock);
}

bool log_wants(enum log_level level)
{
	return (int)level <= atomic_load(&wanted);
}

static void write_message(enum log_level level, const char *message)
{
	struct line l;

	if (!line_begin(&l))
		return;
	if (format == LOG_JSON) {
		put_time(l.f);
		fprintf(l.f, ",\"level\":\"%s\",\"message\":", level_names[level]);
		put_json(l.f, message);
		fputs("}\n", l.f);
	} else {
		bool redraw = bar.visible;

		erase_bar(l.f);
		if (level != LOG_INFO)
			fprintf(l.f, "%s: ", level_names[level]);
		put_text(l.f, message);
		putc('\n', l.f);
		if (redraw)
			draw_bar(l.f);
	}
	line_end(&l);
}

static PRINTF(2, 0) void log_va(enum log_level level, const char *fmt, va_list ap)
{
	int saved = errno;

	if (!log_wants(level))
		return;

	auto_free char *message = xvasprintf(fmt, ap);

	pthread_mutex_lock(&lock);
	write_message(level, message);
	pthread_mutex_unlock(&lock);
	errno = saved;
}

#define DEFINE_LOG(name, level)                 \
	void name(const char *fmt, ...)         \
	{                                       \
		va_list ap;                     \
                                                \
		va_start(ap, fmt);              \
		log_va(level, fmt, ap);         \
		va_end(ap);                     \
	}

DEFINE_LOG(log_error, LOG_ERROR)
DEFINE_LOG(log_warn, LOG_WARN)
DEFINE_LOG(log_info, LOG_INFO)
DEFINE_LOG(log_debug, LOG_DEBUG)

static void end_bar(void)
{
	struct line l;

	if (!bar.what)
		return;
	if (format == LOG_JSON && show_progress) {
		write_progress_event(now_ms());
	} else if (bar.visible && line_begin(&l)) {
		erase_bar(l.f);
		line_end(&l);
	}
	free(TAKE(bar.what));
	while (bar.n_current)
		free(bar.current[--bar.n_current]);
	free(TAKE(bar.current));
}

void progress_begin(const char *what, uint64_t total_bytes)
{
	uint64_t now = now_ms();

	pthread_mutex_lock(&lock);
	end_bar();
	bar.what = xstrdup(what);
	bar.total = total_bytes;
	bar.done = bar.sampled = 0;
	bar.begun_ms = bar.drawn_ms = bar.sampled_ms = now;
	bar.rate = 0;
	pthread_mutex_unlock(&lock);
}

void progress_add(uint64_t bytes)
{
	struct line l;

	pthread_mutex_lock(&lock);
	bar.done += bytes;
	if (bar.what && show_progress) {
		uint64_t now = now_ms();

		sample_rate(now);
		if (format == LOG_JSON && now - bar.drawn_ms >= MS_REPORT) {
			write_progress_event(now);
		} else if (bar_is_due(now) && line_begin(&l)) {
			draw_bar(l.f);
			line_end(&l);
			bar.drawn_ms = now;
		}
	}
	pthread_mutex_unlock(&lock);
}

static void write_item(const char *item)
{
	const char *what = bar.what ? bar.what : "";
	struct line l;

	if (!line_begin(&l))
		return;
	if (format == LOG_JSON) {
		put_time(l.f);
		fputs(",\"event\":\"item\",\"what\":", l.f);
		put_json(l.f, what);
		fputs(",\"item\":", l.f);
		put_json(l.f, item);
		fputs("}\n", l.f);
	} else {
		put_text(l.f, what);
		fputs(*what ? ": " : "", l.f);
		put_text(l.f, item);
		putc('\n', l.f);
	}
	line_end(&l);
}

void progress_item(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	auto_free char *item = xvasprintf(fmt, ap);
	va_end(ap);
	pthread_mutex_lock(&lock);
	if (show_progress && !on_terminal && log_wants(LOG_INFO))
		write_item(item);
	pthread_mutex_unlock(&lock);
}

void progress_start(const char *item)
{
	pthread_mutex_lock(&lock);
	if (bar.what) {
		GROW(bar.current, bar.n_current);
		bar.current[bar.n_current++] = xstrdup(item);
	}
	pthread_mutex_unlock(&lock);
}

void progress_stop(const char *item)
{
	size_t i = 0;

	pthread_mutex_lock(&lock);
	while (i < bar.n_current && strcmp(bar.current[i], item) != 0)
		i++;
	if (i < bar.n_current) {
		free(bar.current[i]);
		bar.n_current--;
		memmove(bar.current + i, bar.current + i + 1, (bar.n_current - i) * sizeof(char *));
	}
	pthread_mutex_unlock(&lock);
}

void progress_end(void)
{
	pthread_mutex_lock(&lock);
	end_bar();
	pthread_mutex_unlock(&lock);
}

char *log_size(char out[16], uint64_t bytes)
{
	static const char *const units[] = { "KiB", "MiB", "GiB", "TiB", "PiB", "EiB" };
	double v = (double)bytes / 1024.0;
	size_t unit = 0;

	if (bytes < 1024) {
		snprintf(out, 16, "%u B", (unsigned)bytes);
		return out;
	}
	/* What would be printed as 1024.0 belongs to the next unit. */
	for (; v >= 1023.95 && unit + 1 < ARRAY_LEN(units); unit++)
		v /= 1024.0;
	snprintf(out, 16, "%.1f %s", v, units[unit]);
	return out;
}
