/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * capture_ctl.c - the control side of a capture: starting, the thread that writes, stopping.
 *
 * When the file has reached its size, nobody reads the queues any more: they fill, and what finds
 * them full is counted as lost, until the capture is stopped.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "stack/base/log.h"
#include "stack/ctl/pcapng.h"
#include "stack/run/capture.h"

LOG_MODULE(capture, NOTICE);

enum { WRITE_EVERY_US = 2000, COMMENT_MAX = 160, MAX_BYTES_LEAST = 4096 };

static const uint64_t max_bytes_default = 1ull << 30;

struct capture {
	FILE *f;
	char *path, *filter_text;
	pthread_t thread;
	_Atomic bool stop;
	bool failed; /* the file could not be written: what comes is thrown away */
	bool full;
	uint64_t max_bytes; /* of the file; 0: no limit */
	uint64_t bytes, packets, unread;
	uint32_t nb_taps;
	struct capture_tap tap[LC_MAX_WORKERS];
};

static void
write_one(struct capture *c, const uint8_t *rec)
{
	char comment[COMMENT_MAX];
	struct pcapng_packet p;
	struct capture_rec r;

	memcpy(&r, rec, sizeof(r));
	capture_comment(&r, comment, sizeof(comment));
	p = (struct pcapng_packet){.wall_ns = r.wall_ns,
		.len = r.len,
		.cap_len = r.cap_len,
		.dir = r.out ? PCAPNG_OUT : PCAPNG_IN,
		.comment = comment,
		.data = rec + sizeof(r)};
	if (c->max_bytes != 0 && c->bytes + pcapng_packet_bytes(&p) > c->max_bytes) {
		c->full = true;
		LOG(WARNING, "capture to %s has its max-bytes=%lu: nothing more is written",
			c->path, (unsigned long)c->max_bytes);
		return;
	}
	if (!pcapng_packet(c->f, &p)) {
		c->failed = true;
		return;
	}
	c->bytes += pcapng_packet_bytes(&p);
	c->packets++;
}

static void
drain(struct capture *c)
{
	bool any = false;
	uint32_t len;
	void *rec;

	for (uint32_t w = 0; w < c->nb_taps; w++) {
		while (!c->full && (rec = recq_peek(c->tap[w].q, &len)) != NULL) {
			if (!c->failed)
				write_one(c, rec);
			if (c->full)
				break;
			recq_pop(c->tap[w].q);
			any = true;
		}
	}
	if (any && fflush(c->f) != 0)
		c->failed = true;
}

/* What a full file leaves behind. */
static void
count_unread(struct capture *c)
{
	uint32_t len;

	for (uint32_t w = 0; w < c->nb_taps; w++) {
		while (recq_peek(c->tap[w].q, &len) != NULL) {
			recq_pop(c->tap[w].q);
			c->unread++;
		}
	}
}

static void *
writer(void *arg)
{
	struct capture *c = arg;

	while (!atomic_load_explicit(&c->stop, memory_order_acquire)) {
		drain(c);
		usleep(WRITE_EVERY_US);
	}
	drain(c);
	count_unread(c);
	return NULL;
}

/* Runs on a worker. */
static void
tap_on(struct lcore *lc, void *arg)
{
	struct capture *c = arg;
	struct capture_tap *t = &c->tap[lc->id];

	t->wall_base_ns -= lc->run->is_virtual ? lc->now_ns : clock_ns(lc);
	lc->capture = t;
	lc->on_drop = capture_drop;
}

static void
tap_off(struct lcore *lc, void *arg)
{
	(void)arg;
	lc->capture = NULL;
	lc->on_drop = NULL;
}

static void
capture_free(struct capture *c)
{
	if (c == NULL)
		return;
	for (uint32_t w = 0; w < LC_MAX_WORKERS; w++)
		recq_free(c->tap[w].q);
	if (c->f != NULL)
		fclose(c->f);
	free(c->path);
	free(c->filter_text);
	free(c);
}

static int
filter_of(struct tl_stack *s, const struct conf_capture *cc, struct capture_filter *f,
	struct tl_error *e)
{
	int slot;

	*f = (struct capture_filter){
		.sel = cc->sel, .sad_index = CAPTURE_ANY_SA, .spi = cc->spi, .drops = cc->drops};
	if (cc->sa[0] == '\0')
		return 0;
	slot = control_sa_by_name(s, cc->sa);
	if (slot < 0) {
		conf_fail(e, NULL, "capture: [sa %s]: no such SA", cc->sa);
		return -ENOENT;
	}
	f->sad_index = (uint32_t)slot;
	f->sad_gen = s->control.sa[slot].gen;
	return 0;
}

static int
taps_create(
	struct tl_stack *s, struct capture *c, const struct conf_capture *cc, struct tl_error *e)
{
	struct capture_filter f;
	int rc = filter_of(s, cc, &f, e);

	c->nb_taps = s->conf.workers;
	for (uint32_t w = 0; w < c->nb_taps && rc == 0; w++) {
		c->tap[w] = (struct capture_tap){.filter = f,
			.snap_bytes = cc->snap_bytes,
			.wall_base_ns = wall_clock_ns(),
			.q = recq_new(cc->buffer_kb * 1024)};
		if (c->tap[w].q == NULL)
			rc = -ENOMEM;
	}
	return rc;
}

/* A file that somebody left there keeps neither its content nor its mode; a link is not followed.
 */
static int
file_open(struct capture *c, const char *path, uint32_t snap_bytes, struct tl_error *e)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600), rc = 0;

	if (fd < 0 || fchmod(fd, 0600) != 0)
		rc = -errno;
	else
		c->f = fdopen(fd, "w");
	if (rc == 0 && (c->f == NULL || !pcapng_begin(c->f, "taglatch", snap_bytes)))
		rc = -EIO;
	if (rc == 0)
		c->bytes = (uint64_t)ftello(c->f);
	if (rc != 0) {
		conf_fail(e, NULL, "capture: %s: %s", path, strerror(-rc));
		if (c->f == NULL && fd >= 0)
			close(fd);
	}
	return rc;
}

/* All signals stay with the program's threads. */
static int
writer_start(struct capture *c)
{
	sigset_t all, old;
	int rc;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	rc = pthread_create(&c->thread, NULL, writer, c);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	return -rc;
}

/* A number of bytes; k, M and G multiply by powers of 1024. */
static int
read_max_bytes(const char *text, uint64_t *out, struct tl_error *e)
{
	static const char units[] = "kMG";
	const char *unit;
	char *end;
	int shift = 0;

	errno = 0;
	*out = strtoull(text, &end, 10);
	unit = *end == '\0' ? NULL : strchr(units, *end);
	if (unit != NULL) {
		shift = 10 * (int)(unit - units + 1);
		end++;
	}
	if (*text < '0' || *text > '9' || *end != '\0' || errno != 0 ||
		*out > UINT64_MAX >> shift || (*out != 0 && *out << shift < MAX_BYTES_LEAST)) {
		conf_fail(e, NULL,
			"[capture] max-bytes: expected %u or more bytes such as 100M or 2G, or 0 "
			"for no limit, got \"%s\"",
			MAX_BYTES_LEAST, text);
		return -EINVAL;
	}
	*out <<= shift;
	return 0;
}

/* The words about the file, the rest chooses packets: *rest has room for all of them. */
static int
take_file_words(const char *words, struct capture *c, char *rest, struct tl_error *e)
{
	static const char key[] = "max-bytes=";
	char *copy = strdup(words), *save = NULL, *word;
	int rc = copy == NULL ? -ENOMEM : 0;

	*rest = '\0';
	c->max_bytes = max_bytes_default;
	for (word = rc == 0 ? strtok_r(copy, " \t\n", &save) : NULL; word != NULL && rc == 0;
		word = strtok_r(NULL, " \t\n", &save)) {
		if (strncmp(word, key, sizeof(key) - 1) == 0) {
			rc = read_max_bytes(word + sizeof(key) - 1, &c->max_bytes, e);
			continue;
		}
		strcat(rest, word);
		strcat(rest, " ");
	}
	free(copy);
	return rc;
}

static int
start(struct tl_stack *s, const char *file, const char *filter, struct tl_error *e)
{
	char *rest = malloc(strlen(filter) + 2);
	struct tl_conf *words = tl_conf_new();
	struct capture *c = calloc(1, sizeof(*c));
	struct conf_capture cc;
	int rc = rest == NULL || words == NULL || c == NULL ? -ENOMEM : 0;

	if (rc == 0)
		rc = take_file_words(filter, c, rest, e);
	if (rc == 0)
		rc = conf_set_words(words, "capture", rest, e);
	if (rc == 0)
		rc = conf_read_capture(words, &cc, e);
	if (rc == 0)
		rc = taps_create(s, c, &cc, e);
	if (rc == 0)
		rc = file_open(c, file, cc.snap_bytes, e);
	if (rc == 0) {
		c->path = strdup(file);
		c->filter_text = strdup(filter);
		rc = c->path == NULL || c->filter_text == NULL ? -ENOMEM : writer_start(c);
	}
	tl_conf_free(words);
	free(rest);
	if (rc != 0) {
		capture_free(c);
		return rc;
	}
	s->capture = c;
	for (uint32_t w = 0; w < s->conf.workers; w++)
		ctl_call(s, w, tap_on, c);
	return 0;
}

int
tl_capture_start(struct tl_stack *s, const char *file, const char *filter, struct tl_error *e)
{
	int rc = -EBUSY;

	e->text[0] = '\0';
	control_lock(s);
	if (s->capture != NULL)
		conf_fail(
			e, NULL, "capture: %s is being written; stop that first", s->capture->path);
	else
		rc = start(s, file, filter, e);
	control_unlock(s);
	if (rc != 0 && e->text[0] == '\0')
		conf_fail(e, NULL, "capture: %s", strerror(-rc));
	return rc;
}

static int
stop(struct tl_stack *s, struct tl_error *e)
{
	struct capture *c = s->capture;
	bool failed;

	for (uint32_t w = 0; w < s->conf.workers; w++)
		ctl_call(s, w, tap_off, NULL);
	atomic_store_explicit(&c->stop, true, memory_order_release);
	pthread_join(c->thread, NULL);
	s->capture = NULL;
	failed = c->failed;
	s->captured = (struct tl_capture_result){
		.packets = c->packets, .lost = c->unread, .bytes = c->bytes, .full = c->full};
	for (uint32_t w = 0; w < c->nb_taps; w++)
		s->captured.lost += c->tap[w].lost;
	s->has_captured = true;
	LOG(NOTICE, "capture to %s: %lu packets written, %lu lost%s", c->path,
		(unsigned long)c->packets, (unsigned long)s->captured.lost,
		c->full ? ", max-bytes was reached" : "");
	if (failed)
		conf_fail(e, NULL, "capture: %s could not be written to its end", c->path);
	capture_free(c);
	return failed ? -EIO : 0;
}

int
tl_capture_stop(struct tl_stack *s, struct tl_error *e)
{
	int rc = -ENOENT;

	e->text[0] = '\0';
	control_lock(s);
	if (s->capture == NULL)
		conf_fail(e, NULL, "capture: none was started");
	else
		rc = stop(s, e);
	control_unlock(s);
	return rc;
}

int
tl_capture_result(struct tl_stack *s, struct tl_capture_result *out)
{
	int rc = -ENOENT;

	control_lock(s);
	if (s->has_captured) {
		*out = s->captured;
		rc = 0;
	}
	control_unlock(s);
	return rc;
}

void
capture_end(struct tl_stack *s)
{
	struct tl_error e;

	if (s->capture != NULL)
		tl_capture_stop(s, &e);
}

const char *
capture_file(const struct tl_stack *s)
{
	return s->capture == NULL ? NULL : s->capture->path;
}

const char *
capture_filter_text(const struct tl_stack *s)
{
	return s->capture == NULL ? NULL : s->capture->filter_text;
}
