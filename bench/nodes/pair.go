package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"

	"github.com/wye-go/wye/bench/internal/child"
	"github.com/wye-go/wye/bench/internal/node"
)

// driven is a node that is driven.
type driven struct {
	process  *child.Process
	in, out  *os.File
	requests *json.Encoder
	replies  *json.Decoder
}

// pair is two nodes with a pipe between them.
type pair struct{ sender, receiver *driven }

// startPair starts the nodes of a system. The caller must stop them.
func (b *bench) startPair(ctx context.Context, s *system, env ...string) (*pair, error) {
	r, w, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer r.Close()
	defer w.Close()
	sender, err := startDriven(ctx, s.layer(b, true), r, nil)
	if err != nil {
		return nil, err
	}
	receiver, err := startDriven(ctx, s.layer(b, false), w, env)
	if err != nil {
		return nil, errors.Join(err, sender.stop())
	}
	return &pair{sender, receiver}, nil
}

func startDriven(ctx context.Context, i invocation, pipe *os.File, env []string) (*driven, error) {
	inR, inW, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer inR.Close()
	outR, outW, err := os.Pipe()
	if err != nil {
		return nil, errors.Join(err, inW.Close())
	}
	defer outW.Close()
	p, err := child.Surroundings{In: inR, Out: outW, More: []*os.File{pipe}, Env: append(i.env, env...)}.Start(ctx, i.program, i.args...)
	if err != nil {
		return nil, errors.Join(err, inW.Close(), outR.Close())
	}
	return &driven{process: p, in: inW, out: outR, requests: json.NewEncoder(inW), replies: json.NewDecoder(outR)}, nil
}

// stop ends both nodes.
func (p *pair) stop() error { return errors.Join(p.sender.stop(), p.receiver.stop()) }

// stop has the node end with its input.
func (d *driven) stop() error {
	err := d.in.Close()
	_ = d.out.Close() // nothing is expected any more
	select {
	case <-d.process.Ended():
		return err
	case <-after(endPatience):
	}
	return errors.Join(err, d.process.Stop(true))
}

// do asks for something and waits for the reply. It ends with the node, which ends with its
// context.
func (d *driven) do(q node.Request) (r node.Reply, err error) {
	if err = d.requests.Encode(q); err == nil {
		err = d.replies.Decode(&r)
	}
	if err == nil && r.Error != "" {
		err = errors.New(r.Error)
	}
	if err != nil {
		return r, fmt.Errorf("a node that was asked to %s: %w", q.Do, errors.Join(err, d.said()))
	}
	return r, nil
}

// said returns what a node has said that has ended.
func (d *driven) said() error {
	select {
	case <-d.process.Ended():
		return d.process.Stop(true)
	default:
		return nil
	}
}

// both asks both nodes for the same.
func (p *pair) both(q node.Request) (sender, receiver node.Reply, err error) {
	if sender, err = p.sender.do(q); err == nil {
		receiver, err = p.receiver.do(q)
	}
	return sender, receiver, err
}
