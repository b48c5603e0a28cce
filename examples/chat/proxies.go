package main

import (
	"fmt"
	"net/http"
	"net/netip"
	"strings"

	"github.com/wye-go/wye/protocol/admission"
)

// proxies are the networks of the trusted proxies in front of the chat. The flag is a
// list: 127.0.0.1,10.0.0.0/8.
type proxies []netip.Prefix

func (p *proxies) String() string { return fmt.Sprint([]netip.Prefix(*p)) }

// Set implements flag.Value.
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

// client returns the client of a request: the peer, or the client that a trusted proxy
// reports.
func (p *proxies) client(r *http.Request) admission.Client { return admission.ClientOf(r, *p) }

// viaUnknownProxy reports whether a request has the header of a proxy, but comes from
// an address that is not a trusted proxy.
func (p *proxies) viaUnknownProxy(r *http.Request) bool {
	return (r.Header.Get("X-Forwarded-For") != "" || r.Header.Get("Forwarded") != "") && p.client(r).RemoteAddr == r.RemoteAddr
}
