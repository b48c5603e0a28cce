package app

import (
	"context"
	"strings"

	"github.com/wye-go/wye/layers"
	"github.com/wye-go/wye/layers/redis"
)

// OpenLayer opens the layer for URLs with spaces between them: those of Redis servers, whose
// scheme may have "+core" for the core backend, or "" for a layer within this process.
func OpenLayer(ctx context.Context, urls string) (*layers.Layer, error) {
	if urls == "" {
		return layers.NewLocal(nil), nil
	}
	return layers.Open(ctx, redis.New(redis.OptionsFor(strings.Fields(urls)...)))
}
