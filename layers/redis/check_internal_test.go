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
		sharded       bool
		want          string // in the error; "": none
	}{
		{testkit.Here(), "7.0.15", "standalone", false, ""},
		{testkit.Here(), "6.0.0", "standalone", false, ""},
		{testkit.Here(), "10.1", "sentinel", false, ""},
		{testkit.Here(), "7.2.5", "standalone", false, ""},       // the oldest version of Valkey
		{testkit.Here(), "255.255.255", "standalone", false, ""}, // a build of the development branch
		{testkit.Here(), "", "standalone", false, ""},            // a proxy
		{testkit.Here(), "unstable", "standalone", false, ""},
		{testkit.Here(), "5.0.14", "standalone", false, "needs Redis 6.0 or newer"},
		{testkit.Here(), "2.8", "standalone", false, "its version is 2.8"},
		{testkit.Here(), "7.0.15", "cluster", false, "Redis Cluster; write redis+cluster://"},
		{testkit.Here(), "7.0.15", "cluster", true, ""},
		{testkit.Here(), "8.0.1", "cluster", true, ""},
		{testkit.Here(), "6.2.6", "cluster", true, "Options.Sharded needs Redis 7.0 or newer"},
	} {
		s := &server{driver: &Driver{settings: &settings{Options: Options{Sharded: row.sharded}}}, target: &target{}}
		if row.sharded {
			s.target.part = &partition{}
		}
		err := s.checkHello(row.version, row.mode)
		if (err == nil) != (row.want == "") || err != nil && !strings.Contains(err.Error(), row.want) {
			t.Errorf("%s: %v, want %q", row.at, err, row.want)
		}
	}
}
