package redis

// Driver connects a layer to those of other processes over Redis. Pass it to layers.Open
// once.
type Driver struct {
	options Options
}

// New returns a driver with these options. The zero Options are valid. Mistakes in them are
// errors of layers.Open.
func New(o Options) *Driver { return &Driver{options: o} }
