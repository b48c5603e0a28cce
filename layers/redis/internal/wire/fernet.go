package wire

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"hash"
	"slices"
	"sync"
	"time"
)

// This file implements Fernet (https://github.com/fernet/spec) with the packages of the
// standard library. github.com/fernet/fernet-go compares the age of a token in nanoseconds,
// and so rejects tokens in the last second in which Python accepts them. It has no parameter
// for the time of decryption, without which expiry cannot be tested, and it sets up the
// cipher and the HMAC again for each message.

// The parts of a token.
const (
	version  = 0x80
	tokenIV  = 1 + 8 // behind the version and the time
	tokenMsg = tokenIV + aes.BlockSize
	tokenMin = tokenMsg + aes.BlockSize + sha256.Size
)

// futureMax is how far in the future the time of a token may be, in seconds.
const futureMax = 60

var (
	// ErrKey means that none of the keys decrypts an event.
	ErrKey = errors.New("none of the encryption keys decrypts the event; use the keys of its sender")
	// ErrExpired means that an event was encrypted too long ago, or in the future.
	ErrExpired = errors.New("the encrypted event has expired, or was encrypted in the future; synchronize the clocks of all nodes")
)

// key is a key of Fernet.
type key struct {
	block cipher.Block
	macs  sync.Pool // of *mac
}

// mac computes an HMAC.
type mac struct {
	hash.Hash

	sum [sha256.Size]byte
}

// newKey derives a key from a secret as channels_redis does.
func newKey(secret string) *key {
	sum := sha256.Sum256([]byte(secret))
	sign, encrypt := sum[:16], sum[16:]
	block, err := aes.NewCipher(encrypt)
	if err != nil {
		panic(err) // 16 bytes are a key of AES
	}
	return &key{block: block, macs: sync.Pool{New: func() any { return &mac{Hash: hmac.New(sha256.New, sign)} }}}
}

// withHMAC calls f with the HMAC of signed, which is valid until f returns.
func (k *key) withHMAC(signed []byte, f func(sum []byte)) {
	m := k.macs.Get().(*mac) //nolint:errcheck,forcetypeassert // it has no others
	defer k.macs.Put(m)
	m.Reset()
	m.Write(signed)
	f(m.Sum(m.sum[:0]))
}

// maxKept is the largest buffer that is used again.
const maxKept = 64 << 10

var buffers = sync.Pool{New: func() any { return new([]byte) }}

// appendToken appends a token of what plain appends to its argument.
func (k *key) appendToken(b []byte, now time.Time, plain func([]byte) ([]byte, error)) ([]byte, error) {
	buf := buffers.Get().(*[]byte) //nolint:errcheck,forcetypeassert // it has no others
	defer buffers.Put(buf)
	raw := binary.BigEndian.AppendUint64(append((*buf)[:0], version), uint64(now.Unix())) //nolint:gosec // after 1970
	raw = append(raw, make([]byte, aes.BlockSize)...)
	rand.Read(raw[tokenIV:tokenMsg])
	raw, err := plain(raw)
	if err != nil {
		return b, err
	}
	raw = k.seal(raw)
	b = base64.URLEncoding.AppendEncode(b, raw)
	if cap(raw) <= maxKept {
		*buf = raw
	}
	return b, nil
}

// seal encrypts what is behind the IV in raw, and appends the padding and the HMAC.
func (k *key) seal(raw []byte) []byte {
	pad := aes.BlockSize - (len(raw)-tokenMsg)%aes.BlockSize
	for range pad {
		raw = append(raw, byte(pad))
	}
	cipher.NewCBCEncrypter(k.block, raw[tokenIV:tokenMsg]).CryptBlocks(raw[tokenMsg:], raw[tokenMsg:])
	k.withHMAC(raw, func(sum []byte) { raw = append(raw, sum...) })
	return raw
}

// openToken decrypts a token with the key that fits. A ttl of 0 means that tokens do not
// expire.
func openToken(keys []*key, token []byte, ttl time.Duration, now time.Time) ([]byte, error) {
	raw, err := base64.URLEncoding.AppendDecode(nil, token)
	if err != nil || len(raw) < tokenMin || raw[0] != version {
		return nil, ErrKey
	}
	signed := len(raw) - sha256.Size
	if (signed-tokenMsg)%aes.BlockSize != 0 {
		return nil, ErrKey
	}
	i := slices.IndexFunc(keys, func(k *key) (fits bool) {
		k.withHMAC(raw[:signed], func(sum []byte) { fits = hmac.Equal(sum, raw[signed:]) })
		return fits
	})
	if i < 0 {
		return nil, ErrKey
	}
	if ttl != 0 && expired(binary.BigEndian.Uint64(raw[1:]), ttl, now) {
		return nil, ErrExpired
	}
	msg := raw[tokenMsg:signed]
	cipher.NewCBCDecrypter(keys[i].block, raw[tokenIV:tokenMsg]).CryptBlocks(msg, msg)
	pad := int(msg[len(msg)-1])
	if pad == 0 || pad > aes.BlockSize {
		return nil, ErrKey
	}
	for _, c := range msg[len(msg)-pad:] {
		if int(c) != pad {
			return nil, ErrKey
		}
	}
	return msg[:len(msg)-pad], nil
}

// expired reports whether a token that was encrypted at a time in Unix seconds is too old,
// or too far in the future.
func expired(at uint64, ttl time.Duration, now time.Time) bool {
	seconds := uint64(now.Unix()) //nolint:gosec // after 1970
	if at > seconds {
		return at-seconds > futureMax
	}
	return seconds-at > uint64(ttl/time.Second) //nolint:gosec // a ttl is positive
}
