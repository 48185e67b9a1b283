/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/trouble.h"

#include <stdarg.h>

#include "base/log.h"
#include "base/str.h"

static struct trouble_entry *entry_find(struct trouble *t, const char *module, const char *text)
{
	for (int i = 0; i < TROUBLE_KEPT; i++)
		if (t->e[i].times && streq(t->e[i].module, module) && streq(t->e[i].text, text))
			return &t->e[i];
	return NULL;
}

void trouble_note(struct trouble *t, const char *module, const char *fmt, ...)
{
	struct trouble_entry new = { .module = module, .times = 1 }, *old;
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(new.text, sizeof(new.text), fmt, ap);
	va_end(ap);
	new.first = new.last = time(NULL);
	t->noted++;
	old = entry_find(t, module, new.text);
	if (old) {
		old->times++;
		old->last = new.last;
		log_debug("%s: %s", module, new.text);
		return;
	}
	log_warn("%s: %s", module, new.text);
	t->e[t->next] = new;
	t->next = (t->next + 1) % TROUBLE_KEPT;
}

static const char *time_text(time_t at, char ret[static 32])
{
	struct tm tm;

	gmtime_r(&at, &tm);
	strftime(ret, 32, "%Y-%m-%dT%H:%M:%SZ", &tm);
	return ret;
}

json *trouble_status(const struct trouble *t)
{
	json *list = json_array();
	char text[32];

	for (unsigned i = 1; i <= TROUBLE_KEPT; i++) {
		const struct trouble_entry *e = &t->e[(t->next + TROUBLE_KEPT - i) % TROUBLE_KEPT];
		json *o;

		if (!e->times)
			continue;
		o = json_add(list, json_object());
		json_set_str(o, "module", e->module);
		json_set_str(o, "text", e->text);
		json_set_int(o, "times", e->times);
		json_set_str(o, "first", time_text(e->first, text));
		json_set_str(o, "last", time_text(e->last, text));
	}
	return list;
}
