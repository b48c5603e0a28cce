package protocol

import (
	"errors"
	"log/slog"

	"github.com/wye-go/wye/internal/logs"
)

// log writes a line about this connection, unless there were many with the same text.
func (s *Session) log(level slog.Level, msg string, attrs []any) {
	s.options().Counters.log(s.options().Logger, level, msg, func() []any { return s.logAttrs(attrs) })
}

// logAttrs adds the connection's name, if the transport has one.
func (s *Session) logAttrs(attrs []any) []any {
	if v, ok := s.t.(slog.LogValuer); ok {
		return append(attrs, "conn", v)
	}
	return attrs
}

// details returns the log attributes of err.
func details(err error) []any {
	attrs := []any{"error", logs.Error(err)}
	if p, ok := errors.AsType[*PanicError](err); ok {
		attrs = append(attrs, "stack", string(p.Stack))
	}
	return attrs
}
