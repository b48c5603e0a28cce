package protocol

import (
	"encoding"
	"fmt"
	"strconv"
)

// ParamAs returns a parameter as another type: string, bool, int, int64, uint64,
// float64, or one whose pointer is an encoding.TextUnmarshaler, such as
// netip.Addr.
//
//	page, err := protocol.ParamAs[int](s, "page")
//
// The error names the parameter and what is wrong with it. A parameter that
// <int:page> has captured is always an int64. Returned by Open or Connect, the
// error refuses with 404: the path leads nowhere.
func ParamAs[T any](s *Scope, name string) (T, error) {
	var v T
	text := s.Param(name)
	if err := parse(&v, text); err != nil {
		return *new(T), fmt.Errorf("%w: parameter %q is %.100q: %w", ErrNoRoute, name, text, err)
	}
	return v, nil
}

// UserAs returns s.User if it is a U, as an authenticator has left it there.
//
//	user, ok := protocol.UserAs[*User](s)
func UserAs[U any](s *Scope) (U, bool) {
	u, ok := s.User.(U)
	return u, ok
}

// parse reads text into what v points to.
func parse(v any, text string) (err error) {
	switch v := v.(type) {
	case *string:
		*v = text
	case *bool:
		*v, err = strconv.ParseBool(text)
	case *int:
		*v, err = strconv.Atoi(text)
	case *int64:
		*v, err = strconv.ParseInt(text, 10, 64)
	case *uint64:
		*v, err = strconv.ParseUint(text, 10, 64)
	case *float64:
		*v, err = strconv.ParseFloat(text, 64)
	case encoding.TextUnmarshaler:
		err = v.UnmarshalText([]byte(text))
	default:
		panic(fmt.Sprintf("wye: protocol.ParamAs: a parameter cannot be read as %T", v))
	}
	return err
}
