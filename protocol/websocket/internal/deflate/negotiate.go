package deflate

import (
	"errors"
	"strconv"
	"strings"
)

// Name is the token of the extension.
const Name = "permessage-deflate"

// Windows, as the base-2 logarithm of their size in bytes (RFC 7692 section 7.1.2).
const (
	MinBits = 8
	MaxBits = 15
)

// Policy is what a server grants. The zero value grants no context takeover.
type Policy struct {
	ServerTakeover bool // the server's messages may refer to earlier ones
	ClientTakeover bool // the client's messages may refer to earlier ones
	ClientBits     int  // how far back they may refer at most, from MinBits to MaxBits; 0: MaxBits
}

// Params is what was agreed on. The zero value means that the extension is not in use.
type Params struct {
	ServerBits     uint8 // the client's window for the server's messages, from MinBits to MaxBits
	ClientBits     uint8 // the server's window for the client's messages
	ServerTakeover bool
	ClientTakeover bool
}

// InUse reports whether the extension was agreed on.
func (p Params) InUse() bool { return p.ServerBits != 0 }

// ErrMalformed is the error of Negotiate for a header that does not follow the grammar of
// Sec-WebSocket-Extensions.
var ErrMalformed = errors.New("wye: deflate: Sec-WebSocket-Extensions is malformed")

// Negotiate chooses among the offers in the lines of a request's Sec-WebSocket-Extensions:
// the first one of permessage-deflate that is valid. An offer with an unknown or repeated
// parameter, or with an illegal value, is declined (RFC 7692 section 7.1). It returns the
// value of the answer's Sec-WebSocket-Extensions, which is "" if none is chosen.
//
// The only error is ErrMalformed.
func Negotiate(lines []string, p Policy) (chosen Params, answer string, err error) {
	if p.ClientBits == 0 {
		p.ClientBits = MaxBits
	}
	for _, line := range lines {
		s := scanner{rest: line}
		for s.nextExtension() {
			o := offer{valid: s.token == Name}
			for s.nextParameter() {
				o.add(&s)
			}
			if o.valid && !chosen.InUse() && !s.failed {
				chosen, answer = o.accept(&p)
			}
		}
		if s.failed {
			return Params{}, "", ErrMalformed
		}
	}
	return chosen, answer, nil
}

// offer is one offer of a client.
type offer struct {
	valid bool
	seen  uint8 // the parameters that were added

	serverBits, clientBits uint8 // 0: not offered
}

// The parameters of RFC 7692 section 7.1.
const (
	serverNoTakeover = 1 << iota
	clientNoTakeover
	serverMaxBits
	clientMaxBits
)

// add adds the parameter that s has read.
func (o *offer) add(s *scanner) {
	var parameter uint8
	ok := true
	switch s.token {
	case "server_no_context_takeover":
		parameter, ok = serverNoTakeover, !s.hasValue
	case "client_no_context_takeover":
		parameter, ok = clientNoTakeover, !s.hasValue
	case "server_max_window_bits":
		parameter = serverMaxBits
		o.serverBits, ok = parseBits(s.value)
	case "client_max_window_bits":
		parameter = clientMaxBits
		o.clientBits = MaxBits
		if s.hasValue {
			o.clientBits, ok = parseBits(s.value)
		}
	default:
		ok = false
	}
	if !ok || o.seen&parameter != 0 {
		o.valid = false
	}
	o.seen |= parameter
}

// parseBits parses a decimal number from MinBits to MaxBits without leading zeros.
func parseBits(value string) (bits uint8, ok bool) {
	n, err := strconv.ParseUint(value, 10, 8)
	if err != nil || n < MinBits || n > MaxBits || value[0] == '0' || value[0] == '+' {
		return 0, false
	}
	return uint8(n), true
}

// accept returns what is agreed on if o, which is valid, is accepted, and the answer.
//
// The answer has server_max_window_bits only if the offer has it: the RFC allows more, but
// clients need not expect it.
func (o *offer) accept(p *Policy) (Params, string) {
	a := Params{
		ServerBits:     MaxBits,
		ClientBits:     MaxBits,
		ServerTakeover: p.ServerTakeover && o.seen&serverNoTakeover == 0,
		ClientTakeover: p.ClientTakeover && o.seen&clientNoTakeover == 0,
	}
	b := append(make([]byte, 0, 128), Name...)
	if !a.ServerTakeover {
		b = append(b, "; server_no_context_takeover"...)
	}
	if o.serverBits != 0 {
		a.ServerBits = o.serverBits
		b = strconv.AppendUint(append(b, "; server_max_window_bits="...), uint64(a.ServerBits), 10)
	}
	if o.clientBits == 0 && p.ClientBits < MaxBits {
		a.ClientTakeover = false // the client cannot be told the size of its window
	}
	if !a.ClientTakeover {
		b = append(b, "; client_no_context_takeover"...)
		return a, string(b)
	}
	if o.clientBits != 0 {
		a.ClientBits = min(uint8(p.ClientBits), o.clientBits) //nolint:gosec // at most MaxBits
		if a.ClientBits < MaxBits {
			b = strconv.AppendUint(append(b, "; client_max_window_bits="...), uint64(a.ClientBits), 10)
		}
	}
	return a, string(b)
}

// scanner reads one line of Sec-WebSocket-Extensions (RFC 6455 section 9.1):
//
//	extension-list  = 1#extension
//	extension       = token *( ";" extension-param )
//	extension-param = token [ "=" ( token / quoted-string ) ]
//
// with white space between any two of these, and empty elements in the list. What is
// within quotes must be a token.
type scanner struct {
	rest     string
	token    string // the name of the extension or of the parameter that was read last
	value    string // of the parameter
	hasValue bool
	failed   bool // what was read last is not of the grammar
}

// nextExtension reads the name of the next extension.
func (s *scanner) nextExtension() bool {
	s.rest = strings.TrimLeft(s.rest, " \t,")
	return !s.failed && s.rest != "" && s.readToken(&s.token)
}

// nextParameter reads the next parameter of the extension. It returns false behind the last
// one, in front of a comma or of the end.
func (s *scanner) nextParameter() bool {
	switch {
	case s.failed, !s.skip(';'):
		s.failed = s.failed || s.rest != "" && s.rest[0] != ','
		return false
	case !s.readToken(&s.token):
		return false
	}
	s.value, s.hasValue = "", s.skip('=')
	if !s.hasValue {
		return true
	}
	if s.skip('"') {
		return s.readQuoted()
	}
	return s.readToken(&s.value)
}

// skip skips white space, and c if it follows, with the white space behind it.
func (s *scanner) skip(c byte) bool {
	s.rest = strings.TrimLeft(s.rest, " \t")
	if s.rest == "" || s.rest[0] != c {
		return false
	}
	s.rest = s.rest[1:]
	if c != '"' {
		s.rest = strings.TrimLeft(s.rest, " \t")
	}
	return true
}

// readToken reads a token.
func (s *scanner) readToken(token *string) bool {
	n := 0
	for n < len(s.rest) && isTokenByte(s.rest[n]) {
		n++
	}
	*token, s.rest = s.rest[:n], s.rest[n:]
	s.failed = n == 0
	return n > 0
}

// readQuoted reads the rest of a quoted string, which has to have a token in it.
func (s *scanner) readQuoted() bool {
	var b []byte
	for i := 0; i < len(s.rest); i++ {
		c := s.rest[i]
		if c == '"' {
			s.value, s.rest = string(b), s.rest[i+1:]
			s.failed = len(b) == 0
			return !s.failed
		}
		if c == '\\' {
			i++
			if i == len(s.rest) {
				break
			}
			c = s.rest[i]
		}
		if !isTokenByte(c) {
			break
		}
		b = append(b, c)
	}
	s.failed = true
	return false
}

// isTokenByte reports whether c may be in a token (RFC 9110 section 5.6.2).
func isTokenByte(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || strings.IndexByte("!#$%&'*+-.^_`|~", c) >= 0
}
