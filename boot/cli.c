/* SPDX-License-Identifier: Apache-2.0 */
#include "boot/cli.h"

#include <errno.h>
#include <stddef.h>

#include "base/mem.h"
#include "base/num.h"
#include "version.h"

enum option_type { OPTION_BOOL, OPTION_TEXT, OPTION_LIST, OPTION_OUTPUT, OPTION_LEVEL, OPTION_DURATION };

struct option_row {
	const char *name;
	enum option_type type;
	char brief;		/* one-letter form, or 0 */
	char letter;		/* in struct command's flags; 0: global */
	size_t offset;
	const char *value;	/* name of its value in the help */
	const char *help;
};

#define AT(member) offsetof(struct options, member)

static const struct option_row rows[] = {
	{ "yes", OPTION_BOOL, 'y', 0, AT(yes), NULL, "agree to everything that would be asked" },
	{ "headless", OPTION_BOOL, 0, 0, AT(headless), NULL, "no questions, no live lines: for CI" },
	{ "output", OPTION_OUTPUT, 'o', 0, AT(output), "text|json", "form of results and progress" },
	{ "timeout", OPTION_DURATION, 0, 0, AT(timeout_ms), "TIME", "give up after 90s, 5m, 1h30m …" },
	{ "log-level", OPTION_LEVEL, 0, 0, AT(log_level), "LEVEL", "error, warn, info or debug" },
	{ "no-color", OPTION_BOOL, 0, 0, AT(no_color), NULL, "no colours; so does NO_COLOR in the environment" },
	{ "help", OPTION_BOOL, 'h', 0, AT(help), NULL, "this text, or that of the command" },
	{ "version", OPTION_BOOL, 0, 0, AT(version), NULL, "the version" },
	{ "config", OPTION_TEXT, 0, 'c', AT(config), "FILE", "the config file" },
	{ "purge", OPTION_BOOL, 0, 'p', AT(purge), NULL, "also remove data and secrets" },
	{ "all", OPTION_BOOL, 'a', 'a', AT(all), NULL, "also images and caches that were built here" },
	{ "rebuild", OPTION_BOOL, 0, 'r', AT(rebuild), NULL, "make the images again" },
	{ "user", OPTION_TEXT, 'u', 'u', AT(user), "NAME", "run as this user" },
	{ "workdir", OPTION_TEXT, 0, 'w', AT(workdir), "FOLDER", "run in this folder" },
	{ "print", OPTION_BOOL, 0, 'k', AT(print), NULL, "write it to the standard output" },
	{ "namespace", OPTION_LIST, 'n', 'f', AT(namespaces), "NAME", "services of this namespace; several may be given" },
	{ "all-namespaces", OPTION_BOOL, 'A', 'f', AT(all_namespaces), NULL, "services of all namespaces" },
	{ "selector", OPTION_TEXT, 'l', 'f', AT(selector), "LABELS", "services with these labels: app=web,tier!=test" },
	{ "field-selector", OPTION_TEXT, 'f', 'f', AT(fields), "FIELDS", "services with these fields: metadata.name=web" },
	{ "context", OPTION_LIST, 'x', 'f', AT(contexts), "NAME", "this context of the kubeconfig; several may be given" },
	{ "kubeconfig", OPTION_TEXT, 0, 'f', AT(kubeconfig), "FILE", "instead of KUBECONFIG and ~/.kube/config" },
	{ "map", OPTION_LIST, 'm', 'f', AT(maps), "[SERVICE:]SRC:DST", "the service's port SRC is DST here" },
	{ "reserve", OPTION_LIST, 'r', 'f', AT(reserves), "SERVICE[.NS]=IP", "the service has this loopback address" },
	{ "domain", OPTION_TEXT, 'd', 'f', AT(domain), "DOMAIN", "the cluster's domain, else cluster.local" },
	{ "hosts-path", OPTION_TEXT, 0, 'f', AT(hosts_path), "FILE", "the hosts file, else /etc/hosts" },
	{ "watch", OPTION_BOOL, 0, 'f', AT(watch), NULL, "a live table; the default on a terminal" },
	{ "no-watch", OPTION_BOOL, 0, 'f', AT(no_watch), NULL, "a line for each change instead" },
	{ "list", OPTION_BOOL, 0, 'f', AT(list), NULL, "say what would be done, and end" },
};

struct parser {
	const struct command *commands;
	size_t n_commands;
	const struct command *command;
	struct options *o;
	bool seen[ARRAY_SIZE(rows)];
	struct err *err;
};

static bool row_allowed(const struct option_row *row, const struct command *c)
{
	return !row->letter || !c || (c->flags && strchr(c->flags, row->letter));
}

static int unknown_option(const struct parser *p, const char *text, size_t len)
{
	const char *names[ARRAY_SIZE(rows)];
	autofree char *name = xstrndup(text, len);
	const char *near;
	size_t n = 0;

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		if (row_allowed(&rows[i], p->command))
			names[n++] = rows[i].name;
	near = str_nearest(name + strspn(name, "-"), names, n);
	return err_set(p->err, -EINVAL, "there is no option %s%s%s%s", name, near ? "; did you mean --" : "",
		       near ? near : "", near ? "?" : ", see --help");
}

static void list_add(struct strv *list, const char *value)
{
	struct str rest = str_from(value), one;

	while (str_split(&rest, ',', &one))
		if (one.len)
			strv_take(list, xstrndup(one.p, one.len));
}

static int set_value(const struct parser *p, const struct option_row *row, const char *value)
{
	void *at = (char *)p->o + row->offset;

	switch (row->type) {
	case OPTION_BOOL:
		*(bool *)at = true;
		return 0;
	case OPTION_TEXT:
		free(*(char **)at);
		*(char **)at = xstrdup(value);
		return 0;
	case OPTION_LIST:
		list_add(at, value);
		return 0;
	case OPTION_OUTPUT:
		if (!streq(value, "json") && !streq(value, "text"))
			return err_set(p->err, -EINVAL, "--output must be text or json, not \"%s\"", value);
		*(enum output *)at = streq(value, "json") ? OUTPUT_JSON : OUTPUT_TEXT;
		return 0;
	case OPTION_LEVEL:
		if (log_level_parse(value, at) < 0)
			return err_set(p->err, -EINVAL, "--log-level must be error, warn, info or debug, not \"%s\"", value);
		return 0;
	case OPTION_DURATION:
		if (num_duration_ms(value, at) < 0 || *(uint64_t *)at == 0)
			return err_set(p->err, -EINVAL, "--%s must be a time such as 90s or 5m, not \"%s\"", row->name,
				       value);
		return 0;
	}
	return 0;
}

static const struct option_row *row_find(const char *arg, size_t len)
{
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const struct option_row *r = &rows[i];

		if (len > 2 && arg[1] == '-' && strlen(r->name) == len - 2 && !strncmp(arg + 2, r->name, len - 2))
			return r;
		if (len == 2 && r->brief && arg[1] == r->brief)
			return r;
	}
	return NULL;
}

/* "--name", "--name=value", "--name value", "-x", "-x value", "-xvalue". Takes what it needs from *args. */
static int take_option(struct parser *p, char ***args)
{
	const char *arg = *(*args)++, *value = NULL;
	const struct option_row *row;
	size_t len = strlen(arg);

	if (arg[1] == '-') {
		value = strchr(arg, '=');
		len = value ? (size_t)(value++ - arg) : len;
	} else if (len > 2) {
		value = arg + 2;
		len = 2;
	}
	row = row_find(arg, len);
	if (!row || (arg[1] != '-' && value && row->type == OPTION_BOOL))
		return unknown_option(p, arg, arg[1] == '-' ? len : strlen(arg));
	p->seen[row - rows] = true;
	if (row->type == OPTION_BOOL) {
		if (value)
			return err_set(p->err, -EINVAL, "--%s takes no value", row->name);
		return set_value(p, row, NULL);
	}
	if (!value && !**args)
		return err_set(p->err, -EINVAL, "--%s needs a value: %s", row->name, row->value);
	return set_value(p, row, value ? value : *(*args)++);
}

bool cli_is_file(const char *word)
{
	return strchr(word, '/') || str_ends(word, ".json") || str_ends(word, ".jsonc") || str_ends(word, ".yaml") ||
	       str_ends(word, ".yml") || access(word, R_OK) == 0;
}

static int choose_command(struct parser *p, const char *word, bool *ret_consumed)
{
	autofree const char **names = xcalloc(p->n_commands, sizeof(*names));
	const char *near;

	for (size_t i = 0; i < p->n_commands; i++) {
		names[i] = p->commands[i].name;
		if (!streq(word, names[i]))
			continue;
		p->command = &p->commands[i];
		*ret_consumed = true;
		return 0;
	}
	*ret_consumed = false;
	if (cli_is_file(word)) {
		p->command = &p->commands[0];
		return 0;
	}
	near = str_nearest(word, names, p->n_commands);
	return err_set(p->err, -EINVAL, "there is no command \"%s\"%s%s%s", word,
		       near ? "; did you mean \"" : ", see --help", near ? near : "", near ? "\"?" : "");
}

static int take_all(struct parser *p, char **args)
{
	bool only_words = false, consumed;
	int r;

	while (*args) {
		const char *arg = *args;

		if (!only_words && streq(arg, "--")) {
			only_words = true;
			args++;
			continue;
		}
		if (!only_words && arg[0] == '-' && arg[1]) {
			r = take_option(p, &args);
			if (r < 0)
				return r;
			continue;
		}
		args++;
		if (!p->command) {
			r = choose_command(p, arg, &consumed);
			if (r < 0)
				return r;
			if (consumed)
				continue;
		}
		strv_add(&p->o->args, arg);
		only_words = only_words || p->command->raw_args;
	}
	return 0;
}

static int check_allowed(const struct parser *p)
{
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		if (p->seen[i] && !row_allowed(&rows[i], p->command))
			return err_set(p->err, -EINVAL, "%s takes no --%s, see %s --help", p->command->name, rows[i].name,
				       p->command->name);
	return 0;
}

int cli_parse(int argc, char **argv, const struct command *commands, size_t n, const struct command **ret_command,
	      struct options *ret, struct err *err)
{
	struct parser p = { .commands = commands, .n_commands = n, .o = ret, .err = err };
	int r;

	*ret = (struct options){ .log_level = LOG_INFO };
	r = take_all(&p, argv + MIN(argc, 1));
	if (r < 0)
		return r;
	if (ret->version) {
		printf("bootstrap %s\n", FIRESTREAM_VERSION);
		ret->help = true;
	} else if (ret->help) {
		cli_help(commands, n, p.command);
	}
	if (!p.command)
		p.command = &commands[0];
	if (ret->no_color)
		setenv("NO_COLOR", "1", 1);
	*ret_command = p.command;
	return ret->help ? 0 : check_allowed(&p);
}

static void print_rows(const struct command *c, bool global)
{
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const struct option_row *r = &rows[i];
		char brief[5] = "    ", left[40];

		if (global == (r->letter != 0) || !row_allowed(r, c))
			continue;
		if (r->brief)
			snprintf(brief, sizeof(brief), "-%c, ", r->brief);
		snprintf(left, sizeof(left), "%s--%s%s%s", brief, r->name, r->value ? " " : "", r->value ? r->value : "");
		printf("  %-26s %s\n", left, r->help);
	}
}

/* Columns of UTF-8 text. */
static int columns(const char *s)
{
	int n = 0;

	for (; *s; s++)
		n += (*s & 0xc0) != 0x80;
	return n;
}

static void print_command_line(const struct command *c)
{
	int width = columns(c->name) + 1 + columns(c->usage);

	printf("  %s %s%*s %s\n", c->name, c->usage, width < 34 ? 34 - width : 0, "", c->summary);
}

void cli_help(const struct command *commands, size_t n, const struct command *one)
{
	if (one) {
		printf("Usage: bootstrap %s [OPTION…]%s%s\n\n%s.\n", one->name, *one->usage ? " " : "", one->usage,
		       one->summary);
		if (one->flags && *one->flags) {
			printf("\nOptions:\n");
			print_rows(one, false);
		}
	} else {
		printf("Usage: bootstrap [COMMAND] [OPTION…] [ARGUMENT…]\n\nCommands (without one: %s):\n",
		       commands[0].name);
		for (size_t i = 0; i < n; i++)
			print_command_line(&commands[i]);
	}
	printf("\nOptions of every command:\n");
	print_rows(NULL, true);
	printf("\nExit codes: 0 done, 1 failed, 2 wrong use or config, 3 something is missing on this machine, 4 timed out, "
	       "130 interrupted.\n");
}

void options_done(struct options *o)
{
	free(o->config);
	free(o->user);
	free(o->workdir);
	free(o->selector);
	free(o->fields);
	free(o->kubeconfig);
	free(o->domain);
	free(o->hosts_path);
	strv_done(&o->namespaces);
	strv_done(&o->contexts);
	strv_done(&o->maps);
	strv_done(&o->reserves);
	strv_done(&o->args);
	*o = (struct options){ 0 };
}

int cli_exit_code(int code)
{
	switch (code) {
	case 0:
		return EXIT_DONE;
	case -ETIMEDOUT:
		return EXIT_TIMEOUT;
	case -ECANCELED:
		return EXIT_INTERRUPTED;
	case -ENOPKG:
		return EXIT_PREREQUISITE;
	case -EINVAL:
		return EXIT_USAGE;
	default:
		return EXIT_FAILED;
	}
}

int cli_fail(int code, const struct err *err)
{
	struct str rest = str_from(err_text(err)), line;

	while (str_split(&rest, '\n', &line))
		log_error("%.*s", STR_ARG(line));
	return cli_exit_code(code);
}

static void on_input(struct io *io, unsigned events)
{
	io_stop(io);
}

/* Until there is something to read. Signals are another thread's: only the loop hears of them. */
static bool wait_input(struct loop *l)
{
	struct io io = { 0 };
	int r = 0;

	io_start(l, &io, STDIN_FILENO, IO_IN, on_input);
	while (io.loop && r == 0)
		r = loop_turn(l, UINT64_MAX);
	io_stop(&io);
	return r == 0;
}

/* One line from the terminal into ret, without its end; false at end of input or when l was cancelled. */
static bool read_answer(struct loop *l, char *ret, size_t size)
{
	size_t n = 0;

	for (;;) {
		char c;

		if (!wait_input(l) || read(STDIN_FILENO, &c, 1) != 1)
			return false;
		if (c == '\n')
			break;
		if (n + 1 < size)
			ret[n++] = c;
	}
	ret[n] = '\0';
	return true;
}

bool cli_agree(struct loop *l, const struct options *o, const char *text)
{
	char answer[16];

	if (o->yes)
		return true;
	if (o->headless || !isatty(STDIN_FILENO) || !isatty(STDERR_FILENO))
		return false;
	fprintf(stderr, "%s [Y/n] ", text);
	fflush(stderr);
	if (!read_answer(l, answer, sizeof(answer))) {
		fprintf(stderr, "\n");
		return false;
	}
	return answer[0] == '\0' || answer[0] == 'y' || answer[0] == 'Y';
}
