package redis

import (
	"cmp"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/wye-go/wye/layers/driver"
	"github.com/wye-go/wye/protocol"
)

// sinceLayout is how scripts see Presence.Since: texts are ordered as the times are.
const sinceLayout = "2006-01-02T15:04:05.000000000Z"

// presenceMessages are the messages about a presence that a script may publish. Their mark is
// not that of a node, so that all nodes deliver them.
type presenceMessages struct{ entered, changed, exited string }

// presenceMessages encodes the events about p.
func (d *Driver) presenceMessages(group string, p driver.Presence) (m presenceMessages, err error) {
	for _, row := range []struct {
		to  *string
		typ protocol.EventType[driver.PresenceEvent]
	}{{&m.entered, driver.Entered}, {&m.changed, driver.Changed}, {&m.exited, driver.Exited}} {
		e := row.typ.New(driver.PresenceEvent{Group: group, Presence: p})
		b, err := d.codec.Append(nil, &driver.Message{Event: e, Mark: markPrefix})
		if err != nil {
			return presenceMessages{}, err
		}
		*row.to = string(b)
	}
	return m, nil
}

// metaID returns what identifies metadata in a record, without telling more about it if
// messages are encrypted.
func (d *Driver) metaID(meta []byte) string {
	secret := ""
	if d.isEncrypted() {
		secret = d.settings.EncryptionKeys[0]
	}
	h := hmac.New(sha256.New, []byte("wye:"+secret))
	h.Write(meta)
	return base64.RawStdEncoding.EncodeToString(h.Sum(nil)[:12])
}

// since returns p.Since as the scripts see it.
func since(p driver.Presence) string { return p.Since.UTC().Format(sinceLayout) }

var errRecord = errors.New("it is no record of a presence")

// parsePresence parses a record, whose form is described where the scripts are.
func (d *Driver) parsePresence(record string) (driver.Presence, error) {
	fields := strings.SplitN(record, "\n", 6)
	if len(fields) < 6 {
		return driver.Presence{}, errRecord
	}
	length, err := strconv.Atoi(fields[4])
	if err != nil || length < 0 || length > len(fields[5]) {
		return driver.Presence{}, errRecord
	}
	plain, err := d.codec.Open(bytesOf(fields[5][length:]), 0)
	if err != nil {
		return driver.Presence{}, err
	}
	m, err := d.codec.Parse(plain)
	if err != nil {
		return driver.Presence{}, err
	}
	v, err := driver.Exited.Payload(m.Event)
	return v.Presence, err
}

// parsePresences parses records, and orders what they hold. Those that cannot be decoded are
// counted.
func (d *Driver) parsePresences(group string, records []string) []driver.Presence {
	all := make([]driver.Presence, 0, len(records))
	for _, record := range records {
		p, err := d.parsePresence(record)
		if err != nil {
			d.malformed.note(d, packet{name: group, message: bytesOf(record)}, err)
			continue
		}
		all = append(all, p)
	}
	slices.SortFunc(all, func(a, b driver.Presence) int {
		return cmp.Or(a.Since.Compare(b.Since), cmp.Compare(a.ID, b.ID))
	})
	return all
}

func parseSince(text string) (time.Time, error) { return time.Parse(sinceLayout, text) }
