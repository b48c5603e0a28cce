package redis_test

import (
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
	shared = redistest.Must(redistest.Options{})
	testkit.Main(m, shared.Close)
}
