/* SPDX-License-Identifier: Apache-2.0 */
/* banned: functions that this code does not use; included before every file by the compiler's command line. */
#pragma once

#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#undef strcpy
#undef strcat
#undef strncpy
#undef strncat
#undef strtok
#undef sprintf
#undef vsprintf
#pragma GCC poison strcpy strcat sprintf vsprintf strncpy strncat strtok atoi atol atoll
#pragma GCC poison strtol strtoll strtoul strtoull system popen sleep usleep gethostbyname getaddrinfo gets
