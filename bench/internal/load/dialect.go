package load

import (
	"bytes"
	"fmt"
)

// dialect is what is around the messages. The zero value is nothing.
type dialect struct {
	greeting, answer string // what a connection sends first, and how the answer starts
	before, after    string // a message that is sent
	start, end       string // a message that is received
}

var dialects = map[Dialect]*dialect{
	"":    {},
	Plain: {},
	Centrifuge: {
		greeting: `{"id":1,"connect":{}}`, answer: `{"id":1,"connect":{`,
		before: `{"send":{"data":"`, after: `"}}`,
		start: `{"push":{"channel":"bench","pub":{"data":"`, end: `"}}}`,
	},
}

// line separates the messages in a frame.
var line = []byte("\n")

// each calls message for each of the messages in a frame.
func (d *dialect) each(payload []byte, message func([]byte) error) error {
	if d.start == "" {
		return message(payload)
	}
	for one := range bytes.SplitSeq(payload, line) {
		if len(one) == 0 {
			continue // behind the last one
		}
		if err := message(one); err != nil {
			return err
		}
	}
	return nil
}

// strip returns what is in a message.
func (d *dialect) strip(message []byte) ([]byte, error) {
	if d.start == "" {
		return message, nil
	}
	inner, ok := bytes.CutPrefix(message, []byte(d.start))
	inner, also := bytes.CutSuffix(inner, []byte(d.end))
	if !ok || !also {
		return nil, fmt.Errorf("unexpected message %.100q", message)
	}
	return inner, nil
}
