package engine

import (
	"bytes"
	"errors"
	"io"
	"net"
	"slices"
	"syscall"
	"testing"

	"github.com/wye-go/wye/internal/testkit"
)

// tcpPair returns both ends of a connection.
func tcpPair(t *testing.T) (server, peer *net.TCPConn) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	dialed, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	accepted, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { dialed.Close(); accepted.Close() })
	return accepted.(*net.TCPConn), dialed.(*net.TCPConn)
}

// newEpoll returns a kernel with one socket, whose key is 7.
func newEpoll(t *testing.T) (k *epoll, fd int, peer *net.TCPConn) {
	t.Helper()
	made, err := newKernel()
	if err != nil {
		t.Fatal(err)
	}
	k = made.(*epoll)
	server, peer := tcpPair(t)
	if fd, err = k.take(server); err != nil {
		t.Fatal(err)
	}
	if _, err := server.Write([]byte("x")); !errors.Is(err, net.ErrClosed) {
		t.Errorf("the net.Conn is not closed: %v", err)
	}
	if err := k.add(fd, 7); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		k.close(fd)
		k.stop()
	})
	return k, fd, peer
}

// await sleeps until all of want has been reported, and fails if anything else is.
func (e *epoll) await(t *testing.T, want changes) {
	t.Helper()
	events := make([]change, 4)
	for got := changes(0); got&want != want; {
		for _, c := range events[:e.sleep(events)] {
			if c.key == 7 {
				got |= c.what
			}
		}
	}
	if n := e.poll(events); n > 0 {
		t.Errorf("reported again: %v", events[:n])
	}
}

func writeTo(t *testing.T, w io.Writer, s string) {
	t.Helper()
	if _, err := io.WriteString(w, s); err != nil {
		t.Fatal(err)
	}
}

// TestEpollEdges goes through what a socket reports, each change once.
func TestEpollEdges(t *testing.T) {
	t.Parallel()
	k, fd, peer := newEpoll(t)
	buf := make([]byte, 64<<10)
	k.await(t, nowWritable)
	if n, err := k.read(fd, buf); n != 0 || err != nil {
		t.Errorf("read %d, %v of nothing", n, err)
	}
	writeTo(t, peer, "one")
	k.await(t, nowReadable)
	writeTo(t, peer, "two") // although the first is not read
	k.await(t, nowReadable)
	if n, err := k.read(fd, buf); string(buf[:n]) != "onetwo" || err != nil {
		t.Errorf("read %q, %v", buf[:n], err)
	}

	full := 0
	for piece := bytes.Repeat([]byte("f"), 1<<20); ; {
		n, err := k.write(fd, [][]byte{piece}, len(piece))
		if full += n; err != nil {
			t.Fatal(err)
		}
		if n < len(piece) {
			break
		}
	}
	if k.isWritable(fd) {
		t.Error("writable, although a write was short")
	}
	if _, err := io.CopyN(io.Discard, peer, int64(full)); err != nil {
		t.Fatal(err)
	}
	k.await(t, nowWritable)
}

// TestEpollHalves: what the peer has sent before it shuts its half is read first.
func TestEpollHalves(t *testing.T) {
	t.Parallel()
	k, fd, peer := newEpoll(t)
	k.await(t, nowWritable)
	buf := make([]byte, 100)
	writeTo(t, peer, "last")
	if err := peer.CloseWrite(); err != nil {
		t.Fatal(err)
	}
	k.await(t, nowReadable|nowHungUp)
	if n, err := k.read(fd, buf); string(buf[:n]) != "last" || err != nil {
		t.Errorf("read %q, %v", buf[:n], err)
	}
	if _, err := k.read(fd, buf); err != io.EOF { //nolint:errorlint // as it is
		t.Errorf("read %v, want EOF", err)
	}
	k.shutWrite(fd)
	if n, err := peer.Read(buf); n != 0 || err != io.EOF { //nolint:errorlint // as it is
		t.Errorf("the peer has read %d, %v, want EOF", n, err)
	}
}

// TestEpollReset: a reset is a change in which the socket is writable too, so that a writer
// which waits learns of it.
func TestEpollReset(t *testing.T) {
	t.Parallel()
	k, fd, peer := newEpoll(t)
	k.await(t, nowWritable)
	if err := peer.SetLinger(0); err != nil {
		t.Fatal(err)
	}
	if err := peer.Close(); err != nil {
		t.Fatal(err)
	}
	k.await(t, nowReadable|nowWritable|nowHungUp)
	if _, err := k.read(fd, make([]byte, 10)); !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("read %v, want ECONNRESET", err)
	}
	if _, err := k.write(fd, [][]byte{{1}}, 1); !errors.Is(err, syscall.EPIPE) {
		t.Errorf("write %v, want EPIPE", err)
	}
}

// TestEpollWake: a wake ends a sleep, the one that goes on or the next one, and only one.
func TestEpollWake(t *testing.T) {
	t.Parallel()
	k, _, peer := newEpoll(t)
	k.await(t, nowWritable)
	events := make([]change, 4)
	k.wake()
	k.wake()
	k.sleep(events)
	if n := k.poll(events); n > 0 {
		t.Errorf("%v after two wakes and a sleep", events[:n])
	}
	woken := make(chan struct{})
	go func() {
		k.sleep(make([]change, 4))
		close(woken)
	}()
	k.wake()
	<-woken
	writeTo(t, peer, "x")
	k.await(t, nowReadable)
	if n := k.sleepSoon(events); n > 0 {
		t.Errorf("%v after everything was reported", events[:n])
	}
}

// sleepSoon sleeps, with a wake that is not reported.
func (e *epoll) sleepSoon(events []change) (n int) {
	e.wake()
	for _, c := range events[:e.sleep(events)] {
		if c.key != wakeKey {
			n++
		}
	}
	return n
}

// TestEpollWrites writes pieces of all numbers and sizes, more than one call takes.
func TestEpollWrites(t *testing.T) {
	t.Parallel()
	k, fd, peer := newEpoll(t)
	for _, row := range []struct {
		at           testkit.Line
		pieces, size int
		atOnce       int // bytes of the first write
	}{
		{testkit.Here(), 1, 10, 10},
		{testkit.Here(), 2, 10, 20},
		{testkit.Here(), 5000, 3, 15000},
		{testkit.Here(), 1, 20000, 20000},
		{testkit.Here(), 3, 9000, 27000},
		{testkit.Here(), 3000, 20, 1024 * 20},
	} {
		var pieces [][]byte
		for i := range row.pieces {
			pieces = append(pieces, bytes.Repeat([]byte{byte('a' + i%26)}, row.size))
			if i%3 == 1 {
				pieces[i-1], pieces[i] = slices.Concat(pieces[i-1], pieces[i]), nil // an empty one
			}
		}
		want := slices.Concat(pieces...)
		n, err := k.write(fd, pieces, len(want))
		if err != nil || n != row.atOnce && row.pieces < 1024 || n > len(want) || n == 0 {
			t.Errorf("%s: wrote %d, %v, want %d", row.at, n, err, row.atOnce)
		}
		got := make([]byte, n)
		if _, err := io.ReadFull(peer, got); err != nil || !bytes.Equal(got, want[:n]) {
			t.Errorf("%s: other bytes: %v", row.at, err)
		}
	}
}

// TestEpollTakes: what is not a plain socket, or is closed, stays as it is.
func TestEpollTakes(t *testing.T) {
	t.Parallel()
	k, _, _ := newEpoll(t)
	server, _ := tcpPair(t)
	if _, err := k.take(struct{ net.Conn }{server}); err == nil {
		t.Error("a wrapper was taken")
	}
	if _, err := server.Write([]byte("x")); err != nil {
		t.Errorf("closed by a take that has failed: %v", err)
	}
	if err := server.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := k.take(server); err == nil {
		t.Error("a closed connection was taken")
	}
}

func TestChangesOf(t *testing.T) {
	t.Parallel()
	for events, want := range map[uint32]changes{
		0:                                    0,
		syscall.EPOLLIN:                      nowReadable,
		syscall.EPOLLOUT:                     nowWritable,
		syscall.EPOLLIN | syscall.EPOLLOUT:   nowReadable | nowWritable,
		syscall.EPOLLRDHUP | syscall.EPOLLIN: nowReadable | nowHungUp,
		syscall.EPOLLHUP:                     nowHungUp,
		syscall.EPOLLERR | syscall.EPOLLOUT:  nowHungUp | nowWritable,
		syscall.EPOLLPRI:                     0,
	} {
		if got := changesOf(events); got != want {
			t.Errorf("%#x is %b, want %b", events, got, want)
		}
	}
}
