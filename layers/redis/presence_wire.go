package redis

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"strings"
	"time"
	"unsafe"

	"github.com/wye-go/wye/layers/driver"
	"github.com/wye-go/wye/layers/redis/internal/wire"
	"github.com/wye-go/wye/protocol"
)

// A record of a presence has the parts that scripts need at fixed places, and then what follows the
// group in the message that the key has exited: see presence_common.lua.
const (
	sinceLen   = 12
	metaIDLen  = 8
	lengthsAt  = 1 + sinceLen + metaIDLen // of the lease (1 byte), the linger (1) and the key (2)
	recordHead = lengthsAt + 4

	inMessagePack, inJSON, encrypted = 'm', 'j', 'e' // formats of the message
)

// presenceMark is the mark of messages about presences. It is not that of a node, so that all
// nodes deliver them.
const presenceMark = markPrefix

// presenceRecord is a presence as the script needs it that enters it.
type presenceRecord struct {
	record           string
	entered, changed string // the messages, if they are encrypted: the script cannot make them
}

// encodePresence encodes p for the script.
func (d *Driver) encodePresence(group, lease string, p driver.Presence) (r presenceRecord, err error) {
	v := driver.PresenceEvent{Group: group, Presence: p}
	format, rest := byte(encrypted), ""
	if d.isEncrypted() {
		r.entered, err = d.presenceMessage(driver.Entered, v)
		if err == nil {
			r.changed, err = d.presenceMessage(driver.Changed, v)
		}
		if err == nil {
			rest, err = d.presenceMessage(driver.Exited, v)
		}
	} else {
		format, rest, err = d.presenceRest(v)
	}
	if err != nil {
		return presenceRecord{}, err
	}
	b := make([]byte, 0, recordHead+len(lease)+len(p.Key)+len(rest))
	b = appendSince(append(b, format), p.Since)
	b = d.appendMetaID(b, p.Meta)
	b = append(b, byte(len(lease)), 0)                       //nolint:gosec // the name of a node and a number
	b = binary.BigEndian.AppendUint16(b, uint16(len(p.Key))) //nolint:gosec // at most driver.MaxKey
	b = append(append(append(b, lease...), p.Key...), rest...)
	r.record = unsafe.String(unsafe.SliceData(b), len(b)) //nolint:gosec // nothing else has b
	return r, nil
}

// presenceMessage encodes an event about a presence.
func (d *Driver) presenceMessage(typ protocol.EventType[driver.PresenceEvent], v driver.PresenceEvent) (string, error) {
	b, err := d.codec.Append(nil, &driver.Message{Event: typ.New(v), Mark: presenceMark})
	return string(b), err
}

// presenceRest returns what follows the group in the messages about a presence.
func (d *Driver) presenceRest(v driver.PresenceEvent) (format byte, rest string, err error) {
	var whole, start string
	if d.settings.Serializer == wire.JSON {
		format, start = inJSON, presenceStart(inJSON, driver.Exited.Name, v.Group)
		whole, err = d.presenceMessage(driver.Exited, v)
	} else {
		var fields []byte
		fields, err = driver.Payload(driver.Exited.New(v))
		format, start, whole = inMessagePack, "\x82"+packedText("group")+packedText(v.Group), string(fields)
	}
	if err != nil {
		return 0, "", err
	}
	rest, ok := strings.CutPrefix(whole, start)
	if !ok {
		return 0, "", errStart
	}
	return format, rest, nil
}

var errStart = errors.New("wye: redis: a message about a presence does not start as it should; is the name of the group a valid one?")

// presenceStart is what a message about a presence starts with that is not encrypted, up to the
// rest of the record. The scripts write the same.
func presenceStart(format byte, typ, group string) string {
	if format == inJSON {
		return `{"type": "` + presenceMark + `", "type": "` + typ + `", "group": "` + group + `", `
	}
	return "\x84" + packedText("type") + packedText(presenceMark) + packedText("type") + packedText(typ) +
		packedText("group") + packedText(group)
}

// packedText returns a short text in MessagePack.
func packedText(text string) string {
	const fix, long = 0xa0, 0xd9
	if len(text) < 32 {
		return string([]byte{fix | byte(len(text))}) + text //nolint:gosec // it is short
	}
	return string([]byte{long, byte(len(text))}) + text //nolint:gosec // at most driver.MaxName
}

// appendMetaID appends what identifies metadata in a record, without telling more about it if
// messages are encrypted.
func (d *Driver) appendMetaID(b, meta []byte) []byte {
	if !d.isEncrypted() {
		sum := sha256.Sum256(meta)
		return append(b, sum[:metaIDLen]...)
	}
	h := hmac.New(sha256.New, []byte("wye:"+d.settings.EncryptionKeys[0]))
	h.Write(meta)
	return append(b, h.Sum(nil)[:metaIDLen]...)
}

const signBit = 1 << 63

// appendSince appends a time so that bytes are ordered as the times are.
func appendSince(b []byte, t time.Time) []byte {
	b = binary.BigEndian.AppendUint64(b, uint64(t.Unix())^signBit)  //nolint:gosec // all bits are kept
	return binary.BigEndian.AppendUint32(b, uint32(t.Nanosecond())) //nolint:gosec // it is not negative
}

// parseSince parses what appendSince has appended.
func parseSince(s string) time.Time {
	b := bytesOf(s)
	sec := int64(binary.BigEndian.Uint64(b) ^ signBit) //nolint:gosec // all bits are kept
	return time.Unix(sec, int64(binary.BigEndian.Uint32(b[8:]))).UTC()
}
