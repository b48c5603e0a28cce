package payload

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
)

// fault is an error with the way to the value that it is about.
type fault struct {
	err   error
	steps []step // the innermost first
}

// step is a step into a value. A pointer is one without a name.
type step struct {
	name string
	at   identity
}

// identity tells whether two steps lead into the same memory.
type identity struct {
	typ     reflect.Type
	pointer uintptr
	length  int
}

func identityOf(v reflect.Value) (id identity) {
	switch v.Kind() {
	case reflect.Slice:
		return identity{v.Type(), v.Pointer(), v.Len()}
	case reflect.Pointer, reflect.Map:
		return identity{v.Type(), v.Pointer(), 0}
	default:
		return identity{}
	}
}

func within(err error, s step) error {
	f, ok := err.(*fault) //nolint:errorlint // one that is wrapped is another value's
	if !ok {
		f = &fault{err: err}
	}
	f.steps = append(f.steps, s)
	return f
}

func inField(err error, name string) error { return within(err, step{name: "." + name}) }
func inKey(err error, v reflect.Value, key string) error {
	return within(err, step{fmt.Sprintf("[%.40q]", key), identityOf(v)})
}

func inIndex(err error, v reflect.Value, i int) error {
	return within(err, step{"[" + strconv.Itoa(i) + "]", identityOf(v)})
}
func inPointer(err error, v reflect.Value) error { return within(err, step{"", identityOf(v)}) }

// maxPath is how much of a path is said.
const maxPath = 200

func (f *fault) Error() string {
	var path strings.Builder
	what := f.err.Error()
	seen := map[identity]bool{}
	for _, s := range slices.Backward(f.steps) {
		if s.at.pointer != 0 && errors.Is(f.err, errDeep) {
			if seen[s.at] {
				what = fmt.Sprintf("it is circular: this %v contains itself", s.at.typ)
				break
			}
			seen[s.at] = true
		}
		path.WriteString(s.name)
	}
	name := strings.TrimPrefix(path.String(), ".")
	if len(name) > maxPath {
		name = name[:maxPath] + "..."
	}
	if name == "" {
		return what
	}
	return name + ": " + what
}

func (f *fault) Unwrap() error { return f.err }

func errUnfit(t token, to reflect.Type) error {
	return fmt.Errorf("%v cannot be read as %v", t.kind, to)
}
