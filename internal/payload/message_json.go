package payload

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"
)

var errJSONBytes = errors.New("JSON has no bytes; send Base64 in a string, or choose the serializer msgpack on all nodes and in Django")

// AppendJSON appends m to b as Append does, but as JSON, byte for byte as json.dumps of
// Python writes it. Bytes in Body are an error.
func (m *Message) AppendJSON(b []byte) ([]byte, error) {
	r := &reader{b: m.Body}
	fields, err := r.next()
	if err != nil || fields.kind != kindMap {
		return nil, errNoMap
	}
	b = append(b, '{')
	if m.Mark != "" {
		b = append(appendPythonString(append(b, `"type": `...), m.Mark), ", "...)
	}
	b = appendPythonString(append(b, `"type": `...), m.Type)
	r.depth = 1
	for range fields.n {
		key, err := r.key()
		switch {
		case err != nil:
			return nil, err
		case string(key) == typeKey || string(key) == channelsKey:
			return nil, errOwnKey(key)
		}
		b = append(appendPythonString(append(b, ", "...), key), ": "...)
		if b, err = r.appendPython(b); err != nil {
			return nil, within(err, step{name: "." + string(key[:min(len(key), maxPath)])})
		}
	}
	if r.i != len(r.b) {
		return nil, errTrailing
	}
	return append(appendPythonChannels(b, m.Channels), '}'), nil
}

func errOwnKey(key []byte) error {
	return fmt.Errorf("a field of the payload is called %q, which is the message's own; rename it", key)
}

func appendPythonChannels(b []byte, channels []string) []byte {
	if len(channels) == 0 {
		return b
	}
	b = append(b, `, "`+channelsKey+`": `...)
	if len(channels) == 1 {
		return appendPythonString(b, channels[0])
	}
	b = append(b, '[')
	for i, c := range channels {
		if i > 0 {
			b = append(b, ", "...)
		}
		b = appendPythonString(b, c)
	}
	return append(b, ']')
}

// appendPython reads a value and writes it as json.dumps of Python does.
func (r *reader) appendPython(b []byte) ([]byte, error) {
	t, err := r.next()
	if err != nil {
		return b, err
	}
	switch t.kind {
	case kindNil:
		return append(b, "null"...), nil
	case kindBool:
		return strconv.AppendBool(b, t.bits != 0), nil
	case kindInt:
		return strconv.AppendInt(b, int64(t.bits), 10), nil
	case kindUint:
		return strconv.AppendUint(b, t.bits, 10), nil
	case kindFloat32, kindFloat64:
		return appendPythonFloat(b, t.float()), nil
	case kindString:
		return appendPythonString(b, t.data), nil
	case kindBytes:
		return b, errJSONBytes
	case kindArray:
		return r.appendPythonList(b, t.n)
	default:
		return r.appendPythonObject(b, t.n)
	}
}

func (r *reader) appendPythonList(b []byte, n int) (_ []byte, err error) {
	if err := r.enter(); err != nil {
		return b, err
	}
	b = append(b, '[')
	for i := range n {
		if i > 0 {
			b = append(b, ", "...)
		}
		if b, err = r.appendPython(b); err != nil {
			return b, within(err, step{name: "[" + strconv.Itoa(i) + "]"})
		}
	}
	r.leave()
	return append(b, ']'), nil
}

func (r *reader) appendPythonObject(b []byte, n int) ([]byte, error) {
	if err := r.enter(); err != nil {
		return b, err
	}
	b = append(b, '{')
	for i := range n {
		if i > 0 {
			b = append(b, ", "...)
		}
		key, err := r.key()
		if err != nil {
			return b, err
		}
		b = append(appendPythonString(b, key), ": "...)
		if b, err = r.appendPython(b); err != nil {
			return b, within(err, step{name: fmt.Sprintf("[%.40q]", key)})
		}
	}
	r.leave()
	return append(b, '}'), nil
}

// appendPythonFloat writes f as repr of Python does: the fewest digits that stand for f,
// with an exponent below 1e-4 and from 1e16 on, and otherwise with a fraction.
func appendPythonFloat(b []byte, f float64) []byte {
	switch {
	case math.IsNaN(f):
		return append(b, "NaN"...)
	case math.IsInf(f, 1):
		return append(b, "Infinity"...)
	case math.IsInf(f, -1):
		return append(b, "-Infinity"...)
	}
	if abs := math.Abs(f); abs != 0 && (abs < 1e-4 || abs >= 1e16) {
		return strconv.AppendFloat(b, f, 'e', -1, 64)
	}
	start := len(b)
	b = strconv.AppendFloat(b, f, 'f', -1, 64)
	if slices.Contains(b[start:], '.') {
		return b
	}
	return append(b, ".0"...)
}

// appendPythonString writes text in quotes and in ASCII. What is not UTF-8 becomes U+FFFD.
func appendPythonString[S string | []byte](b []byte, text S) []byte {
	b = append(b, '"')
	plain := 0 // where what is not written yet starts
	for i := 0; i < len(text); {
		c := text[i]
		if c >= ' ' && c <= '~' && c != '"' && c != '\\' {
			i++
			continue
		}
		b = append(b, text[plain:i]...)
		if c >= utf8.RuneSelf {
			r, size := utf8.DecodeRuneInString(string(text[i:min(i+utf8.UTFMax, len(text))]))
			b = appendEscapedRune(b, r)
			i += size
		} else {
			b = appendEscapedByte(b, c)
			i++
		}
		plain = i
	}
	return append(append(b, text[plain:]...), '"')
}

func appendEscapedByte(b []byte, c byte) []byte {
	switch c {
	case '"', '\\':
	case '\n':
		c = 'n'
	case '\r':
		c = 'r'
	case '\t':
		c = 't'
	case '\b':
		c = 'b'
	case '\f':
		c = 'f'
	default:
		return appendUTF16(b, uint16(c))
	}
	return append(b, '\\', c)
}

func appendEscapedRune(b []byte, r rune) []byte {
	if r < 0x10000 {
		return appendUTF16(b, uint16(r))
	}
	high, low := utf16.EncodeRune(r)
	return appendUTF16(appendUTF16(b, uint16(high)), uint16(low))
}

func appendUTF16(b []byte, u uint16) []byte {
	const digits = "0123456789abcdef"
	return append(b, '\\', 'u', digits[u>>12], digits[u>>8&0xf], digits[u>>4&0xf], digits[u&0xf])
}
