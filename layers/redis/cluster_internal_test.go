package redis

import (
	"testing"

	"github.com/wye-go/wye/internal/testkit"
)

func TestSlotOf(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		at   testkit.Line
		tag  string
		want uint16 // as CLUSTER KEYSLOT says
	}{
		{testkit.Here(), "", 0}, {testkit.Here(), "foo", 12182}, {testkit.Here(), "bar", 5061}, {testkit.Here(), "123456789", 12739},
	} {
		if got := slotOf(row.tag); got != row.want {
			t.Errorf("%s: the slot of %q is %d, want %d", row.at, row.tag, got, row.want)
		}
	}
}

// TestTags: the tags are different, and the slots of each number of partitions are spread evenly.
func TestTags(t *testing.T) {
	t.Parallel()
	for _, n := range []int{1, 3, 16, maxPartitions} {
		for i, tag := range tagsOf(n) {
			if at := int(slotOf(tag)) * n / slots; at != i {
				t.Errorf("tag %d of %d is %q, whose slot is in part %d", i, n, tag, at)
			}
		}
	}
}
