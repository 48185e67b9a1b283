/* SPDX-License-Identifier: Apache-2.0 */
#include "boot/cli.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "tests/tap.h"

static const struct command commands[] = {
	{ "up", "[CONFIG] [NAME…]", "Bring everything up", "rc", false, NULL },
	{ "down", "", "Remove it", "pa", false, NULL },
	{ "exec", "COMMAND…", "Run a command", "uw", true, NULL },
	{ "status", "", "Show", "", false, NULL },
	{ "forward", "", "Forward", "f", false, NULL },
};

static const struct {
	const char *what;
	const char *line;	/* words separated by spaces */
	int want;
	const char *command, *args, *says;
} cases[] = {
	{ "no word at all is up", "", 0, "up", "", NULL },
	{ "options alone are up", "--yes --headless", 0, "up", "", NULL },
	{ "a command is taken by name", "down --purge -a", 0, "down", "", NULL },
	{ "an option may stand before its command", "--purge down", 0, "down", "", NULL },
	{ "a file that looks like one is up's config", "nowhere.json web", 0, "up", "nowhere.json,web", NULL },
	{ "a readable file is up's config", "/dev/null", 0, "up", "/dev/null", NULL },
	{ "a misspelt command names the nearest", "dwon", -EINVAL, NULL, NULL, "did you mean \"down\"?" },
	{ "a strange word is refused", "xyzzyx", -EINVAL, NULL, NULL, "there is no command \"xyzzyx\", see --help" },
	{ "a misspelt option names the nearest", "down --purg", -EINVAL, NULL, NULL, "did you mean --purge?" },
	{ "an option of another command is refused", "status --purge", -EINVAL, NULL, NULL, "status takes no --purge" },
	{ "also when it stands before", "--purge status", -EINVAL, NULL, NULL, "status takes no --purge" },
	{ "a value may be missing", "up --timeout", -EINVAL, NULL, NULL, "--timeout needs a value" },
	{ "a time must be one", "up --timeout soon", -EINVAL, NULL, NULL, "not \"soon\"" },
	{ "a time of nothing is refused", "up --timeout 0s", -EINVAL, NULL, NULL, "not \"0s\"" },
	{ "output has two forms", "up -o yaml", -EINVAL, NULL, NULL, "text or json" },
	{ "a level must be one", "up --log-level loud", -EINVAL, NULL, NULL, "not \"loud\"" },
	{ "a switch takes no value", "up --yes=no", -EINVAL, NULL, NULL, "--yes takes no value" },
	{ "switches are not bundled", "up -yh", -EINVAL, NULL, NULL, "there is no option -yh" },
	{ "exec leaves its command's options alone", "exec -u root ls -l --yes", 0, "exec", "ls,-l,--yes", NULL },
	{ "after -- all is words", "exec -- -x", 0, "exec", "-x", NULL },
	{ "a single dash is a word", "up -", 0, "up", "-", NULL },
};

static int parse(const char *line, const struct command **command, struct options *o, struct err *err)
{
	char text[256], *argv[20] = { text };
	int argc = 1;

	snprintf(text, sizeof(text), "bootstrap %s", line);
	for (char *p = strchr(text, ' '); p && p[1]; p = strchr(p, ' ')) {
		*p++ = '\0';
		argv[argc++] = p;
	}
	return cli_parse(argc, argv, commands, ARRAY_SIZE(commands), command, o, err);
}

static void test_lists(void)
{
	static const struct {
		const char *what, *line, *want;
	} lists[] = {
		{ "a list has one", "forward -n a", "a" },
		{ "may be given again", "forward -n a --namespace b --namespace=c", "a b c" },
		{ "or with commas", "forward -n a,b -nc", "a b c" },
		{ "between which nothing is nothing", "forward -n ,a,,b,", "a b" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(lists); i++) {
		const struct command *command = NULL;
		struct err err = { 0 };
		struct options o;
		char *got;

		ok(parse(lists[i].line, &command, &o, &err) == 0, "%s", lists[i].what);
		got = strv_join(&o.namespaces, " ");
		is_str(got, lists[i].want, "%s: what it has", lists[i].what);
		free(got);
		options_done(&o);
	}
}

static void test_table(void)
{
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		const struct command *command = NULL;
		struct err err = { 0 };
		struct options o;
		int r = parse(cases[i].line, &command, &o, &err);

		if (!ok(r == cases[i].want, "%s", cases[i].what))
			printf("# %d: %s\n", r, err_text(&err));
		if (r == 0) {
			char *args = strv_join(&o.args, ",");

			is_str(command->name, cases[i].command, "%s: the command", cases[i].what);
			is_str(args, cases[i].args, "%s: its words", cases[i].what);
			free(args);
		} else if (!ok(cases[i].says && strstr(err_text(&err), cases[i].says), "%s: the sentence", cases[i].what)) {
			printf("# %s\n", err_text(&err));
		}
		options_done(&o);
	}
}

static void test_values(void)
{
	const struct command *command;
	struct options o;
	int r = parse("up --yes -o json --timeout=90s --log-level debug --config a.json --config=b.json", &command, &o,
		      NULL);

	ok(r == 0, "values of all types are read");
	ok(o.yes && !o.headless, "a switch is set, others are not");
	ok(o.output == OUTPUT_JSON, "-o json");
	is_int((long long)o.timeout_ms, 90000, "a time is milliseconds");
	ok(o.log_level == LOG_DEBUG, "a level is read");
	is_str(o.config, "b.json", "the last of equal options counts");
	options_done(&o);
	r = parse("exec -uroot -ojson id", &command, &o, NULL);
	ok(r == 0 && o.output == OUTPUT_JSON, "a value may follow its letter at once");
	is_str(o.user, "root", "also a text");
	options_done(&o);
}

static void test_exit_codes(void)
{
	static const struct { int code, want; } codes[] = {
		{ 0, 0 }, { -EIO, 1 }, { -EINVAL, 2 }, { -ENOPKG, 3 }, { -ETIMEDOUT, 4 }, { -ECANCELED, 130 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(codes); i++)
		is_int(cli_exit_code(codes[i].code), codes[i].want, "the exit code of %s", strerror(-codes[i].code));
}

static void test_agree(void)
{
	struct options o = { .yes = true };

	ok(cli_agree(NULL, &o, "?"), "--yes agrees");
	o = (struct options){ .headless = true };
	ok(!cli_agree(NULL, &o, "?"), "headless never asks");
}

/* On a terminal of its own. typed NULL: nothing comes, and the loop is cancelled. */
static bool agree_typed(const char *typed)
{
	struct options o = { 0 };
	struct loop *l = loop_new(LOOP_DEFAULT);
	int in = dup(STDIN_FILENO), err = dup(STDERR_FILENO), master = posix_openpt(O_RDWR | O_NOCTTY), slave = -1;
	bool agreed = false;

	if (master >= 0 && grantpt(master) == 0 && unlockpt(master) == 0)
		slave = open(ptsname(master), O_RDWR | O_NOCTTY);
	if (slave >= 0 && dup2(slave, STDIN_FILENO) >= 0 && dup2(slave, STDERR_FILENO) >= 0) {
		if (!typed)
			loop_cancel(l);
		else if (write(master, typed, strlen(typed)) < 0)
			loop_cancel(l);
		agreed = cli_agree(l, &o, "?");
	}
	dup2(in, STDIN_FILENO);
	dup2(err, STDERR_FILENO);
	close(in);
	close(err);
	close(slave);
	close(master);
	loop_free(l);
	return agreed;
}

static void test_asked(void)
{
	ok(agree_typed("y\n"), "y on the terminal agrees");
	ok(agree_typed("\n"), "and so does an empty line");
	ok(!agree_typed("no\n"), "no does not");
	ok(!agree_typed(NULL), "nor does a question that is interrupted");
}

int main(void)
{
	test_table();
	test_lists();
	test_values();
	test_exit_codes();
	test_agree();
	test_asked();
	return tap_done();
}
