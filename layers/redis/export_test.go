package redis

// Kill ends the driver as the end of its process does.
func (d *Driver) Kill() {
	d.cancel()
	d.running.Wait()
}

// AppendText is the script that appends to a history.
//
//nolint:gochecknoglobals // a constant
var AppendText = appendText
