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

// The form of requests, and the answers to malformed ones.

const (
	sendPath = "/send/msg/"
	getPath  = "/get/msg/"
)

var methods = map[string][]string{sendPath: {http.MethodGet, http.MethodPost}, getPath: {http.MethodGet}}

// checkMethod returns the refusal for a method that r's path does not support.
func checkMethod(r *http.Request) error {
	if allow := methods[r.URL.Path]; !slices.Contains(allow, r.Method) {
		return &protocol.RejectError{Status: http.StatusMethodNotAllowed, Header: http.Header{"Allow": allow}}
	}
	return nil
}

// parse returns the parameters of a request, or the refusal if they are wrong. A poll
// has no text.
func parse(w http.ResponseWriter, r *http.Request) (uid, text string, err error) {
	r.Body = http.MaxBytesReader(w, r.Body, 4*maxText) // percent-encoding takes three times as much
	if r.ParseForm() != nil {
		return "", "", protocol.NewRejectError(http.StatusBadRequest, "the query or the form is malformed, or too long")
	}
	sends := r.URL.Path == sendPath
	if sends {
		text = r.Form.Get("text")
	}
	r.Form.Del("text") // the rest describes the connection
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

// closedAnswer turns the error of a closed connection into an answer with the close
// code.
func closedAnswer(err error) error {
	if over, ok := errors.AsType[*protocol.CloseError](err); ok {
		return protocol.NewRejectError(http.StatusGone, strings.TrimSpace(fmt.Sprintf("%d %s", over.Code, over.Reason)))
	}
	return err
}
