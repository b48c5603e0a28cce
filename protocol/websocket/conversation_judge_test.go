package websocket

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"

	"github.com/gobwas/ws"

	"github.com/wye-go/wye/protocol"
	"github.com/wye-go/wye/protocol/websocket/internal/frametest"
)

// judge returns what is wrong with a conversation, in which the client's bytes
// mean want.
func (c *conversation) judge(want *frametest.Reference) error {
	out, _, shut := c.wire.written()
	heardByClient, closed, err := serverFrames(out)
	switch {
	case err != nil:
		return err
	case c.wire.wrong != nil:
		return c.wire.wrong
	case len(c.app.faults) > 0:
		return fmt.Errorf("%q", c.app.faults)
	case len(c.app.ends) != 1:
		return fmt.Errorf("Disconnect %d times: %+v", len(c.app.ends), c.app.ends)
	case !shut || c.left != 0:
		return fmt.Errorf("the socket is closed: %v; %d connections are left", shut, c.left)
	case c.stats.Open != 0 || c.stats.Accepted != 1 || len(c.statuses) > 0:
		return fmt.Errorf("%+v; statuses %v", c.stats, c.statuses)
	}
	v := judgement{conversation: c, want: want, closed: closed}
	v.sort(heardByClient)
	for _, check := range []func() error{v.ended, v.received, v.echoed, v.besides, v.closedWith, v.hungUp} {
		if err := check(); err != nil {
			return fmt.Errorf("%w\nthe server has sent %q, closed with %q and ended with %+v", err, heardByClient, closed, c.app.ends[0])
		}
	}
	return nil
}

// judgement is what a conversation is judged by.
type judgement struct {
	*conversation
	want   *frametest.Reference
	closed []byte // payload of the server's close frame; nil: there was none

	wanted  []frametest.Item // echoes and pongs, up to the client's end
	through int              // so many of wanted come before the application's end, if it has one
	acts    bool             // the application's end is due

	end   protocol.CloseStatus // how it ended
	byApp bool                 // as the application ends it
	came  []frametest.Item     // echoes and pongs
	own   []string             // what the goroutine of its own has sent
}

// sort says what should have come, and sorts what has.
func (v *judgement) sort(got []frametest.Item) {
	messages := 0
	for _, it := range v.want.Items {
		switch {
		case it.OpCode == ws.OpPing:
			v.wanted = append(v.wanted, frametest.Item{OpCode: ws.OpPong, Data: it.Data})
		case it.IsMessage():
			v.wanted = append(v.wanted, frametest.Item{OpCode: it.OpCode, Data: "e" + it.Data})
			if messages == v.plan.at && v.plan.act != actNone {
				v.acts, v.through = true, len(v.wanted)
			}
			messages++
		}
	}
	for _, it := range got {
		if it.OpCode == ws.OpText && it.Data[:min(1, len(it.Data))] == "s" {
			v.own = append(v.own, it.Data)
		} else {
			v.came = append(v.came, it)
		}
	}
}

// complete reports whether everything that was sent must have been written: the
// line is not cut while somebody still writes.
func (v *judgement) complete() bool {
	return v.plan.waits || v.plan.exact() && v.plan.besides == 0
}

// ended compares how it ended: as the application says or as the client's bytes
// do, whichever comes first.
func (v *judgement) ended() error {
	v.end = v.app.ends[0]
	cause := v.end.Err
	v.end.Err = nil
	ours, theirs := v.plan.theirEnd(), v.want.End
	switch {
	case v.acts && v.end == ours:
		v.byApp = true
		return nil
	case v.acts && v.plan.exact():
		return fmt.Errorf("want the end %+v", ours)
	}
	if theirs.Code == protocol.CloseAbnormal && cause == nil {
		return errors.New("no cause of an abnormal end")
	}
	if !theirs.Remote { // the text is ours to choose
		theirs.Reason = v.end.Reason
	}
	if v.end != theirs {
		return fmt.Errorf("want the end %+v", theirs)
	}
	return nil
}

// received compares what the application has got: everything that was said
// before an end that is not ours, and nothing else; and nothing behind the message
// over which it has ended the connection itself, also if the client has before. The
// rest is counted.
func (v *judgement) received() error {
	got, said := v.app.heard, only(v.want.Items, frametest.Item.IsMessage)
	if !leads(got, said) {
		return fmt.Errorf("the application has got %q", got)
	}
	heardOut := v.want.End.Remote || v.want.End.Code == protocol.CloseAbnormal
	least, most := len(said), len(said)
	switch elsewhere := v.plan.act == actCloseElsewhere; {
	case v.acts && elsewhere && !v.plan.exact():
		least = v.plan.at + 1 // nobody knows when
	case v.acts:
		least, most = v.plan.at+1, v.plan.at+1
	}
	if !v.byApp && !heardOut && !v.plan.exact() {
		least = 0 // the client has broken the rules
	}
	switch unread := len(said) - len(got); {
	case len(got) < least || len(got) > most:
		return fmt.Errorf("the application has got %d messages, want %d to %d", len(got), least, most)
	case v.stats.MessagesUnread != int64(unread):
		return fmt.Errorf("%d messages counted as unread, want %d", v.stats.MessagesUnread, unread)
	}
	return nil
}

// echoed compares echoes and pongs. There is one order where that is certain;
// otherwise pongs may pass echoes, and those that no callback sent in time are
// missing.
func (v *judgement) echoed() error {
	pong := func(it frametest.Item) bool { return it.OpCode == ws.OpPong }
	echo := func(it frametest.Item) bool { return !pong(it) }
	pongs, echoes := only(v.came, pong), only(v.came, echo)
	switch {
	case v.plan.exact() && !leads(v.came, v.wanted), !leads(pongs, only(v.wanted, pong)), !leads(echoes, only(v.wanted, echo)):
		return fmt.Errorf("echoes and pongs are %q, want %q", v.came, v.wanted)
	case !v.complete():
		return nil
	case v.byApp && len(echoes) <= v.plan.at:
		return errors.New("the echo before the application's close is missing")
	case v.byApp && v.plan.exact() && len(v.came) != v.through:
		return fmt.Errorf("%d echoes and pongs before the application's close, want %d", len(v.came), v.through)
	case v.byApp:
		return nil
	}
	allPongs, all := len(pongs) == len(only(v.wanted, pong)), len(v.came) == len(v.wanted)
	if !allPongs || !all && (v.plan.exact() || v.want.End.Code == protocol.CloseAbnormal) {
		return fmt.Errorf("%d echoes and %d pongs, want %q", len(echoes), len(pongs), v.wanted)
	}
	return nil
}

// leads reports whether all begins with some.
func leads(some, all []frametest.Item) bool {
	return len(some) <= len(all) && slices.Equal(some, all[:len(some)])
}

func only(all []frametest.Item, is func(frametest.Item) bool) (some []frametest.Item) {
	for _, it := range all {
		if is(it) {
			some = append(some, it)
		}
	}
	return some
}

// besides compares what a goroutine of its own has sent: in order, and as many
// as it was told are queued. What waited for the answer when the client closed
// is dropped, and counted.
func (v *judgement) besides() error {
	for i, s := range v.own {
		if s != aside(i) {
			return fmt.Errorf("sent from elsewhere: %q", v.own)
		}
	}
	due := v.app.sent - int(v.stats.MessagesDropped)
	if v.complete() && len(v.own) != due || len(v.own) > due || v.stats.MessagesDropped > 0 && !v.plan.early {
		return fmt.Errorf("sent from elsewhere: %q, want %d of %d", v.own, due, v.app.sent)
	}
	return nil
}

// closedWith compares the close frame. If both sides close at once it may be the
// answer to the client's.
func (v *judgement) closedWith() error {
	theirs, ours := closePayload(v.want.Reply, v.end.Reason), closePayload(v.end.Code, v.end.Reason)
	if v.want.End.Remote {
		theirs = closePayload(v.want.Reply, "")
	}
	switch {
	case v.closed == nil && !v.complete() && !v.want.End.Remote:
		return nil // the line was cut before
	case v.byApp && bytes.Equal(v.closed, ours),
		v.byApp && !v.plan.exact() && v.want.End.Remote && bytes.Equal(v.closed, theirs):
		return nil
	case v.byApp:
		return fmt.Errorf("want a close with %q", ours)
	case !bytes.Equal(v.closed, theirs) || (v.closed == nil) != (theirs == nil):
		return fmt.Errorf("want a close with %q", theirs)
	}
	return nil
}

// closePayload is that of a close frame; nil if there is none.
func closePayload(code protocol.CloseCode, reason string) []byte {
	switch code {
	case protocol.CloseAbnormal:
		return nil
	case protocol.CloseNoStatus:
		return []byte{}
	}
	return append([]byte{byte(code >> 8), byte(code)}, reason...)
}

// hungUp looks at the socket before the client has hung up: when the client has
// closed or broken the rules, the server closes its half, and lets the rest come.
func (v *judgement) hungUp() error {
	if !v.plan.waits {
		return nil
	}
	broken := !v.want.End.Remote && v.want.End.Code != protocol.CloseAbnormal
	switch {
	case v.shut:
		return errors.New("closed the socket")
	case v.half != (broken || v.want.End.Remote):
		return fmt.Errorf("closed its half: %v", v.half)
	}
	return nil
}

// serverFrames reads what a server has written: the answer, whole legal frames
// in their shortest form, text that is UTF-8, and nothing behind a close.
func serverFrames(out []byte) (frames []frametest.Item, closed []byte, err error) {
	br := bufio.NewReader(bytes.NewReader(out))
	resp, err := http.ReadResponse(br, nil)
	if err != nil {
		return nil, nil, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusSwitchingProtocols {
		return nil, nil, fmt.Errorf("answered with %d", resp.StatusCode)
	}
	rest, err := io.ReadAll(br)
	for len(rest) > 0 && err == nil {
		var it frametest.Item
		if it, rest, err = frametest.ReadServerFrame(rest); err != nil {
			return frames, nil, err
		}
		if it.OpCode == ws.OpClose {
			return frames, []byte(it.Data), frametest.CheckServerClose(it.Data, rest)
		}
		frames = append(frames, it)
	}
	return frames, nil, err
}
