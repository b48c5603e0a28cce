package layers

import (
	"context"
	"errors"
	"log/slog"
	"sync/atomic"

	"github.com/wye-go/wye/internal/logs"
)

// counters are those of [Stats].
type counters struct {
	published, unpublished, received, downs, gaps, full, unheard atomic.Int64
}

// countGiven counts an event that the driver was given, by the driver's error.
func (c *counters) countGiven(err error) {
	switch {
	case err == nil:
		c.published.Add(1)
	case errors.Is(err, ErrChannelFull):
		c.full.Add(1)
	default:
		c.unpublished.Add(1)
	}
}

// countUnheard counts what was sent to no member of this process.
func (c *counters) countUnheard(ctx context.Context, to, typ string) {
	c.unheard.Add(1)
	if log := slog.Default(); log.Enabled(ctx, slog.LevelDebug) {
		log.DebugContext(ctx, "wye: an event or message reached no member in this process", "to", logs.Cut(to), "type", logs.Cut(typ))
	}
}
