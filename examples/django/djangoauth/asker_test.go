package djangoauth

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wye-go/wye/protocol"
)

// TestAsker asks a stand-in for the view: what matters here is what an Asker makes of
// answers. The tests of the example ask Django.
func TestAsker(t *testing.T) {
	t.Parallel()
	got := make(chan []string, 1)
	answer := make(chan func(w http.ResponseWriter), 1)
	view := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got <- r.Header.Values("Cookie")
		(<-answer)(w)
	}))
	t.Cleanup(view.Close)
	says := func(status int, body string) func(http.ResponseWriter) {
		return func(w http.ResponseWriter) {
			w.Header().Set("Location", "/login/")
			w.WriteHeader(status)
			fmt.Fprint(w, body)
		}
	}
	for _, row := range []struct {
		at     line
		answer func(http.ResponseWriter)
		want   User
		refuse string // the beginning of the error
	}{
		{here(), says(200, `{"id":"7","name":"Ann","more":1}`), User{"7", "Ann"}, ""},
		{here(), says(401, `{"id":"7"}`), User{}, ""},
		{here(), says(403, ""), User{}, ""},
		{here(), says(302, ""), User{}, "djangoauth: " + view.URL + " answered 302 Found; it must answer 200"},
		{here(), says(404, ""), User{}, "djangoauth: " + view.URL + " answered 404"},
		{here(), says(500, ""), User{}, "djangoauth: " + view.URL + " answered 500"},
		{here(), says(200, `<!doctype html>`), User{}, "djangoauth: the answer of " + view.URL},
		{here(), says(200, `{"id":7}`), User{}, "djangoauth: the answer of " + view.URL},
		{here(), says(200, `{}`), User{}, "djangoauth: the answer of " + view.URL + ` has no "id"`},
		{here(), says(200, `{"id":"7","name":"`+strings.Repeat("a", maxAnswer)+`"}`), User{}, "djangoauth: the answer of"},
		{here(), func(http.ResponseWriter) { panic(http.ErrAbortHandler) }, User{}, "djangoauth: asking Django: "},
	} {
		a := newAsker(t, view.URL, nil)
		answer <- row.answer
		user, err := a.User(t.Context(), scope("csrftoken=x; sessionid=s3cret; theme=dark"))
		if deref(user) != row.want {
			t.Errorf("%s: the user is %+v, want %+v", row.at, user, row.want)
		}
		if cookies := <-got; len(cookies) != 1 || cookies[0] != "sessionid=s3cret" {
			t.Errorf("%s: Django got the cookies %q", row.at, cookies)
		}
		switch reject, refused := errors.AsType[*protocol.RejectError](err); {
		case row.refuse == "":
			if err != nil {
				t.Errorf("%s: %v", row.at, err)
			}
		case !refused || !strings.HasPrefix(reject.Err.Error(), row.refuse):
			t.Errorf("%s: the error is %v, want %q", row.at, err, row.refuse)
		default:
			wantUnavailable(t, row.at, reject)
		}
	}
}

func newAsker(t *testing.T, view string, o *AskerOptions) *Asker {
	t.Helper()
	a, err := NewAsker(view, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(a.Close)
	return a
}

func wantUnavailable(t *testing.T, at line, e *protocol.RejectError) {
	t.Helper()
	if after, err := strconv.Atoi(e.Header.Get("Retry-After")); e.Status != http.StatusServiceUnavailable || err != nil || after < 5 || after > 10 {
		t.Errorf("%s: refused with %d and the header %v, want 503 and a Retry-After of 5 to 10", at, e.Status, e.Header)
	}
}

// TestAskerDown: nothing listens, or does not answer in time.
func TestAskerDown(t *testing.T) {
	t.Parallel()
	over := make(chan struct{})
	slow := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-over }))
	t.Cleanup(slow.Close)
	t.Cleanup(func() { close(over) })
	gone := httptest.NewServer(nil)
	gone.Close()
	for _, view := range []string{slow.URL, gone.URL} {
		a := newAsker(t, view, &AskerOptions{Timeout: 50 * time.Millisecond})
		_, err := a.User(t.Context(), scope("sessionid=x"))
		reject, refused := errors.AsType[*protocol.RejectError](err)
		if !refused {
			t.Fatalf("%s: the error is %v", view, err)
		}
		wantUnavailable(t, here(), reject)
		if user, err := a.User(t.Context(), scope()); user != nil || err != nil {
			t.Errorf("without a cookie: %v, %v; want an anonymous user, without a question", user, err)
		}
	}
}

func TestNewAskerFails(t *testing.T) {
	t.Parallel()
	for _, view := range []string{"", "/whoami/", "127.0.0.1:8001/whoami/", "ftp://127.0.0.1/", "http:///whoami/", "http://%"} {
		if _, err := NewAsker(view, nil); err == nil {
			t.Errorf("the view %q is accepted", view)
		}
	}
}

// TestAnswersKept: an answer is used until it is too old, and errors are not kept.
func TestAnswersKept(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := newAnswers(5*time.Second, 100, time.Second)
		asked, err := 0, error(nil)
		get := func() (*User, error) {
			return a.get(t.Context(), key{1}, func(context.Context) (*User, error) {
				asked++
				return &User{ID: strconv.Itoa(asked)}, err
			})
		}
		want := func(at line, id string) {
			t.Helper()
			if u, err := get(); err != nil || u.ID != id {
				t.Errorf("%s: got %+v, %v, want %s", at, u, err, id)
			}
		}
		want(here(), "1")
		<-time.After(5*time.Second - 1)
		want(here(), "1")
		<-time.After(1)
		want(here(), "2")
		<-time.After(5 * time.Second)
		err = errors.New("down")
		for range 2 {
			if _, got := get(); !errors.Is(got, err) {
				t.Errorf("the error is %v", got)
			}
		}
		err = nil
		want(here(), "5")
	})
}

// TestAnswersTogether: callers who ask the same at the same time share one question, which
// does not end with the first of them.
func TestAnswersTogether(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := newAnswers(5*time.Second, 100, 2*time.Second)
		var asked atomic.Int64
		ask := func(ctx context.Context) (*User, error) {
			asked.Add(1)
			select {
			case <-time.After(time.Second):
				return &User{ID: "7"}, nil
			case <-ctx.Done():
				return nil, ctx.Err()
			}
		}
		first, leave := context.WithCancel(t.Context())
		left := make(chan error, 1)
		go func() {
			_, err := a.get(first, key{1}, ask)
			left <- err
		}()
		synctest.Wait()
		got := make(chan string, 10)
		for range cap(got) {
			go func() {
				u, err := a.get(t.Context(), key{1}, ask)
				got <- deref(u).ID + fmt.Sprint(err)
			}()
		}
		leave()
		if err := <-left; !errors.Is(err, context.Canceled) {
			t.Errorf("who left got %v", err)
		}
		for range cap(got) {
			if id := <-got; id != "7<nil>" {
				t.Errorf("got the user %q", id)
			}
		}
		if n := asked.Load(); n != 1 {
			t.Errorf("asked %d times", n)
		}
		// A question that takes too long.
		_, err := a.get(t.Context(), key{2}, func(ctx context.Context) (*User, error) {
			<-ctx.Done()
			return nil, ctx.Err()
		})
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("the error is %v, want that of the timeout", err)
		}
	})
}

// TestAnswersBounded: many sessions do not fill the memory.
func TestAnswersBounded(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := newAnswers(5*time.Second, 10, time.Second)
		get := func(k int) {
			_, _ = a.get(t.Context(), key{byte(k), byte(k >> 8)}, func(context.Context) (*User, error) { return &User{ID: "7"}, nil })
		}
		for i := range 1000 {
			get(i)
		}
		if len(a.known) != 10 || len(a.kept) != 10 {
			t.Errorf("%d answers and %d keys are kept, want 10", len(a.known), len(a.kept))
		}
		<-time.After(5 * time.Second)
		get(995) // has expired, and is asked again
		if len(a.known) != 1 || len(a.kept) != 1 {
			t.Errorf("%d answers and %d keys are kept, want the new one", len(a.known), len(a.kept))
		}
	})
}
