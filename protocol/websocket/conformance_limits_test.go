package websocket_test

import (
	"fmt"
	"slices"
	"sync"

	"github.com/wye-go/wye/internal/testkit"
	"github.com/wye-go/wye/protocol/websocket/websockettest"
)

// Autobahn's sizes and counts of families 9 and 10 where they can be had in some
// seconds under the race detector; where not, they are scaled down:
//
//   - 9.3 and 9.4 cut 4 MiB into fragments of up to 4 MiB. Here it is 1 MiB for
//     both, of which the smallest fragments are still 16384.
//   - 9.7 and 9.8 send 1000 messages and wait for each. Here it is 200.
const (
	largest     = 16 << 20
	fragmentsOf = 1 << 20
)

const comesBack = "5.2 and 5.4: a message comes back as it was, whatever its size and its pieces"

// once says a message, and hears it.
func once(first byte, body string) step {
	return say(frame(first, body)).hear(websockettest.Frame{First: first, Payload: body})
}

// limitTrials are 9.1 and 9.2: large messages.
func limitTrials() []trial {
	var trials []trial
	for i, k := range kinds() {
		body := sync.OnceValue(func() string { return k.of(largest) }) // that of the others is its beginning
		for j, size := range []int{64 << 10, 256 << 10, 1 << 20, 4 << 20, 8 << 20, largest} {
			trials = append(trials, trial{
				at: testkit.Here(), number: fmt.Sprintf("9.%d.%d", 1+i, j+1), rule: comesBack,
				build: func() []step { return []step{once(k.first, body()[:size])} },
			})
		}
	}
	return trials
}

// fragmentSizeTrials are 9.3 and 9.4, and 10.1.1.
func fragmentSizeTrials() []trial {
	pieces := func(k kind, size, piece int) func() []step {
		return func() []step {
			body := k.of(size)
			return []step{say(fragments(k.first, body, piece)...).hear(websockettest.Frame{First: k.first, Payload: body})}
		}
	}
	trials := []trial{{
		at: testkit.Here(), number: "10.1.1", rule: comesBack, build: pieces(kinds()[0], 65536, 1300),
	}}
	for i, k := range kinds() {
		for j, size := range []int{64, 256, 1 << 10, 4 << 10, 16 << 10, 64 << 10, 256 << 10, 512 << 10, 1 << 20} {
			trials = append(trials, trial{
				at: testkit.Here(), number: fmt.Sprintf("9.%d.%d", 3+i, j+1), rule: comesBack, build: pieces(k, fragmentsOf, size),
			})
		}
	}
	return trials
}

// chopTrials are 9.5 and 9.6: a large message in small writes.
func chopTrials() []trial {
	var trials []trial
	for i, k := range kinds() {
		for j, chop := range []int{64, 128, 256, 512, 1024, 2048} {
			trials = append(trials, trial{
				at: testkit.Here(), number: fmt.Sprintf("9.%d.%d", 5+i, j+1), rule: comesBack,
				build: func() []step { return []step{once(k.first, k.of(1<<20)).in(chop)} },
			})
		}
	}
	return trials
}

// roundTripTrials are 9.7 and 9.8: many messages, each of which is waited for.
func roundTripTrials() []trial {
	var trials []trial
	for i, k := range kinds() {
		for j, size := range []int{0, 16, 64, 256, 1 << 10, 4 << 10} {
			trials = append(trials, trial{
				at: testkit.Here(), number: fmt.Sprintf("9.%d.%d", 7+i, j+1), rule: comesBack,
				build: func() []step {
					return slices.Repeat([]step{once(k.first, k.of(size))}, testkit.Count(200, 20))
				},
			})
		}
	}
	return trials
}
