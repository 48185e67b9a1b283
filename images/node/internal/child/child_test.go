// SPDX-License-Identifier: Apache-2.0

package child

import (
	"bytes"
	"context"
	"slices"
	"testing"
	"time"
)

func TestKeepStartsAgainAndEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithTimeout(context.Background(), pause+500*time.Millisecond)
	defer cancel()
	var out bytes.Buffer
	Keep(ctx, &out, "/bin/sh", "-c", "echo run")
	if got := out.String(); got != "run\nrun\n" {
		t.Errorf("got %q", got)
	}
}

func TestWithExtra(t *testing.T) {
	got := WithExtra([]string{"--a=1"}, []string{"b=2", "--c"})
	if want := []string{"--a=1", "--b=2", "--c"}; !slices.Equal(got, want) {
		t.Errorf("got %v", got)
	}
}
