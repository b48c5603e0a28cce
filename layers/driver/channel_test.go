package driver_test

import (
	"testing"

	"github.com/wye-go/wye/internal/testkit"
	"github.com/wye-go/wye/layers/driver"
)

func TestNodeOf(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		at      testkit.Line
		channel string
		node    string
		ok      bool
	}{
		{testkit.Here(), driver.NewChannel("NODE"), "NODE", true},
		{testkit.Here(), "specific.0123456789abcdef!89abcdef", "0123456789abcdef", true},
		{testkit.Here(), "specific.a!b!c", "a", true},
		{testkit.Here(), "custom.a!b", "custom.a", true},
		{testkit.Here(), "thumbnails", "", false},
		{testkit.Here(), "specific.thumbnails", "", false},
		{testkit.Here(), "", "", false},
	} {
		if node, ok := driver.NodeOf(row.channel); node != row.node || ok != row.ok {
			t.Errorf("%s: the node of %q is %q, %t; want %q, %t", row.at, row.channel, node, ok, row.node, row.ok)
		}
	}
	if a, b := driver.NewChannel("NODE"), driver.NewChannel("NODE"); a == b || len(a) > driver.MaxName {
		t.Errorf("two channels of a node are called %q and %q", a, b)
	}
}
