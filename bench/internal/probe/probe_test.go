//go:build unix

package probe_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/wye-go/wye/bench/internal/probe"
)

func TestAskOneself(t *testing.T) {
	file := filepath.Join(t.TempDir(), "sample")
	t.Setenv(probe.Env, file)
	probe.Install()
	before, err := probe.Ask(t.Context(), os.Getpid(), file)
	if err != nil {
		t.Fatal(err)
	}
	const more = 32 << 20
	kept := make([]byte, more)
	after, err := probe.Ask(t.Context(), os.Getpid(), file)
	if err != nil {
		t.Fatal(err)
	}
	if grown := int64(after.Heap) - int64(before.Heap); grown < more || grown > more*11/10 {
		t.Errorf("%d bytes more, want %d", grown, more)
	}
	if after.Goroutines < 2 || after.Stacks == 0 {
		t.Errorf("got %+v", after)
	}
	clear(kept)
}
