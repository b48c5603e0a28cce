package layers_test

import (
	"context"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wye-go/wye/internal/testkit"
	"github.com/wye-go/wye/layers"
	"github.com/wye-go/wye/layers/layertest"
)

// joins are calls of Join and the like, of one member and group "g", on a layer whose
// driver takes a second to answer.
type joins struct {
	here, there *layers.Layer
	m           *member
	stop        map[string]func()
	done        sync.WaitGroup
	errs        sync.Map // by name
}

func slowJoins(t *testing.T) *joins {
	t.Helper()
	b := layertest.NewBroker(nil)
	j := &joins{here: open(t, b.Node()), there: open(t, b.Node()), m: &member{}, stop: map[string]func(){}}
	b.Slow(time.Second)
	t.Cleanup(func() { b.Slow(0) })
	return j
}

// begin has a call wait.
func (j *joins) begin(name string, join func(ctx context.Context) error) {
	ctx, cancel := context.WithCancel(context.Background())
	j.stop[name] = cancel
	j.done.Go(func() {
		if err := join(ctx); err != nil {
			j.errs.Store(name, err)
		}
	})
	synctest.Wait()
}

func (j *joins) join(name string) {
	j.begin(name, func(ctx context.Context) error { return j.here.Join(ctx, "g", j.m) })
}

func (j *joins) joinFrom() {
	j.begin("from", func(ctx context.Context) error {
		_, err := j.here.JoinFrom(ctx, "g", j.m, layers.Range{})
		return err
	})
}

// end ends a call's ctx.
func (j *joins) end(name string) {
	j.stop[name]()
	synctest.Wait()
}

// wantMember waits for all calls, of which failed are those that fail.
func (j *joins) wantMember(t *testing.T, at testkit.Line, want bool, failed ...string) {
	t.Helper()
	j.done.Wait()
	for name := range j.stop {
		_, got := j.errs.Load(name)
		if got != slices.Contains(failed, name) {
			err, _ := j.errs.Load(name)
			t.Errorf("%s: %s returned %v", at, name, err)
		}
	}
	j.m.got()
	<-time.After(5 * time.Second) // what is wanted of the driver has been done
	send(t, j.here, "here", 1)
	send(t, j.there, "there", 1)
	synctest.Wait()
	notes := 0
	if want {
		notes = 2
	}
	if got, _ := j.m.got(); got != notes {
		t.Errorf("%s: the member got %d notes from two nodes, want %d", at, got, notes)
	}
}

func TestJoinsOfOneMemberSideBySide(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		at     testkit.Line
		name   string
		do     func(j *joins)
		member bool
		failed []string
	}{
		{testkit.Here(), "the first gives up", func(j *joins) {
			j.join("first")
			j.join("second")
			j.end("first")
		}, true, []string{"first"}},
		{testkit.Here(), "the second gives up", func(j *joins) {
			j.join("first")
			j.join("second")
			j.end("second")
		}, true, []string{"second"}},
		{testkit.Here(), "two of three give up", func(j *joins) {
			j.join("first")
			j.join("second")
			j.join("third")
			j.end("third")
			j.end("first")
		}, true, []string{"first", "third"}},
		{testkit.Here(), "both give up", func(j *joins) {
			j.join("first")
			j.join("second")
			j.end("first")
			j.end("second")
		}, false, []string{"first", "second"}},
		{testkit.Here(), "it leaves", func(j *joins) {
			j.join("first")
			j.here.Leave("g", j.m)
		}, false, nil},
		{testkit.Here(), "it leaves and joins, and the first gives up", func(j *joins) {
			j.join("first")
			j.here.Leave("g", j.m)
			j.join("second")
			j.end("first")
		}, true, []string{"first"}},
		{testkit.Here(), "the same while somebody else is there", func(j *joins) {
			j.begin("another", func(ctx context.Context) error { return j.here.Join(ctx, "g", &member{}) })
			j.join("first")
			j.here.Leave("g", j.m)
			j.join("second")
			j.end("first")
		}, true, []string{"first"}},
		{testkit.Here(), "JoinFrom gives up", func(j *joins) {
			j.joinFrom()
			j.join("join")
			j.end("from")
		}, true, []string{"from"}},
		{testkit.Here(), "Join gives up before JoinFrom", func(j *joins) {
			j.join("join")
			j.joinFrom()
			j.end("join")
		}, true, []string{"join"}},
		{testkit.Here(), "JoinFrom and Join give up", func(j *joins) {
			j.joinFrom()
			j.join("join")
			j.end("from")
			j.end("join")
		}, false, []string{"from", "join"}},
		{testkit.Here(), "it leaves, and JoinFrom gives up before Join is done", func(j *joins) {
			j.begin("another", func(ctx context.Context) error { return j.here.Join(ctx, "g", &member{}) })
			j.join("join")
			j.here.Leave("g", j.m)
			j.joinFrom()
			j.end("from")
		}, false, []string{"from"}},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				j := slowJoins(t)
				row.do(j)
				j.wantMember(t, row.at, row.member, row.failed...)
			})
		})
	}
}

// both is a ctx that ends when the driver has answered, and no sooner.
type both struct {
	context.Context //nolint:containedctx // it is one
	answered        func() <-chan struct{}
}

func (c both) Done() <-chan struct{} { return c.answered() }

// TestAJoinThatEndsWhenTheDriverAnswers takes nothing away from one that has returned.
func TestAJoinThatEndsWhenTheDriverAnswers(t *testing.T) {
	t.Parallel()
	for range 20 { // which of both a select takes is chance
		synctest.Test(t, func(t *testing.T) {
			j, second := slowJoins(t), make(chan struct{})
			j.begin("first", func(ctx context.Context) error {
				return j.here.Join(both{ctx, func() <-chan struct{} {
					<-second
					j.stop["first"]()
					return ctx.Done()
				}}, "g", j.m)
			})
			j.begin("second", func(ctx context.Context) error {
				defer close(second)
				return j.here.Join(ctx, "g", j.m)
			})
			j.wantMember(t, testkit.Here(), true)
		})
	}
}
