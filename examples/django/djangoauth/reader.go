package djangoauth

import (
	"bytes"
	"compress/zlib"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"strings"
	"time"

	"github.com/wye-go/wye/protocol"
)

// Reader reads the sessions that Django keeps in signed cookies: SESSION_ENGINE is
// "django.contrib.sessions.backends.signed_cookies", and SESSION_SERIALIZER is the
// JSONSerializer. Make it with NewReader. Its methods are safe for concurrent use.
//
// # What is shared
//
// The Reader has SECRET_KEY (and SECRET_KEY_FALLBACKS). Who reads that key, in the memory or
// the environment of either program, can make a session of any user and sign password-reset
// links. So keep it out of flags and logs, and run both programs on hosts that you trust
// equally. If the WebSocket server is more exposed than Django is, use an [Asker], which has
// no key.
//
// # What is checked
//
// The signature (HMAC-SHA256, in constant time), and the age of the cookie. The cookie is
// signed but not encrypted: its owner can read it.
//
// # What is not noticed
//
// A signed cookie is valid until it is older than SESSION_COOKIE_AGE. Without the database, a
// Reader does not notice that
//
//   - the user has logged out: the browser deletes its cookie, but a copy stays valid. Django
//     does not notice that either.
//   - the user's password was changed. Django compares "_auth_user_hash" of the session
//     with a hash of the stored password; a Reader does not have that password. Session has
//     the hash, for programs that can compare it.
//   - the user was deactivated (is_active), deleted or renamed, or that permissions changed.
//   - an expiry was set for this session (request.session.set_expiry), as Django's engine.
//
// Close the open connections of such a user with an event (see the function hang_up of the
// example), and choose a short SESSION_COOKIE_AGE, which bounds how long a copied cookie can
// open new ones.
type Reader struct {
	keys    [][]byte // for HMAC, made of the secrets
	cookie  string
	maxAge  time.Duration
	nameKey string
	now     func() time.Time
}

// ReaderOptions configure a [Reader]. Zero fields mean their defaults.
type ReaderOptions struct {
	// Cookie is SESSION_COOKIE_NAME. Default "sessionid".
	Cookie string
	// MaxAge is SESSION_COOKIE_AGE. Default two weeks.
	MaxAge time.Duration
	// NameKey is the key under which Django keeps the user's name in the session. Django
	// itself keeps only the ID: see the function remember_name of the example. Default
	// "username". Without it in the session, User.Name is empty.
	NameKey string
}

// NewReader returns a Reader for SECRET_KEY and, if there are any, SECRET_KEY_FALLBACKS. It
// returns an error if a key is empty, because then anyone could sign. o may be nil.
func NewReader(o *ReaderOptions, secretKey string, fallbacks ...string) (*Reader, error) {
	r := &Reader{cookie: "sessionid", maxAge: 14 * 24 * time.Hour, nameKey: "username", now: time.Now}
	if o != nil {
		r.cookie, r.nameKey = or(o.Cookie, r.cookie), or(o.NameKey, r.nameKey)
		r.maxAge = or(o.MaxAge, r.maxAge)
	}
	for _, secret := range append([]string{secretKey}, fallbacks...) {
		if secret == "" {
			return nil, errors.New("djangoauth: NewReader: a key is empty; pass Django's SECRET_KEY")
		}
		// As django.utils.crypto.salted_hmac.
		key := sha256.Sum256([]byte(salt + "signer" + secret))
		r.keys = append(r.keys, key[:])
	}
	return r, nil
}

// salt separates the signatures of sessions from others that are made with SECRET_KEY.
const salt = "django.contrib.sessions.backends.signed_cookies"

// or returns v, or otherwise if v is zero.
func or[T comparable](v, otherwise T) T {
	if v == *new(T) {
		return otherwise
	}
	return v
}

// The errors of [Reader.Session].
var (
	// ErrSignature means that none of the keys has signed the cookie.
	ErrSignature = errors.New("djangoauth: the signature of the session cookie is wrong")
	// ErrExpired means that the cookie is older than MaxAge.
	ErrExpired = errors.New("djangoauth: the session cookie has expired")
	// ErrMalformed means that the cookie has a valid signature, but its content is not a
	// session in JSON: another serializer, or a newer version of Django.
	ErrMalformed = errors.New("djangoauth: the session cookie is signed, but is not a session in JSON")
)

// User returns the user of the session, for router.Auth. It returns nil, an anonymous user,
// if there is no session cookie, or if the cookie is not valid; so does Django. An error
// that matches ErrMalformed is a mistake in the settings.
func (r *Reader) User(_ context.Context, s *protocol.Scope) (*User, error) {
	cookie := sessionCookie(s, r.cookie)
	if cookie == "" {
		return nil, nil //nolint:nilnil // an anonymous user
	}
	session, err := r.Session(cookie)
	if errors.Is(err, ErrSignature) || errors.Is(err, ErrExpired) {
		return nil, nil //nolint:nilnil // an anonymous user
	}
	if err != nil || session.UserID == "" {
		return nil, err
	}
	user := &User{ID: session.UserID}
	if json.Unmarshal(session.Values[r.nameKey], &user.Name) != nil {
		user.Name = "" // there is none, or it is not text
	}
	return user, nil
}

// Session is the content of a session cookie.
type Session struct {
	UserID   string                     // "_auth_user_id"; empty if nobody has logged in
	AuthHash string                     // "_auth_user_hash", which depends on the user's password
	Signed   time.Time                  // when Django made the cookie
	Values   map[string]json.RawMessage // all values, those of Django itself included
}

// maxSession bounds the JSON of a session, in bytes. A cookie of 4096 bytes could hold
// megabytes, because it may be compressed.
const maxSession = 64 << 10

// Session verifies a cookie and returns the session in it. Its errors match ErrSignature,
// ErrExpired or ErrMalformed.
func (r *Reader) Session(cookie string) (*Session, error) {
	// The cookie is "data:time:signature", as TimestampSigner of Django makes it.
	end := strings.LastIndexByte(cookie, ':')
	if end < 0 || len(cookie) > maxCookie || !r.signed(cookie[:end], cookie[end+1:]) {
		return nil, ErrSignature
	}
	data, stamp, ok := cutLast(cookie[:end], ":")
	if !ok {
		return nil, ErrMalformed
	}
	signed, err := parseTime(stamp)
	if err != nil {
		return nil, err
	}
	if r.now().Sub(signed) > r.maxAge {
		return nil, ErrExpired
	}
	s := &Session{Signed: signed}
	text, err := unpack(data)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	if err := json.Unmarshal(text, &s.Values); err != nil || s.Values == nil {
		return nil, fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	for key, to := range map[string]*string{"_auth_user_id": &s.UserID, "_auth_user_hash": &s.AuthHash} {
		if value, ok := s.Values[key]; ok && json.Unmarshal(value, to) != nil {
			return nil, fmt.Errorf("%w: %s is not text", ErrMalformed, key)
		}
	}
	return s, nil
}

// signed reports whether one of the keys has signed value.
func (r *Reader) signed(value, signature string) bool {
	valid := false
	for _, key := range r.keys {
		mac := hmac.New(sha256.New, key)
		mac.Write([]byte(value))
		// The texts are compared, as Django does: two texts may decode to the same bytes.
		want := base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
		valid = hmac.Equal([]byte(want), []byte(signature)) || valid
	}
	return valid
}

// unpack returns the JSON of a session. A period in front says that it is compressed.
func unpack(data string) ([]byte, error) {
	packed, compressed := strings.CutPrefix(data, ".")
	b, err := base64.RawURLEncoding.DecodeString(packed)
	if err != nil || !compressed {
		return b, err
	}
	z, err := zlib.NewReader(bytes.NewReader(b))
	if err != nil {
		return nil, err
	}
	text, err := io.ReadAll(io.LimitReader(z, maxSession+1))
	if err == nil && len(text) > maxSession {
		err = fmt.Errorf("it has more than %d bytes", maxSession)
	}
	return text, err
}

// digits are those of Django's numbers of base 62.
const digits = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

// parseTime parses seconds since 1970, of base 62.
func parseTime(text string) (time.Time, error) {
	var n int64
	for _, c := range []byte(text) {
		d := strings.IndexByte(digits, c)
		if d < 0 || n > math.MaxInt32 {
			return time.Time{}, fmt.Errorf("%w: %q is not a time", ErrMalformed, text)
		}
		n = n*int64(len(digits)) + int64(d)
	}
	return time.Unix(n, 0), nil
}

// cutLast is strings.Cut at the last sep.
func cutLast(s, sep string) (before, after string, found bool) {
	i := strings.LastIndex(s, sep)
	if i < 0 {
		return s, "", false
	}
	return s[:i], s[i+len(sep):], true
}
