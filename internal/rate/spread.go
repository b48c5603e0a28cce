package rate

import (
	"math"
	"math/rand/v2"
	"time"
)

// Spread returns a number of seconds between d and twice d, at least 1, chosen at random:
// peers that are told to wait so long do not come back together.
func Spread(d time.Duration) int {
	least := max(1, int(math.Ceil(d.Seconds())))
	return least + rand.IntN(least+1) //nolint:gosec // it need not be secret
}
