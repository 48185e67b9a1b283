/* SPDX-License-Identifier: Apache-2.0 */
#include "boot/progress.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>

#include "base/buf.h"
#include "base/file.h"
#include "base/json.h"
#include "tests/tap.h"

static char text[1 << 16];

static const char *slurp(int fd)
{
	ssize_t n = pread(fd, text, sizeof(text) - 1, 0);

	text[n > 0 ? n : 0] = '\0';
	return text;
}

static int scratch(char path[static 32])
{
	snprintf(path, 32, "/tmp/test_progress_XXXXXX");
	return mkstemp(path);
}

static void one_run(enum progress_mode mode, int fd, const char *log)
{
	struct progress *p = progress_new(mode, fd, log);
	struct progress_step *s = progress_start(p, "image", "Node image", 1000);
	struct err err = { 0 };

	progress_note(s, "pulling 1 of 5");
	progress_note(s, "pulling 2 of 5");
	progress_say(s, "no registry answers");
	progress_output(s, "\033[31mred\033[0m\tand \001quiet\r\n");
	progress_output(s, "10%\r20%\r30%");
	progress_finish(s, PROGRESS_DONE, "sha256:1234", NULL);
	s = progress_start(p, "cluster", "Cluster", 0);
	for (int i = 0; i < 30; i++) {
		char line[32];

		snprintf(line, sizeof(line), "line %d", i);
		progress_output(s, line);
	}
	(void)err_set(&err, -EIO, "the node ended");
	progress_finish(s, PROGRESS_FAILED, NULL, &err);
	progress_free(p);
}

static void test_plain(void)
{
	char path[32], log_path[32];
	int fd = scratch(path), log = scratch(log_path);

	one_run(PROGRESS_PLAIN, fd, log_path);
	slurp(fd);
	ok(strstr(text, " image start: Node image\n"), "plain: a step starts with its title");
	ok(strlen(text) > 8 && text[2] == ':' && text[5] == ':', "each line has a time in front");
	ok(strstr(text, " image: pulling 1 of 5\n"), "a note is shown");
	ok(!strstr(text, "pulling 2 of 5"), "not another one within the second");
	ok(strstr(text, " image: no registry answers\n"), "what is said is shown");
	ok(!strstr(text, "red"), "foreign output is not");
	ok(strstr(text, " image done in 0.") && strstr(text, ": sha256:1234\n"), "a step ends with its time and summary");
	ok(strstr(text, "cluster failed after 0.") && strstr(text, ": the node ended\n"), "a failure has its sentence");
	ok(strstr(text, "| line 29\n") && strstr(text, "| line 10\n") && !strstr(text, "| line 9\n"),
	   "and its last twenty lines");
	slurp(log);
	ok(strstr(text, " image | red and quiet\n"), "the log has foreign output without control characters");
	ok(strstr(text, " image | 30%\n"), "of a line that redraws itself the last state");
	ok(strstr(text, " cluster | line 0\n"), "the log has all lines");
	ok(text[4] == '-' && text[10] == 'T', "with full dates");
	close(fd);
	close(log);
	unlink(path);
	unlink(log_path);
}

static void test_json(void)
{
	char path[32], *save = text;
	int fd = scratch(path), lines = 0, good = 0;
	const char *event = NULL;
	json *last = NULL;

	one_run(PROGRESS_JSON, fd, NULL);
	slurp(fd);
	for (char *line = strsep(&save, "\n"); line && *line; line = strsep(&save, "\n")) {
		json_free(last);
		last = json_parse(line, strlen(line), NULL);
		lines++;
		good += last && json_is(last, "time") && json_is(last, "step") && json_is(last, "event");
	}
	is_int(good, lines, "json: each line is an object with time, step and event");
	is_int(lines, 6, "one per event");
	event = json_str(last, "event", "");
	is_str(event, "failed", "the last is the failure");
	is_str(json_str(last, "text", ""), "the node ended", "with its sentence");
	ok(json_int(last, "elapsed_ms", -1) >= 0, "and its time");
	is_str(json_str(last, "output[19]", ""), "line 29", "and its last lines");
	json_free(last);
	close(fd);
	unlink(path);
}

static void test_quiet(void)
{
	char path[32];
	int fd = scratch(path);

	one_run(PROGRESS_QUIET, fd, NULL);
	slurp(fd);
	ok(!strstr(text, "Node image"), "quiet: what goes well is not shown");
	ok(strstr(text, "Cluster") && strstr(text, "the node ended"), "a failure is");
	close(fd);
	unlink(path);
}

/* Reads what came out of the terminal until it is silent for 100 ms. */
static void read_terminal(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	size_t len = 0;

	while (len + 1 < sizeof(text) && poll(&p, 1, 100) > 0) {
		ssize_t n = read(fd, text + len, sizeof(text) - 1 - len);

		if (n <= 0)
			break;
		len += (size_t)n;
	}
	text[len] = '\0';
}

static void test_live(void)
{
	int terminal = posix_openpt(O_RDWR | O_NOCTTY), fd;
	struct progress *p;
	struct progress_step *a, *b;

	if (terminal < 0 || grantpt(terminal) < 0 || unlockpt(terminal) < 0) {
		skip("live lines", "no pseudo-terminal");
		return;
	}
	fd = open(ptsname(terminal), O_RDWR | O_NOCTTY);
	setenv("TERM", "xterm", 1);
	setenv("LC_ALL", "C.UTF-8", 1);
	unsetenv("NO_COLOR");
	p = progress_new(PROGRESS_AUTO, fd, NULL);
	a = progress_start(p, "a", "First", 60000);
	b = progress_start(p, "b", "Second", 0);
	progress_note(b, "%0200d", 7);
	read_terminal(terminal);
	ok(strstr(text, "First  0.") && strstr(text, " of about 1 min 00 s"), "live: a line has elapsed and expected time");
	ok(strstr(text, "\033[1A\r\033[J"), "the lines before are taken off the screen");
	progress_finish(a, PROGRESS_DONE, NULL, NULL);
	read_terminal(terminal);
	ok(strstr(text, "\033[2A\r\033[J") && strstr(text, "\033[32m✓\033[0m  First"),
	   "an ended step stays above the running ones");
	ok(!strstr(text, "0000000000000000000000000000000000000000000000000000000000000000000000000000000"),
	   "a line is cut to the width");
	progress_pause(p, true);
	read_terminal(terminal);
	ok(strstr(text, "\033[1A\r\033[J"), "a pause takes the lines off");
	read_terminal(terminal);
	is_str(text, "", "and nothing is drawn");
	progress_finish(b, PROGRESS_CANCELLED, NULL, NULL);
	progress_free(p);
	close(fd);
	close(terminal);
}

static void test_sign_of_life(void)
{
	char path[32];
	int fd = scratch(path);
	struct progress *p = progress_new(PROGRESS_PLAIN, fd, NULL);
	struct progress_step *s;

	progress_sign_after(p, 50);
	s = progress_start(p, "image", "Node image", 0);
	progress_note(s, "compiling node");
	poll(NULL, 0, 300);
	progress_finish(s, PROGRESS_DONE, NULL, NULL);
	progress_free(p);
	slurp(fd);
	ok(strstr(text, " image: still compiling node, after 0."), "a step that is silent shows that it lives");
	close(fd);
	(void)unlink(path);
}

int main(void)
{
	test_sign_of_life();
	test_plain();
	test_json();
	test_quiet();
	test_live();
	return tap_done();
}
