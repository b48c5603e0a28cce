package engine

import (
	"log/slog"

	"github.com/wye-go/wye/internal/logs"
)

// MaxName is how many bytes of a path or an address a [Name] keeps.
const MaxName = 200

// Name names a connection in log lines: by its path and the address of its peer. It is one
// string, because every connection has one: the length of the path, the path, the address.
type Name string

// NewName returns a name with copies of the first bytes of both.
func NewName(path, peer string) Name {
	path, peer = path[:min(len(path), MaxName)], peer[:min(len(peer), MaxName)]
	b := make([]byte, 0, 1+len(path)+len(peer))
	b = append(b, byte(len(path))) //nolint:gosec // MaxName fits
	b = append(b, path...)
	return Name(append(b, peer...))
}

// Path returns the path.
func (n Name) Path() string {
	if n == "" {
		return ""
	}
	return string(n[1 : 1+n[0]])
}

// Peer returns the address.
func (n Name) Peer() string {
	if n == "" {
		return ""
	}
	return string(n[1+n[0]:])
}

// LogValue implements [slog.LogValuer].
func (n Name) LogValue() slog.Value {
	return slog.GroupValue(slog.String("path", logs.Cut(n.Path())), slog.String("peer", logs.Cut(n.Peer())))
}
