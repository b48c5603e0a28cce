package consumertest_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/wye-go/wye/consumer"
	"github.com/wye-go/wye/internal/testkit"
	"github.com/wye-go/wye/protocol"
)

func TestMain(m *testing.M) { testkit.Main(m) }

// fake is a test that may fail without the test failing that it is a part of.
// What it does not have, a client has no business calling.
type fake struct {
	testing.TB
	ctx context.Context //nolint:containedctx // it is the test's, as in testing.T
	mu  struct {
		sync.Mutex
		log      bytes.Buffer
		failures []string
		cleanups []func()
	}
}

func (f *fake) Helper()                  {}
func (f *fake) Context() context.Context { return f.ctx }
func (f *fake) Output() io.Writer        { return f }

func (f *fake) Write(b []byte) (int, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.mu.log.Write(b)
}

func (f *fake) Cleanup(clean func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.mu.cleanups = append(f.mu.cleanups, clean)
}

func (f *fake) Errorf(format string, args ...any) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.mu.failures = append(f.mu.failures, fmt.Sprintf(format, args...))
}

func (f *fake) Fatalf(format string, args ...any) {
	f.Errorf(format, args...)
	runtime.Goexit()
}

func (f *fake) Fatal(args ...any) { f.Fatalf("%s", fmt.Sprint(args...)) }

// within runs f as a test of its own, with its cleanups, and returns the
// failures and what was logged. after runs between f and the cleanups.
func within(t *testing.T, f func(tb *fake), after ...func()) (failures, log string) {
	t.Helper()
	tb := &fake{}
	tb.run(t.Context(), f, after...)
	return strings.Join(tb.mu.failures, "\n"), tb.mu.log.String()
}

// result is within without a test.
func result(f func(t *fake)) (failures string) {
	tb := &fake{}
	tb.run(context.Background(), f)
	return strings.Join(tb.mu.failures, "\n")
}

// run returns when f and its cleanups have, also if f fails at once.
func (f *fake) run(ctx context.Context, test func(tb *fake), after ...func()) {
	ctx, cancel := context.WithCancel(ctx)
	f.ctx = ctx
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer func() {
			cancel()
			for _, do := range after {
				do()
			}
			for _, clean := range slices.Backward(f.mu.cleanups) {
				clean()
			}
		}()
		test(f)
	}()
	<-done
}

// obey is a consumer that does what it is told: "text: hello", "close", and so
// on.
func obey(ctx context.Context, c *consumer.Conn, m consumer.Message) error {
	switch verb, rest, _ := strings.Cut(m.Text(), ": "); verb {
	case "text":
		return c.SendText(ctx, rest)
	case "binary":
		return c.Send(ctx, consumer.Message{Kind: 1, Data: []byte(rest)})
	case "prepared":
		return c.SendPrepared(ctx, protocol.Prepare(protocol.Text(rest)))
	case "close":
		c.Close(4001, rest)
	case "fail":
		return fmt.Errorf("told to %s", rest)
	case "block":
		<-ctx.Done()
	}
	return nil
}
