package redistest_test

import (
	"testing"

	"github.com/wye-go/wye/internal/redistest"
	"github.com/wye-go/wye/internal/testkit"
)

// shared is the server of all tests that do not stop it.
//
//nolint:gochecknoglobals // tests of one package share it
var shared *redistest.Server

func TestMain(m *testing.M) {
	if holdServer() {
		return
	}
	shared = redistest.Must(redistest.Options{})
	testkit.Main(m, shared.Close)
}
