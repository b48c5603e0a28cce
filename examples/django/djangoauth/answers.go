package djangoauth

import (
	"context"
	"crypto/sha256"
	"sync"
	"time"
)

// key is the hash of a session cookie: the memory has no cookies.
type key = [sha256.Size]byte

// answers keeps the answers of a function for a while, and has each question asked once at
// a time. The callers share the users that it returns, and must not change them.
type answers struct {
	keepFor time.Duration
	max     int
	timeout time.Duration

	mu sync.Mutex
	// known has the questions that are being asked, and the answers.
	known map[key]*answer
	// kept are the answers that are in known, or were, in the order in which they expire.
	kept []keptAnswer
}

type keptAnswer struct {
	key    key
	answer *answer
}

// answer is the answer to one question.
type answer struct {
	done  chan struct{} // closed when the fields below are set
	user  *User
	err   error
	until time.Time // zero while the question is being asked
}

func newAnswers(keepFor time.Duration, most int, timeout time.Duration) *answers {
	return &answers{keepFor: keepFor, max: most, timeout: timeout, known: make(map[key]*answer)}
}

// get returns the answer to k: one that is kept, or that of ask. ask is called on a goroutine
// of its own with a context that ends after the timeout, so that a caller who leaves does not
// take the answer from the others. get returns earlier if ctx ends.
func (a *answers) get(ctx context.Context, k key, ask func(ctx context.Context) (*User, error)) (*User, error) {
	a.mu.Lock()
	found := a.known[k]
	if found == nil || found.expired() {
		found = &answer{done: make(chan struct{})}
		a.known[k] = found
		go a.ask(context.WithoutCancel(ctx), k, found, ask)
	}
	a.mu.Unlock()
	select {
	case <-found.done:
		return found.user, found.err
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

// ask calls ask and keeps the answer, if it is one.
func (a *answers) ask(ctx context.Context, k key, found *answer, ask func(ctx context.Context) (*User, error)) {
	ctx, cancel := context.WithTimeout(ctx, a.timeout)
	defer cancel()
	user, err := ask(ctx)

	a.mu.Lock()
	defer a.mu.Unlock()
	defer close(found.done)
	found.user, found.err = user, err
	if err != nil {
		delete(a.known, k)
		return
	}
	found.until = time.Now().Add(a.keepFor)
	a.kept = append(a.kept, keptAnswer{k, found})
	a.trim()
}

// trim removes answers that have expired, and the oldest if there are too many.
func (a *answers) trim() {
	for len(a.kept) > a.max || len(a.kept) > 0 && a.kept[0].answer.expired() {
		oldest := a.kept[0]
		a.kept = a.kept[1:]
		if a.known[oldest.key] == oldest.answer { // it has not been asked again
			delete(a.known, oldest.key)
		}
	}
}

// expired reports whether the answer is too old. The caller holds the lock.
func (a *answer) expired() bool { return !a.until.IsZero() && !time.Now().Before(a.until) }
