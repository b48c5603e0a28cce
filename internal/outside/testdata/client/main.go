// Command client is the other half of scripts/outside: it talks to the
// README's hello world from a module that is not Wye's.
//
//	client port      prints a TCP port of 127.0.0.1 that is free now
//	client talk URL  checks that the server at URL echoes and closes properly
package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"time"

	"github.com/gobwas/ws"
	"github.com/gobwas/ws/wsutil"
)

const (
	// patience is how long the whole conversation may take, the server's
	// start included.
	patience = 20 * time.Second
	// retryEvery is the pause between two attempts to reach a server that is
	// still starting.
	retryEvery = 50 * time.Millisecond
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "client:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	switch {
	case len(args) == 1 && args[0] == "port":
		return printFreePort()
	case len(args) == 2 && args[0] == "talk":
		return talk(args[1])
	default:
		return errors.New("usage: client port | client talk URL")
	}
}

func printFreePort() error {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	defer listener.Close()
	addr, ok := listener.Addr().(*net.TCPAddr)
	if !ok {
		return fmt.Errorf("listening on %v, which is no TCP address", listener.Addr())
	}
	fmt.Println(addr.Port)
	return nil
}

func talk(url string) error {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()

	conn, err := dial(ctx, url)
	if err != nil {
		return fmt.Errorf("dial %s: %w", url, err)
	}
	defer conn.Close()
	if deadline, ok := ctx.Deadline(); ok {
		if err := conn.SetDeadline(deadline); err != nil {
			return err
		}
	}

	messages := []struct {
		name    string
		op      ws.OpCode
		payload []byte
	}{
		{"text", ws.OpText, []byte("hello")},
		{"text beyond ASCII", ws.OpText, []byte("Grüße")},
		{"binary", ws.OpBinary, []byte{0x00, 0xff, 0xfe, 0x80, 0x00}},
	}
	for _, m := range messages {
		if err := echo(conn, m.op, m.payload); err != nil {
			return fmt.Errorf("%s message: %w", m.name, err)
		}
		fmt.Printf("%s message: echoed\n", m.name)
	}
	if err := closeNormally(conn); err != nil {
		return fmt.Errorf("close: %w", err)
	}
	fmt.Println("close 1000: answered with close 1000")
	return nil
}

// dial tries until the server listens, and gives up at once when it listens
// but does not take the handshake.
func dial(ctx context.Context, url string) (net.Conn, error) {
	retry := time.NewTicker(retryEvery)
	defer retry.Stop()
	for {
		conn, br, _, err := ws.Dial(ctx, url)
		if err == nil {
			if br != nil {
				conn.Close()
				return nil, errors.New("the server spoke first")
			}
			return conn, nil
		}
		var refused *net.OpError
		if !errors.As(err, &refused) || refused.Op != "dial" {
			return nil, err
		}
		select {
		case <-retry.C:
		case <-ctx.Done():
			return nil, errors.Join(err, ctx.Err())
		}
	}
}

func echo(conn net.Conn, op ws.OpCode, payload []byte) error {
	// The client masks what it is given in place, so it is given a copy.
	if err := wsutil.WriteClientMessage(conn, op, bytes.Clone(payload)); err != nil {
		return err
	}
	got, gotOp, err := wsutil.ReadServerData(conn)
	if err != nil {
		return err
	}
	if gotOp != op {
		return fmt.Errorf("sent opcode %#x, got %#x back", op, gotOp)
	}
	if !bytes.Equal(got, payload) {
		return fmt.Errorf("sent %q, got %q back", payload, got)
	}
	return nil
}

func closeNormally(conn net.Conn) error {
	body := ws.NewCloseFrameBody(ws.StatusNormalClosure, "")
	if err := ws.WriteFrame(conn, ws.MaskFrame(ws.NewCloseFrame(body))); err != nil {
		return err
	}
	header, err := ws.ReadHeader(conn)
	if err != nil {
		return err
	}
	if header.OpCode != ws.OpClose {
		return fmt.Errorf("got opcode %#x back, not a close frame", header.OpCode)
	}
	if header.Masked || header.Length > ws.MaxControlFramePayloadSize {
		return fmt.Errorf("no server may send such a close frame: %+v", header)
	}
	payload := make([]byte, header.Length)
	if _, err := io.ReadFull(conn, payload); err != nil {
		return err
	}
	code, reason := ws.ParseCloseFrameData(payload)
	if code != ws.StatusNormalClosure {
		return fmt.Errorf("got close code %d (%q) back", code, reason)
	}
	// RFC 6455, 7.1.1: the server is the one to close the TCP connection.
	if n, err := conn.Read(make([]byte, 1)); n != 0 || !errors.Is(err, io.EOF) {
		return fmt.Errorf("after its close frame the server sent %d bytes and %v, not the end of the connection", n, err)
	}
	return nil
}
