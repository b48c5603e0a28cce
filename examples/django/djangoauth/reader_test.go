package djangoauth

import (
	"bytes"
	"compress/zlib"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"maps"
	"strings"
	"testing"
	"time"
)

const secret, older = "the-key-of-today", "the-key-of-yesterday"

// today is the time of the tests' Readers.
var today = time.Unix(1_800_000_000, 0)

func newReader(tb testing.TB, o *ReaderOptions, fallbacks ...string) *Reader {
	tb.Helper()
	r, err := NewReader(o, secret, fallbacks...)
	if err != nil {
		tb.Fatal(err)
	}
	r.now = func() time.Time { return today }
	return r
}

// ann is the session of a user who has logged in.
func ann() map[string]any {
	return map[string]any{
		"_auth_user_id": "7", "_auth_user_backend": "django.contrib.auth.backends.ModelBackend",
		"_auth_user_hash": strings.Repeat("0123456789abcdef", 4), "username": "Änn ☃",
	}
}

func with(session map[string]any, key string, value any) map[string]any {
	session = maps.Clone(session)
	session[key] = value
	return session
}

// TestReader reads cookies that Django has made.
func TestReader(t *testing.T) {
	t.Parallel()
	d := startDjango(t)
	week := &ReaderOptions{MaxAge: 7 * 24 * time.Hour}
	day := int64(24 * 60 * 60)
	var plain, compressed bool
	for _, row := range []struct {
		at     line
		name   string
		reader *Reader
		q      question
		want   error
		user   User
	}{
		{at: here(), name: "a user", reader: newReader(t, nil), q: question{Key: secret, Session: ann()}, user: User{"7", "Änn ☃"}},
		{at: here(), name: "a large session", reader: newReader(t, nil),
			q: question{Key: secret, Session: with(ann(), "cart", strings.Repeat("tea ", 500))}, user: User{"7", "Änn ☃"}},
		{at: here(), name: "nobody", reader: newReader(t, nil), q: question{Key: secret, Session: map[string]any{"cart": 1}}},
		{at: here(), name: "a user without a name", reader: newReader(t, nil),
			q: question{Key: secret, Session: map[string]any{"_auth_user_id": "7"}}, user: User{ID: "7"}},
		{at: here(), name: "a name that is a number", reader: newReader(t, nil),
			q: question{Key: secret, Session: with(ann(), "username", 5)}, user: User{ID: "7"}},
		{at: here(), name: "another key for the name", reader: newReader(t, &ReaderOptions{NameKey: "nick"}),
			q: question{Key: secret, Session: with(ann(), "nick", "A")}, user: User{"7", "A"}},
		{at: here(), name: "the key before", reader: newReader(t, nil, older), q: question{Key: older, Session: ann()}, user: User{"7", "Änn ☃"}},
		{at: here(), name: "the key of today, with one before", reader: newReader(t, nil, older), q: question{Key: secret, Session: ann()}, user: User{"7", "Änn ☃"}},
		{at: here(), name: "another key", reader: newReader(t, nil), q: question{Key: older, Session: ann()}, want: ErrSignature},
		{at: here(), name: "at the end of its age", reader: newReader(t, week),
			q: question{Key: secret, Session: ann(), At: today.Unix() - 7*day}, user: User{"7", "Änn ☃"}},
		{at: here(), name: "too old", reader: newReader(t, week),
			q: question{Key: secret, Session: ann(), At: today.Unix() - 7*day - 1}, want: ErrExpired},
		{at: here(), name: "too old for the default", reader: newReader(t, nil),
			q: question{Key: secret, Session: ann(), At: today.Unix() - 14*day - 1}, want: ErrExpired},
		{at: here(), name: "a clock that is ahead", reader: newReader(t, nil),
			q: question{Key: secret, Session: ann(), At: today.Unix() + 60}, user: User{"7", "Änn ☃"}},
		{at: here(), name: "pickle", reader: newReader(t, nil), want: ErrMalformed,
			q: question{Key: secret, Session: ann(), Serializer: "PickleSerializer"}},
		{at: here(), name: "an ID that is a number", reader: newReader(t, nil), want: ErrMalformed,
			q: question{Key: secret, Session: with(ann(), "_auth_user_id", 7)}},
	} {
		if row.q.At == 0 {
			row.q.At = today.Unix() - 60
		}
		cookie := d.cookie(t, row.q)
		// Django compresses what is shorter then.
		plain, compressed = plain || cookie[0] != '.', compressed || cookie[0] == '.'
		s, err := row.reader.Session(cookie)
		if !errors.Is(err, row.want) {
			t.Errorf("%s, %s: the error is %v, want %v", row.at, row.name, err, row.want)
			continue
		}
		if err == nil && (s.UserID != row.user.ID || s.Signed.Unix() != row.q.At || s.AuthHash != "" && s.AuthHash != ann()["_auth_user_hash"]) {
			t.Errorf("%s, %s: the session is %+v", row.at, row.name, s)
		}
		user, err := row.reader.User(t.Context(), scope("sessionid="+cookie))
		if malformed := errors.Is(row.want, ErrMalformed); (err != nil) != malformed {
			t.Errorf("%s, %s: User returned the error %v", row.at, row.name, err)
		}
		if got := deref(user); got != row.user {
			t.Errorf("%s, %s: the user is %+v, want %+v", row.at, row.name, got, row.user)
		}
	}
	if !plain || !compressed {
		t.Errorf("Django has made plain cookies: %t, and compressed ones: %t", plain, compressed)
	}
}

func deref(u *User) User {
	if u == nil {
		return User{}
	}
	return *u
}

// TestReaderLikeDjango changes every byte of a cookie, and cuts it off everywhere. Whether
// it is valid then is what Django says.
func TestReaderLikeDjango(t *testing.T) {
	t.Parallel()
	d := startDjango(t)
	r := newReader(t, nil)
	r.now = time.Now
	whole := d.cookie(t, question{Key: secret, Session: map[string]any{"_auth_user_id": "7"}, At: time.Now().Unix()})
	if got := d.load(t, secret, whole)["_auth_user_id"]; got != "7" {
		t.Fatalf("Django reads the user %v", got)
	}
	var forged []string
	for i := range whole {
		b := []byte(whole)
		b[i] ^= 1
		forged = append(forged, string(b), whole[:i], whole[i:]+whole[:i])
	}
	forged = append(forged, ":", "::", whole+":", whole+"=", ":"+whole, "."+whole, whole+whole)
	for _, cookie := range forged {
		if cookie == whole || cookie == "" {
			continue
		}
		if s, err := r.Session(cookie); !errors.Is(err, ErrSignature) {
			t.Errorf("%q: got %+v, %v", cookie, s, err)
		}
		if got := d.load(t, secret, cookie); len(got) != 0 {
			t.Errorf("%q: Django reads %v", cookie, got)
		}
	}
}

// sign signs a value as Django does.
func sign(secret, value string) string {
	key := sha256.Sum256([]byte("django.contrib.sessions.backends.signed_cookiessigner" + secret))
	mac := hmac.New(sha256.New, key[:])
	mac.Write([]byte(value))
	return value + ":" + base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}

// TestReaderSigned reads what only the owner of the key could make.
func TestReaderSigned(t *testing.T) {
	t.Parallel()
	const now = ":1xpTXg" // a time before today
	encode := base64.RawURLEncoding.EncodeToString
	r := newReader(t, &ReaderOptions{MaxAge: 100 * 365 * 24 * time.Hour})
	for _, row := range []struct {
		at    line
		value string
		want  error
	}{
		{here(), encode([]byte(`{"_auth_user_id":"7"}`)) + now, nil},
		{here(), encode([]byte(`{}`)) + ":0", nil},
		{here(), encode([]byte(`{}`)), ErrMalformed},              // no time
		{here(), encode([]byte(`{}`)) + ":-1", ErrMalformed},      // no digit
		{here(), encode([]byte(`{}`)) + ":zzzzzzz", ErrMalformed}, // too large
		{here(), now, ErrMalformed},                               // no session
		{here(), encode([]byte(`null`)) + now, ErrMalformed},
		{here(), encode([]byte(`[]`)) + now, ErrMalformed},
		{here(), encode([]byte(`{"a":NaN}`)) + now, ErrMalformed},
		{here(), encode([]byte(`{} {}`)) + now, ErrMalformed},
		{here(), "%" + now, ErrMalformed},
		{here(), encode([]byte(`{}`)) + "=" + now, ErrMalformed},
		{here(), "." + encode([]byte(`{}`)) + now, ErrMalformed},
		{here(), "." + encode(compress(`{"_auth_user_id":"7"}`)) + now, nil},
		{here(), "." + encode(compress(`{"_auth_user_id":"7"}`)[:12]) + now, ErrMalformed},
		{here(), "." + encode(compress(`{"a":"`+strings.Repeat("a", maxSession-8)+`"}`)) + now, nil},
		{here(), "." + encode(compress(`{"a":"`+strings.Repeat("a", maxSession-7)+`"}`)) + now, ErrMalformed},
		{here(), encode([]byte(`{"a":"`+strings.Repeat("a", maxCookie)+`"}`)) + now, ErrSignature}, // longer than a cookie can be
	} {
		if s, err := r.Session(sign(secret, row.value)); !errors.Is(err, row.want) {
			t.Errorf("%s: got %+v, %v, want %v", row.at, s, err, row.want)
		}
	}
}

func compress(text string) []byte {
	var b bytes.Buffer
	z := zlib.NewWriter(&b)
	if _, err := z.Write([]byte(text)); err != nil {
		panic(err)
	}
	if err := z.Close(); err != nil {
		panic(err)
	}
	return b.Bytes()
}

// TestReaderCookies: which of several cookies counts.
func TestReaderCookies(t *testing.T) {
	t.Parallel()
	encode := base64.RawURLEncoding.EncodeToString
	of := func(id string) string { return sign(secret, encode([]byte(`{"_auth_user_id":"`+id+`"}`))+":1xpTXg") }
	options := &ReaderOptions{MaxAge: 100 * 365 * 24 * time.Hour}
	r := newReader(t, options)
	options.Cookie = "shop"
	shop := newReader(t, options)
	for _, row := range []struct {
		at     line
		reader *Reader
		lines  []string
		want   string
	}{
		{here(), r, nil, ""},
		{here(), r, []string{"csrftoken=x"}, ""},
		{here(), r, []string{"sessionid="}, ""},
		{here(), r, []string{"sessionid=forged"}, ""},
		{here(), r, []string{"csrftoken=x; sessionid=" + of("7")}, "7"},
		{here(), r, []string{"sessionid=" + of("7") + "; sessionid=" + of("8")}, "8"},
		{here(), r, []string{"sessionid=" + of("7"), "sessionid=" + of("8")}, "8"},
		{here(), r, []string{"sessionid=" + of("7") + "; sessionid=forged"}, ""},
		{here(), shop, []string{"sessionid=" + of("7") + "; shop=" + of("8")}, "8"},
		{here(), r, []string{"sessionid=" + of(strings.Repeat("7", 4000))}, ""},
	} {
		user, err := row.reader.User(t.Context(), scope(row.lines...))
		if got := deref(user).ID; err != nil || got != row.want {
			t.Errorf("%s: got the user %q, %v, want %q", row.at, got, err, row.want)
		}
	}
}

func TestNewReaderFails(t *testing.T) {
	t.Parallel()
	for _, keys := range [][]string{{""}, {"a", ""}} {
		if _, err := NewReader(nil, keys[0], keys[1:]...); err == nil {
			t.Errorf("the keys %q are accepted", keys)
		}
	}
}

// FuzzReader: no cookie makes a Reader panic, and none is valid without a signature. signed
// says that the fuzzer's text gets a valid one.
func FuzzReader(f *testing.F) {
	encode := base64.RawURLEncoding.EncodeToString
	for _, value := range []string{
		"", ":", encode([]byte(`{"_auth_user_id":"7"}`)) + ":1xpTXg", "." + encode(compress(`{"_auth_user_id":"7"}`)) + ":1xpTXg",
		encode([]byte(`{"_auth_user_id":7}`)) + ":1xpTXg", ".:0", "e30:zzzzzzzzzzzz",
	} {
		f.Add(value, true)
		f.Add(sign(older, value), false)
	}
	r := newReader(f, &ReaderOptions{MaxAge: 100 * 365 * 24 * time.Hour})
	f.Fuzz(func(t *testing.T, value string, signed bool) {
		if signed {
			value = sign(secret, value)
		}
		s, err := r.Session(value)
		switch {
		case err == nil && (!signed || s == nil || s.Signed.Before(time.Unix(0, 0))):
			t.Errorf("%q is valid: %+v", value, s)
		case err != nil && s != nil:
			t.Errorf("%q: both a session and an error: %+v, %v", value, s, err)
		case err != nil && !errors.Is(err, ErrSignature) && !errors.Is(err, ErrExpired) && !errors.Is(err, ErrMalformed):
			t.Errorf("%q: the error matches none of the package's: %v", value, err)
		}
	})
}
