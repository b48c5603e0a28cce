package redis_test

import (
	"context"
	"encoding/hex"
	"fmt"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/wye-go/wye/internal/redistest"
	"github.com/wye-go/wye/internal/testkit"
	"github.com/wye-go/wye/layers"
	"github.com/wye-go/wye/layers/redis"
	"github.com/wye-go/wye/protocol"
)

// watcher is a member that is also told about the layer.
type watcher struct{ member }

func (watcher) Watches(string) bool { return true }

// watch returns a watcher of "room".
func watch(t *testing.T, l *layers.Layer) watcher {
	t.Helper()
	m := watcher{make(member, 1000)}
	if err := l.Join(t.Context(), "room", m); err != nil {
		t.Fatal(err)
	}
	return m
}

// record records a text, or fails.
func record(t *testing.T, l *layers.Layer, group, s string, k layers.Retention) protocol.Position {
	t.Helper()
	p, err := l.Record(t.Context(), group, said.New(text{s}), k)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// shown is the type of an event of the layer, or the text and the offset of another one.
func shown(t *testing.T, e *protocol.Event) string {
	t.Helper()
	if e.Type() != said.Name {
		return e.Type()
	}
	v, err := said.Payload(e)
	if err != nil {
		t.Error(err)
	}
	return fmt.Sprint(v.Text, e.Position().Offset)
}

// want wants these events next.
func (m member) want(t *testing.T, at testkit.Line, want ...string) {
	t.Helper()
	for _, w := range want {
		if got := shown(t, m.next(t)); got != w {
			t.Errorf("%s: got %q, want %q of %q", at, got, w, want)
		}
	}
}

// wantHistory wants this behind after.
func wantHistory(t *testing.T, at testkit.Line, l *layers.Layer, after protocol.Position, complete bool, want ...string) {
	t.Helper()
	h, err := l.History(t.Context(), "room", layers.Range{After: after})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, e := range h.Events {
		got = append(got, shown(t, e))
	}
	if fmt.Sprint(got) != fmt.Sprint(want) || h.Complete != complete {
		t.Errorf("%s: read %q, complete: %t; want %q, %t", at, got, h.Complete, want, complete)
	}
}

// format is a way to write what is stored in Redis.
type format struct {
	at      testkit.Line
	options redis.Options
}

// formats returns the options for each format. Each has a prefix of its own on s.
func formats(s *redistest.Server) []format {
	all := []format{
		{testkit.Here(), redis.Options{}},
		{testkit.Here(), redis.Options{Serializer: "json"}},
		{testkit.Here(), redis.Options{EncryptionKeys: []string{"one", "two"}}},
		{testkit.Here(), redis.Options{Serializer: "json", EncryptionKeys: []string{"one"}}},
	}
	for i := range all {
		all[i].options.Prefix, all[i].options.URLs = fmt.Sprint("p", i), []string{s.URL()}
	}
	return all
}

// TestHistoryFormats records in all formats. The position arrives, and Django reads ordinary
// events.
func TestHistoryFormats(t *testing.T) {
	t.Parallel()
	s := redistest.New(t, redistest.Options{})
	for _, row := range formats(s) {
		t.Run(row.options.Prefix, func(t *testing.T) {
			t.Parallel()
			recordAs(t, row.at, s, row.options)
		})
	}
}

func recordAs(t *testing.T, at testkit.Line, s *redistest.Server, o redis.Options) {
	t.Helper()
	here, _ := open(t, o)
	there, d := open(t, o)
	mine, theirs := join(t, here, "room"), join(t, there, "room")
	django, err := s.Dial(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer django.Close()
	if _, err := django.Do(t.Context(), "SUBSCRIBE", o.Prefix+"__group__room"); err != nil {
		t.Fatal(err)
	}
	first := record(t, here, "room", "wye1@a", layers.Retention{})
	record(t, there, "room", "b", layers.Retention{})
	for _, m := range []member{mine, theirs} {
		m.want(t, at, "wye1@a1", "b2")
	}
	wantHistory(t, at, there, protocol.Position{}, true, "wye1@a1", "b2")
	wantHistory(t, at, here, first, true, "b2")
	if n := d.Stats().Malformed; n > 0 {
		t.Errorf("%s: %d messages could not be decoded", at, n)
	}
	args := []string{"testdata/read.py", o.Serializer, strings.Join(o.EncryptionKeys, ",")}
	for range 2 {
		got, err := django.Receive(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		args = append(args, hex.EncodeToString([]byte(got.([]any)[2].(string))))
	}
	out, err := exec.CommandContext(t.Context(), "/usr/bin/python3", args...).CombinedOutput()
	want := `{"type": "chat.said", "text": "wye1@a"}` + "\n" + `{"type": "chat.said", "text": "b"}` + "\n"
	if string(out) != want || err != nil {
		t.Errorf("%s: Django has read\n%s(%v), want\n%s; make deps installs what the tests need", at, out, err, want)
	}
}

// appendUnheard appends to the history of "room" without the nodes' hearing of it, as if Redis
// had lost the message.
func appendUnheard(t *testing.T, s *redistest.Server, text string) {
	t.Helper()
	const mark = "wye1@"
	length := len(mark) + 12 + 16
	head := "\x83\xa4type\xd9" + string(rune(length)) + mark
	tail := "\xa4type\xa9chat.said\xa4text\xd9" + string(rune(len(text))) + text
	s.CLI(t, "EVAL", redis.AppendText, "2", "asgi:wye:{room}:history", "asgi:wye:{room}:events",
		"elsewhere", head, tail, "AAAAAAAAAAAA", "100", "60000", "60000", "")
}

// TestHistoryFillsGaps: events that have not arrived are read before the next one is delivered.
// Other members are told if they cannot be.
func TestHistoryFillsGaps(t *testing.T) {
	t.Parallel()
	s := redistest.New(t, redistest.Options{})
	l, _ := open(t, redis.Options{URLs: []string{s.URL()}})
	m := watch(t, l)
	other := join(t, l, "another")
	record(t, l, "room", "a", layers.Retention{})
	appendUnheard(t, s, "b")
	appendUnheard(t, s, "c")
	record(t, l, "room", "d", layers.Retention{})
	m.want(t, testkit.Here(), "a1", "b2", "c3", "d4")
	appendUnheard(t, s, "e")
	appendUnheard(t, s, "f")
	record(t, l, "room", "g", layers.Retention{MaxEvents: 2})
	m.want(t, testkit.Here(), layers.Gap.Name, "f6", "g7")
	appendUnheard(t, s, "h")
	s.CLI(t, "DEL", "asgi:wye:{room}:events")
	record(t, l, "room", "i", layers.Retention{})
	m.want(t, testkit.Here(), layers.Gap.Name, "i9")
	s.CLI(t, "DEL", "asgi:wye:{room}:history")
	p := record(t, l, "room", "j", layers.Retention{})
	m.want(t, testkit.Here(), "j1")
	wantHistory(t, testkit.Here(), l, p, true)
	s.CLI(t, "DEL", "asgi:wye:{room}:history")
	appendUnheard(t, s, "k")
	record(t, l, "room", "l", layers.Retention{})
	m.want(t, testkit.Here(), layers.Gap.Name, "k1", "l2")
	record(t, l, "another", "m", layers.Retention{})
	other.want(t, testkit.Here(), "m1")
}

// TestHistoryReadsWhatWasMissed: members receive what was recorded while their node was not
// connected, although they do not ask, and only once.
func TestHistoryReadsWhatWasMissed(t *testing.T) {
	t.Parallel()
	s := redistest.New(t, redistest.Options{})
	here, _ := open(t, redis.Options{URLs: []string{s.URL()}})
	m := watch(t, here)
	record(t, here, "room", "a", layers.Retention{})
	m.want(t, testkit.Here(), "a1")
	s.CLI(t, "CLIENT", "KILL", "TYPE", "pubsub")
	appendUnheard(t, s, "b")
	seen := map[string]int{}
	for seen["b2"] == 0 || seen[layers.Gap.Name] == 0 {
		seen[shown(t, m.next(t))]++
	}
	record(t, here, "room", "c", layers.Retention{})
	m.want(t, testkit.Here(), "c3")
	if seen["b2"] != 1 {
		t.Errorf("got %v, want each once", seen)
	}
}

// TestHistoryReadsWhatWasMissedAfterJoinFrom: that is so too for a member that has read the history
// and has received nothing yet.
func TestHistoryReadsWhatWasMissedAfterJoinFrom(t *testing.T) {
	t.Parallel()
	s := redistest.New(t, redistest.Options{})
	for _, before := range []string{"", "a"} {
		here, _ := open(t, redis.Options{URLs: []string{s.URL()}})
		want := []string{"b1"}
		if before != "" {
			record(t, here, "room", before, layers.Retention{})
			want[0] = "b2"
		}
		m := watcher{make(member, 100)}
		if _, err := here.JoinFrom(t.Context(), "room", m, layers.Range{}); err != nil {
			t.Fatal(err)
		}
		for len(m.member) > 0 {
			m.next(t) // a, if it has arrived late
		}
		s.CLI(t, "CLIENT", "KILL", "TYPE", "pubsub")
		appendUnheard(t, s, "b")
		for got := ""; got != want[0]; got = shown(t, m.next(t)) {
			continue
		}
		here.Leave("room", m)
		s.CLI(t, "FLUSHALL")
	}
}

// TestHistoryOfAnotherProcess: a Redis that has stored its data starts new histories, because
// it cannot be known whether the last events are there.
func TestHistoryOfAnotherProcess(t *testing.T) {
	t.Parallel()
	s := redistest.New(t, redistest.Options{Config: []string{"appendonly yes", "appendfsync always"}})
	l, _ := open(t, redis.Options{URLs: []string{s.URL()}})
	m := watch(t, l)
	before := record(t, l, "room", "a", layers.Retention{})
	m.want(t, testkit.Here(), "a1")
	s.Stop()
	if err := s.Start(); err != nil {
		t.Fatal(err)
	}
	if got := s.CLI(t, "LLEN", "asgi:wye:{room}:events"); got != "1" {
		t.Fatalf("Redis has %q events, want 1", got)
	}
	for e := m.next(t); e.Type() != layers.Gap.Name; e = m.next(t) {
		continue
	}
	wantHistory(t, testkit.Here(), l, before, false)
	after := record(t, l, "room", "b", layers.Retention{})
	wantHistory(t, testkit.Here(), l, before, false, "b1")
	wantHistory(t, testkit.Here(), l, protocol.Position{}, true, "b1")
	for {
		e := m.next(t)
		if e.Type() == layers.Gap.Name {
			continue // what could not be read
		}
		if e.Position() != after || after.Epoch == before.Epoch {
			t.Errorf("got %v, recorded at %v; before at %v", e.Position(), after, before)
		}
		return
	}
}

// TestHistoryAfterLeaving: those that unsubscribe and subscribe again start where they are.
func TestHistoryAfterLeaving(t *testing.T) {
	t.Parallel()
	s := redistest.New(t, redistest.Options{})
	here, _ := open(t, redis.Options{URLs: []string{s.URL()}})
	there, _ := open(t, redis.Options{URLs: []string{s.URL()}})
	m := join(t, here, "room")
	record(t, there, "room", "a", layers.Retention{})
	m.want(t, testkit.Here(), "a1")
	here.Leave("room", m)
	err := s.Wait(t.Context(), "nobody has subscribed", func(do redistest.Do) bool {
		return redistest.Text(do("PUBSUB", "NUMSUB", "asgi__group__room")) == "asgi__group__room\n0"
	})
	if err != nil {
		t.Fatal(err)
	}
	record(t, there, "room", "b", layers.Retention{})
	again := join(t, here, "room")
	record(t, there, "room", "c", layers.Retention{})
	again.want(t, testkit.Here(), "c3")
	if len(m) > 0 {
		t.Errorf("who has left got %q", shown(t, m.next(t)))
	}
}

// TestHistoryIsForgotten has the keys expire.
func TestHistoryIsForgotten(t *testing.T) {
	t.Parallel()
	s := redistest.New(t, redistest.Options{})
	l, _ := open(t, redis.Options{URLs: []string{s.URL()}})
	record(t, l, "room", "a", layers.Retention{MaxAge: time.Minute})
	for key, want := range map[string]time.Duration{"events": time.Minute, "history": time.Minute + time.Hour} {
		ms, err := strconv.Atoi(s.CLI(t, "PTTL", "asgi:wye:{room}:"+key))
		if err != nil {
			t.Fatal(err)
		}
		if left := time.Duration(ms) * time.Millisecond; left > want || left < want-30*time.Second {
			t.Errorf("%s is kept for %v, want %v", key, left, want)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := l.Record(ctx, "room", said.New(text{"b"}), layers.Retention{}); err == nil {
		t.Error("recorded, although ctx has ended")
	}
}
