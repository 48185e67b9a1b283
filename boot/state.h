/* SPDX-License-Identifier: Apache-2.0 */
/* state: the project's folder below the XDG state directory: lock, log, our own kubeconfig, hints. The engine's labels are
 * the truth; losing this folder loses nothing but logs. */
#pragma once

#include "base/err.h"
#include "boot/run.h"

/* Fills run.{root,workspace,id,state_dir,cache_dir,agent_bundle,inside} from where the program lies and the current folder;
 * makes the state folder. root: $FIRESTREAM_ROOT (set by the launcher), or ../share/firestream beside the program's folder.
 * Inside the dev container (FIRESTREAM_DEVCONTAINER=1) the project is that of $LOCAL_WORKSPACE_FOLDER, the host's name of the
 * workspace. */
int state_open(struct run *r, struct err *err) must_check;
/* One changing command per project at a time: waits up to wait_ms, then a sentence that names the holder (pid, command).
 * Returns the descriptor. */
int state_lock(struct run *r, const char *command, uint64_t wait_ms, struct err *err) must_check;
