// Package errtext puts the texts of errors together so that nothing is said twice.
package errtext

import "strings"

// prefix begins the text of each error of Wye.
const prefix = "wye: "

// Inner returns the text of err as the end of another text of Wye: without the prefix
// that the whole has already.
func Inner(err error) string { return strings.TrimPrefix(err.Error(), prefix) }

// Wrap returns an error with the text of text and err, a colon between them, that wraps
// err. text begins with the prefix.
func Wrap(text string, err error) error { return &wrapped{text: text, err: err} }

type wrapped struct {
	text string
	err  error
}

func (w *wrapped) Error() string { return w.text + ": " + Inner(w.err) }

func (w *wrapped) Unwrap() error { return w.err }
