/* SPDX-License-Identifier: Apache-2.0 */
/* mem: allocation that cannot fail, and ownership that can be seen.
 *
 * Out of memory ends the program (the agent can always restart and reconcile). In return, every size that a peer can
 * influence is capped before it is allocated. `autofree char *s = NULL;` frees at scope end, `return steal(&s)` hands over. */
#pragma once

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/compiler.h"

void *xcalloc(size_t n, size_t size);
void *xrealloc(void *p, size_t n, size_t size);	/* n * size, overflow checked */
char *xstrdup(const char *s);			/* NULL in, NULL out */
char *xstrndup(const char *s, size_t n);
char *xasprintf(const char *fmt, ...) printf_like(1, 2);
char *xvasprintf(const char *fmt, va_list ap) printf_like(1, 0);
void *xmemdup(const void *p, size_t n);

/* Zeroes before it frees: for tokens and keys. NULL is fine. */
void free_secret(char *s);

static inline void mem_cleanup_free(void *p)
{
	free(*(void **)p);
}

static inline void mem_cleanup_close(const int *fd)
{
	if (*fd >= 0)
		close(*fd);
}

static inline void mem_cleanup_fclose(FILE **f)
{
	if (*f)
		fclose(*f);
}

#define autofree	__attribute__((cleanup(mem_cleanup_free)))
#define autoclose	__attribute__((cleanup(mem_cleanup_close)))
#define autofclose	__attribute__((cleanup(mem_cleanup_fclose)))
/* auto(x): calls x_done(&v) at scope end; needs `static inline`-free plain function x_done(struct x *) */
#define auto(x)		__attribute__((cleanup(x##_done)))

#define steal(pp) __extension__({ __typeof__(*(pp)) steal_v = *(pp); *(pp) = NULL; steal_v; })

static inline int steal_fd(int *fd)
{
	int v = *fd;

	*fd = -1;
	return v;
}
