/* SPDX-License-Identifier: Apache-2.0 */
#include "boot/hostpkg.h"

#include "base/buf.h"
#include "base/mem.h"

static int text_add(struct tar *t, const char *prefix, const char *name, mode_t mode, const char *text, struct err *err)
{
	autofree char *path = xasprintf("%s/%s", prefix, name);

	return text && *text ? tar_file(t, path, mode, text, strlen(text), err) : 0;
}

static void shell_quote(struct buf *b, const char *s)
{
	buf_addc(b, '\'');
	for (; *s; s++) {
		if (*s == '\'')
			buf_adds(b, "'\\''");
		else
			buf_addc(b, *s);
	}
	buf_addc(b, '\'');
}

/* GOFLAGS adds to the image's own; everything else replaces. */
static int env_add(const struct hostpkg *h, struct tar *t, const char *prefix, struct err *err)
{
	struct buf b = BUF_INIT(1u << 20);
	int r;

	for (size_t i = 0; i < h->env.n; i++) {
		const char *value = strchr(h->env.v[i], '=') + 1;
		int n = (int)(value - h->env.v[i] - 1);

		buf_addf(&b, "export %.*s=", n, h->env.v[i]);
		if (str_starts(h->env.v[i], "GOFLAGS="))
			buf_adds(&b, "\"${GOFLAGS:+$GOFLAGS }\"");
		shell_quote(&b, value);
		buf_addc(&b, '\n');
	}
	r = text_add(t, prefix, "env", 0600, buf_str(&b), err);
	buf_done(&b);
	return r;
}

static int mirror_add(const struct hostpkg *h, struct tar *t, const char *prefix, struct err *err)
{
	const struct apt_mirror *m = &h->mirror;
	const char *options = m->trusted ? "[trusted=yes] " : "";
	const char *components = streq(h->distribution, "ubuntu") ? "main universe" : "main";
	autofree char *mirror = NULL;
	struct buf b = BUF_INIT(65536);
	int r;

	if (!m->main || !*h->distribution)
		return 0;
	mirror = xasprintf("%s %s\n", h->distribution, m->main);
	buf_addf(&b, "deb %s%s SUITE %s\n", options, m->main, components);
	if (m->updates)
		buf_addf(&b, "deb %s%s SUITE-updates %s\n", options, m->main, components);
	if (m->security)
		buf_addf(&b, "deb %s%s SUITE-security %s\n", options, m->security, components);
	r = text_add(t, prefix, "mirror", 0600, mirror, err);
	if (r == 0)
		r = text_add(t, prefix, "sources.list", 0600, buf_str(&b), err);
	buf_done(&b);
	return r;
}

int hostpkg_fill(const struct hostpkg *h, struct tar *t, const char *prefix, const char *script, struct err *err)
{
	autofree char *apt_conf = strv_join(&h->apt_conf, "\n");
	autofree char *apt_lines = *apt_conf ? xasprintf("%s\n", apt_conf) : NULL;
	const struct {
		const char *name, *text;
		mode_t mode;
	} files[] = {
		{ "run", script, 0755 },     { "apt.conf", apt_lines, 0600 }, { "apt-auth.conf", h->apt_auth, 0600 },
		{ "npmrc", h->npmrc, 0600 }, { "netrc", h->netrc, 0600 },     { "settings.xml", h->maven_settings, 0600 },
	};
	int r;

	r = tar_dir(t, prefix, 0755, err);
	for (size_t i = 0; i < ARRAY_SIZE(files) && r == 0; i++)
		r = text_add(t, prefix, files[i].name, files[i].mode, files[i].text, err);
	if (r == 0)
		r = env_add(h, t, prefix, err);
	if (r == 0)
		r = mirror_add(h, t, prefix, err);
	return r;
}
