package engine

// wrote tells that the writer, who calls it, has written n bytes of what the queue has
// returned. If there is no more, the caller has given up the right to write.
func (c *Conn) wrote(n int) (more bool) {
	p := c.out.wrote(n, c.session)
	if p.drained {
		c.session.Drained()
	}
	if p.finished {
		c.finishClose()
	}
	return p.more
}
