package main

import (
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
)

// proxies are the networks of the proxies in front of the chat, whose headers are
// believed. As a flag they are a list: 127.0.0.1,10.0.0.0/8.
type proxies []netip.Prefix

func (p *proxies) String() string { return fmt.Sprint([]netip.Prefix(*p)) }

// Set is for package flag.
func (p *proxies) Set(list string) error {
	for one := range strings.SplitSeq(list, ",") {
		network, err := netip.ParsePrefix(one)
		if addr, isAddr := netip.ParseAddr(one); isAddr == nil {
			network, err = addr.Prefix(addr.BitLen())
		}
		if err != nil {
			return fmt.Errorf("%q is neither an address nor a network such as 10.0.0.0/8", one)
		}
		*p = append(*p, network)
	}
	return nil
}

// behind has requests that come through a proxy come from the client.
func (p *proxies) behind(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		peer, err := netip.ParseAddrPort(r.RemoteAddr)
		if err == nil && slices.ContainsFunc(*p, func(n netip.Prefix) bool { return n.Contains(peer.Addr().Unmap()) }) {
			lines := r.Header.Values("X-Forwarded-For")
			if client, err := netip.ParseAddr(strings.Join(lines, ",")); err == nil {
				c := *r
				c.RemoteAddr = net.JoinHostPort(client.String(), "0")
				r = &c
			}
		}
		next.ServeHTTP(w, r)
	})
}
