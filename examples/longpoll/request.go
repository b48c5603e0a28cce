package main

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/wye-go/wye/protocol"
)

// What requests of the protocol look like, and what is said about wrong ones.

const (
	sendPath = "/send/msg/"
	getPath  = "/get/msg/"
)

var methods = map[string][]string{sendPath: {http.MethodGet, http.MethodPost}, getPath: {http.MethodGet}}

// checkMethod returns the refusal of a method that r's path does not have.
func checkMethod(r *http.Request) error {
	if allow := methods[r.URL.Path]; !slices.Contains(allow, r.Method) {
		return &protocol.RejectError{Status: http.StatusMethodNotAllowed, Header: http.Header{"Allow": allow}}
	}
	return nil
}

// parse returns what is asked for, or what is wrong with it. A poll has no text.
func parse(w http.ResponseWriter, r *http.Request) (uid, text string, err error) {
	r.Body = http.MaxBytesReader(w, r.Body, 4*maxText) // percent-encoded it is three times as long
	if r.ParseForm() != nil {
		return "", "", protocol.NewRejectError(http.StatusBadRequest, "the query or the form is malformed, or too long")
	}
	sends := r.URL.Path == sendPath
	if sends {
		text = r.Form.Get("text")
	}
	r.Form.Del("text") // what is left describes the connection
	given := r.Form.Get("uid")
	uid, named := cleanName(given)
	switch {
	case given == "" || len(given) > maxName:
		err = protocol.NewRejectError(http.StatusBadRequest,
			fmt.Sprintf("say who you are, in %d bytes at the most, as in %s?uid=ann", maxName, getPath))
	case sends && text == "":
		err = protocol.NewRejectError(http.StatusBadRequest, "say something, as in "+sendPath+"?uid=ann&text=hello")
	case len(text) > maxText:
		err = protocol.NewRejectError(http.StatusRequestEntityTooLarge, fmt.Sprintf("a text has %d bytes at the most", maxText))
	case !utf8.ValidString(given + text):
		err = protocol.NewRejectError(http.StatusBadRequest, "uid and text have to be UTF-8")
	case !named:
		err = protocol.NewRejectError(http.StatusBadRequest, "a uid is a name that can be printed, on one line")
	}
	return uid, text, err
}

// gone is the answer when a connection has ended: how, with the codes of WebSocket.
func gone(err error) error {
	if over, ok := errors.AsType[*protocol.CloseError](err); ok {
		return protocol.NewRejectError(http.StatusGone, strings.TrimSpace(fmt.Sprintf("%d %s", over.Code, over.Reason)))
	}
	return err
}
