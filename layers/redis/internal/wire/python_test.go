package wire

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/wye-go/wye/internal/testkit"
	"github.com/wye-go/wye/layers/driver"
	"github.com/wye-go/wye/protocol"
)

// python is a process of Python that answers requests: see testdata/peer.py.
type python struct {
	in  io.Writer
	out *bufio.Reader
}

func startPython(t *testing.T) *python {
	t.Helper()
	cmd := exec.Command("/usr/bin/python3", "testdata/peer.py")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatalf("%v; make deps installs what the tests need", err)
	}
	t.Cleanup(func() {
		in.Close()
		if err := cmd.Wait(); err != nil {
			t.Errorf("Python: %v; make deps installs python3-channels-redis, which the tests need\n%s", err, &stderr)
		}
	})
	return &python{in, bufio.NewReader(out)}
}

// ask returns the words of an answer.
func (p *python) ask(t *testing.T, request ...string) []string {
	t.Helper()
	if _, err := io.WriteString(p.in, strings.Join(request, " ")+"\n"); err != nil {
		t.Fatal(err)
	}
	line, err := p.out.ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	words := strings.Fields(line)
	if words[0] != "ok" {
		t.Fatalf("Python: %s of %.300s", line, request)
	}
	return words[1:]
}

// TestPython tries random messages, in both directions, with the libraries that Django
// Channels uses.
func TestPython(t *testing.T) {
	t.Parallel()
	p := startPython(t)
	pythonKeepsTheLast(t, p)
	first, last := testkit.Seeds(t, 100)
	for seed := first; seed <= last && !t.Failed(); seed++ {
		r := rand.New(rand.NewPCG(seed, 0))
		pythonReads(t, p, r)
		pythonWrites(t, p, seed)
		pythonEncrypts(t, p, r, seed)
		pythonHashes(t, p, r)
		if t.Failed() {
			t.Logf("seed %d", seed)
		}
	}
}

// pythonReads has Python read what this package writes, a mark included.
func pythonReads(t *testing.T, p *python, r *rand.Rand) {
	t.Helper()
	for decoder, serializer := range map[string]string{"msgpack": MsgPack, "fallback": MsgPack, "json": JSON} {
		f := randomFields(r, serializer == MsgPack)
		m := driver.Message{Event: event("t"+randomText(r), f)}
		if r.IntN(2) == 0 {
			m.Mark = "wye1:" + randomText(r)
		}
		b, err := newCodec(t, serializer).Append(nil, &m)
		if err != nil {
			t.Errorf("%v: %v", f, err)
			continue
		}
		f["type"] = m.Event.Type()
		if got := p.ask(t, "describe", decoder, hex.EncodeToString(b))[0]; got != describe(f) {
			t.Errorf("%s: %q was read by Python as\n%s, want\n%s", decoder, b, got, describe(f))
		}
	}
}

// pythonWrites has Python write messages, which are read and written again.
func pythonWrites(t *testing.T, p *python, seed uint64) {
	t.Helper()
	for _, serializer := range []string{MsgPack, JSON} {
		answer := p.ask(t, "generate", serializer, fmt.Sprint(seed))
		wantDescribed(t, newCodec(t, serializer), unhex(t, answer[0]), answer[1])
	}
}

// wantDescribed wants b to be read as what want describes, and to be written as b again.
func wantDescribed(t *testing.T, c *Codec, b []byte, want string) {
	t.Helper()
	m, err := c.Parse(b)
	if err != nil {
		t.Errorf("%q: %v", b, err)
		return
	}
	f := fieldsOf(t, m.Event)
	f["type"] = m.Event.Type()
	isList := bytes.Contains(b, []byte("__asgi_channel__\x91")) || bytes.Contains(b, []byte(`"__asgi_channel__": [`))
	switch {
	case isList:
		list := []any{}
		for _, c := range m.Channels {
			list = append(list, c)
		}
		f["__asgi_channel__"] = list
	case len(m.Channels) == 1:
		f["__asgi_channel__"] = m.Channels[0]
	case len(m.Channels) > 1:
		f["__asgi_channel__"] = []any{m.Channels[0], m.Channels[1]}
	}
	if got := describe(f); got != want {
		t.Errorf("%q was read as\n%s, want\n%s", b, got, want)
	}
	again, err := c.Append(nil, &m)
	if err != nil || !bytes.Equal(again, b) && (!isList || len(m.Channels) > 1) {
		t.Errorf("%q was written again as\n%q (%v)", b, again, err)
	}
}

// pythonEncrypts exchanges encrypted messages, whose keys are rotated.
func pythonEncrypts(t *testing.T, p *python, r *rand.Rand, seed uint64) {
	t.Helper()
	old, current := fmt.Sprintf("old%x", r.Uint64()), fmt.Sprintf("nouvelle-clé%x", r.Uint64())
	answer := p.ask(t, "encrypt", fmt.Sprint(seed), old)
	c := newCodec(t, MsgPack, current, old)
	plain, err := c.Open(unhex(t, answer[0]), time.Hour)
	if err != nil {
		t.Errorf("%v", err)
		return
	}
	wantDescribed(t, newCodec(t, MsgPack), plain, answer[1])
	if t.Failed() {
		return
	}
	f := randomFields(r, true)
	token, err := c.Append(nil, &driver.Message{Event: event("x", f)})
	if err != nil {
		t.Fatal(err)
	}
	f["type"] = "x"
	if got := p.ask(t, "decrypt", hex.EncodeToString(token), old, current)[0]; got != describe(f) {
		t.Errorf("Python decrypted\n%s, want\n%s", got, describe(f))
	}
	now := time.Now().Add(time.Duration(r.IntN(200)-100) * time.Second)
	ttl := r.IntN(100) + 1
	c.now = func() time.Time { return now }
	verdict := p.ask(t, "age", hex.EncodeToString(token), current, fmt.Sprint(ttl), fmt.Sprint(now.Unix()))[0]
	if _, err := c.Open(token, time.Duration(ttl)*time.Second); (err == nil) != (verdict == "valid") {
		t.Errorf("at %v with a TTL of %d s: %v, but Python says %s", now, ttl, err, verdict)
	}
}

func pythonHashes(t *testing.T, p *python, r *rand.Rand) {
	t.Helper()
	name, n := fmt.Sprintf("group-%d", r.Uint64()), r.IntN(4096)+1
	if got, want := fmt.Sprint(Shard(name, n)), p.ask(t, "shard", name, fmt.Sprint(n))[0]; got != want {
		t.Errorf("%s is on server %s of %d, but Python says %s", name, got, n, want)
	}
}

// describe describes a value as testdata/peer.py does.
func describe(v any) string {
	switch v := v.(type) {
	case nil:
		return "None"
	case bool:
		return map[bool]string{true: "True", false: "False"}[v]
	case float64:
		if math.IsNaN(v) {
			return "nan"
		}
		return fmt.Sprintf("f%016x", math.Float64bits(v))
	case string:
		return "s" + hex.EncodeToString([]byte(v))
	case []byte:
		return "b" + hex.EncodeToString(v)
	case []any:
		var all []string
		for _, x := range v {
			all = append(all, describe(x))
		}
		return "[" + strings.Join(all, ",") + "]"
	case fields:
		var all []string
		for k, x := range v {
			all = append(all, describe(k)+":"+describe(x))
		}
		slices.Sort(all)
		return "{" + strings.Join(all, ",") + "}"
	}
	return fmt.Sprint(v)
}

func randomText(r *rand.Rand) string {
	var b strings.Builder
	for range []int{0, 1, 5, 40, 300}[r.IntN(5)] {
		kind := [][2]int{{0, 32}, {32, 127}, {127, 0x800}, {0x800, 0xd800}, {0x10000, 0x110000}}[r.IntN(5)]
		b.WriteRune(rune(kind[0] + r.IntN(kind[1]-kind[0])))
	}
	return b.String()
}

func randomFields(r *rand.Rand, withBytes bool) fields {
	f := fields{}
	for range []int{0, 1, 3, 20}[r.IntN(4)] {
		f["k"+randomText(r)] = randomValue(r, withBytes, 0)
	}
	return f
}

func randomValue(r *rand.Rand, withBytes bool, depth int) any {
	kinds := 11
	if depth == 4 {
		kinds = 9
	}
	switch r.IntN(kinds) {
	case 0:
		return nil
	case 1:
		return r.IntN(2) == 0
	case 2:
		return r.Uint64() >> r.IntN(64)
	case 3:
		return -int64(r.Uint64() >> r.IntN(64))
	case 4:
		return math.Float64frombits(r.Uint64())
	case 5:
		return float64(r.IntN(2e9)-1e9) / 1000
	case 6:
		if withBytes {
			return binary.BigEndian.AppendUint64(nil, r.Uint64())[r.IntN(9):]
		}
		fallthrough
	case 7, 8:
		return randomText(r)
	case 9:
		l := []any{}
		for range []int{0, 1, 3, 20}[r.IntN(4)] {
			l = append(l, randomValue(r, withBytes, depth+1))
		}
		return l
	default:
		f := fields{}
		for range []int{0, 1, 3, 20}[r.IntN(4)] {
			f[randomText(r)] = randomValue(r, withBytes, depth+1)
		}
		return f
	}
}

// pythonKeepsTheLast: of equal keys, all decoders of Python keep the last, on which a mark
// depends.
func pythonKeepsTheLast(t *testing.T, p *python) {
	t.Helper()
	m := driver.Message{Event: protocol.EventType[fields]{Name: "chat.message"}.New(fields{"text": "hi"}), Mark: "wye1:NODE"}
	const want = "{s74657874:s6869,s74797065:s636861742e6d657373616765}"
	for decoder, serializer := range map[string]string{"msgpack": MsgPack, "fallback": MsgPack, "json": JSON} {
		b, err := newCodec(t, serializer).Append(nil, &m)
		if err != nil {
			t.Fatal(err)
		}
		if got := p.ask(t, "describe", decoder, hex.EncodeToString(b))[0]; got != want {
			t.Errorf("%s read %q as %s, want %s", decoder, b, got, want)
		}
	}
}
