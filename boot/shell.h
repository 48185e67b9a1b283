/* SPDX-License-Identifier: Apache-2.0 */
/* shell: `shell`, `exec`, `kubeconfig` and `cluster`: the commands that look at a project that is up, or at a cluster alone. */
#pragma once

#include "boot/run.h"

int shell_main(struct run *r);		/* the user's login shell in the dev container; its exit code */
int exec_main(struct run *r);		/* a command there; its exit code */
int kubeconfig_main(struct run *r);	/* prints (--print) or merges into the user's file */
int cluster_main(struct run *r);	/* create|delete|list NAME: a cluster without anything else */
