package websocket

import "github.com/wye-go/wye/protocol/admission"

// newGate returns the gate of a server with options o.
func newGate(o *Options) *admission.Gate {
	c := &o.Capacity
	return admission.New(&admission.Options{
		Name:                   "websocket.Options",
		Origins:                o.Origins,
		InsecureAllowAnyOrigin: o.InsecureAllowAnyOrigin,
		Hosts:                  o.Hosts,
		TrustedProxies:         o.TrustedProxies,
		Capacity: admission.Capacity{
			Conns:               c.Conns,
			ConnsPerAddress:     c.ConnsPerAddress,
			Handshakes:          c.Handshakes,
			HandshakesPerSecond: c.HandshakesPerSecond,
			HandshakeBurst:      c.HandshakeBurst,
		},
		Logger: o.Logger,
	})
}
