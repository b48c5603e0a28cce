package table_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/wye-go/wye/layers/internal/table"
)

func TestTable(t *testing.T) {
	t.Parallel()
	const many = 1000
	var names table.Table[int]
	var want []string
	for i := 1; i <= many; i++ {
		name := fmt.Sprint("name", i)
		s := names.Shard(name)
		if s.Get(name) != 0 {
			t.Errorf("%s has a value before Put", name)
		}
		s.Put(name, i)
		want = append(want, name)
	}
	got := names.Names()
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("%d names, want %d", len(got), many)
	}
	if v, ok := names.Get("name7"); v != 7 || !ok {
		t.Errorf("name7 is %d, %t", v, ok)
	}
	for i := range names {
		for name := range names[i].All {
			names[i].Delete(name)
		}
	}
	if _, ok := names.Get("name7"); ok || len(names.Names()) > 0 {
		t.Error("something is left after all were deleted")
	}
}
