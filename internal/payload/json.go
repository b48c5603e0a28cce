package payload

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"unicode/utf8"
)

// json writes a value of JSON.
func (e *encoder) json(data []byte) error {
	if !json.Valid(data) {
		return fmt.Errorf("%.40q is not JSON", data)
	}
	j := jsonReader{encoder: e, data: data}
	return j.value()
}

// jsonReader reads JSON that is known to be valid.
type jsonReader struct {
	*encoder

	data []byte
	i    int
}

// token returns the first byte of the next token, and stays before it.
func (j *jsonReader) token() byte {
	for {
		switch c := j.data[j.i]; c {
		case ' ', '\t', '\r', '\n', ',', ':':
			j.i++
		default:
			return c
		}
	}
}

func (j *jsonReader) value() error {
	switch j.token() {
	case '{':
		return j.container('}', codeMap16)
	case '[':
		return j.container(']', codeArray16)
	case '"':
		return j.text()
	case 'n':
		j.i += len("null")
		j.b = append(j.b, codeNil)
	case 't':
		j.i += len("true")
		j.b = appendBool(j.b, true)
	case 'f':
		j.i += len("false")
		j.b = appendBool(j.b, false)
	default:
		start := j.i
		for j.i < len(j.data) && isNumeric(j.data[j.i]) {
			j.i++
		}
		var err error
		j.b, err = appendNumber(j.b, string(j.data[start:j.i]))
		return err
	}
	return nil
}

func isNumeric(c byte) bool {
	return c >= '0' && c <= '9' || c == '-' || c == '+' || c == '.' || c == 'e' || c == 'E'
}

// container writes what is between brackets. Their number is known afterwards.
func (j *jsonReader) container(end, code16 byte) error {
	if err := j.enter(); err != nil {
		return err
	}
	j.i++
	head, n := len(j.b), 0
	j.b = append(j.b, 0)
	for ; j.token() != end; n++ {
		if err := j.value(); err != nil {
			return err
		}
	}
	j.i++
	j.leave()
	fix := byte(fixArray)
	if code16 == codeMap16 {
		n /= 2
		fix = fixMap
	}
	if n < 16 {
		j.b[head] = fix | byte(n)
		return nil
	}
	j.b = slices.Replace(j.b, head, head+1, appendLength16(nil, code16, n)...)
	return nil
}

func (j *jsonReader) text() error {
	start := j.i
	plain := true
	for j.i++; j.data[j.i] != '"'; j.i++ {
		if j.data[j.i] == '\\' {
			plain = false
			j.i++
		}
	}
	j.i++
	if plain {
		j.b = appendString(j.b, j.data[start+1:j.i-1])
		return nil
	}
	var s string
	if err := json.Unmarshal(j.data[start:j.i], &s); err != nil {
		return err
	}
	j.b = appendString(j.b, s)
	return nil
}

// appendNumber writes a number of JSON: as an integer if it is one, otherwise as
// the float64 nearest to it.
func appendNumber(b []byte, s string) ([]byte, error) {
	if s != "-0" {
		if n, err := strconv.ParseInt(s, 10, 64); err == nil {
			return appendInt(b, n), nil
		}
		if n, err := strconv.ParseUint(s, 10, 64); err == nil {
			return appendUint(b, n), nil
		}
	}
	f, err := strconv.ParseFloat(s, 64)
	if err != nil {
		return b, fmt.Errorf("the number %.40s is too large to be sent; send it as a string", s)
	}
	if !slices.ContainsFunc([]byte(s), func(c byte) bool { return c == '.' || c == 'e' || c == 'E' }) {
		if exact := strconv.FormatFloat(f, 'f', -1, 64); exact != s {
			return b, fmt.Errorf("the number %.40s has too many digits to be sent; send it as a string", s)
		}
	}
	return appendFloat64(b, f), nil
}

// appendJSON reads a value and writes it as JSON, for types that read it themselves.
func (r *reader) appendJSON(b []byte) ([]byte, error) {
	t, err := r.next()
	if err != nil {
		return b, err
	}
	switch t.kind {
	case kindNil:
		return append(b, "null"...), nil
	case kindBool:
		return strconv.AppendBool(b, t.bits != 0), nil
	case kindInt, kindUint, kindFloat32, kindFloat64:
		return t.number(b)
	case kindString:
		return appendJSONString(b, t.data), nil
	case kindBytes:
		b = base64.StdEncoding.AppendEncode(append(b, '"'), t.data)
		return append(b, '"'), nil
	case kindArray:
		return r.appendJSONList(b, t.n)
	default:
		return r.appendJSONObject(b, t.n)
	}
}

func (r *reader) appendJSONList(b []byte, n int) (_ []byte, err error) {
	if err := r.enter(); err != nil {
		return b, err
	}
	b = append(b, '[')
	for i := range n {
		if i > 0 {
			b = append(b, ',')
		}
		if b, err = r.appendJSON(b); err != nil {
			return b, err
		}
	}
	r.leave()
	return append(b, ']'), nil
}

func (r *reader) appendJSONObject(b []byte, n int) ([]byte, error) {
	if err := r.enter(); err != nil {
		return b, err
	}
	b = append(b, '{')
	for i := range n {
		if i > 0 {
			b = append(b, ',')
		}
		key, err := r.key()
		if err != nil {
			return b, err
		}
		b = append(appendJSONString(b, key), ':')
		if b, err = r.appendJSON(b); err != nil {
			return b, err
		}
	}
	r.leave()
	return append(b, '}'), nil
}

var errNoNumber = errors.New("NaN and infinity are no JSON")

// appendJSONFloat writes f as encoding/json does: without an exponent if it is not
// very large or small.
func appendJSONFloat(b []byte, f float64, bits int) ([]byte, error) {
	if math.IsNaN(f) || math.IsInf(f, 0) {
		return b, errNoNumber
	}
	low, high := 1e-6, 1e21
	if bits == 32 {
		low, high = float64(float32(low)), float64(float32(high))
	}
	if abs := math.Abs(f); abs == 0 || abs >= low && abs < high {
		return strconv.AppendFloat(b, f, 'f', -1, bits), nil
	}
	b = strconv.AppendFloat(b, f, 'e', -1, bits)
	if n := len(b); b[n-4] == 'e' && b[n-3] == '-' && b[n-2] == '0' { // e-09 is written e-9
		b = append(b[:n-2], b[n-1])
	}
	return b, nil
}

// appendJSONString writes text in quotes. What is not UTF-8 becomes U+FFFD.
func appendJSONString(b, text []byte) []byte {
	const digits = "0123456789abcdef"
	b = append(b, '"')
	start := 0 // of what is written as it is
	for i := 0; i < len(text); {
		c := text[i]
		if c >= ' ' && c < utf8.RuneSelf && c != '"' && c != '\\' {
			i++
			continue
		}
		b = append(b, text[start:i]...)
		size := 1
		switch {
		case c >= utf8.RuneSelf:
			var r rune
			r, size = utf8.DecodeRune(text[i:])
			b = utf8.AppendRune(b, r)
		case c == '"' || c == '\\':
			b = append(b, '\\', c)
		default:
			b = append(b, '\\', 'u', '0', '0', digits[c>>4], digits[c&0xf])
		}
		i += size
		start = i
	}
	return append(append(b, text[start:]...), '"')
}

// AppendValueJSON appends the first value of packed to b, as JSON, and returns what follows the
// value too.
func AppendValueJSON(b, packed []byte) (appended, rest []byte, err error) {
	r := reader{b: packed}
	b, err = r.appendJSON(b)
	return b, r.b[r.i:], err
}
