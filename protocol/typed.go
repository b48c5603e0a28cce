package protocol

import (
	"encoding"
	"errors"
	"fmt"
	"reflect"
	"strconv"
	"strings"
)

// ParamAs returns a parameter as another type: one whose pointer is an
// encoding.TextUnmarshaler, such as netip.Addr, or one that is made of a string,
// bool, integer or floating-point type.
//
//	page, err := protocol.ParamAs[int](s, "page")
//
// A parameter that <int:page> has captured always fits an int64. The error names
// the parameter. If its text is no T the path leads nowhere, and the error,
// returned by Open or Connect, refuses with 404; a parameter that no route has
// captured is a fault of the program, and 500. Another type panics.
func ParamAs[T any](s *Scope, name string) (T, error) {
	var v T
	text, found := s.param(name)
	if !found {
		return v, fmt.Errorf("wye: no route has captured a parameter %q", name)
	}
	if err := parse(&v, text); err != nil {
		if number, ok := errors.AsType[*strconv.NumError](err); ok {
			err = number.Err // the rest of it says again what the text is
		}
		return *new(T), fmt.Errorf("%w: parameter %q is %.100q, which cannot be read as %T: %w", ErrNoRoute, name, text, v, err)
	}
	return v, nil
}

// UserAs returns s.User if it is a U, as an authenticator has left it there, and
// no nil pointer, which is somebody anonymous.
//
//	user, ok := protocol.UserAs[*User](s)
func UserAs[U any](s *Scope) (U, bool) {
	u, ok := s.User().(U)
	if v := reflect.ValueOf(s.User()); ok && v.Kind() == reflect.Pointer && v.IsNil() {
		ok = false
	}
	return u, ok
}

// parse reads text into what v points to.
func parse(v any, text string) error {
	if u, ok := v.(encoding.TextUnmarshaler); ok {
		return u.UnmarshalText([]byte(text))
	}
	to := reflect.ValueOf(v).Elem()
	bits := 0
	if to.CanInt() || to.CanUint() || to.CanFloat() {
		bits = to.Type().Bits()
	}
	switch {
	case to.Kind() == reflect.String:
		to.SetString(strings.Clone(text)) // it may lie in the request's memory
		return nil
	case to.Kind() == reflect.Bool:
		b, err := strconv.ParseBool(text)
		to.SetBool(b)
		return err
	case to.CanInt():
		n, err := strconv.ParseInt(text, 10, bits)
		to.SetInt(n)
		return err
	case to.CanUint():
		n, err := strconv.ParseUint(text, 10, bits)
		to.SetUint(n)
		return err
	case to.CanFloat():
		n, err := strconv.ParseFloat(text, bits)
		to.SetFloat(n)
		return err
	}
	panic(fmt.Sprintf("wye: protocol.ParamAs: a parameter cannot be read as %v", to.Type()))
}
