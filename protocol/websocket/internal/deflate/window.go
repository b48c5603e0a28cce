package deflate

// Window is the last bytes of the messages in one direction, to which the next message
// may refer. The zero value is empty; it has memory only for what is in it.
type Window struct{ b []byte }

// Bytes returns what is in the window. The caller must not change it, and must not use it
// after the next call of another method.
func (w *Window) Bytes() []byte { return w.b }

// Size returns the size of the window's memory.
func (w *Window) Size() int { return cap(w.b) }

// Add adds a message. Only the last size bytes stay; size is the same at each call.
func (w *Window) Add(message []byte, size int) {
	if len(message) >= size {
		if cap(w.b) < size {
			w.b = make([]byte, 0, size) // append would take more
		}
		w.b = append(w.b[:0], message[len(message)-size:]...)
		return
	}
	if spare := len(w.b) + len(message) - size; spare > 0 {
		w.b = w.b[:copy(w.b, w.b[spare:])]
	}
	if need := len(w.b) + len(message); need > cap(w.b) {
		w.b = append(make([]byte, 0, min(max(need, 2*cap(w.b)), size)), w.b...)
	}
	w.b = append(w.b, message...)
}

// Reset empties the window and keeps its memory.
func (w *Window) Reset() { w.b = w.b[:0] }

// Clear empties the window and gives up its memory.
func (w *Window) Clear() { w.b = nil }
