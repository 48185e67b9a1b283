/* SPDX-License-Identifier: Apache-2.0 */
/* How it works: libyaml's events are put together with an explicit stack of open lists and maps. In a map, a scalar
 * without a pending key is the key. Aliases are copied in, counted against the same caps as what is written out. */
#include "base/yaml.h"

#include <assert.h>
#include <errno.h>
#include <string.h>
#include <yaml.h>

#include "base/file.h"
#include "base/jsonc.h"
#include "base/map.h"
#include "base/mem.h"

#define TEXT_MAX (1u << 20)
#define DEPTH_MAX 64
#define NODES_MAX 100000
#define ALIAS_TEXT_MAX (8u << 20)
#define TAG_STRING "tag:yaml.org,2002:str"

struct level {
	struct yaml *node;	/* borrowed: the tree has it */
	struct yaml **tail;
	struct map seen;	/* key → node, for maps */
	char *key;		/* owned; NULL: a key comes next */
	unsigned key_line, key_column;
};

struct builder {
	const char *file;
	unsigned flags;
	yaml_parser_t parser;
	struct yaml *root, *replaced;	/* owned; `replaced` may still be somebody's anchor */
	struct level level[DEPTH_MAX];
	unsigned depth, nodes;
	size_t alias_text;
	struct map anchors;		/* name → node, borrowed */
	struct err *err;
};

static void event_done(yaml_event_t *ev)
{
	yaml_event_delete(ev);
}

static int fail_at(const struct builder *b, size_t line, size_t column, const char *what)
{
	return err_set(b->err, -EINVAL, "%s:%zu:%zu: %s", b->file, line, column, what);
}

static int fail_mark(const struct builder *b, yaml_mark_t mark, const char *what)
{
	return fail_at(b, mark.line + 1, mark.column + 1, what);
}

static int fail_offset(const struct builder *b, const char *text, size_t offset, const char *what)
{
	size_t line = 1, column = 1;

	for (size_t i = 0; i < offset; i++) {
		if (text[i] == '\n') {
			line++;
			column = 1;
		} else if (((unsigned char)text[i] & 0xc0) != 0x80) {
			column++;
		}
	}
	return fail_at(b, line, column, what);
}

/* ---- scalars -------------------------------------------------------------------------------------------------- */

static size_t digits(const char *s, const char *set)
{
	return strspn(s, set);
}

/* YAML 1.2's core schema: [-+]?[0-9]+, 0o…, 0x… */
static bool is_int(const char *s)
{
	size_t n;

	if (s[0] == '0' && (s[1] == 'x' || s[1] == 'o')) {
		n = digits(s + 2, s[1] == 'x' ? "0123456789abcdefABCDEF" : "01234567");
		return n && !s[2 + n];
	}
	s += *s == '-' || *s == '+';
	n = digits(s, "0123456789");
	return n && !s[n];
}

static bool is_float(const char *s)
{
	static const char *const words[] = { ".inf", ".Inf", ".INF", ".nan", ".NaN", ".NAN" };
	size_t whole, fraction = 0;

	s += *s == '-' || *s == '+';
	for (size_t i = 0; i < ARRAY_SIZE(words); i++)
		if (streq(s, words[i]))
			return true;
	whole = digits(s, "0123456789");
	s += whole;
	if (*s == '.') {
		fraction = digits(++s, "0123456789");
		s += fraction;
	}
	if (!whole && !fraction)
		return false;
	if (*s == 'e' || *s == 'E') {
		s++;
		s += *s == '-' || *s == '+';
		if (!digits(s, "0123456789"))
			return false;
		s += digits(s, "0123456789");
	}
	return !*s;
}

static bool is_one_of(const char *s, const char *const words[static 3])
{
	return streq(s, words[0]) || streq(s, words[1]) || streq(s, words[2]);
}

static enum yaml_type plain_type(const char *s)
{
	static const char *const nulls[] = { "null", "Null", "NULL" }, *const yes[] = { "true", "True", "TRUE" },
			  *const no[] = { "false", "False", "FALSE" };

	if (!*s || streq(s, "~") || is_one_of(s, nulls))
		return YAML_NULL;
	if (is_one_of(s, yes) || is_one_of(s, no))
		return YAML_BOOL;
	if (is_int(s))
		return YAML_INT;
	return is_float(s) ? YAML_FLOAT : YAML_STRING;
}

static bool is_json_word(const char *s)
{
	const char *d = s + (*s == '-');

	if (streq(s, "null") || streq(s, "true") || streq(s, "false"))
		return true;
	if (*d < '0' || *d > '9' || (d[0] == '0' && d[1] >= '0' && d[1] <= '9') || s[strlen(s) - 1] == '.' || strstr(s, ".e") ||
	    strstr(s, ".E"))
		return false;
	return plain_type(s) == YAML_INT ? !strpbrk(s, "xo") : plain_type(s) == YAML_FLOAT;
}

/* ---- the tree ------------------------------------------------------------------------------------------------- */

static struct yaml *node_new(struct builder *b, enum yaml_type type, yaml_mark_t mark)
{
	struct yaml *y;

	if (++b->nodes > NODES_MAX) {
		fail_mark(b, mark, "the document has too many values");
		return NULL;
	}
	y = xcalloc(1, sizeof(*y));
	y->type = type;
	y->line = (unsigned)mark.line + 1;
	y->column = (unsigned)mark.column + 1;
	return y;
}

static const char *json_complaint(const char *text)
{
	autofree char *first = xstrndup(text, strcspn(text, " "));

	if (!*text)
		return "a value is missing";
	if (first[0] && text[strlen(first)] && is_json_word(first))
		return "a comma is missing behind this value";
	return "this is no JSON value (strings are in double quotes)";
}

static struct yaml *scalar_new(struct builder *b, const yaml_event_t *ev)
{
	const char *text = (const char *)ev->data.scalar.value, *tag = (const char *)ev->data.scalar.tag;
	bool plain = ev->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
	struct yaml *y;

	if (strlen(text) != ev->data.scalar.length) {
		fail_mark(b, ev->start_mark, "a NUL character is not allowed");
		return NULL;
	}
	if ((b->flags & YAML_JSONC) && plain && !is_json_word(text)) {
		fail_mark(b, ev->start_mark, json_complaint(text));
		return NULL;
	}
	if ((b->flags & YAML_JSONC) && !plain && ev->data.scalar.style != YAML_DOUBLE_QUOTED_SCALAR_STYLE) {
		fail_mark(b, ev->start_mark, "strings are in double quotes in JSON");
		return NULL;
	}
	y = node_new(b, plain && !streq(tag, TAG_STRING) ? plain_type(text) : YAML_STRING, ev->start_mark);
	if (y)
		y->text = xstrdup(text);
	return y;
}

/* A copy of what an anchor names. */
static struct yaml *node_copy(struct builder *b, const struct yaml *from, unsigned depth, yaml_mark_t mark)
{
	struct yaml *y, **tail;

	if (depth > DEPTH_MAX) {
		fail_mark(b, mark, "nested too deeply");
		return NULL;
	}
	y = node_new(b, from->type, mark);
	if (!y)
		return NULL;
	y->line = from->line;
	y->column = from->column;
	y->key_line = from->key_line;
	y->key_column = from->key_column;
	y->text = xstrdup(from->text);
	y->key = xstrdup(from->key);
	b->alias_text += (y->text ? strlen(y->text) : 0) + (y->key ? strlen(y->key) : 0);
	if (b->alias_text > ALIAS_TEXT_MAX) {
		fail_mark(b, mark, "aliases make the document too large");
		goto undo;
	}
	tail = &y->child;
	for (const struct yaml *e = from->child; e; e = e->next) {
		*tail = node_copy(b, e, depth + 1, mark);
		if (!*tail)
			goto undo;
		tail = &(*tail)->next;
		y->n++;
	}
	return y;
undo:
	yaml_nodes_free(y);
	return NULL;
}

static struct yaml *alias_new(struct builder *b, const yaml_event_t *ev)
{
	const struct yaml *target = map_get(&b->anchors, (const char *)ev->data.alias.anchor);
	struct yaml *y;

	if (!target) {
		fail_mark(b, ev->start_mark, "this alias names no anchor");
		return NULL;
	}
	for (unsigned i = 0; i < b->depth; i++) {
		if (b->level[i].node == target) {
			fail_mark(b, ev->start_mark, "this alias names what it is part of");
			return NULL;
		}
	}
	y = node_copy(b, target, b->depth + 1, ev->start_mark);
	if (y) {
		free(y->key);
		y->key = NULL;
	}
	return y;
}

static int key_take(struct builder *b, struct level *l, struct yaml *y, bool quoted)
{
	int r = 0;

	if (y->type == YAML_MAP || y->type == YAML_SEQ)
		r = fail_at(b, y->line, y->column, "a key has to be a word or string");
	else if ((b->flags & YAML_JSONC) && !quoted)
		r = fail_at(b, y->line, y->column, "keys are in double quotes in JSON");
	else
		l->key = steal(&y->text);
	l->key_line = y->line;
	l->key_column = y->column;
	yaml_nodes_free(y);
	return r;
}

/* Puts new content into the node of an earlier key of the same name, which keeps its place. */
static struct yaml *node_replace(struct builder *b, struct yaml *old, struct yaml *y)
{
	struct yaml *grave = xmemdup(old, sizeof(*old)), *next = old->next;

	grave->next = b->replaced;
	b->replaced = grave;
	*old = *y;
	old->next = next;
	free(y);
	return old;
}

/* Takes y over: as root, key, value or element. *ret is where it is now, NULL for a key. */
static int node_attach(struct builder *b, struct yaml *y, bool quoted, struct yaml **ret)
{
	struct level *l = b->depth ? &b->level[b->depth - 1] : NULL;
	struct yaml *old;

	*ret = NULL;
	if (l && l->node->type == YAML_MAP && !l->key)
		return key_take(b, l, y, quoted);
	*ret = y;
	if (!l) {
		b->root = y;
		return 0;
	}
	if (l->node->type == YAML_MAP) {
		y->key = steal(&l->key);
		y->key_line = l->key_line;
		y->key_column = l->key_column;
		old = map_get(&l->seen, y->key);
		if (old && (b->flags & YAML_DUP_OK)) {
			*ret = node_replace(b, old, y);
			return 0;
		}
		if (old) {
			err_set(b->err, -EINVAL, "%s:%u:%u: the key \"%.100s\" is there twice, first on line %u", b->file,
				y->key_line, y->key_column, y->key, old->key_line);
			yaml_nodes_free(y);
			return -EINVAL;
		}
		map_set(&l->seen, y->key, y);
	}
	*l->tail = y;
	l->tail = &y->next;
	l->node->n++;
	return 0;
}

static int level_push(struct builder *b, struct yaml *y)
{
	if (!y)
		return 0;
	if (b->depth == DEPTH_MAX)
		return fail_at(b, y->line, y->column, "nested too deeply");
	b->level[b->depth++] = (struct level){ .node = y, .tail = &y->child };
	return 0;
}

static void level_pop(struct builder *b)
{
	struct level *l = &b->level[--b->depth];

	map_done(&l->seen);
	free(l->key);
}

/* ---- events --------------------------------------------------------------------------------------------------- */

static int check_marks(struct builder *b, const yaml_event_t *ev, const yaml_char_t *tag, const yaml_char_t *anchor,
		       bool block)
{
	if (b->flags & YAML_JSONC && (tag || anchor || block))
		return fail_mark(b, ev->start_mark, "this is YAML, not JSON");
	if (tag && !streq((const char *)tag, "!") && !str_starts((const char *)tag, "tag:yaml.org,2002:"))
		return fail_mark(b, ev->start_mark, "tags are not understood here");
	return 0;
}

static int add_node(struct builder *b, struct yaml *y, const yaml_char_t *anchor, bool quoted, bool open)
{
	struct yaml *there;
	int r;

	if (!y)
		return -EINVAL;
	r = node_attach(b, y, quoted, &there);
	if (!r && anchor && there)
		map_set(&b->anchors, (const char *)anchor, there);
	return !r && open ? level_push(b, there) : r;
}

static int on_scalar(struct builder *b, const yaml_event_t *ev)
{
	int r = check_marks(b, ev, ev->data.scalar.tag, ev->data.scalar.anchor, false);

	return r ? r : add_node(b, scalar_new(b, ev), ev->data.scalar.anchor,
				ev->data.scalar.style != YAML_PLAIN_SCALAR_STYLE, false);
}

static int on_sequence(struct builder *b, const yaml_event_t *ev)
{
	int r = check_marks(b, ev, ev->data.sequence_start.tag, ev->data.sequence_start.anchor,
			    ev->data.sequence_start.style != YAML_FLOW_SEQUENCE_STYLE);

	return r ? r : add_node(b, node_new(b, YAML_SEQ, ev->start_mark), ev->data.sequence_start.anchor, false, true);
}

static int on_mapping(struct builder *b, const yaml_event_t *ev)
{
	int r = check_marks(b, ev, ev->data.mapping_start.tag, ev->data.mapping_start.anchor,
			    ev->data.mapping_start.style != YAML_FLOW_MAPPING_STYLE);

	return r ? r : add_node(b, node_new(b, YAML_MAP, ev->start_mark), ev->data.mapping_start.anchor, false, true);
}

static int on_event(struct builder *b, const yaml_event_t *ev)
{
	switch (ev->type) {
	case YAML_SCALAR_EVENT:
		return on_scalar(b, ev);
	case YAML_SEQUENCE_START_EVENT:
		return on_sequence(b, ev);
	case YAML_MAPPING_START_EVENT:
		return on_mapping(b, ev);
	case YAML_ALIAS_EVENT:
		if (b->flags & YAML_JSONC)
			return fail_mark(b, ev->start_mark, "this is YAML, not JSON");
		return add_node(b, alias_new(b, ev), NULL, false, false);
	case YAML_SEQUENCE_END_EVENT:
	case YAML_MAPPING_END_EVENT:
		level_pop(b);
		return 0;
	case YAML_DOCUMENT_START_EVENT:
		if (b->root)
			return fail_mark(b, ev->start_mark, "a second document begins here");
		return (b->flags & YAML_JSONC) && !ev->data.document_start.implicit ?
			       fail_mark(b, ev->start_mark, "this is YAML, not JSON") : 0;
	case YAML_NO_EVENT:
	case YAML_STREAM_START_EVENT:
	case YAML_STREAM_END_EVENT:
	case YAML_DOCUMENT_END_EVENT:
		return 0;
	}
	return 0;
}

static int parser_failed(const struct builder *b, const char *text)
{
	const yaml_parser_t *p = &b->parser;
	const char *problem = p->problem ? p->problem : "broken";

	if (p->error == YAML_READER_ERROR)
		return fail_offset(b, text, p->problem_offset, problem);
	if (!p->context || (p->context_mark.line == p->problem_mark.line && p->context_mark.column == p->problem_mark.column))
		return fail_mark(b, p->problem_mark, problem);
	return err_set(b->err, -EINVAL, "%s:%zu:%zu: %s, %s that begins at %zu:%zu", b->file, p->problem_mark.line + 1,
		       p->problem_mark.column + 1, problem, p->context, p->context_mark.line + 1, p->context_mark.column + 1);
}

static int events_read(struct builder *b, const char *text, size_t n)
{
	int r = 0;

	yaml_parser_set_encoding(&b->parser, YAML_UTF8_ENCODING);
	yaml_parser_set_input_string(&b->parser, (const unsigned char *)text, n);
	for (bool end = false; !r && !end;) {
		__attribute__((cleanup(event_done))) yaml_event_t ev = { 0 };

		if (!yaml_parser_parse(&b->parser, &ev))
			return parser_failed(b, text);
		end = ev.type == YAML_STREAM_END_EVENT;
		r = on_event(b, &ev);
	}
	return r;
}

int yaml_parse(const char *file, const void *p, size_t n, unsigned flags, struct yaml_doc *ret, struct err *err)
{
	auto(buf) struct buf text = BUF_INIT(TEXT_MAX);
	autofree struct builder *b = NULL;
	const char *what;
	size_t at = 0;
	int r = 0;

	if (n > TEXT_MAX)
		return err_set(err, -EINVAL, "%s: larger than %u bytes", file, TEXT_MAX);
	b = xcalloc(1, sizeof(*b));
	b->file = file;
	b->flags = flags;
	b->err = err;
	if (!yaml_parser_initialize(&b->parser))
		abort();
	if (flags & YAML_JSONC && jsonc_strip(p, n, &text, &at, &what))
		r = fail_offset(b, p, at, what);
	else if (!(flags & YAML_JSONC))
		buf_add(&text, p, n);
	if (!r)
		r = events_read(b, buf_str(&text), text.len);
	while (b->depth)
		level_pop(b);
	map_done(&b->anchors);
	yaml_nodes_free(b->replaced);
	yaml_parser_delete(&b->parser);
	if (r)
		yaml_nodes_free(b->root);
	else
		*ret = (struct yaml_doc){ .file = xstrdup(file), .root = b->root };
	return r;
}

int yaml_parse_file(const char *path, unsigned flags, struct yaml_doc *ret, struct err *err)
{
	auto(buf) struct buf b = BUF_INIT(TEXT_MAX);
	int r = file_read(path, &b, err);

	if (r == -EFBIG)
		return err_set(err, -EINVAL, "%s: larger than %u bytes", path, TEXT_MAX);
	if (str_ends(path, ".json") || str_ends(path, ".jsonc"))
		flags |= YAML_JSONC;
	return r ? r : yaml_parse(path, buf_str(&b), b.len, flags, ret, err);
}
