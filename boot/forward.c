/* SPDX-License-Identifier: Apache-2.0 */
#include "boot/forward.h"

#include <errno.h>

#include "base/mem.h"
#include "boot/forward_run.h"

#define FIRST_MS 30000		/* until all is listed */

static int rules_read(struct forwarding *f, struct err *err)
{
	const struct options *o = f->run->opt;
	int r = 0;

	f->rules.domain = o->domain ? o->domain : "cluster.local";
	if (!str_is_subdomain(f->rules.domain))
		return err_set(err, -EINVAL, "--domain: \"%s\" is no domain", o->domain);
	if (o->all_namespaces && o->namespaces.n)
		return err_set(err, -EINVAL, "-A is all namespaces: leave out -n, or -A");
	if (o->args.n)
		return err_set(err, -EINVAL, "forward takes no words: \"%s\" (services are chosen with -n, -l and -f)", o->args.v[0]);
	for (size_t i = 0; i < o->maps.n && r == 0; i++)
		r = forward_rules_map(&f->rules, o->maps.v[i], err);
	for (size_t i = 0; i < o->reserves.n && r == 0; i++)
		r = forward_rules_reserve(&f->rules, o->reserves.v[i], err);
	return r;
}

/* Until every list is complete. */
static int lists_wait(struct forwarding *f, struct err *err)
{
	uint64_t deadline = loop_deadline(f->run->opt->timeout_ms ? f->run->opt->timeout_ms : FIRST_MS);
	char what[900];

	forward_follow(f);
	while (!forward_synced(f)) {
		int r = loop_turn(f->loop, deadline);

		if (f->failed) {
			*err = f->error;
			return err->code;
		}
		if (r == -ETIMEDOUT)
			return err_set(err, r, "timed out waiting for %s", forward_waits_for(f, what, sizeof(what)));
		if (r < 0)
			return err_set(err, r, "interrupted");
	}
	return 0;
}

/* For ever; an interrupt is the orderly end. */
static int run(struct forwarding *f, struct err *err)
{
	static const bool never;
	int r = rules_read(f, err);

	if (r == 0)
		r = forward_contexts_open(f, err);
	if (r < 0)
		return r;
	forward_machine(f);
	f->view = forward_view_new(f);
	r = lists_wait(f, err);
	if (r < 0)
		return r;
	if (f->run->opt->list) {
		forward_plan_renew(f);
		forward_view_list(f);
		return 0;
	}
	forward_serve(f);
	r = loop_run(f->loop, &never, UINT64_MAX);
	return r == -ECANCELED ? 0 : r;
}

int forward_main(struct run *r)
{
	struct forwarding f = { .run = r, .loop = r->loop };
	struct err err = { 0 };
	int code = run(&f, &err);

	forward_serve_end(&f);
	f.view = forward_view_free(f.view);
	forward_unfollow(&f);
	forward_contexts_close(&f);
	forward_rules_done(&f.rules);
	return code < 0 ? cli_fail(code, &err) : EXIT_DONE;
}
