package peer

import "testing"

func TestParsePath(t *testing.T) {
	for path, want := range map[string]Path{
		"/echo": {kind: "echo"}, "/sleep": {kind: "sleep"}, "/work": {kind: "work"},
		"/room/a": {"room", "a"}, "/member/a": {"member", "a"},
	} {
		if got, ok := ParsePath(path); !ok || got != want {
			t.Errorf("%s: got %+v, %v, want %+v", path, got, ok, want)
		}
	}
	for _, path := range []string{"", "/", "/nope", "/room", "/room/", "/member/", "/echo/x", "/events/a"} {
		if got, ok := ParsePath(path); ok {
			t.Errorf("%s: got %+v, want none", path, got)
		}
	}
}

func TestRooms(t *testing.T) {
	var r Rooms[int]
	for c := range 3 {
		r.Join("a", c)
		r.Join("", c)
	}
	r.Join("b", 9)
	r.Leave("a", 1)
	r.Leave("b", 9)
	r.Leave("nowhere", 9)
	sum, n := 0, 0
	r.Each("a", func(c int) { sum += c; n++ })
	if n != 2 || sum != 2 {
		t.Errorf("%d members, sum %d, want 0 and 2", n, sum)
	}
	if len(r.by) != 1 {
		t.Errorf("rooms %v, want only a", r.by)
	}
}
