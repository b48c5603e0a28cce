package redistest_test

import (
	"net"
	"testing"

	"github.com/wye-go/wye/internal/redistest"
	"github.com/wye-go/wye/internal/testkit"
)

// TestRunsInANamespace starts a server behind a link. Commands of tests do not need the link.
func TestRunsInANamespace(t *testing.T) {
	t.Parallel()
	here, there := testkit.NewNamespace(t), testkit.NewNamespace(t)
	here.LinkTo(t, there)
	s := redistest.New(t, redistest.Options{Host: "10.0.0.1", Run: here.Run})
	dial := func() error {
		var nc net.Conn
		var err error
		there.Run(func() { nc, err = net.Dial("tcp", s.Addr()) })
		if err == nil {
			nc.Close()
		}
		return err
	}
	if err := dial(); err != nil {
		t.Errorf("the server cannot be reached over the link: %v", err)
	}
	there.Sh(t, "ip link set far down")
	if err := dial(); err == nil {
		t.Error("the server can be reached without the link")
	}
	s.CLI(t, "PING")
	s.Kill()
	if err := s.Start(); err != nil {
		t.Error(err)
	}
}
