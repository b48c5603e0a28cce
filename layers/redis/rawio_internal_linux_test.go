package redis

import (
	"bytes"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/wye-go/wye/internal/testkit"
)

// TestRawIO compares a connection that is read and written by raw calls with what a net.Conn
// promises.
func TestRawIO(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		at      testkit.Line
		network string
		addr    string
	}{
		{testkit.Here(), "tcp", "127.0.0.1:0"},
		{testkit.Here(), "unix", filepath.Join(t.TempDir(), "socket")},
	} {
		t.Run(row.network, func(t *testing.T) {
			t.Parallel()
			t.Run("bytes", func(t *testing.T) { t.Parallel(); testRawBytes(t, row.at, row.network, row.addr+"a") })
			t.Run("end", func(t *testing.T) { t.Parallel(); testRawEnd(t, row.at, row.network, row.addr+"b") })
		})
	}
}

// rawPair returns the two ends of a connection, the first with raw calls.
func rawPair(t *testing.T, network, addr string) (own *conn, peer net.Conn) {
	t.Helper()
	if network == "tcp" {
		addr = "127.0.0.1:0"
	}
	l, err := (&net.ListenConfig{}).Listen(t.Context(), network, addr)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	dialed, err := (&net.Dialer{}).DialContext(t.Context(), network, l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	if peer, err = l.Accept(); err != nil {
		t.Fatal(err)
	}
	own = &conn{Conn: dialed, of: &conns{}, io: socketIO(dialed)}
	if _, ok := own.io.(*rawIO); !ok {
		t.Fatalf("a %T is not read and written by raw calls", dialed)
	}
	t.Cleanup(func() { _, _ = own.Close(), peer.Close() })
	return own, peer
}

// testRawBytes has both ends send much at the same time, so that all calls have to wait.
func testRawBytes(t *testing.T, at testkit.Line, network, addr string) {
	t.Helper()
	own, peer := rawPair(t, network, addr)
	sent := bytes.Repeat([]byte("0123456789abcdef"), 1<<19)
	errs := make(chan error, 3)
	go func() {
		n, err := own.Write(sent)
		if n != len(sent) && err == nil {
			err = io.ErrShortWrite
		}
		errs <- errors.Join(err, own.Conn.(interface{ CloseWrite() error }).CloseWrite())
	}()
	go func() {
		back, err := io.ReadAll(peer)
		if !bytes.Equal(back, sent) {
			err = errors.Join(err, errors.New("the peer has received other bytes"))
		}
		errs <- err
	}()
	go func() {
		_, err := peer.Write(sent)
		errs <- err
	}()
	got := make([]byte, len(sent))
	if _, err := io.ReadFull(own, got); err != nil || !bytes.Equal(got, sent) {
		t.Errorf("%s: received other bytes, or %v", at, err)
	}
	for range cap(errs) {
		if err := <-errs; err != nil {
			t.Errorf("%s: %v", at, err)
		}
	}
}

// testRawEnd checks how reads and writes end.
func testRawEnd(t *testing.T, at testkit.Line, network, addr string) {
	t.Helper()
	own, peer := rawPair(t, network, addr)
	testRawDeadline(t, at, own)
	if err := peer.Close(); err != nil {
		t.Fatal(err)
	}
	b := make([]byte, 1)
	if n, err := own.Read(b); n != 0 || err != io.EOF { //nolint:errorlint // io.EOF itself, as readers expect
		t.Errorf("%s: a read after the peer's close returned %d and %v, want io.EOF", at, n, err)
	}
	var err error
	for err == nil { // the first write to a peer that is gone may succeed
		_, err = own.Write(b)
	}
	var op *net.OpError
	if !errors.As(err, &op) || op.Op != "write" || !errors.Is(err, syscall.EPIPE) && !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("%s: a write after the peer's close returned %v", at, err)
	}
	testRawClosed(t, at, network, addr+"2")
}

// testRawDeadline checks a read that has waited for too long, and leaves no deadline.
func testRawDeadline(t *testing.T, at testkit.Line, own *conn) {
	t.Helper()
	if n, err := own.Read(nil); n != 0 || err != nil {
		t.Errorf("%s: a read of nothing returned %d and %v", at, n, err)
	}
	if err := own.SetReadDeadline(time.Now()); err != nil {
		t.Fatal(err)
	}
	var timeout net.Error
	if _, err := own.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) || !errors.As(err, &timeout) || !timeout.Timeout() {
		t.Errorf("%s: a read after its deadline returned %v", at, err)
	}
	if err := own.SetReadDeadline(time.Time{}); err != nil {
		t.Fatal(err)
	}
}

// testRawClosed closes a connection that is being read.
func testRawClosed(t *testing.T, at testkit.Line, network, addr string) {
	t.Helper()
	own, _ := rawPair(t, network, addr)
	ended := make(chan error, 1)
	go func() {
		_, err := own.Read(make([]byte, 1))
		ended <- err
	}()
	if err := own.Close(); err != nil {
		t.Fatal(err)
	}
	if err := <-ended; !errors.Is(err, net.ErrClosed) {
		t.Errorf("%s: a read of a closed connection returned %v", at, err)
	}
}
