package protocol

import (
	"encoding"
	"errors"
	"fmt"
	"reflect"
	"strconv"
	"strings"
)

// ParamAs returns a parameter of the path as a T. T is a type whose pointer is an
// encoding.TextUnmarshaler, such as netip.Addr, or a string, bool, integer or
// floating-point type. For other types, ParamAs panics.
//
//	page, err := protocol.ParamAs[int](s, "page")
//
// If the text of the parameter is not a T, the error matches [ErrNoRoute]: Open or Connect
// can return it to refuse the connection with 404. If no route has captured the parameter,
// the program has a fault, and the error refuses with 500. The text that a route has
// captured with <int:page> always fits an int64.
func ParamAs[T any](s *Scope, name string) (T, error) {
	var v T
	text, found := s.param(name)
	if !found {
		return v, fmt.Errorf("wye: no route has captured a parameter %q", name)
	}
	if err := parse(&v, text); err != nil {
		if number, ok := errors.AsType[*strconv.NumError](err); ok {
			err = number.Err // the rest repeats the text
		}
		return *new(T), fmt.Errorf("%w: parameter %q is %.100q, which cannot be read as %T: %w", ErrNoRoute, name, text, v, err)
	}
	return v, nil
}

// UserAs returns the user of s, and true, if its type is U. A nil pointer means an anonymous
// user: then ok is false.
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
		to.SetString(strings.Clone(text)) // text may be a part of the request's memory
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
