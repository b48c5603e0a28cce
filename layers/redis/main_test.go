package redis_test

import (
	"flag"
	"testing"

	"github.com/wye-go/wye/internal/redistest"
	"github.com/wye-go/wye/internal/testkit"
)

// shared is the server of all tests that do no harm to it. Each uses a prefix of its own.
//
//nolint:gochecknoglobals // tests of one package share it
var shared *redistest.Server

func TestMain(m *testing.M) {
	if ranNode() {
		return
	}
	runMore()
	shared = redistest.Must(redistest.Options{})
	testkit.Main(m, shared.Close)
}

// runMore has more tests run at the same time than there are processors, unless -parallel says
// otherwise: most of their time, they wait for leases, probes and other processes.
func runMore() {
	flag.Parse()
	chosen := false
	flag.Visit(func(f *flag.Flag) { chosen = chosen || f.Name == "test.parallel" })
	if !chosen {
		_ = flag.Set("test.parallel", "8")
	}
}
