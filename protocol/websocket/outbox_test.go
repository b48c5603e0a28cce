package websocket

import (
	"bytes"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/wye-go/wye/protocol"
)

const roomy = 1 << 20 // a limit that is not reached

// boxOf is an outbox of its own.
func boxOf(limit int) *outbox { return &outbox{budget: &budget{each: limit, pool: &pool{all: roomy}}} }

// drainBox takes everything out of o, as its holder does.
func drainBox(o *outbox) (written string, drained bool) {
	var all bytes.Buffer
	var done []segment
	for {
		done = o.take(done)
		if len(done) == 0 {
			return all.String(), drained
		}
		for _, s := range done {
			all.Write(s.bytes())
		}
		n := sizeOf(done)
		recycle(done)
		drained = o.wrote(n) || drained
	}
}

func addText(t *testing.T, o *outbox, s string) (write bool) {
	t.Helper()
	write, err := o.message(protocol.Text(s))
	if err != nil {
		t.Fatalf("message %q: %v", s, err)
	}
	return write
}

func addPrepared(t *testing.T, o *outbox, s string) {
	t.Helper()
	if _, err := o.prepared(protocol.Prepare(protocol.Text(s))); err != nil {
		t.Fatalf("prepared %.20q: %v", s, err)
	}
}

func TestOutboxOrder(t *testing.T) {
	t.Parallel()
	o := boxOf(roomy)
	long := strings.Repeat("L", copyBelow)
	addText(t, o, "1")
	for _, m := range []string{"two", long, "three"} {
		addPrepared(t, o, m)
	}
	o.control(false, []byte("pong"))
	addText(t, o, "2")
	o.control(true, []byte("close"))
	if got, _ := drainBox(o); got != "\x81\x011\x81\x03two\x81\x7e\x08\x00"+long+"\x81\x05threepong\x81\x012close" {
		t.Errorf("wrote %.100q", got)
	}
	if !o.finished() {
		t.Error("not finished although the last frame is written")
	}
}

// TestOutboxWriter makes sure that exactly one adder is told to write, until the
// writer has given up.
func TestOutboxWriter(t *testing.T) {
	t.Parallel()
	o := boxOf(roomy)
	if !addText(t, o, "1") {
		t.Error("the first adder was not told to write")
	}
	if addText(t, o, "2") || o.control(false, []byte("p")) || o.hold() {
		t.Error("a second one was told to write")
	}
	drainBox(o)
	if !o.hold() {
		t.Error("nobody writes, and still it cannot be held")
	}
	if addText(t, o, "3") {
		t.Error("an adder was told to write although it is held")
	}
	if got, _ := drainBox(o); got != "\x81\x013" {
		t.Errorf("wrote %q", got)
	}
	if !addText(t, o, "4") {
		t.Error("the hold is over, and the adder was not told to write")
	}
}

func TestOutboxLimit(t *testing.T) {
	t.Parallel()
	const limit = 100
	o := boxOf(limit)
	addText(t, o, strings.Repeat("a", 1000)) // one always fits
	if _, err := o.message(protocol.Text("")); !errors.Is(err, protocol.ErrQueueFull) {
		t.Fatalf("a second one: got %v, want ErrQueueFull", err)
	}
	if _, err := o.prepared(protocol.Prepare(protocol.Text(""))); !errors.Is(err, protocol.ErrQueueFull) {
		t.Fatalf("a shared one: got %v, want ErrQueueFull", err)
	}
	if o.offer([]byte("pong")) {
		t.Error("not full")
	}
	o.control(false, []byte("control")) // passes whatever the limit
	if got, drained := drainBox(o); !drained || !strings.HasSuffix(got, "control") {
		t.Errorf("wrote %.20q..., drained %v", got, drained)
	}
	addText(t, o, strings.Repeat("a", 60))
	if _, err := o.message(protocol.Text(strings.Repeat("b", 60))); !errors.Is(err, protocol.ErrQueueFull) {
		t.Errorf("60 and 60 of 100: got %v, want ErrQueueFull", err)
	}
	addText(t, o, strings.Repeat("c", 20))
}

// TestOutboxDrained tells those who were refused once, and only when half of
// the queue is free.
func TestOutboxDrained(t *testing.T) {
	t.Parallel()
	const limit = 100
	o := boxOf(limit)
	o.hold()
	addText(t, o, strings.Repeat("a", 88)) // 90 with its header
	if o.wrote(size{all: 0, ofQueue: 0, own: 0}) {
		t.Error("drained, though nobody was refused")
	}
	if _, err := o.message(protocol.Text(strings.Repeat("b", 50))); !errors.Is(err, protocol.ErrQueueFull) {
		t.Fatalf("got %v, want ErrQueueFull", err)
	}
	if o.wrote(size{all: 30, ofQueue: 30, own: 30}) {
		t.Error("drained with 60 of 100 left")
	}
	if !o.wrote(size{all: 10, ofQueue: 10, own: 10}) {
		t.Error("not drained with 50 of 100 left")
	}
	if o.wrote(size{all: 10, ofQueue: 10, own: 10}) {
		t.Error("drained again")
	}
}

func TestOutboxEnd(t *testing.T) {
	t.Parallel()
	o := boxOf(roomy)
	addText(t, o, "1")
	o.control(true, []byte("close"))
	if _, err := o.message(protocol.Text("2")); !errors.Is(err, protocol.ErrClosed) {
		t.Errorf("a message behind the close: got %v, want ErrClosed", err)
	}
	if _, err := o.prepared(protocol.Prepare(protocol.Text("3"))); !errors.Is(err, protocol.ErrClosed) {
		t.Errorf("a shared one behind the close: got %v, want ErrClosed", err)
	}
	o.control(false, []byte("pong"))
	o.control(true, []byte("again"))
	if o.finished() {
		t.Error("finished before anything was written")
	}
	if got, _ := drainBox(o); got != "\x81\x011close" {
		t.Errorf("wrote %q", got)
	}
}

func TestOutboxAbort(t *testing.T) {
	t.Parallel()
	o := boxOf(roomy)
	addText(t, o, "1")
	taken := o.take(nil)
	addText(t, o, "2")
	o.abort()
	o.wrote(sizeOf(taken))
	if !o.finished() {
		t.Error("not finished after an abort")
	}
	if rest := o.take(taken); len(rest) != 0 {
		t.Errorf("%d segments left after an abort", len(rest))
	}
	if _, err := o.message(protocol.Text("3")); !errors.Is(err, protocol.ErrClosed) {
		t.Errorf("got %v, want ErrClosed", err)
	}
}

// TestOutboxKeepsNothingOfTheCallers makes sure that own messages are copied,
// and that shared frames come out as they are.
func TestOutboxKeepsNothingOfTheCallers(t *testing.T) {
	t.Parallel()
	o := boxOf(roomy)
	data := []byte("mine")
	if _, err := o.message(protocol.Binary(data)); err != nil {
		t.Fatal(err)
	}
	control := []byte("pong")
	o.control(false, control)
	copy(data, "????")
	copy(control, "????")
	if got, _ := drainBox(o); got != "\x82\x04minepong" {
		t.Errorf("wrote %q", got)
	}
}

// TestOutboxSegments makes sure that memory of written segments is not used
// while it is out.
func TestOutboxSegments(t *testing.T) {
	t.Parallel()
	o := boxOf(roomy)
	addText(t, o, "1")
	first := o.take(nil)
	addText(t, o, "2")
	second := o.take(nil)
	if string(first[0].bytes()) != "\x81\x011" || string(second[0].bytes()) != "\x81\x012" {
		t.Errorf("got %q and %q", first[0].bytes(), second[0].bytes())
	}
	if slices.Equal(first[0].bytes(), second[0].bytes()) || &first[0].own.B[0] == &second[0].own.B[0] {
		t.Error("two segments share memory")
	}
}
