package admission

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wye-go/wye/internal/testkit"
)

func TestBatchSize(t *testing.T) {
	t.Parallel()
	rows := []struct {
		at       testkit.Line
		deadline time.Duration // 0: none
		n        int
		want     int
	}{
		{testkit.Here(), 0, 0, 5},
		{testkit.Here(), 0, 1000, 5},
		{testkit.Here(), 0, 1_000_000, 5},
		{testkit.Here(), 10 * time.Second, 100, 5},
		{testkit.Here(), 10 * time.Second, 3000, 5},
		{testkit.Here(), 10 * time.Second, 75_000, 101},
		{testkit.Here(), time.Second, 1000, 14},
		{testkit.Here(), 40 * time.Millisecond, 30, 11},
		{testkit.Here(), 5 * time.Millisecond, 1000, 1001},
		{testkit.Here(), -time.Second, 1000, 1001},
		{testkit.Here(), time.Hour, 1_000_000, 5},
	}
	for _, row := range rows {
		synctest.Test(t, func(t *testing.T) {
			ctx := t.Context()
			if row.deadline != 0 {
				var cancel context.CancelFunc
				ctx, cancel = context.WithTimeout(ctx, row.deadline)
				defer cancel()
			}
			got := batchSize(ctx, row.n)
			if got != row.want {
				t.Errorf("%s: got batches of %d, want %d", row.at, got, row.want)
			}
			if row.deadline > 10*time.Millisecond { // all of them fit into three quarters of it
				rounds := (row.n + got - 1) / got
				if all := batchInterval * time.Duration(rounds); all > row.deadline/4*3 {
					t.Errorf("%s: %d rounds take %v, which is too long", row.at, rounds, all)
				}
			}
		})
	}
}
