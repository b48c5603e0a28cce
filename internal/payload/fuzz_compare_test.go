package payload

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"reflect"
	"strconv"
)

// differ says where two values differ, if they do in more than the package says.
func differ(want, got reflect.Value) string {
	switch w := want.Interface().(type) {
	case json.RawMessage:
		return differRaw(w, got.Interface().(json.RawMessage))
	case odd:
		return differRaw([]byte(w.json), []byte(got.Interface().(odd).json))
	case json.Number:
		x, err1 := strconv.ParseFloat(string(w), 64)
		y, err2 := strconv.ParseFloat(got.String(), 64)
		if x != y || (err1 == nil) != (err2 == nil) {
			return fmt.Sprintf(": %s and %s", w, got)
		}
		return ""
	}
	switch k := want.Kind(); k {
	case reflect.Interface:
		return differAny(want.Interface(), got.Interface())
	case reflect.Pointer, reflect.Slice, reflect.Map:
		if want.IsNil() || got.IsNil() {
			break
		}
		return map[reflect.Kind]func(_, _ reflect.Value) string{
			reflect.Pointer: differPointer, reflect.Slice: differList, reflect.Map: differMap,
		}[k](want, got)
	case reflect.Array:
		return differList(want, got)
	case reflect.Struct:
		if _, opaque := reflect.PointerTo(want.Type()).MethodByName("UnmarshalJSON"); !opaque {
			return differStruct(want, got)
		}
	default:
	}
	if !reflect.DeepEqual(want.Interface(), got.Interface()) {
		return fmt.Sprintf(": %v and %v", want, got)
	}
	return ""
}

func differPointer(want, got reflect.Value) string { return differ(want.Elem(), got.Elem()) }

// differRaw compares JSON by its value.
func differRaw(want, got []byte) string {
	var x, y any
	if len(want)+len(got) > 0 && (json.Unmarshal(want, &x) != nil || json.Unmarshal(got, &y) != nil || !reflect.DeepEqual(x, y)) {
		return fmt.Sprintf(": %s and %s", want, got)
	}
	return ""
}

func differList(want, got reflect.Value) string {
	if want.Len() != got.Len() {
		return fmt.Sprintf(": %v and %v", want, got)
	}
	for i := range want.Len() {
		if way := differ(want.Index(i), got.Index(i)); way != "" {
			return fmt.Sprintf("[%d]%s", i, way)
		}
	}
	return ""
}

func differMap(want, got reflect.Value) string {
	if want.Len() != got.Len() {
		return fmt.Sprintf(": %v and %v", want, got)
	}
	for _, k := range want.MapKeys() {
		g := got.MapIndex(k)
		if !g.IsValid() {
			return fmt.Sprintf("[%v], which is missing", k)
		}
		if way := differ(want.MapIndex(k), g); way != "" {
			return fmt.Sprintf("[%v]%s", k, way)
		}
	}
	return ""
}

func differStruct(want, got reflect.Value) string {
	for f, w := range want.Fields() {
		if !f.IsExported() {
			continue
		}
		if way := differ(w, got.FieldByIndex(f.Index)); way != "" {
			return "." + f.Name + way
		}
	}
	return ""
}

// differAny compares what an any has received.
func differAny(want, got any) string {
	switch g := got.(type) {
	case int64:
		got = float64(g)
	case uint64:
		got = float64(g)
	case []byte:
		got = base64.StdEncoding.EncodeToString(g)
		if list, ok := want.([]any); ok { // it was an array
			want = base64.StdEncoding.EncodeToString(bytesOf(list))
		}
	case []any:
		w, ok := want.([]any)
		if !ok || len(w) != len(g) {
			return fmt.Sprintf(": %v and %v", want, got)
		}
		for i := range g {
			if way := differAny(w[i], g[i]); way != "" {
				return fmt.Sprintf("[%d]%s", i, way)
			}
		}
		return ""
	case map[string]any:
		return differObject(want, g)
	}
	if !reflect.DeepEqual(want, got) {
		return fmt.Sprintf(": %T %v and %T %v", want, want, got, got)
	}
	return ""
}

func differObject(want any, got map[string]any) string {
	w, ok := want.(map[string]any)
	if !ok || len(w) != len(got) {
		return fmt.Sprintf(": %v and %v", want, got)
	}
	for k := range got {
		if way := differAny(w[k], got[k]); way != "" {
			return fmt.Sprintf("[%q]%s", k, way)
		}
	}
	return ""
}

func bytesOf(list []any) []byte {
	b := []byte{}
	for _, n := range list {
		b = append(b, byte(n.(float64)))
	}
	return b
}
