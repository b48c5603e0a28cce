package protocol

import "context"

// late is the context of what is left to do after the end of a connection: it
// keeps the values of the connection's and has a deadline of its own.
type late struct {
	ctx    context.Context //nolint:containedctx // shared by the callbacks after the end
	cancel context.CancelFunc
}

func (l *late) context(of context.Context) context.Context {
	if l.ctx == nil {
		l.ctx, l.cancel = context.WithTimeout(context.WithoutCancel(of), farewell)
	}
	return l.ctx
}

func (l *late) end() { l.cancel() }
