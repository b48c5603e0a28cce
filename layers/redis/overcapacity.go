package redis

import (
	"log/slog"
	"sync/atomic"
	"time"
)

// overCapacity counts events that did not fit into the queue of a node or of a process of
// Django.
type overCapacity struct {
	count atomic.Int64
	log   rarely
}

// note notes that some of the queues of a group were full.
func (o *overCapacity) note(d *Driver, group string, full int64, queues int) {
	dropped := o.count.Add(full)
	if !o.log.now() {
		return
	}
	d.logger().Warn("wye: redis: queues were over capacity, and an event was dropped for their nodes or processes of Django; "+
		"they are too slow, or raise Options.Channels", "group", group, "full", full, "queues", queues, "dropped", dropped)
}

// rarely says when something that happens often is logged.
type rarely struct{ next atomic.Int64 } // in Unix nanoseconds

// logEvery is the least time between two of its log lines.
const logEvery = time.Minute

func (r *rarely) now() bool {
	now, next := time.Now(), r.next.Load()
	return now.UnixNano() >= next && r.next.CompareAndSwap(next, now.Add(logEvery).UnixNano())
}

func (d *Driver) logger() *slog.Logger {
	if l := d.settings.Logger; l != nil {
		return l
	}
	return slog.Default()
}
