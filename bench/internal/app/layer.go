package app

import (
	"context"
	"fmt"
	"strings"

	"github.com/wye-go/wye/layers"
	"github.com/wye-go/wye/layers/redis"
)

// OpenLayer opens the layer for a URL: that of a Redis server, whose scheme may have "+core"
// for the core backend, or "" for a layer within this process.
func OpenLayer(ctx context.Context, url string) (*layers.Layer, error) {
	if url == "" {
		return layers.NewLocal(nil), nil
	}
	scheme, _, _ := strings.Cut(url, "://")
	switch strings.TrimSuffix(scheme, "+core") {
	case "redis", "rediss", "unix", "redis+sentinel", "rediss+sentinel":
		return layers.Open(ctx, redis.New(redis.OptionsFor(url)))
	}
	return nil, fmt.Errorf("layer %q: the scheme %q is unknown; want redis, rediss, unix, redis+sentinel or rediss+sentinel, "+
		"or one of them with +core", url, scheme)
}
