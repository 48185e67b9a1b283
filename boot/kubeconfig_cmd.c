/* SPDX-License-Identifier: Apache-2.0 */
/* `kubeconfig`: the project's own file, printed or merged into the user's. */
#include <errno.h>
#include <stdio.h>

#include "base/file.h"
#include "base/mem.h"
#include "boot/shell.h"
#include "net/kube/kubeconfig.h"

int kubeconfig_main(struct run *r)
{
	autofree char *own = path_join(r->state_dir, "kubeconfig"), *user = kubeconfig_path();
	auto(buf) struct buf text = BUF_INIT(1 << 20);
	autojson json *config = NULL;
	struct err e = { 0 };
	int code = file_exists(own) ? file_read(own, &text, &e) : err_set(&e, -ENOENT, "there is no cluster yet; `bootstrap up` makes it");

	if (code == 0 && r->opt->print) {
		fputs(buf_str(&text), stdout);
		return EXIT_DONE;
	}
	if (code == 0) {
		config = kubeconfig_parse(own, text.data, text.len, &e);
		code = config ? kubeconfig_merge(user, config, true, &e) : e.code;
	}
	if (code < 0)
		return cli_fail(code, &e);
	printf("context %s is in %s, and current\n", json_str(config, "current-context", "?"), user);
	return EXIT_DONE;
}
