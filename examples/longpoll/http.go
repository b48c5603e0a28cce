package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"strconv"
	"time"
	"unicode/utf8"

	"github.com/wye-go/wye/protocol"
)

// What requests of the protocol look like, and their answers.

const (
	sendPath = "/send/msg/"
	getPath  = "/get/msg/"
	maxUID   = 64 // bytes
)

var (
	errNothing = errors.New("longpoll: nothing was said")
	errSilent  = errors.New("longpoll: nobody has polled for too long")
	errNewer   = protocol.Reject(http.StatusConflict, "a newer poll of this uid has taken over")
	errTooLong = protocol.Reject(http.StatusRequestEntityTooLarge, fmt.Sprintf("a text has %d bytes at the most", maxText))
)

// parse returns what is asked for, or what is wrong with it. A poll has no text.
func parse(w http.ResponseWriter, r *http.Request, origins *http.CrossOriginProtection) (uid, text string, err error) {
	sends := r.URL.Path == sendPath
	if err := allowed(r, sends, origins); err != nil {
		return "", "", err
	}
	r.Body = http.MaxBytesReader(w, r.Body, 4*maxText) // percent-encoded it is three times as long
	if err := r.ParseForm(); err != nil {
		if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
			return "", "", errTooLong
		}
		return "", "", protocol.Reject(http.StatusBadRequest, "the query or the form is malformed")
	}
	uid, text = r.Form.Get("uid"), r.Form.Get("text")
	r.Form.Del("text") // what is left describes the connection
	switch {
	case uid == "" || len(uid) > maxUID:
		return "", "", protocol.Reject(http.StatusBadRequest,
			fmt.Sprintf("say who you are, in %d bytes at the most, as in %s?uid=ann", maxUID, getPath))
	case !sends:
		text = ""
	case text == "":
		return "", "", protocol.Reject(http.StatusBadRequest, "say something, as in "+sendPath+"?uid=ann&text=hello")
	case len(text) > maxText:
		return "", "", errTooLong
	}
	if !utf8.ValidString(uid + text) { // WebSocket peers that others pass it on to would close over it
		return "", "", protocol.Reject(http.StatusBadRequest, "uid and text have to be UTF-8")
	}
	return uid, text, nil
}

// allowed looks at the method, and at where the request comes from. A page of
// another origin may neither send, which would be in the user's name, nor poll,
// which would take what is meant for the user. net/http looks at requests that
// change something, and knows GET as one that does not: hence the other method.
func allowed(r *http.Request, sends bool, origins *http.CrossOriginProtection) error {
	allow := "GET"
	if sends {
		allow = "GET, POST"
	}
	if r.Method != http.MethodGet && (!sends || r.Method != http.MethodPost) {
		return &protocol.RejectError{Status: http.StatusMethodNotAllowed, Header: http.Header{"Allow": {allow}}}
	}
	changing := r.WithContext(r.Context())
	changing.Method = http.MethodPost
	if err := origins.Check(changing); err != nil {
		return &protocol.RejectError{Status: http.StatusForbidden, Body: "a page of another origin may not send or read here", Err: err}
	}
	return nil
}

// unavailable is the answer to whom there is no room for.
func unavailable(why string) error {
	return &protocol.RejectError{Status: http.StatusServiceUnavailable, Header: http.Header{"Retry-After": {"5"}}, Body: why}
}

// gone is the answer when a connection has ended, with the codes of WebSocket.
func gone(s protocol.CloseStatus) error {
	body, err := json.Marshal(map[string]any{"code": s.Code, "reason": s.Reason})
	if err != nil {
		return err
	}
	return &protocol.RejectError{Status: http.StatusGone, Header: http.Header{"Content-Type": {"application/json"}}, Body: string(body)}
}

// checkOwn refuses headers of applications that are the protocol's own.
func checkOwn(h http.Header) error {
	for _, name := range []string{"Cache-Control", "Content-Length", "Content-Type", "X-Content-Type-Options"} {
		if _, set := h[name]; set {
			return fmt.Errorf("longpoll: %s is set by the protocol; leave it out", name)
		}
	}
	return nil
}

// refuse answers with what err says about itself, if that is for peers.
func refuse(w http.ResponseWriter, err error) {
	e := protocol.Rejection(err)
	h := w.Header()
	h.Set("Content-Type", "text/plain; charset=utf-8")
	h.Set("X-Content-Type-Options", "nosniff")
	maps.Copy(h, e.Header)
	w.WriteHeader(e.Status)
	_, _ = io.WriteString(w, e.Body+"\n") //nolint:errcheck // the peer may have gone
}

// answer writes messages, as a list in JSON: text as a string, and what is binary
// as {"bytes": base64}. The error says that they have not been written.
func answer(w http.ResponseWriter, messages []protocol.Message) error {
	list := make([]any, len(messages))
	for i, m := range messages {
		list[i] = m.Text()
		if m.Kind == protocol.KindBinary {
			list[i] = map[string][]byte{"bytes": m.Data}
		}
	}
	body, err := json.Marshal(list)
	if err != nil {
		return err
	}
	body = append(body, '\n')
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Content-Length", strconv.Itoa(len(body)))
	c := http.NewResponseController(w)
	_ = c.SetWriteDeadline(time.Now().Add(wait)) //nolint:errcheck // not every ResponseWriter has one
	if _, err := w.Write(body); err != nil {
		return err
	}
	if err := c.Flush(); !errors.Is(err, http.ErrNotSupported) {
		return err
	}
	return nil
}
