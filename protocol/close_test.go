package protocol_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/wye-go/wye/internal/testkit"
	"github.com/wye-go/wye/internal/testkit/fakes"
	"github.com/wye-go/wye/protocol"
)

func TestCloseCodes(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		at         testkit.Line
		code       protocol.CloseCode
		name       string
		receivable bool
		sendable   bool
	}{
		{testkit.Here(), 0, "0", false, false},
		{testkit.Here(), 1, "1", false, false},
		{testkit.Here(), 999, "999", false, false},
		{testkit.Here(), protocol.CloseNormal, "1000 normal closure", true, true},
		{testkit.Here(), protocol.CloseGoingAway, "1001 going away", true, true},
		{testkit.Here(), protocol.CloseProtocolError, "1002 protocol error", true, true},
		{testkit.Here(), protocol.CloseUnsupportedData, "1003 unsupported data", true, true},
		{testkit.Here(), protocol.CloseCode(1004), "1004 reserved", false, false},
		{testkit.Here(), protocol.CloseNoStatus, "1005 no status received", false, false},
		{testkit.Here(), protocol.CloseAbnormal, "1006 abnormal closure", false, false},
		{testkit.Here(), protocol.CloseInvalidPayload, "1007 invalid payload data", true, true},
		{testkit.Here(), protocol.ClosePolicyViolation, "1008 policy violation", true, true},
		{testkit.Here(), protocol.CloseMessageTooBig, "1009 message too big", true, true},
		{testkit.Here(), protocol.CloseCode(1010), "1010 mandatory extension missing", true, false},
		{testkit.Here(), protocol.CloseInternalError, "1011 internal error", true, true},
		{testkit.Here(), 1012, "1012 service restart", true, true},
		{testkit.Here(), protocol.CloseTryAgainLater, "1013 try again later", true, true},
		{testkit.Here(), protocol.CloseCode(1014), "1014 bad gateway", true, true},
		{testkit.Here(), protocol.CloseCode(1015), "1015 TLS handshake failed", false, false},
		{testkit.Here(), 1016, "1016", false, false},
		{testkit.Here(), 1999, "1999", false, false},
		{testkit.Here(), 2000, "2000", false, false},
		{testkit.Here(), 2999, "2999", false, false},
		{testkit.Here(), protocol.CloseUnauthorized, "3000 unauthorized", true, true},
		{testkit.Here(), 3001, "3001", true, true},
		{testkit.Here(), protocol.CloseForbidden, "3003 forbidden", true, true},
		{testkit.Here(), protocol.CloseCode(3008), "3008 timeout", true, true},
		{testkit.Here(), 3999, "3999", true, true},
		{testkit.Here(), 4000, "4000", true, true},
		{testkit.Here(), 4999, "4999", true, true},
		{testkit.Here(), 5000, "5000", false, false},
		{testkit.Here(), 65535, "65535", false, false},
	} {
		if got := test.code.String(); got != test.name {
			t.Errorf("%s: String is %q, want %q", test.at, got, test.name)
		}
		if got := test.code.Receivable(); got != test.receivable {
			t.Errorf("%s: %v receivable: %v", test.at, test.code, got)
		}
		if got := test.code.Sendable(); got != test.sendable {
			t.Errorf("%s: %v sendable: %v", test.at, test.code, got)
		}
	}
}

// TestUnsendableCodesAreReplaced: no way to close gets a code onto the wire that
// must not be there.
func TestUnsendableCodesAreReplaced(t *testing.T) {
	t.Parallel()
	for code := range protocol.CloseCode(5100) {
		if code.Sendable() || code > 1020 && code < 2990 {
			continue
		}
		r := open(t, &fakes.Handler{}, protocol.Limits{})
		r.Conn().Close(code, "reason")
		if st := r.wire.closing(t); st.Code != protocol.CloseInternalError || st.Reason != "" {
			t.Errorf("Close(%v) closed with %v %q", code, st.Code, st.Reason)
		}
		if len(r.logs.having("code")) != 1 {
			t.Errorf("Close(%v) logged %d lines, want 1", code, r.logs.count())
		}
		<-r.over
	}
}

// TestUnsendableCodesAreNamedInTheLog: what a callback returns is logged with what is
// wrong with its code.
func TestUnsendableCodesAreNamedInTheLog(t *testing.T) {
	t.Parallel()
	r := open(t, &fakes.Handler{}, protocol.Limits{})
	r.Conn().CloseWith(fmt.Errorf("x: %w", protocol.NewCloseError(99, "bye")))
	if lines := r.logs.having("error"); len(lines) != 1 || !strings.Contains(lines[0].attrs["error"], `cannot close with 99 ("bye")`) {
		t.Errorf("logged %v", lines)
	}
	<-r.over
}

func TestStatusOf(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		at   testkit.Line
		err  error
		code protocol.CloseCode
		text string
		kept bool // as the cause
	}{
		{testkit.Here(), nil, protocol.CloseNormal, "", false},
		{testkit.Here(), protocol.NewCloseError(4001, "bye"), 4001, "bye", false},
		{testkit.Here(), fmt.Errorf("x: %w", protocol.NewCloseError(3999, "bye")), 3999, "bye", false},
		{testkit.Here(), errors.Join(errInternal, protocol.NewCloseError(1000, "")), 1000, "", false},
		{testkit.Here(), protocol.NewCloseError(1006, "bye"), protocol.CloseInternalError, "", true},
		{testkit.Here(), protocol.NewCloseError(1010, "bye"), protocol.CloseInternalError, "", true},
		{testkit.Here(), errInternal, protocol.CloseInternalError, "", true},
		{testkit.Here(), ended(t), protocol.CloseInternalError, "", true},
		{testkit.Here(), &protocol.PanicError{Value: protocol.NewCloseError(4001, "thrown")}, protocol.CloseInternalError, "", true},
	} {
		st := protocol.CloseStatusOf(test.err)
		if st.Code != test.code || st.Reason != test.text || st.Remote {
			t.Errorf("%s: CloseStatusOf(%v) is %v %q", test.at, test.err, st.Code, st.Reason)
		}
		if kept := test.err != nil && errors.Is(st.Err, test.err); kept != test.kept {
			t.Errorf("%s: CloseStatusOf(%v) has the cause %v", test.at, test.err, st.Err)
		}
	}
}
