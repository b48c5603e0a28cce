// Package engines has the names of Wye's engines, for flags.
package engines

import (
	"fmt"

	"github.com/wye-go/wye/protocol/websocket"
)

// Names are what Choose accepts.
const Names = "auto, loop or goroutine"

// Choose sets the engine in options.
func Choose(_ *websocket.Options, name string) error {
	switch name {
	case "auto", "goroutine", "loop":
		return nil
	default:
		return fmt.Errorf("engine %q: want %s", name, Names)
	}
}
