/* SPDX-License-Identifier: Apache-2.0 */
/* What is followed: Services and EndpointSlices of a namespace by that namespace's own paths, so that the right to read it is
 * enough; or of all. */
#include <errno.h>

#include "base/mem.h"
#include "boot/forward_run.h"

#define RETRY_MS 800		/* who waits for a connection waits for this */

static const char *const kinds[] = { "services", "endpoint slices" };

static struct forward_watch *watch_of(void *owner)
{
	return owner;
}

static void on_begin(void *owner)
{
	store_begin(watch_of(owner)->followed->store, watch_of(owner)->kind);
}

static void on_item(void *owner, const json *object)
{
	struct forward_watch *w = owner;

	if (store_put(w->followed->store, w->kind, object) == -ENOSPC)
		forward_view_error(w->followed->f->view, "more than %u objects of a kind: the rest is not forwarded", STORE_MAX);
	if (w->listed)
		forward_changed(w->followed->f);
}

static void on_delete(void *owner, const json *object)
{
	store_delete(watch_of(owner)->followed->store, watch_of(owner)->kind, object);
	forward_changed(watch_of(owner)->followed->f);
}

static void on_end(void *owner)
{
	struct forward_watch *w = owner;

	store_end(w->followed->store, w->kind);
	w->listed = true;
	forward_changed(w->followed->f);
}

static void connection_tell(struct followed *d)
{
	bool connected = d->watch[0].connected && d->watch[1].connected;

	if (connected == d->connected)
		return;
	d->connected = connected;
	forwarder_set_connected(d->forwarder, connected);
	if (!d->f->planned)
		return;
	forward_view_context(d->f->view, d);
	forward_changed(d->f);
}

/* Before the first list what will not mend itself ends the command; later all is waited for. */
static void on_state(void *owner, bool connected, const struct err *why)
{
	struct forward_watch *w = owner;
	struct followed *d = w->followed;
	struct forwarding *f = d->f;

	w->connected = connected;
	if (!connected && why)
		d->why = *why;
	if (!connected && why && why->code == -EACCES && f->planned)
		kube_auth_refused(d->context->auth);
	if (!connected && !f->planned && why && !f->failed && (why->code == -EACCES || why->code == -ENOENT || why->code == -EINVAL)) {
		f->failed = true;
		f->error = *why;
		err_wrap(&f->error, why->code, "context %s: %s cannot be listed%s%s%s", d->context->name, kinds[w - d->watch], d->ns ? " in " : "",
			 d->ns ? d->ns : "", d->ns ? "" : " in all namespaces (name some with -n)");
	}
	connection_tell(d);
}

static char *selector_text(const struct options *o)
{
	auto(buf) struct buf b = BUF_INIT(1 << 16);

	if (o->selector) {
		buf_adds(&b, "labelSelector=");
		http_escape(&b, o->selector);
	}
	if (o->fields) {
		buf_adds(&b, o->selector ? "&fieldSelector=" : "fieldSelector=");
		http_escape(&b, o->fields);
	}
	return b.len ? buf_steal(&b) : NULL;
}

static void follow_one(struct followed *d, const char *selector)
{
	static const struct kube_watch_ops ops = { on_begin, on_item, on_delete, on_end, on_state };
	autofree char *services = kube_path("v1", "Service", d->ns, NULL);
	autofree char *slices = kube_path("discovery.k8s.io/v1", "EndpointSlice", d->ns, NULL);

	d->store = store_new();
	store_begin(d->store, STORE_NAMESPACES);	/* which ones there are is not asked */
	store_end(d->store, STORE_NAMESPACES);
	d->forwarder = forwarder_new(d->f->loop, d->context->kube, d->store);
	d->connected = true;
	d->watch[0] = (struct forward_watch){ .followed = d, .kind = STORE_SERVICES, .connected = true };
	d->watch[1] = (struct forward_watch){ .followed = d, .kind = STORE_SLICES, .connected = true };
	d->watch[0].watch = kube_watch_new(d->context->kube, services, selector, &ops, &d->watch[0]);
	d->watch[1].watch = kube_watch_new(d->context->kube, slices, NULL, &ops, &d->watch[1]);
	for (size_t i = 0; i < ARRAY_SIZE(d->watch); i++)
		kube_watch_set_retry(d->watch[i].watch, RETRY_MS);
}

void forward_follow(struct forwarding *f)
{
	autofree char *selector = selector_text(f->run->opt);

	for (size_t i = 0; i < f->n_followed; i++) {
		struct followed *d = &f->followed[i], *first = d;

		follow_one(d, selector);
		while (first > f->followed && first[-1].context == d->context)
			first--;
		f->scopes[i] = (struct forward_scope){
			.context = d->context->name, .label = d->context->label, .plain = d->context == f->contexts,
			.bare_ns = first->ns ? first->ns : d->context->ns, .store = d->store,
		};
	}
}

void forward_unfollow(struct forwarding *f)
{
	for (size_t i = 0; i < f->n_followed; i++) {
		struct followed *d = &f->followed[i];

		for (size_t k = 0; k < ARRAY_SIZE(d->watch); k++)
			kube_watch_free(d->watch[k].watch);
		forwarder_free(d->forwarder);
		store_free(d->store);
		free(d->ns);
	}
	free(steal(&f->followed));
	free(steal(&f->scopes));
	f->n_followed = 0;
}

bool forward_synced(const struct forwarding *f)
{
	for (size_t i = 0; i < f->n_followed; i++)
		if (!store_synced(f->followed[i].store))
			return false;
	return true;
}

const char *forward_waits_for(const struct forwarding *f, char *ret, size_t n)
{
	*ret = '\0';
	for (size_t i = 0; i < f->n_followed; i++) {
		const struct followed *d = &f->followed[i];

		for (size_t k = 0; k < ARRAY_SIZE(d->watch); k++)
			if (!d->watch[k].listed) {
				snprintf(ret, n, "the %s of context %s%s%s", kinds[k], d->context->name, d->why.code ? ": " : "",
					 d->why.code ? err_text(&d->why) : "");
				return ret;
			}
	}
	return ret;
}
