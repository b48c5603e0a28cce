package redis

import (
	"strings"
	"testing"

	"github.com/wye-go/wye/internal/testkit"
)

func TestCheckHello(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		at            testkit.Line
		version, mode string
		want          string // in the error; "": none
	}{
		{testkit.Here(), "7.0.15", "standalone", ""},
		{testkit.Here(), "6.0.0", "standalone", ""},
		{testkit.Here(), "10.1", "sentinel", ""},
		{testkit.Here(), "255.255.255", "standalone", ""}, // a build of the development branch
		{testkit.Here(), "", "standalone", ""},            // a proxy
		{testkit.Here(), "unstable", "standalone", ""},
		{testkit.Here(), "5.0.14", "standalone", "needs Redis 6.0 or newer"},
		{testkit.Here(), "2.8", "standalone", "its version is 2.8"},
		{testkit.Here(), "7.0.15", "cluster", "Redis Cluster"},
	} {
		err := checkHello(row.version, row.mode)
		if (err == nil) != (row.want == "") || err != nil && !strings.Contains(err.Error(), row.want) {
			t.Errorf("%s: %v, want %q", row.at, err, row.want)
		}
	}
}
