package handshake

import "net/http"

// Offer is what a request offers to negotiate. Package deflate has the extension.
type Offer struct {
	Subprotocols []string // in the client's order (RFC 6455 section 11.3.4)
	malformed    bool     // CheckUpgrade refuses it
}

// ParseOffer returns the offer in the headers of a request. If they are malformed, it
// has what comes before the fault.
func ParseOffer(h http.Header) (o Offer) {
	wellFormed := scanTokens(h, "Sec-Websocket-Protocol", func(t []byte) bool {
		o.Subprotocols = append(o.Subprotocols, string(t))
		return true
	})
	o.malformed = !wellFormed
	return o
}
