//go:build linux

package floor

import (
	"bytes"
	"errors"

	"github.com/wye-go/wye/bench/internal/frame"
)

// maxRequest is the longest upgrade request.
const maxRequest = 8 << 10

var errRequest = errors.New("not a WebSocket upgrade")

const (
	switching = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: "
	notFound  = "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
)

// upgrade answers the request at the start of b and returns what follows it, or
// all of b while the request is incomplete. A client is in its room before it
// can have seen the answer. Nothing here makes garbage worth a collection, which
// would count as memory of the connections.
func (s *Server) upgrade(c *conn, b []byte) (rest []byte, err error) {
	head, rest, ok := bytes.Cut(b, []byte("\r\n\r\n"))
	if !ok {
		if len(b) > maxRequest {
			return nil, errRequest
		}
		return b, nil
	}
	path, key := request(head)
	if len(key) == 0 {
		return nil, errRequest
	}
	switch kind, name := cutPath(path); kind {
	case "echo":
	case "room":
		s.join(c, string(name))
	case "member":
		s.join(c, string(name))
		c.alone = true
	default:
		return nil, errors.Join(c.write([]byte(notFound)), errRequest)
	}
	c.open = true
	s.answer = append(frame.AppendAccept(append(s.answer[:0], switching...), key), "\r\n\r\n"...)
	return rest, c.write(s.answer)
}

// request returns the path and the key of an upgrade request, without its
// closing blank line.
func request(head []byte) (path, key []byte) {
	line, fields, _ := bytes.Cut(head, []byte("\r\n"))
	path, ok := bytes.CutPrefix(line, []byte("GET "))
	if !ok {
		return nil, nil
	}
	path, _, _ = bytes.Cut(path, []byte(" "))
	for field := range bytes.SplitSeq(fields, []byte("\r\n")) {
		name, value, _ := bytes.Cut(field, []byte(":"))
		if bytes.EqualFold(name, []byte("Sec-WebSocket-Key")) {
			key = bytes.TrimSpace(value)
		}
	}
	return path, key
}

// cutPath splits "/room/7", and "/events/7", into "room" and "7". A kind that needs no name must
// have none, and the other way round; otherwise the kind is empty.
func cutPath(path []byte) (kind string, name []byte) {
	first, name, named := bytes.Cut(bytes.TrimPrefix(path, []byte("/")), []byte("/"))
	switch string(first) {
	case "echo":
		if !named {
			return "echo", nil
		}
	case "room", "events":
		if len(name) > 0 {
			return "room", name
		}
	case "member":
		if len(name) > 0 {
			return "member", name
		}
	}
	return "", nil
}
