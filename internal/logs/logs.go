// Package logs keeps what peers do from filling the log: it bounds how often a
// line is written, and how long the values in it are.
package logs

import (
	"cmp"
	"context"
	"log/slog"
	"sync"
	"time"
	"unicode/utf8"
)

// The bounds of a value in a log line, in bytes.
const (
	MaxValue = 200     // of one that a peer may have chosen, such as a path
	MaxError = 1 << 10 // of an error's text, which may quote several of them
)

// ellipsis marks the end of a value that was cut.
const ellipsis = "…"

// Cut returns s, or its first bytes and an ellipsis if s is longer than MaxValue. The
// result has at most MaxValue bytes, and ends with a whole character.
func Cut(s string) string { return cut(s, MaxValue) }

func cut(s string, limit int) string {
	if len(s) <= limit {
		return s
	}
	n := limit - len(ellipsis)
	for i := n; i > n-utf8.UTFMax; i-- {
		if utf8.RuneStart(s[i]) {
			n = i
			break
		}
	}
	return s[:n] + ellipsis
}

// Error returns the value of an attribute for err: err itself, for handlers that look
// into errors, or the first MaxError bytes of its text if that is longer.
func Error(err error) (value any) {
	if err == nil {
		return nil
	}
	defer func() {
		if recover() != nil { // its Error method has panicked
			value = err // package log/slog deals with it
		}
	}()
	if text := err.Error(); len(text) > MaxError {
		return cut(text, MaxError)
	}
	return err
}

// Interval is the time in which a [Limiter] lets a number of lines through.
const Interval = 10 * time.Second

const defaultBurst = 10

// maxSubjects bounds the memory of a Limiter. Subjects are constants of the program,
// of which there are fewer.
const maxSubjects = 100

// Limiter bounds how many lines about one subject are written. What it leaves out is
// counted, and the next line says how many those were. The zero value is ready for
// use. All methods are safe for concurrent use.
type Limiter struct {
	// Burst is how many lines about one subject are written per Interval.
	// Default 10. It must not change after the first use.
	Burst int

	mu       sync.Mutex
	subjects map[string]window
}

// window is an interval that starts with a line. Without a line there is none.
type window struct {
	end     time.Time
	lines   int
	leftOut int64 // lines, since the last one that was written
}

// Allow reports whether a line about subject is to be written now, and how many were
// left out since the last one. Each call stands for one line.
func (l *Limiter) Allow(subject string) (leftOut int64, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.subjects == nil {
		l.subjects = make(map[string]window)
	}
	w, known := l.subjects[subject]
	if !known && len(l.subjects) >= maxSubjects {
		subject = "" // all further ones are one
		w = l.subjects[subject]
	}
	if now := time.Now(); !now.Before(w.end) {
		w.end, w.lines = now.Add(Interval), 0
	}
	if w.lines < cmp.Or(l.Burst, defaultBurst) {
		w.lines++
		leftOut, ok = w.leftOut, true
		w.leftOut = 0
	} else {
		w.leftOut++
	}
	l.subjects[subject] = w
	return leftOut, ok
}

// Log writes msg to log if level is enabled there and [Limiter.Allow] allows another line
// about subject. attrs is called only then; it returns arguments as those of
// [slog.Logger.Log]. If lines were left out before, the attribute left_out has their
// number.
func (l *Limiter) Log(log *slog.Logger, level slog.Level, subject, msg string, attrs func() []any) {
	ctx := context.Background()
	if !log.Enabled(ctx, level) {
		return
	}
	leftOut, ok := l.Allow(subject)
	if !ok {
		return
	}
	args := attrs()
	if leftOut > 0 {
		args = append(args, "left_out", leftOut)
	}
	log.Log(ctx, level, msg, args...) //nolint:sloglint // it is a constant of the caller
}
