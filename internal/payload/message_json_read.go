package payload

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"
)

var (
	errJSON      = errors.New("it is not valid JSON")
	errJSONShort = errors.New("the JSON ends in the middle of a value")
)

// ParseMessageJSON is ParseMessage for what AppendJSON or json.dumps of Python has written,
// NaN, Infinity and -Infinity included. Whole numbers that none of int64, uint64 and float64
// has exactly are an error, as in payloads. A surrogate without its other half becomes
// U+FFFD. Body has at most three bytes for each byte of b.
func ParseMessageJSON(b []byte) (Message, error) {
	p := &jsonParser{in: b, depth: 1}
	p.space()
	if !p.eat('{') {
		return Message{}, errNoMap
	}
	p.out = make([]byte, mapRoom, mapRoom+len(b))
	var m Message
	count, first := 0, ""
	for i := 0; ; i++ {
		more, err := p.entry(i, '}')
		if err != nil {
			return Message{}, err
		}
		if !more {
			break
		}
		if err := p.key(); err != nil {
			return Message{}, err
		}
		switch string(p.text) {
		case typeKey:
			m.Mark = first
			m.Type, err = p.stringOr(errNoType)
			if i == 0 {
				first = m.Type
			}
		case channelsKey:
			m.Channels, err = p.channels()
		default:
			p.out = appendString(p.out, p.text)
			err = p.value()
			count++
		}
		if err != nil {
			return Message{}, err
		}
	}
	p.space()
	switch {
	case p.i != len(b):
		return Message{}, errTrailing
	case m.Type == "":
		return Message{}, errNoType
	}
	m.Body = withMapHeader(p.out, count)
	return m, nil
}

// FirstTypeJSON is FirstType for JSON.
func FirstTypeJSON(b []byte) string {
	p := &jsonParser{in: b}
	p.space()
	if !p.eat('{') {
		return ""
	}
	if more, err := p.entry(0, '}'); err != nil || !more {
		return ""
	}
	if err := p.key(); err != nil || string(p.text) != typeKey {
		return ""
	}
	first, err := p.stringOr(errNoType)
	if err != nil {
		return ""
	}
	return first
}

// jsonParser reads JSON by the rules of Python's json.loads and writes it as MessagePack.
type jsonParser struct {
	in    []byte
	i     int
	out   []byte
	depth int
	text  []byte // the last string: part of in, or of scratch
	// scratch is for strings that have escapes.
	scratch []byte
}

// space skips white space.
func (p *jsonParser) space() {
	for p.i < len(p.in) {
		switch p.in[p.i] {
		case ' ', '\t', '\n', '\r':
			p.i++
		default:
			return
		}
	}
}

// eat skips c and reports whether it was there.
func (p *jsonParser) eat(c byte) bool {
	if p.i < len(p.in) && p.in[p.i] == c {
		p.i++
		return true
	}
	return false
}

// errHere says that what comes next is wrong.
func (p *jsonParser) errHere() error {
	if p.i >= len(p.in) {
		return errJSONShort
	}
	return fmt.Errorf("%w: byte %d is %q", errJSON, p.i, p.in[p.i])
}

// entry goes to entry i of a list or an object, and reports whether there is one.
func (p *jsonParser) entry(i int, end byte) (more bool, err error) {
	p.space()
	switch {
	case p.eat(end):
		return false, nil
	case i == 0:
		return true, nil
	case !p.eat(','):
		return false, p.errHere()
	}
	p.space()
	return true, nil
}

// key reads a key, leaves it in text, and goes to its value.
func (p *jsonParser) key() error {
	if err := p.string(); err != nil {
		return err
	}
	p.space()
	if !p.eat(':') {
		return p.errHere()
	}
	p.space()
	return nil
}

// value reads a value and writes it.
func (p *jsonParser) value() error {
	if p.i >= len(p.in) {
		return errJSONShort
	}
	switch p.in[p.i] {
	case '{':
		return p.container('}', codeMap16)
	case '[':
		return p.container(']', codeArray16)
	case '"':
		if err := p.string(); err != nil {
			return err
		}
		p.out = appendString(p.out, p.text)
		return nil
	case 'n':
		p.out = append(p.out, codeNil)
		return p.word("null")
	case 't':
		p.out = append(p.out, codeTrue)
		return p.word("true")
	case 'f':
		p.out = append(p.out, codeFalse)
		return p.word("false")
	case 'N':
		p.out = appendFloat64(p.out, math.NaN())
		return p.word("NaN")
	case 'I':
		p.out = appendFloat64(p.out, math.Inf(1))
		return p.word("Infinity")
	default:
		return p.number()
	}
}

func (p *jsonParser) word(w string) error {
	if !bytes.HasPrefix(p.in[p.i:], []byte(w)) {
		return p.errHere()
	}
	p.i += len(w)
	return nil
}

func (p *jsonParser) container(end, code16 byte) error {
	p.depth++
	if p.depth > maxDepth {
		return errDeep
	}
	p.i++
	head, n := len(p.out), 0
	p.out = append(p.out, 0)
	for ; ; n++ {
		more, err := p.entry(n, end)
		if err != nil {
			return err
		}
		if !more {
			break
		}
		if code16 == codeMap16 {
			if err := p.key(); err != nil {
				return err
			}
			p.out = appendString(p.out, p.text)
		}
		if err := p.value(); err != nil {
			return err
		}
	}
	p.depth--
	if n >= 16 {
		var room [5]byte
		p.out = slices.Replace(p.out, head, head+1, appendLength16(room[:0], code16, n)...)
		return nil
	}
	p.out[head] = fixArray | byte(n)
	if code16 == codeMap16 {
		p.out[head] = fixMap | byte(n)
	}
	return nil
}

// string reads a string and leaves it in text, which is valid until the next one.
func (p *jsonParser) string() error {
	if !p.eat('"') {
		return p.errHere()
	}
	start := p.i
	for ; p.i < len(p.in); p.i++ {
		switch c := p.in[p.i]; {
		case c == '"':
			p.text = p.in[start:p.i]
			p.i++
			return nil
		case c == '\\':
			if p.scratch == nil {
				p.scratch = make([]byte, 0, 128)
			}
			p.scratch = append(p.scratch[:0], p.in[start:p.i]...)
			return p.escaped()
		case c < ' ':
			return p.errHere()
		}
	}
	return errJSONShort
}

// escaped reads the rest of a string, from an escape on, into scratch.
func (p *jsonParser) escaped() error {
	for p.i < len(p.in) {
		c := p.in[p.i]
		switch {
		case c == '"':
			p.i++
			p.text = p.scratch
			return nil
		case c < ' ':
			return p.errHere()
		case c != '\\':
			p.scratch = append(p.scratch, c)
			p.i++
			continue
		}
		p.i++
		if err := p.escape(); err != nil {
			return err
		}
	}
	return errJSONShort
}

// escape reads what follows a backslash.
func (p *jsonParser) escape() error {
	if p.i >= len(p.in) {
		return errJSONShort
	}
	c := p.in[p.i]
	switch c {
	case '"', '\\', '/':
	case 'n':
		c = '\n'
	case 'r':
		c = '\r'
	case 't':
		c = '\t'
	case 'b':
		c = '\b'
	case 'f':
		c = '\f'
	case 'u':
		return p.unicode()
	default:
		return p.errHere()
	}
	p.i++
	p.scratch = append(p.scratch, c)
	return nil
}

// unicode reads one \u, or two that are the halves of a surrogate pair.
func (p *jsonParser) unicode() error {
	r, ok := hex4(p.in[p.i+1:])
	if !ok {
		return p.errHere()
	}
	p.i += 5
	if utf16.IsSurrogate(r) && bytes.HasPrefix(p.in[p.i:], []byte(`\u`)) {
		if low, ok := hex4(p.in[p.i+2:]); ok {
			if pair := utf16.DecodeRune(r, low); pair != utf8.RuneError {
				r = pair
				p.i += 6
			}
		}
	}
	p.scratch = utf8.AppendRune(p.scratch, r) // U+FFFD for half of a pair
	return nil
}

func hex4(b []byte) (r rune, ok bool) {
	if len(b) < 4 {
		return 0, false
	}
	for _, c := range b[:4] {
		switch {
		case '0' <= c && c <= '9':
			c -= '0'
		case 'a' <= c|0x20 && c|0x20 <= 'f':
			c = c | 0x20 - 'a' + 10
		default:
			return 0, false
		}
		r = r<<4 | rune(c)
	}
	return r, true
}

// number reads a number, or -Infinity.
func (p *jsonParser) number() error {
	start := p.i
	if bytes.HasPrefix(p.in[p.i:], []byte("-I")) {
		p.out = appendFloat64(p.out, math.Inf(-1))
		p.i++
		return p.word("Infinity")
	}
	digits, float, err := p.scanNumber()
	if err != nil {
		return err
	}
	text := p.in[start:p.i]
	switch {
	case float:
		if f, err := strconv.ParseFloat(string(text), 64); err == nil {
			p.out = appendFloat64(p.out, f)
			return nil
		}
	case digits <= 18:
		p.appendInteger(text)
		return nil
	}
	p.out, err = appendNumber(p.out, string(text))
	return err
}

// scanNumber skips a number, and returns how many digits its whole part has and whether a
// fraction or an exponent follows.
func (p *jsonParser) scanNumber() (digits int, float bool, err error) {
	p.eat('-')
	first := p.i
	digits = p.digits()
	if digits == 0 || digits > 1 && p.in[first] == '0' {
		return 0, false, p.errHere()
	}
	if p.eat('.') {
		float = true
		if p.digits() == 0 {
			return 0, false, p.errHere()
		}
	}
	if p.eat('e') || p.eat('E') {
		float = true
		if !p.eat('+') {
			p.eat('-')
		}
		if p.digits() == 0 {
			return 0, false, p.errHere()
		}
	}
	return digits, float, nil
}

// appendInteger writes a number that fits an int64.
func (p *jsonParser) appendInteger(text []byte) {
	digits := bytes.TrimPrefix(text, []byte("-"))
	n := int64(0)
	for _, c := range digits {
		n = n*10 + int64(c-'0')
	}
	if len(digits) < len(text) {
		n = -n
	}
	p.out = appendInt(p.out, n)
}

// digits skips digits and returns how many they were.
func (p *jsonParser) digits() int {
	start := p.i
	for p.i < len(p.in) && '0' <= p.in[p.i] && p.in[p.i] <= '9' {
		p.i++
	}
	return p.i - start
}

// stringOr reads a string, or returns err.
func (p *jsonParser) stringOr(err error) (string, error) {
	if p.i < len(p.in) && p.in[p.i] != '"' {
		return "", err
	}
	if err := p.string(); err != nil {
		return "", err
	}
	return token{data: p.text}.text(), nil
}

// channels reads a string or a list of strings.
func (p *jsonParser) channels() (all []string, err error) {
	if !p.eat('[') {
		c, err := p.stringOr(errChannels)
		return []string{c}, err
	}
	for i := 0; ; i++ {
		more, err := p.entry(i, ']')
		if err != nil || !more {
			return all, err
		}
		c, err := p.stringOr(errChannels)
		if err != nil {
			return nil, err
		}
		all = append(all, c)
	}
}
