// Package forwarded reads the headers in which proxies report the client of a request:
// lines in, an address and a scheme out.
package forwarded

import (
	"cmp"
	"iter"
	"net/netip"
	"slices"
	"strings"
)

// IsTrusted reports whether one of the trusted networks contains addr.
func IsTrusted(trusted []netip.Prefix, addr netip.Addr) bool {
	return slices.ContainsFunc(trusted, func(p netip.Prefix) bool { return p.Contains(addr) })
}

// Header has the lines of the headers in which proxies report.
type Header struct {
	For       []string // X-Forwarded-For
	Forwarded []string // Forwarded (RFC 7239)
	Proto     []string // X-Forwarded-Proto
}

// Client is what trusted proxies report of the client.
type Client struct {
	Addr   netip.AddrPort // invalid if they report none; with port 0 if they do not report it
	Scheme string         // "https", "http", or "" if they report none
}

// Read returns the client that trusted proxies report. ok is false if they contradict
// each other about its address, or a header is malformed: then only Scheme counts.
func Read(trusted []netip.Prefix, h Header) (client Client, ok bool) {
	plain, _ := walk(trusted, h.For, plainHops) // no line of it is malformed
	standard, ok := walk(trusted, h.Forwarded, standardHops)
	client.Scheme = schemeOf(h.Proto, standard.proto)
	client.Addr = plain.addr
	switch {
	case len(h.For) == 0:
		client.Addr = standard.addr
	case len(h.Forwarded) > 0 && plain.addr.Addr() != standard.addr.Addr():
		ok = false
	}
	return client, ok
}

// hop is an entry of a forwarding header: the address of the peer that a proxy
// has seen, invalid if the proxy does not say, and that peer's scheme.
type hop struct {
	addr      netip.AddrPort
	proto     string
	malformed bool // it stands for a whole line
}

// The schemes of Client.
const (
	plainHTTP = "http"
	secured   = "https"
)

// walk follows the hops of a header from the right to the client, whose address is
// invalid if the header has none. ok is false if it meets a line that is malformed.
func walk(trusted []netip.Prefix, lines []string, hops func(line string) iter.Seq[hop]) (client hop, ok bool) {
	for _, line := range slices.Backward(lines) {
		for h := range hops(line) {
			if h.malformed {
				return hop{}, false
			}
			client.proto = cmp.Or(h.proto, client.proto)
			if !h.addr.IsValid() {
				return client, true
			}
			client.addr = h.addr
			if !IsTrusted(trusted, h.addr.Addr()) {
				return client, true
			}
		}
	}
	return client, true
}

// plainHops yields the hops of a line of X-Forwarded-For, from the right. No line is
// malformed as a whole: an entry that is not an address hides those to its left.
func plainHops(line string) iter.Seq[hop] {
	return func(yield func(hop) bool) {
		for more := true; more; {
			comma := strings.LastIndexByte(line, ',')
			entry := strings.Trim(line[comma+1:], " \t")
			more = comma >= 0
			line = line[:max(comma, 0)]
			if entry == "" {
				continue
			}
			if !yield(hop{addr: ParseNode(entry)}) {
				return
			}
		}
	}
}

// standardHops yields the hops of a line of Forwarded (RFC 7239 section 4), from the
// right. Because of quoted strings a line can only be read from the left.
func standardHops(line string) iter.Seq[hop] {
	return func(yield func(hop) bool) {
		var hops []hop
		for line = strings.TrimLeft(line, " \t,"); line != ""; line = strings.TrimLeft(line, " \t,") {
			h, rest, ok := standardHop(line)
			if !ok {
				yield(hop{malformed: true})
				return
			}
			hops, line = append(hops, h), rest
		}
		for _, h := range slices.Backward(hops) {
			if !yield(h) {
				return
			}
		}
	}
}

// standardHop reads pairs up to the next comma.
func standardHop(line string) (h hop, rest string, ok bool) {
	seen := map[string]bool{}
	for {
		name, value, found := strings.Cut(line, "=")
		name = strings.ToLower(strings.Trim(name, " \t"))
		if !found || name == "" || strings.ContainsAny(name, ` "(),/:;<>@[\]{}`) || seen[name] {
			return h, "", false
		}
		seen[name] = true
		if value, line, ok = pairValue(value); !ok {
			return h, "", false
		}
		switch name {
		case "for":
			h.addr = ParseNode(value)
		case "proto":
			h.proto = strings.ToLower(value)
		}
		line = strings.TrimLeft(line, " \t")
		switch {
		case line == "":
			return h, "", true
		case line[0] == ',':
			return h, line[1:], true
		case line[0] != ';':
			return h, "", false
		}
		line = line[1:]
	}
}

// pairValue reads a quoted string, or what ends before a delimiter. Addresses with
// colons and brackets should be quoted; not every proxy does that.
func pairValue(s string) (value, rest string, ok bool) {
	if !strings.HasPrefix(s, `"`) {
		end := strings.IndexAny(s, " \t;,\"")
		if end < 0 {
			return s, "", true
		}
		return s[:end], s[end:], s[end] != '"'
	}
	var b strings.Builder
	for i := 1; i < len(s); i++ {
		switch s[i] {
		case '"':
			return b.String(), s[i+1:], true
		case '\\':
			i++
			if i == len(s) {
				return "", "", false
			}
		}
		b.WriteByte(s[i])
	}
	return "", "", false
}

// ParseNode reads an address with or without a port, which need not be a number
// (RFC 7239 section 6.3). The port is 0 then. What is not an address is invalid.
func ParseNode(s string) netip.AddrPort {
	if at, err := netip.ParseAddrPort(s); err == nil {
		return plainAddr(at.Addr(), at.Port())
	}
	host := s
	if inside, behind, found := strings.Cut(strings.TrimPrefix(s, "["), "]"); found && strings.HasPrefix(s, "[") {
		if host = inside; behind != "" && !strings.HasPrefix(behind, ":_") {
			return netip.AddrPort{}
		}
	} else if before, _, found := strings.Cut(s, ":_"); found {
		host = before
	}
	addr, err := netip.ParseAddr(host)
	if err != nil {
		return netip.AddrPort{}
	}
	return plainAddr(addr, 0)
}

// plainAddr returns an address as networks contain it.
func plainAddr(addr netip.Addr, port uint16) netip.AddrPort {
	return netip.AddrPortFrom(addr.Unmap().WithZone(""), port)
}

// schemeOf chooses what a trusted proxy reports, or "". Where it contradicts itself,
// https is assumed, for which the stricter rules hold.
func schemeOf(lines []string, standard string) string {
	reported := standard
	if len(lines) > 0 {
		last := lines[len(lines)-1]
		last = strings.ToLower(strings.Trim(last[strings.LastIndexByte(last, ',')+1:], " \t"))
		if reported != secured {
			reported = last
		}
	}
	switch reported {
	case secured, "wss":
		return secured
	case plainHTTP, "ws":
		return plainHTTP
	}
	return ""
}
