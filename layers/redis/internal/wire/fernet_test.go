package wire

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/wye-go/wye/internal/testkit"
	"github.com/wye-go/wye/layers/driver"
)

// The token that Python was seen to write.
const (
	goldenKey   = "a-test-key"
	goldenPlain = "81a474797065a178"
	goldenToken = "gAAAAABlU_EAAAECAwQFBgcICQoLDA0OD0rL8uab1vSJjbvCsRTw3PpXTxF5ECrz0UUqcW84gSQy2LAx5pDnq-D4V59wW6wtrg=="
	goldenTime  = 1_700_000_000
)

func TestGoldenToken(t *testing.T) {
	t.Parallel()
	raw := append([]byte{version}, unhex(t, "000000006553f100 000102030405060708090a0b0c0d0e0f"+goldenPlain)...)
	if at := binary.BigEndian.Uint64(raw[1:]); at != goldenTime {
		t.Fatalf("the time is %d", at)
	}
	sealed := base64.URLEncoding.EncodeToString(newKey(goldenKey).seal(raw))
	if sealed != goldenToken {
		t.Errorf("wrote %s, want %s", sealed, goldenToken)
	}
	c := newCodec(t, MsgPack, goldenKey)
	plain, err := c.Open([]byte(goldenToken), 0)
	if err != nil || hex.EncodeToString(plain) != goldenPlain {
		t.Errorf("read %x (%v), want %s", plain, err, goldenPlain)
	}
	if m, err := c.Parse(plain); err != nil || m.Event.Type() != "x" {
		t.Errorf("parsed %+v (%v)", m, err)
	}
}

// TestExpired has the ages at which Python was tried with an expiry of 60 s.
func TestExpired(t *testing.T) {
	t.Parallel()
	c := newCodec(t, MsgPack, goldenKey)
	const ttl = 70 * time.Second
	for _, row := range []struct {
		at   testkit.Line
		age  time.Duration
		ttl  time.Duration
		want error
	}{
		{testkit.Here(), 0, ttl, nil},
		{testkit.Here(), 69 * time.Second, ttl, nil},
		{testkit.Here(), 70 * time.Second, ttl, nil},
		{testkit.Here(), 70*time.Second + 999*time.Millisecond, ttl, nil}, // whole seconds count
		{testkit.Here(), 71 * time.Second, ttl, ErrExpired},
		{testkit.Here(), -59 * time.Second, ttl, nil},
		{testkit.Here(), -60 * time.Second, ttl, nil},
		{testkit.Here(), -61 * time.Second, ttl, ErrExpired},
		{testkit.Here(), 100 * 365 * 24 * time.Hour, ttl, ErrExpired},
		{testkit.Here(), 100 * 365 * 24 * time.Hour, 0, nil},
		{testkit.Here(), -100 * time.Hour, 0, nil},
	} {
		c.now = func() time.Time { return time.Unix(goldenTime, 0).Add(row.age) }
		if plain, err := c.Open([]byte(goldenToken), row.ttl); !errors.Is(err, row.want) || (err == nil) != (plain != nil) {
			t.Errorf("%s: opened %x (%v), want the error %v", row.at, plain, err, row.want)
		}
	}
}

func TestRotation(t *testing.T) {
	t.Parallel()
	m := driver.Message{Event: event("x", fields{"text": strings.Repeat("a", 100)})}
	first, both, second := newCodec(t, JSON, "one"), newCodec(t, JSON, "two", "one"), newCodec(t, JSON, "two")
	for _, row := range []struct {
		at       testkit.Line
		from, to *Codec
		want     error
	}{
		{testkit.Here(), first, first, nil},
		{testkit.Here(), first, both, nil},
		{testkit.Here(), both, both, nil},
		{testkit.Here(), both, second, nil},
		{testkit.Here(), both, first, ErrKey},
		{testkit.Here(), first, second, ErrKey},
	} {
		token, err := row.from.Append([]byte("before"), &m)
		if err != nil || !bytes.HasPrefix(token, []byte("before")) {
			t.Fatal(string(token), err)
		}
		token = token[len("before"):]
		was := bytes.Clone(token)
		plain, err := row.to.Open(token, time.Minute)
		if !errors.Is(err, row.want) {
			t.Errorf("%s: %v, want %v", row.at, err, row.want)
		}
		if !bytes.Equal(was, token) {
			t.Errorf("%s: Open has changed the token", row.at)
		}
		if row.want == nil {
			wantRead(t, row.at, row.to, plain, &m, fieldsOf(t, m.Event))
		}
	}
	a, errA := first.Append(nil, &m)
	if b, errB := first.Append(nil, &m); errA != nil || errB != nil || bytes.Equal(a, b) {
		t.Errorf("two tokens of one event are %s (%v) and %s (%v)", a, errA, b, errB)
	}
}

// TestTampered: a token with one bit changed, or cut off, is rejected.
func TestTampered(t *testing.T) {
	t.Parallel()
	c := newCodec(t, MsgPack, goldenKey)
	raw, err := base64.URLEncoding.DecodeString(goldenToken)
	if err != nil {
		t.Fatal(err)
	}
	for i := range raw {
		for bit := range 8 {
			bad := bytes.Clone(raw)
			bad[i] ^= 1 << bit
			if plain, err := c.Open([]byte(base64.URLEncoding.EncodeToString(bad)), 0); !errors.Is(err, ErrKey) {
				t.Fatalf("byte %d, bit %d: opened %x (%v)", i, bit, plain, err)
			}
		}
		if plain, err := c.Open([]byte(base64.URLEncoding.EncodeToString(raw[:i])), 0); !errors.Is(err, ErrKey) {
			t.Fatalf("%d bytes: opened %x (%v)", i, plain, err)
		}
	}
	for _, token := range []string{"", "x", "====", unhexString(t, goldenPlain), strings.TrimRight(goldenToken, "=")} {
		if plain, err := c.Open([]byte(token), 0); !errors.Is(err, ErrKey) {
			t.Errorf("%q: opened %x (%v)", token, plain, err)
		}
	}
}

// TestPadding: a sender that has the key but writes the padding otherwise is rejected.
func TestPadding(t *testing.T) {
	t.Parallel()
	k := newKey(goldenKey)
	for _, row := range []struct {
		at   testkit.Line
		last byte
	}{{testkit.Here(), 0}, {testkit.Here(), 2}, {testkit.Here(), 17}, {testkit.Here(), 255}} {
		raw := append([]byte{version}, make([]byte, tokenMsg-1+15)...)
		raw = k.seal(append(raw, row.last))
		raw = raw[:tokenMsg+16] // without the block of padding and the HMAC
		k.withHMAC(raw, func(sum []byte) { raw = append(raw, sum...) })
		token := []byte(base64.URLEncoding.EncodeToString(raw))
		if plain, err := openToken([]*key{k}, token, 0, time.Now()); !errors.Is(err, ErrKey) {
			t.Errorf("%s: opened %x (%v)", row.at, plain, err)
		}
	}
}

func unhexString(t *testing.T, s string) string { t.Helper(); return string(unhex(t, s)) }
