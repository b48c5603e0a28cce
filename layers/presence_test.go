package layers_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wye-go/wye/internal/testkit"
	"github.com/wye-go/wye/layers"
	"github.com/wye-go/wye/protocol"
)

// news returns what a member was told, as "+ann", "~ann" and "-ann", and forgets it.
func (m *member) news(t *testing.T) (all []string) {
	t.Helper()
	for _, e := range m.takeAll() {
		sign := map[string]string{layers.Entered.Name: "+", layers.Changed.Name: "~", layers.Exited.Name: "-"}[e.Type()]
		v, err := layers.Entered.Payload(e)
		if err != nil || v.Group != "g" || sign == "" {
			t.Errorf("told %s: %+v (%v)", e.Type(), v, err)
		}
		all = append(all, sign+v.Presence.Key)
	}
	return all
}

// present are the IDs of those in group "g".
func present(t *testing.T, l *layers.Layer) (ids []string) {
	t.Helper()
	all, err := l.Present(context.Background(), "g")
	if err != nil {
		t.Error(err)
	}
	for _, p := range all {
		ids = append(ids, p.ID)
	}
	return ids
}

func enter(t *testing.T, l *layers.Layer, id, key string) {
	t.Helper()
	if err := l.Enter(context.Background(), "g", layers.Presence{ID: id, Key: key}); err != nil {
		t.Error(err)
	}
}

func exit(t *testing.T, l *layers.Layer, id string) {
	t.Helper()
	if err := l.Exit(context.Background(), "g", id); err != nil {
		t.Error(err)
	}
}

// people are where presence is tested: a process and a driver.
func people() map[string]func(t *testing.T) *layers.Layer {
	return map[string]func(t *testing.T) *layers.Layer{
		"process": func(*testing.T) *layers.Layer { return new(layers.Layer) },
		"driver":  func(t *testing.T) *layers.Layer { t.Helper(); return open(t, &archive{}) },
	}
}

func TestWhoIsPresent(t *testing.T) {
	t.Parallel()
	for name, layer := range people() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				l, m := layer(t), &member{}
				join(t, l, "g", m)
				rows := []struct {
					at   testkit.Line
					name string
					do   func()
					told []string
					want []string
				}{
					{testkit.Here(), "nobody", func() { exit(t, l, "1") }, nil, nil},
					{testkit.Here(), "first", func() { enter(t, l, "2", "ann") }, []string{"+ann"}, []string{"2"}},
					{testkit.Here(), "once more", func() { <-time.After(1); enter(t, l, "1", "ann") }, nil, []string{"2", "1"}},
					{testkit.Here(), "another", func() { <-time.After(1); enter(t, l, "3", "bob") }, []string{"+bob"}, []string{"2", "1", "3"}},
					{testkit.Here(), "again", func() { enter(t, l, "2", "ann") }, nil, []string{"2", "1", "3"}},
					{testkit.Here(), "at the same time", func() { enter(t, l, "0", "eve") }, []string{"+eve"}, []string{"2", "1", "0", "3"}},
					{testkit.Here(), "one of two goes", func() { exit(t, l, "2") }, nil, []string{"1", "0", "3"}},
					{testkit.Here(), "the last goes", func() { exit(t, l, "1") }, []string{"-ann"}, []string{"0", "3"}},
					{testkit.Here(), "is gone already", func() { exit(t, l, "1") }, nil, []string{"0", "3"}},
					{testkit.Here(), "is somebody else", func() { <-time.After(1); enter(t, l, "0", "ann") }, []string{"-eve", "+ann"}, []string{"3", "0"}},
					{testkit.Here(), "all go", func() { exit(t, l, "3"); exit(t, l, "0") }, []string{"-bob", "-ann"}, nil},
				}
				for _, row := range rows {
					row.do()
					synctest.Wait()
					if got := m.news(t); !slices.Equal(got, row.told) {
						t.Errorf("%s: %s: told %q, want %q", row.at, row.name, got, row.told)
					}
					if got := present(t, l); !slices.Equal(got, row.want) {
						t.Errorf("%s: %s: present are %q, want %q", row.at, row.name, got, row.want)
					}
				}
			})
		})
	}
}

func TestWhatOthersSeeOfAPresence(t *testing.T) {
	t.Parallel()
	fixed := time.Date(2001, 2, 3, 4, 5, 6, 7, time.UTC)
	for name, layer := range people() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				l, m, begin := layer(t), &member{}, time.Now()
				join(t, l, "g", m)
				for _, p := range []layers.Presence{
					{ID: "1", Key: "ann", Meta: json.RawMessage(`{"away":false}`)},
					{ID: "1", Key: "ann", Meta: json.RawMessage(`{"away":true}`)},
					{ID: "1", Key: "ann", Meta: json.RawMessage(`{"away":true}`)},
					{ID: "0", Key: "ann", Since: fixed},
				} {
					if err := l.Enter(t.Context(), "g", p); err != nil {
						t.Fatal(err)
					}
					<-time.After(time.Minute)
				}
				all, err := l.Present(t.Context(), "g")
				if err != nil || len(all) != 2 {
					t.Fatalf("present are %+v (%v)", all, err)
				}
				if p := all[0]; p.ID != "1" || string(p.Meta) != `{"away":true}` || !p.Since.Equal(begin) {
					t.Errorf("present is %+v, want the new metadata since %v", p, begin)
				}
				if p := all[1]; p.ID != "0" || p.Meta != nil || !p.Since.Equal(fixed) {
					t.Errorf("present is %+v, want no metadata since %v", p, fixed)
				}
				events := m.takeAll()
				if len(events) != 2 || events[0].Type() != layers.Entered.Name || events[1].Type() != layers.Changed.Name {
					t.Fatalf("%d events came, want Entered and Changed", len(events))
				}
				wantVisit(t, events[0], `{"away":false}`, begin)
				wantVisit(t, events[1], `{"away":true}`, begin)
			})
		})
	}
}

// wantVisit is about what the members are told of ann.
func wantVisit(t *testing.T, e *protocol.Event, meta string, since time.Time) {
	t.Helper()
	v, err := layers.Entered.Payload(e)
	if p := v.Presence; err != nil || p.ID != "1" || p.Key != "ann" || string(p.Meta) != meta || !p.Since.Equal(since) {
		t.Errorf("told %+v (%v)", v, err)
	}
	b, err := json.Marshal(v)
	if want := `"presence":{"id":"1","key":"ann","meta":` + meta + `,`; err != nil || !strings.Contains(string(b), want) {
		t.Errorf("as JSON: %s (%v), want %s in it", b, err, want)
	}
}

func TestWhatAPresenceCanGetWrong(t *testing.T) {
	t.Parallel()
	var l layers.Layer
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	rows := []struct {
		at    testkit.Line
		name  string
		ctx   context.Context //nolint:containedctx // a row of a table
		group string
		p     layers.Presence
		want  string
	}{
		{testkit.Here(), "invalid name", t.Context(), "two words", layers.Presence{ID: "1", Key: "ann"}, `"two words"`},
		{testkit.Here(), "ctx has ended", ended, "g", layers.Presence{ID: "1", Key: "ann"}, "canceled"},
		{testkit.Here(), "no ID", t.Context(), "g", layers.Presence{Key: "ann"}, "ID of a presence has 1 to 99"},
		{testkit.Here(), "long ID", t.Context(), "g", layers.Presence{ID: strings.Repeat("1", 100), Key: "ann"}, "not 100"},
		{testkit.Here(), "no key", t.Context(), "g", layers.Presence{ID: "1"}, "key of a presence has 1 to 256"},
		{testkit.Here(), "long key", t.Context(), "g", layers.Presence{ID: "1", Key: strings.Repeat("a", 257)}, "not 257"},
		{testkit.Here(), "much metadata", t.Context(), "g",
			layers.Presence{ID: "1", Key: "ann", Meta: json.RawMessage(strings.Repeat("1", 4097))}, "not 4097"},
		{testkit.Here(), "no JSON", t.Context(), "g", layers.Presence{ID: "1", Key: "ann", Meta: json.RawMessage("{")}, "not JSON"},
	}
	for _, row := range rows {
		if err := l.Enter(row.ctx, row.group, row.p); err == nil || !strings.Contains(err.Error(), row.want) {
			t.Errorf("%s: %s: %v, want %q", row.at, row.name, err, row.want)
		}
	}
	if got := present(t, &l); got != nil {
		t.Errorf("present are %q in spite of the errors", got)
	}
	_, presentErr := l.Present(t.Context(), "two words")
	for _, err := range []error{presentErr, l.Exit(t.Context(), "two words", "1")} {
		if err == nil || !strings.Contains(err.Error(), `"two words"`) {
			t.Errorf("an invalid name: %v", err)
		}
	}
}

// TestPresenceFromManyGoroutines: whoever listens knows in the end who is there, and
// was never told nonsense on the way.
func TestPresenceFromManyGoroutines(t *testing.T) {
	t.Parallel()
	for name, layer := range people() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				l, m := layer(t), &member{}
				join(t, l, "g", m)
				var wg sync.WaitGroup
				for i := range 12 {
					wg.Go(func() {
						id, key := fmt.Sprint(i), fmt.Sprint("k", i%4)
						for range 50 {
							enter(t, l, id, key)
							runtime.Gosched()
							exit(t, l, id)
						}
						if i%3 == 0 {
							enter(t, l, id, key)
						}
					})
				}
				wg.Wait()
				synctest.Wait()
				there := map[string]bool{}
				for _, s := range m.news(t) {
					if there[s[1:]] == (s[0] == '+') {
						t.Fatalf("told %q when that was so already", s)
					}
					there[s[1:]] = s[0] == '+'
				}
				for i := range 4 {
					if key := fmt.Sprint("k", i); !there[key] {
						t.Errorf("%s is there, and the last that was told is that it is not", key)
					}
				}
				if got := present(t, l); len(got) != 4 {
					t.Errorf("present are %q", got)
				}
			})
		})
	}
}

// TestPresenceBehindASlowMember: who goes waits for nobody.
func TestPresenceBehindASlowMember(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var l layers.Layer
		s := &slow{let: make(chan struct{})}
		join(t, &l, "g", s)
		go enter(t, &l, "0", "k0")
		synctest.Wait()
		const room = 256
		for i := range room {
			enter(t, &l, fmt.Sprint(i+1), fmt.Sprint("k", i+1))
		}
		if err := l.Enter(t.Context(), "g", layers.Presence{ID: "x", Key: "x"}); !errors.Is(err, layers.ErrBehind) {
			t.Errorf("one more: %v", err)
		}
		for i := range room + 1 {
			exit(t, &l, fmt.Sprint(i))
		}
		if got := present(t, &l); got != nil {
			t.Errorf("present are %q", got)
		}
		close(s.let)
		synctest.Wait()
		if got := s.news(t); len(got) != 2*(room+1) || got[room] != "+k256" || got[room+1] != "-k0" {
			t.Errorf("told %q", got)
		}
	})
}

// TestPresenceOfRandomSteps compares with a plain list.
func TestPresenceOfRandomSteps(t *testing.T) {
	t.Parallel()
	const seed = 3
	random := rand.New(rand.NewPCG(seed, seed))
	l, all := group(t, 1)
	there := map[string]string{} // keys by ID
	count := func(key string) (n int) {
		for _, k := range there {
			if k == key {
				n++
			}
		}
		return n
	}
	for step := range 1000 {
		id, key := fmt.Sprint(random.IntN(8)), fmt.Sprint("k", random.IntN(3))
		var want []string
		old, again := there[id]
		if random.IntN(2) == 0 {
			key = ""
		}
		delete(there, id)
		if again && old != key && count(old) == 0 {
			want = append(want, "-"+old)
		}
		if key == "" {
			exit(t, l, id)
		} else {
			if old != key && count(key) == 0 {
				want = append(want, "+"+key)
			}
			there[id] = key
			enter(t, l, id, key)
		}
		if got := all[0].news(t); !slices.Equal(got, want) {
			t.Fatalf("step %d: told %q, want %q", step, got, want)
		}
		if got := present(t, l); len(got) != len(there) {
			t.Fatalf("step %d: present are %q, want %v", step, got, there)
		}
	}
}
