package engine

import (
	"reflect"
	"testing"
)

// TestActivityIsSmall bounds what each idle connection has for its checks.
func TestActivityIsSmall(t *testing.T) {
	t.Parallel()
	if size := reflect.TypeFor[activity]().Size(); size > 36 {
		t.Errorf("the activity of a connection has %d bytes, want at most 36", size)
	}
}
