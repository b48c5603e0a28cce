// Package admission decides which requests a protocol server lets in: those for a host
// that it serves, from a web page that may connect, and for which there is room. The
// server of package websocket uses it; so can a server for any other [protocol.Protocol].
//
// A [Gate] asks in this order, and each refusal is an answer of HTTP that is ready to be
// sent:
//
//	question                          method           status  counter
//	is the host served?               CheckRequest     421     Misdirected
//	may the page connect?             CheckRequest     403     Forbidden
//	is the server shutting down?      CheckRequest,    503     ShuttingDown
//	                                  Enter
//	is there room for a connection?   Enter            503     Full
//	and for one from this address?    Enter            429     AddressFull
//	do handshakes come too fast?      Enter            503     RateLimited
//
// The first refusal of each kind in ten seconds is logged; all are counted in [Stats].
//
// A Gate knows the connections that are in it, so that its Shutdown is the Shutdown of
// a protocol: it refuses new connections, closes the others and waits for their end.
package admission
