/* SPDX-License-Identifier: Apache-2.0 */
/* cli: argv → struct options, by tables. The same tables print --help and are checked against the man page. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/str.h"

enum exit_code {
	EXIT_DONE = 0,
	EXIT_FAILED = 1,
	EXIT_USAGE = 2,
	EXIT_PREREQUISITE = 3,
	EXIT_TIMEOUT = 4,
	EXIT_INTERRUPTED = 130
};
enum output { OUTPUT_TEXT, OUTPUT_JSON };

struct options {
	/* everywhere */
	bool yes, headless, help;
	enum output output;
	enum log_level log_level;
	uint64_t timeout_ms;		/* 0: the command's own */
	/* by command */
	bool purge, all, rebuild, no_color;
	char *config;			/* --config FILE; owned */
	char *user, *workdir;		/* exec; owned */
	bool print;			/* kubeconfig */
	bool version;			/* printed; help is set too */
	/* forward */
	struct strv namespaces, contexts, maps, reserves;	/* each may be given again, or with commas */
	char *selector, *fields, *kubeconfig, *domain, *hosts_path;	/* owned */
	bool all_namespaces, watch, no_watch, list;
	struct strv args;		/* what is left */
};

struct run;

struct command {
	const char *name, *usage, *summary;	/* usage: "[CONFIG] [NAME…]" */
	/* Options it takes besides the global ones: c --config, r --rebuild, p --purge, a --all, u --user, w --workdir,
	 * k --print, f those of forward */
	const char *flags;
	bool raw_args;				/* stops at the first positional argument: exec's own command follows */
	int (*run)(struct run *r);		/* exit code */
};

/* Finds the command and fills *ret. A first word that is no command but a file (readable, or by its looks), or no word at
 * all: the first of the table (`up`). -EINVAL with a sentence and the nearest name. --help and --version print; the caller
 * sees ret->help and ends with 0. --no-color sets NO_COLOR, which progress asks for. *ret is to be done in any case. */
int cli_parse(int argc, char **argv, const struct command *commands, size_t n, const struct command **ret_command,
	      struct options *ret, struct err *err) must_check;
/* Is this word a file, or does it look like one (a path, or a name with an ending of a config)? */
bool cli_is_file(const char *word);
void cli_help(const struct command *commands, size_t n, const struct command *one);	/* one NULL: all; on stdout */
void options_done(struct options *o);
/* EXIT_TIMEOUT for -ETIMEDOUT, EXIT_INTERRUPTED for -ECANCELED, EXIT_PREREQUISITE for -ENOPKG, EXIT_USAGE for -EINVAL, else
 * EXIT_FAILED. */
int cli_exit_code(int code);
/* Logs the error, each line of its message as one, and returns its exit code. */
int cli_fail(int code, const struct err *err);
/* Asks "TEXT [Y/n] " on the terminal; yes when o->yes; no without a terminal, when headless, or once l is cancelled. */
bool cli_agree(struct loop *l, const struct options *o, const char *text);
