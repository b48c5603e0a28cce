package protocol_test

import (
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/wye-go/wye/protocol"
)

// variant is a transport's own type, as Prepared wants it.
type variant int

// encodeAs makes frames that name their variant, and counts.
func encodeAs(v variant, n *atomic.Int32) func([]byte, protocol.Message) []byte {
	return func(b []byte, m protocol.Message) []byte {
		n.Add(1)
		return fmt.Appendf(b, "%d:%s", v, m.Data)
	}
}

// sharedVariant is that of values for Share.
type sharedVariant int

// share makes values that name their variant, and counts. It copies, as it must.
func share(n *atomic.Int32) func(v any, m protocol.Message) any {
	return func(v any, m protocol.Message) any {
		n.Add(1)
		s := fmt.Sprintf("%d:%s", v, m.Data)
		return &s
	}
}

func TestPreparedEncodesOncePerVariant(t *testing.T) {
	t.Parallel()
	data := []byte("hi")
	p := protocol.Prepare(protocol.Binary(data))
	scribble(data)
	if m := p.Message(); m.Kind != protocol.KindBinary || m.Text() != "hi" || p.Len() != 2 {
		t.Fatalf("prepared as %v %q of %d bytes", m.Kind, m.Data, p.Len())
	}
	for _, v := range []variant{1, 2, 3} {
		var n atomic.Int32
		want := fmt.Sprintf("%d:hi", v)
		for range 2 {
			if got := p.AppendFrame([]byte("before "), v, encodeAs(v, &n)); string(got) != "before "+want || n.Load() != 1 {
				t.Errorf("variant %d: appended as %q, encoded %d times", v, got, n.Load())
			}
		}
		n.Store(0)
		first := p.Share(sharedVariant(v), share(&n))
		second := p.Share(sharedVariant(v), share(&n))
		if s, ok := first.(*string); !ok || *s != want || first != second || n.Load() != 1 {
			t.Errorf("variant %d: %v and %v, made %d times", v, first, second, n.Load())
		}
	}
	var n atomic.Int32
	if got := p.AppendFrame(nil, 1, encodeAs(9, &n)); string(got) != "9:hi" { // an int is no variant
		t.Errorf("a variant of another type got %q", got)
	}
}

// TestPreparedConcurrently: whoever asks gets the right bytes, and later ones
// get them without encoding.
func TestPreparedConcurrently(t *testing.T) {
	t.Parallel()
	for round := range 50 {
		p := protocol.Prepare(text(fmt.Sprint(round)))
		var n atomic.Int32
		var wg sync.WaitGroup
		ask := func(v variant) {
			want := fmt.Sprintf("%d:%d", v, round)
			got := p.Share(sharedVariant(v), share(&n))
			if s, ok := got.(*string); !ok || *s != want || got != p.Share(sharedVariant(v), share(&n)) {
				t.Errorf("Share: got %v, want %q", got, want)
			}
			if got := p.AppendFrame(nil, v, encodeAs(v, &n)); string(got) != want {
				t.Errorf("AppendFrame: got %q, want %q", got, want)
			}
		}
		for i := range 8 {
			wg.Go(func() {
				for range 5 {
					ask(variant(i % 3))
				}
			})
		}
		wg.Wait()
		before := n.Load()
		for v := range variant(3) {
			ask(v)
		}
		if n.Load() != before || before < 3 {
			t.Errorf("encoded %d times, and %d more when all was there", before, n.Load()-before)
		}
	}
}

// TestPreparedReleaseSparesWhatIsKept: what Share or Message have given out stays
// as it is, whatever is made of the memory of others, and nothing
// of a message is left in the next one.
func TestPreparedReleaseSparesWhatIsKept(t *testing.T) {
	t.Parallel()
	var n atomic.Int32
	kept := map[string][]byte{}
	shared := map[string]any{}
	for i := range 300 {
		s := fmt.Sprintf("message %d", i)
		p := protocol.Prepare(text(s))
		switch i % 4 {
		case 0:
			shared["0:"+s] = p.Share(sharedVariant(0), share(&n))
		case 1:
			kept[s] = p.Message().Data
		case 2:
			p.AppendFrame(nil, variant(0), encodeAs(0, &n))
			shared["1:"+s] = p.Share(sharedVariant(1), share(&n))
		case 3: // nobody keeps anything
			p.AppendFrame(nil, variant(1), encodeAs(1, &n))
		}
		p.Release()
		churn(t, i)
	}
	for want, got := range kept {
		if string(got) != want {
			t.Errorf("%q became %q after Release", want, got)
		}
	}
	for want, got := range shared {
		if s, ok := got.(*string); !ok || *s != want {
			t.Errorf("%q became %v after Release", want, got)
		}
	}
}

// churn uses what has been released.
func churn(t *testing.T, round int) {
	t.Helper()
	var n atomic.Int32
	for i := range 3 {
		want := fmt.Sprintf("churn %d.%d", round, i)
		p := protocol.Prepare(text(want))
		for v := range variant(2) {
			if got := p.AppendFrame(nil, v, encodeAs(v, &n)); string(got) != fmt.Sprintf("%d:%s", v, want) {
				t.Errorf("%q was encoded as %q", want, got)
			}
		}
		p.Release()
	}
}
