package layers_test

import (
	"fmt"
	"sync"
	"time"
)

// chronicle is what happens in the life of a model.
type chronicle struct {
	began time.Time
	mu    struct {
		sync.Mutex
		log    []string
		wrong  []string
		sights map[string]int
	}
}

func newChronicle() *chronicle {
	c := &chronicle{began: time.Now()}
	c.mu.sights = make(map[string]int)
	return c
}

func (c *chronicle) logf(format string, args ...any) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.mu.log = append(c.mu.log, fmt.Sprintf("%12v  ", time.Since(c.began))+fmt.Sprintf(format, args...))
}

func (c *chronicle) wrongf(format string, args ...any) {
	c.logf("WRONG: "+format, args...)
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.mu.wrong) < 5 { // more would say no more
		c.mu.wrong = append(c.mu.wrong, fmt.Sprintf(format, args...))
	}
}

func (c *chronicle) saw(sight string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.mu.sights[sight]++
}
