/* SPDX-License-Identifier: Apache-2.0 */
#include "net/docker.h"

#include <errno.h>
#include <stdarg.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/num.h"
#include "net/docker_internal.h"

#define API_MIN		41u	/* of 1.x: Docker 20.10 */
#define API_MAX		51u	/* the newest this was written for */
#define UNIX_PATH_MAX	107u
#define PEM_MAX		(1u << 20)

/* ---- paths and references ---- */

char *docker_path(const struct docker *d, const char *fmt, ...)
{
	struct buf b = BUF_INIT(64u << 10);
	va_list ap;

	buf_addf(&b, "/v%s", d->api);
	va_start(ap, fmt);
	buf_addv(&b, fmt, ap);
	va_end(ap);
	return buf_steal(&b);
}

char *docker_ref_path(const char *ref)
{
	struct buf b = BUF_INIT(4096);

	for (; *ref; ref++) {
		if (strchr("/:@", *ref))
			buf_addc(&b, *ref);
		else
			http_escape(&b, (char[2]){ *ref, '\0' });
	}
	return buf_ok(&b) && b.len ? buf_steal(&b) : (buf_done(&b), xstrdup("-"));
}

void docker_ref_split(const char *ref, char **ret_repo, char **ret_tag)
{
	const char *at = strchr(ref, '@'), *slash = strrchr(ref, '/'), *colon = strrchr(ref, ':');

	if (!at && colon && slash && colon < slash)
		colon = NULL;	/* of a port */
	if (!at)
		at = colon;
	*ret_repo = at ? xstrndup(ref, (size_t)(at - ref)) : xstrdup(ref);
	*ret_tag = xstrdup(at ? at + 1 : "latest");
}

void docker_label_filter(struct buf *b, const struct strv *labels)
{
	autojson json *o = json_object();
	autofree char *text = NULL;
	json *list;

	if (!labels || !labels->n)
		return;
	list = json_set(o, "label", json_array());
	for (size_t i = 0; i < labels->n; i++)
		json_add_str(list, labels->v[i]);
	text = json_text(o);
	buf_addf(b, "%cfilters=", strchr(buf_str(b), '?') ? '&' : '?');
	http_escape(b, text);
}

/* ---- calls ---- */

uint64_t docker_left_ms(const struct docker *d, uint64_t deadline_ns, uint64_t most)
{
	uint64_t now = loop_now(d->loop);

	if (!deadline_ns || deadline_ns == UINT64_MAX)
		return most;
	return deadline_ns <= now ? 1 : MIN((deadline_ns - now) / 1000000 + 1, most);
}

int docker_pause(struct docker *d, unsigned ms, uint64_t deadline_ns)
{
	uint64_t until = loop_deadline(ms);
	bool never = false;
	int r = loop_run(d->loop, &never, deadline_ns && deadline_ns < until ? deadline_ns : until);

	if (r == -ETIMEDOUT && !(deadline_ns && deadline_ns <= loop_now(d->loop)))
		return 0;
	return r;
}

int docker_result(int code, const struct err *local, struct err *err)
{
	if (code < 0 && err)
		*err = *local;
	return code;
}

int docker_run(struct docker *d, struct http_req *r, uint64_t deadline_ns, struct err *err)
{
	r->to = &d->to;
	return http_wait(d->http, r, deadline_ns ? deadline_ns : UINT64_MAX, err);
}

static int call_path(struct docker *d, const char *method, const char *path, json *body, uint64_t timeout_ms, json **ret,
		     struct err *err)
{
	autofree char *text = body ? json_text(body) : NULL;
	struct http_req r = { .method = method, .path = path, .body = text, .body_len = text ? strlen(text) : 0 };
	int code = docker_run(d, &r, loop_deadline(timeout_ms ? timeout_ms : DOCKER_CALL_MS), err);
	json *answer = NULL;

	json_free(body);
	if (code == 0 && ret && r.response.len) {
		answer = json_parse(r.response.data, r.response.len, err);
		if (!answer)
			code = err_wrap(err, -EBADMSG, "the engine's answer to %s %s", method, path);
	}
	http_req_done(&r);
	if (code == 0 && ret)
		*ret = answer;
	return code;
}

int docker_call(struct docker *d, const char *method, const char *path, json *body, uint64_t timeout_ms, json **ret,
		struct err *err)
{
	autofree char *full = docker_path(d, "%s", path);

	return call_path(d, method, full, body, timeout_ms, ret, err);
}

/* ---- opening ---- */

static char *pem_read(const char *dir, const char *name, int *code, struct err *err)
{
	autofree char *path = path_join(dir, name);
	struct buf b = BUF_INIT(PEM_MAX);

	if (*code == 0)
		*code = file_read(path, &b, err);
	buf_addc(&b, '\0');
	return buf_steal(&b);
}

static int endpoint_tls(struct http_endpoint *to, const char *dir, struct err *err)
{
	int code = 0;

	to->ca_pem = pem_read(dir, "ca.pem", &code, err);
	to->cert_pem = pem_read(dir, "cert.pem", &code, err);
	to->key_pem = pem_read(dir, "key.pem", &code, err);
	return code;
}

static int endpoint_init(struct http_endpoint *to, const char *host, const char *tls_dir, struct err *err)
{
	if (str_starts(host, "unix://")) {
		const char *path = host + strlen("unix://");

		if (!*path || strlen(path) > UNIX_PATH_MAX)
			return err_set(err, -EINVAL, "'%s' is not the path of a socket (1 to %u bytes)", path,
				       UNIX_PATH_MAX);
		to->unix_path = xstrdup(path);
		to->base = xstrdup("http://docker");
		return 0;
	}
	if (str_starts(host, "tcp://"))
		to->base = xasprintf("%s://%s", tls_dir ? "https" : "http", host + strlen("tcp://"));
	else if (str_starts(host, "http://") || str_starts(host, "https://"))
		to->base = xstrdup(host);
	else
		return err_set(err, -EPROTONOSUPPORT, "'%s': an engine's address starts with unix:// or tcp://", host);
	for (size_t n = strlen(to->base); n && to->base[n - 1] == '/'; n--)
		to->base[n - 1] = '\0';
	return tls_dir ? endpoint_tls(to, tls_dir, err) : 0;
}

/* "1.41" → 41; anything beyond 1.x counts as new enough. */
static int version_minor(const char *text, unsigned *ret)
{
	struct str rest = str_from(text), part;
	uint64_t major = 0, minor = 0;
	autofree char *a = NULL, *b = NULL;

	if (str_split(&rest, '.', &part))
		a = xstrndup(part.p, part.len);
	if (str_split(&rest, '.', &part))
		b = xstrndup(part.p, part.len);
	if (!a || !b || num_u64(a, 99, &major) || num_u64(b, 9999, &minor))
		return -EBADMSG;
	*ret = major > 1 ? API_MAX : major < 1 ? 0 : (unsigned)minor;
	return 0;
}

static int negotiate(struct docker *d, const char *version, struct err *err)
{
	if (!version || version_minor(version, &d->minor) < 0)
		return err_set(err, -EPROTO, "%s is no container engine: it does not tell its API version", d->host);
	if (d->minor < API_MIN)
		return err_set(err, -EPROTONOSUPPORT,
			       "the engine at %s speaks API %s; 1.%u is needed (Docker 20.10, Podman 4)",
			       d->host, version, API_MIN);
	d->minor = MIN(d->minor, API_MAX);
	snprintf(d->api, sizeof(d->api), "1.%u", d->minor);
	return 0;
}

static int ping(struct docker *d, uint64_t timeout_ms, struct err *err)
{
	struct http_req r = { .method = "GET", .path = "/_ping", .max_response = 4096 };
	int code = docker_run(d, &r, loop_deadline(timeout_ms), err);

	if (code == 0) {
		const char *server = http_header(&r, "Server");

		d->podman = http_header(&r, "Libpod-API-Version") || (server && str_starts(server, "Libpod"));
		d->buildkit = streq(http_header(&r, "Builder-Version"), "2");
		code = negotiate(d, http_header(&r, "Api-Version"), err);
	}
	http_req_done(&r);
	return code;
}

struct docker *docker_open(struct loop *loop, const char *host, const char *tls_dir, uint64_t timeout_ms, struct err *err)
{
	struct docker *d = xcalloc(1, sizeof(*d));

	d->loop = loop;
	d->http = http_new(loop);
	d->host = xstrdup(host);
	if (endpoint_init(&d->to, host, tls_dir, err) < 0 || ping(d, timeout_ms ? timeout_ms : DOCKER_CALL_MS, err) < 0)
		return docker_free(d);
	return d;
}

struct docker *docker_clone(const struct docker *d, struct loop *loop)
{
	struct docker *c = xcalloc(1, sizeof(*c));

	*c = *d;
	c->loop = loop;
	c->http = http_new(loop);
	c->host = xstrdup(d->host);
	c->to = (struct http_endpoint){
		.unix_path = xstrdup(d->to.unix_path), .base = xstrdup(d->to.base), .ca_pem = xstrdup(d->to.ca_pem),
		.cert_pem = xstrdup(d->to.cert_pem), .key_pem = xstrdup(d->to.key_pem),
	};
	return c;
}

struct docker *docker_free(struct docker *d)
{
	if (!d)
		return NULL;
	http_free(d->http);
	http_endpoint_done(&d->to);
	free(d->host);
	free(d);
	return NULL;
}

const char *docker_api(const struct docker *d)
{
	return d->api;
}

const char *docker_host(const struct docker *d)
{
	return d->host;
}

bool docker_is_podman(const struct docker *d)
{
	return d->podman;
}

bool docker_has_buildkit(const struct docker *d)
{
	return d->buildkit;
}
